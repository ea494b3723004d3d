"""Times from peak figures: the roofline itself, how wide the belief around it is, and what says that nothing ran."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from devices import Peaks, Target, WrongUse
from latency import (
    PRECISION_BYTES,
    ROOFLINE_FACTOR,
    ROOFLINE_LOG_DEVIATION,
    Environment,
    Roofline,
    Workload,
    estimated_target,
    is_estimated,
    nothing_measured,
    open_roofline,
    operator_of,
    parts,
    roofline_environment,
)
from tests.contracts.examples import ENVIRONMENT, OPERATOR_CASES, block, network, skip

PEAKS = Peaks({"fp32": 1e12, "fp16": 8e12}, 1e11, "a datasheet", 5e-6)
TARGET = Target("board", "jetson", "Example Board", "trtexec", "fp16", peaks=PEAKS)


def only(workload: Workload, **changes: object) -> float:
    """Roofline on a device where all but one thing is for free."""
    free: Mapping[str, object] = {"operations_per_s": {workload.precision: 1e30}, "bandwidth_bytes_per_s": 1e30}
    return Roofline(replace(PEAKS, launch_s=1e-30, **{**free, **changes})).bound_s(workload)  # type: ignore[arg-type]


CONVOLUTION = Workload("convolution", ((16, 10, 20),), {"channels": 32, "kernel": 3, "stride": 1})
MACS = 32 * 10 * 20 * 16 * 9
MOVED_BYTES = 4 * (16 * 200 + 32 * 200 + 32 * 16 * 9 + 2 * 32)


def test_two_operations_to_a_multiply_accumulate_at_the_peak_rate() -> None:
    assert only(CONVOLUTION, operations_per_s={"fp32": 1e12}) == pytest.approx(2 * MACS / 1e12)


def test_input_weights_and_output_go_through_the_memory_once() -> None:
    assert only(CONVOLUTION, bandwidth_bytes_per_s=1e11) == pytest.approx(MOVED_BYTES / 1e11)


def test_the_slower_of_the_two_counts_and_the_launch_comes_on_top() -> None:
    slow_memory = replace(PEAKS, bandwidth_bytes_per_s=1e9)
    assert Roofline(PEAKS).bound_s(CONVOLUTION) == pytest.approx(2 * MACS / 1e12 + 5e-6)
    assert Roofline(slow_memory).bound_s(CONVOLUTION) == pytest.approx(MOVED_BYTES / 1e9 + 5e-6)


def test_what_lies_between_the_layers_of_a_block_is_written_and_read_again() -> None:
    workload = block(8, expansion=6)
    hidden = 4 * 48 * 64
    assert only(workload, bandwidth_bytes_per_s=1.0) > 4 * hidden + operator_of(workload).activation_bytes(workload) / 4
    assert Roofline(replace(PEAKS, launch_s=1.0)).bound_s(workload) == pytest.approx(3, abs=1e-3)


def test_an_input_that_is_only_added_is_read() -> None:
    attributes = {"channels": 12, "kernel": 3, "stride": 2, "groups": 1}
    alone = Workload("grouped_convolution", ((8, 9, 12),), attributes)
    added = Workload("residual_convolution", ((8, 9, 12), (12, 5, 6)), attributes)
    more = only(added, bandwidth_bytes_per_s=1.0) - only(alone, bandwidth_bytes_per_s=1.0)
    assert more == pytest.approx(4 * 12 * 5 * 6)


def test_a_network_is_the_sum_of_its_parts() -> None:
    roofline, whole = Roofline(PEAKS), network()
    assert roofline.bound_s(whole) == pytest.approx(sum(map(roofline.bound_s, parts(whole))))


def test_images_of_a_batch_share_the_weights_alone() -> None:
    one = only(CONVOLUTION, bandwidth_bytes_per_s=1.0)
    eight = only(replace(CONVOLUTION, batch=8), bandwidth_bytes_per_s=1.0)
    assert 8 * one - eight == pytest.approx(7 * 4 * (32 * 16 * 9 + 2 * 32))


@pytest.mark.parametrize("precision", PRECISION_BYTES)
def test_fewer_bytes_go_through_the_memory_in_a_smaller_precision(precision: str) -> None:
    workload = replace(CONVOLUTION, precision=precision)
    assert only(workload, bandwidth_bytes_per_s=1e11) == pytest.approx(
        MOVED_BYTES / 4 * PRECISION_BYTES[precision] / 1e11
    )


@pytest.mark.parametrize("workload", OPERATOR_CASES.values(), ids=OPERATOR_CASES)
def test_every_operator_has_an_estimate_that_says_what_it_is(workload: Workload) -> None:
    roofline = Roofline(PEAKS)
    known = roofline.estimate(workload)
    assert (known.source, known.is_inside) == ("roofline", False)
    assert known.mean_s == ROOFLINE_FACTOR * roofline.bound_s(workload)
    assert known.standard_deviation_s == pytest.approx(ROOFLINE_LOG_DEVIATION * known.mean_s)
    assert (known.mean_s == 0) == operator_of(workload).is_free


def test_what_leaves_no_trace_takes_no_time() -> None:
    assert Roofline(PEAKS).bound_s(skip()) == 0


def test_a_precision_without_a_peak_is_refused_with_those_that_have_one() -> None:
    with pytest.raises(WrongUse, match=r"for int8 .* but for fp32, fp16\. .*--precision"):
        open_roofline(TARGET, "int8")
    with pytest.raises(WrongUse, match="for bf16"):
        Roofline(PEAKS).estimate(replace(CONVOLUTION, precision="bf16"))


def test_a_target_without_peaks_is_refused_with_the_way_out() -> None:
    for ask in (lambda target: open_roofline(target, "fp32"), roofline_environment):
        with pytest.raises(WrongUse, match=r"No peak figures are known of the target 'board'.*without --estimate"):
            ask(replace(TARGET, peaks=None))


def test_the_environment_names_the_device_and_its_figures_and_no_runtime() -> None:
    environment = roofline_environment(TARGET)
    assert (environment.device.kind, environment.device.name) == ("cuda", "Example Board")
    assert environment.device.architecture == "unknown"
    assert (environment.device.cores, environment.device.system, environment.runtime.threads) == (None, None, None)
    assert environment.runtime.name == "roofline"
    assert environment.runtime.options["peaks from"] == "a datasheet"
    assert environment.runtime.options["fp16 operations per s"] == "8e+12"
    assert Environment.from_json(environment.to_json()).digest == environment.digest


@pytest.mark.parametrize(
    "changes", [{"launch_s": 1e-6}, {"bandwidth_bytes_per_s": 2e11}, {"operations_per_s": {"fp32": 2e12}}], ids=str
)
def test_other_figures_are_another_environment(changes: dict[str, object]) -> None:
    other = replace(TARGET, peaks=replace(PEAKS, **changes))  # type: ignore[arg-type]
    assert roofline_environment(other).digest != roofline_environment(TARGET).digest


def test_only_times_from_peak_figures_are_said_not_to_be_measured() -> None:
    environment = roofline_environment(TARGET)
    assert is_estimated(environment)
    assert estimated_target(environment) == "board"
    assert nothing_measured(environment) == "Estimated from peak figures of Example Board; nothing was measured."
    assert not is_estimated(ENVIRONMENT)
    assert nothing_measured(ENVIRONMENT) == ""
