"""What every runtime of the agent must do. A runtime's test class inherits this and says how one is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from agent.loop import ProfilingError, take_burst
from agent.runtimes import RUNTIMES, Input, Model, Runtime, Unavailable
from agent.runtimes.runtime import PRECISIONS
from devices import DeviceState
from latency import Costs, Workload, export_onnx, input_names, known_profilers, open_profiler
from tests.contracts.examples import DEVICE, QUICK, block

ADDED_BY_THE_HOST = {"versions": {"torch"}, "options": {"opset"}}
"""What a profiler records beside what the runtime does: the exporter, and what it exports."""


def model_of(workload: Workload, folder: Path, name: str = "model.onnx") -> Model:
    """A workload as it lies on a device."""
    path = folder / name
    path.write_bytes(export_onnx(workload))
    kind = "float16" if workload.precision == "fp16" else "float32"
    shapes = zip(input_names(workload), workload.inputs, strict=True)
    return Model(str(path), workload.precision, [Input(name, (workload.batch, *shape), kind) for name, shape in shapes])


class RuntimeContract:
    """Inherit, say which ``kind``, and all of this is tested; where it cannot run, what needs it to run is skipped."""

    kind: ClassVar[type[Runtime]]

    def make_runtime(self, threads: int = 1, **options: str) -> Runtime:
        """A runtime of the kind under test, made as ``agent.worker`` makes it."""
        if (missing := self.kind.missing()) is not None:
            pytest.skip(f"{self.kind.name}: {missing.reason}")
        construct: Callable[..., Runtime] = self.kind
        return construct(threads, options)

    @pytest.fixture
    def runtime(self) -> Runtime:
        return self.make_runtime()

    @pytest.fixture
    def model(self, tmp_path: Path) -> Model:
        """One that can be measured; small, and alone in its folder."""
        folder = tmp_path / "models"
        folder.mkdir()
        return model_of(block(), folder)

    @pytest.fixture
    def broken(self, model: Model) -> Model:
        """One that cannot be measured."""
        path = Path(model.path).with_name("broken.onnx")
        path.write_bytes(b"broken")
        return model._replace(path=str(path))

    def test_it_is_in_the_registry_under_its_name(self) -> None:
        assert RUNTIMES[self.kind.name] is self.kind

    def test_it_is_like_the_profiler_of_its_name(self) -> None:
        profiler = known_profilers()[self.kind.name]
        for name in ("accelerator", "takes_turns", "patience_s", "choices"):
            assert getattr(self.kind, name) == getattr(profiler, name), name

    def test_where_it_is_missing_it_says_why_and_what_to_do(self) -> None:
        if (missing := self.kind.missing()) is None:
            return
        construct: Callable[..., Runtime] = self.kind
        with pytest.raises(Unavailable) as raised:
            construct(1, {})
        assert raised.value.missing == missing
        assert missing.reason
        assert missing.remedy

    def test_an_unknown_option_or_value_is_refused_with_the_known_ones(self) -> None:
        construct: Callable[..., Runtime] = self.kind
        wrong = [{"no_such_option": "yes"}, *({name: "no such value"} for name in self.kind.choices)]
        for options in wrong:
            with pytest.raises(
                Unavailable, match=r"has no option (no_such_option = yes|\w+ = no such value)"
            ) as raised:
                construct(1, options)
            for name in self.kind.choices:
                assert name in raised.value.missing.remedy

    def test_fewer_than_one_thread_is_refused(self) -> None:
        construct: Callable[..., Runtime] = self.kind
        with pytest.raises(Unavailable, match="at least 1 thread; got 0"):
            construct(0, {})

    @pytest.mark.parametrize("threads", [1, 2])
    def test_a_machine_measured_from_afar_has_the_environment_that_it_has_by_itself(self, threads: int) -> None:
        runtime = self.make_runtime(threads)
        profiler = open_profiler(self.kind.name, DEVICE, DeviceState, threads).environment.runtime
        assert {**runtime.versions(), **_of(profiler.versions, "versions")} == profiler.versions
        assert {**runtime.recorded_options(), **_of(profiler.options, "options")} == profiler.options
        assert not {*runtime.versions()} & ADDED_BY_THE_HOST["versions"]
        assert not {*runtime.recorded_options()} & ADDED_BY_THE_HOST["options"]

    def test_options_are_recorded_with_their_values(self) -> None:
        last = {name: values[-1] for name, values in self.kind.choices.items()}
        recorded = self.make_runtime(1, **last).recorded_options()
        assert recorded.items() >= last.items()
        assert all(isinstance(value, str) for value in recorded.values())

    def test_the_precisions_it_measures_have_a_graph(self, runtime: Runtime) -> None:
        graphs = runtime.graph_precisions()
        assert graphs["fp32"] == "fp32"
        assert {*graphs, *graphs.values()} <= {*PRECISIONS}

    def test_a_model_is_measured(self, runtime: Runtime, model: Model) -> None:
        with runtime.open(model) as run:
            taken = take_burst(run, QUICK, dict, runtime.disturbances)
        assert min(taken.samples_s) > 0
        assert Costs(**taken.costs)

    def test_samples_are_as_many_as_the_plan_says(self, runtime: Runtime, model: Model) -> None:
        plan = replace(QUICK, least_samples=7, most_samples=9, precision=1e-9, limit_s=600.0)
        with runtime.open(model) as run:
            taken = take_burst(run, plan, dict, runtime.disturbances)
        assert len(taken.samples_s) + taken.discarded >= 7

    def test_a_broken_model_is_refused_with_a_stage_and_the_next_one_is_measured(
        self, runtime: Runtime, model: Model, broken: Model
    ) -> None:
        with pytest.raises(ProfilingError) as raised, runtime.open(broken):
            pass
        assert raised.value.stage in {"build", "load", "run"}
        assert str(raised.value)
        with runtime.open(model) as run:
            assert run(1) > 0

    def test_a_precision_it_does_not_measure_is_refused_before_anything_is_built(
        self, runtime: Runtime, model: Model
    ) -> None:
        for precision in {*PRECISIONS} - {*runtime.graph_precisions()}:
            with pytest.raises(ProfilingError) as raised, runtime.open(model._replace(precision=precision)):
                pass
            assert raised.value.stage == "build"

    def test_a_model_can_be_opened_again_after_it_was_released(self, runtime: Runtime, model: Model) -> None:
        for _ in range(2):
            with runtime.open(model) as run:
                assert run(1) > 0
                assert run(3) > 0

    def test_an_error_of_the_caller_passes_and_nothing_is_left_beside_the_model(
        self, runtime: Runtime, model: Model
    ) -> None:
        with pytest.raises(ZeroDivisionError), runtime.open(model) as run:
            run(int(1 / 0))
        assert [path.name for path in Path(model.path).parent.iterdir()] == ["model.onnx"]

    def test_disturbances_only_grow(self, runtime: Runtime, model: Model) -> None:
        before = runtime.disturbances()
        with runtime.open(model) as run:
            run(1)
        assert runtime.disturbances() >= before


def _of(recorded: Any, kind: str) -> dict[str, str]:
    """Of what a profiler recorded, the part that the host adds."""
    return {name: value for name, value in recorded.items() if name in ADDED_BY_THE_HOST[kind]}
