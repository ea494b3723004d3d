"""Searched networks side by side: each trained the same way, scored, exported, and measured whole on the device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import final

import numpy as np
import numpy.typing as npt

from devices import WrongUse
from latency import (
    Failure,
    Measurement,
    Outcome,
    SamplingPlan,
    Workload,
    build_module,
    export_onnx,
    nothing_measured,
    operator_of,
)
from lut import Lookup, Progress, Start, TableWriter, fill, is_doubtful
from search.baseline import BY_HAND
from search.comparison import Comparison, Interval, NetworkResult
from search.compute_device import training_device
from search.data import LabelledImages, score_of
from search.objective import Objective
from search.recipe import TrainRecipe
from search.result import SearchResult
from search.spaces import Architecture, Space

WHOLE_NETWORK_PLAN = SamplingPlan(warm_up_s=0.03, least_s=0.1, limit_s=0.2, most_bursts=8)
"""Whole networks take longer than blocks, and there are few of them."""

_PROBLEMATIC_SHARE = 0.1
"""Above this share of doubtful rows a table as a whole is worth a warning."""

Tell = Callable[[str, int, int], None]
"""Told as it goes: what is being done, steps done, steps in all."""


@dataclass(frozen=True)
class Images:
    """What networks are trained and scored on."""

    train: LabelledImages
    test: LabelledImages


@final
class NetworkComparison:
    """Compares networks at one input size on one device. Running it again goes on where it was interrupted.

    Args:
        results: the networks. What is said of candidates is said of the space of the first.
        lookup: latencies of that space's candidates.
        writer: the table, which whole-network measurements are added to.
        start: starts the processes that measure; their environment is the table's. None where the table's device is not
            at hand, as with one that was estimated from peak figures: then nothing is measured.
        plan: how whole networks are sampled.
        images: to train and to score on.
        recipe: how to train.
        out: folder for checkpoints and ONNX files.
        seed: of training.
        precision: number format that the networks are measured in.
        beside: latencies of the candidates of the other spaces, by name.
        device: where networks are trained: ``auto`` (the GPU where there is one), ``cpu`` or ``cuda``.

    Raises:
        NotAvailable: there is no such device to train on here.
        WrongUse: the results differ in size or classes, two share a name, or a space's latencies were not given.
    """

    def __init__(
        self,
        results: Sequence[SearchResult],
        lookup: Lookup,
        writer: TableWriter,
        start: Start | None,
        plan: SamplingPlan,
        images: Images,
        recipe: TrainRecipe,
        out: Path,
        seed: int,
        precision: str = "fp32",
        beside: Mapping[str, Lookup] = {},
        device: str = "cpu",
    ) -> None:
        self._device = training_device(device)
        self._space, *others = spaces_of(results, precision)
        self._spaces = {space.name: space for space in (self._space, *others)}
        self._lookups = {**beside, self._space.name: lookup}
        if unknown := sorted(set(self._spaces) - set(self._lookups)):
            raise WrongUse(f"Networks of {' and '.join(unknown)} need latencies, too. Hand them in as `beside`.")
        self._results, self._lookup, self._writer = results, lookup, writer
        self._start, self._plan = start, plan
        self._images, self._recipe, self._out, self._seed = images, recipe, out, seed

    def run(
        self, references: int, command: str, tell: Tell = lambda what, done, steps: None, *, again: bool = False
    ) -> Comparison:
        """Train, score, export and measure everything.

        What is measured whole is the network with weights drawn at random: times do not depend on weights. The exported
        file holds the trained ones.

        Args:
            references: networks between the cheapest and a random one that are measured beside the searched ones.
            command: the command that compares, for the report; the searches know theirs.
            tell: progress.
            again: measure whole networks again that the table knows already.

        Returns:
            What was found, ready to be written and drawn.

        Raises:
            WrongUse: the images have other classes than the space, a network has a candidate that failed on the
                device, or no pixel of the test images is labelled.
        """
        self._refuse_unfit()
        architectures = [self._spaces[result.space].architecture(result.architecture) for result in self._results]
        # References are there to be measured.
        count = 0 if self._start is None else references
        others = [
            a for a in spread_architectures(self._space, self._lookup, count, self._seed) if a not in architectures
        ]
        outcomes = self._measure([*architectures, *others], tell, again=again)
        networks = [
            self._searched(result, architecture, outcomes.get(architecture), tell)
            for result, architecture in zip(self._results, architectures, strict=True)
        ]
        drawn = [
            self._described(f"reference {number}", architecture, outcomes.get(architecture))
            for number, architecture in enumerate(others, 1)
        ]
        return Comparison(
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            device=self._lookup.environment.device.to_json(),
            runtime=asdict(self._lookup.environment.runtime),
            space=self._space.name,
            input_size=self._space.input_size,
            candidates=tuple(unit.names for unit in self._space.units),
            unit_names=tuple(unit.name for unit in self._space.units),
            macs=tuple(tuple(map(int, row)) for row in self._cut(self._space.macs)),
            latency_s=tuple(tuple(map(float, row)) for row in self._cut(self._lookup.mean_s)),
            fixed_macs=self._space.fixed_macs,
            fixed_latency_s=self._lookup.fixed.mean_s,
            data=f"trained on {self._images.train.name} ({len(self._images.train)} images), "
            f"scored on {self._images.test.name} ({len(self._images.test)} images)",
            networks=tuple(networks),
            reference_networks=tuple(drawn),
            rank_correlation=self._rank_correlation([*networks, *drawn]),
            problems=tuple(self._problems(architectures, outcomes)),
            commands=(*(result.command for result in self._results if result.command), command),
            measure=score_of(self._images.test).name,
        )

    def _cut(self, rows: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
        """The costs of the candidates that there are, for each unit."""
        return [row[:size] for row, size in zip(rows, self._space.sizes, strict=True)]

    def _refuse_unfit(self) -> None:
        for images in (self._images.train, self._images.test):
            if len(images.classes) != self._space.classes:
                raise WrongUse(
                    f"{images.name} has {len(images.classes)} classes, the networks tell {self._space.classes} apart. "
                    "Choose the --data they were searched on."
                )
            images.refuse_unlabelled()
        for result in self._results:
            try:
                picks = self._spaces[result.space].architecture(result.architecture).picks
                self._lookups[result.space].estimate(picks)
            except WrongUse as error:
                raise WrongUse(f"{result.name}: {error} A search with --table leaves such candidates out.") from error

    def _measure(
        self, architectures: Sequence[Architecture], tell: Tell, *, again: bool
    ) -> dict[Architecture, Outcome]:
        """What is known of networks as a whole; nothing where nothing can be measured."""
        if self._start is None:
            return {}
        workloads = {architecture: self._network(architecture) for architecture in architectures}

        def told(progress: Progress) -> None:
            tell("measuring whole networks", progress.done, progress.wanted)

        fill(
            self._writer,
            self._start,
            list(workloads.values()),
            self._plan,
            again=lambda outcome: again,
            tell=told,
        )
        environment = self._lookup.environment
        found = {a: self._writer.table.outcome(workload, environment) for a, workload in workloads.items()}
        return {architecture: outcome for architecture, outcome in found.items() if outcome is not None}

    def _searched(
        self, result: SearchResult, architecture: Architecture, outcome: Outcome | None, tell: Tell
    ) -> NetworkResult:
        """Train and score a searched network, and export it with its trained weights."""
        from search.training import score_network, scoring_batches, train_network

        workload = self._network(architecture)
        network = build_module(workload, seed=self._seed).to(self._device)
        checkpoint = self._out / f"{result.name}.safetensors"
        train_network(
            network,
            self._images.train,
            self._recipe,
            self._seed,
            checkpoint,
            lambda done, steps: tell(f"training {result.name}", done, steps),
        )
        miou, class_iou = score_network(network, scoring_batches(self._images.test))
        (self._out / f"{result.name}.onnx").write_bytes(export_onnx(workload, network.cpu()))
        plain = self._described(result.name, architecture, outcome)
        return replace(
            plain,
            # What was not searched is held against no limit, and stands for no objective.
            objective=None if result.strategy == BY_HAND else result.objective,
            limit=None if result.strategy == BY_HAND else result.limit,
            miou=miou,
            class_iou=class_iou,
            trained_steps=self._recipe.steps,
        )

    def _described(self, name: str, architecture: Architecture, outcome: Outcome | None) -> NetworkResult:
        workload = self._network(architecture)
        operator = operator_of(workload)
        estimate = self._lookups[architecture.space].estimate(architecture.picks)
        measured = None
        if isinstance(outcome, Measurement):
            measured = Interval(outcome.time_s, *outcome.interval_s)
        return NetworkResult(
            name=name,
            architecture=self._spaces[architecture.space].names(architecture),
            macs=operator.macs(workload),
            parameters=operator.parameters(workload),
            predicted=Interval(estimate.mean_s, *estimate.interval_s),
            measured=measured,
            failure=f"{outcome.stage}: {outcome.reason}" if isinstance(outcome, Failure) else None,
            space=architecture.space,
        )

    def _network(self, architecture: Architecture) -> Workload:
        return self._spaces[architecture.space].network(architecture)

    def _rank_correlation(self, networks: Sequence[NetworkResult]) -> dict[str, float]:
        """Spearman's rho between MACs and latency: of the table's candidates, and of networks measured whole."""
        macs, seconds = self._space.macs.ravel(), self._lookup.mean_s.ravel()
        known = (macs > 0) & ~np.isnan(seconds)
        found = {"candidates": _spearman(macs[known], seconds[known])}
        whole = [(network.macs, network.measured.mean_s) for network in networks if network.measured is not None]
        if len({macs for macs, _ in whole}) > 2:
            found["networks"] = _spearman(*np.array(whole, dtype=float).T)
        return found

    def _problems(self, architectures: Sequence[Architecture], outcomes: dict[Architecture, Outcome]) -> list[str]:
        note = nothing_measured(self._lookup.environment)
        found = [note] if note else []
        found += [f"{result.name} was searched with these times: {result.note}" for result in self._elsewhere(note)]
        for result, architecture in zip(self._results, architectures, strict=True):
            outcome = outcomes.get(architecture)
            if isinstance(outcome, Measurement):
                found += [f"{result.name}, measured whole: {problem}" for problem in outcome.problems()]
        if len(set(architectures)) < len(architectures):
            found.append("two of the searches returned the same network")
        rows = [row for row in self._writer.table.values() if isinstance(row, Measurement)]
        doubtful = sum(map(is_doubtful, rows))
        if doubtful > _PROBLEMATIC_SHARE * len(rows):
            found.append(f"{doubtful} of the table's {len(rows)} rows are doubtful; `paceline table check` names them")
        return found

    def _elsewhere(self, note: str) -> list[SearchResult]:
        """Those that were searched with times of which something else must be said than of the table's."""
        return [result for result in self._results if result.note and result.note != note]


def spaces_of(results: Sequence[SearchResult], precision: str = "fp32") -> tuple[Space, ...]:
    """The spaces that networks to be compared belong to, each once, that of the first one first.

    Args:
        results: the networks.
        precision: number format of the spaces' workloads.

    Raises:
        WrongUse: there is no result, they differ in input size or classes, or two share a name.
    """
    conditions = {(result.input_size, result.classes) for result in results}
    if len(conditions) != 1:
        raise WrongUse(
            f"Networks are compared at one input size and number of classes; got {sorted(conditions)}. "
            "Search, or make the baseline, at the same ones."
        )
    if len({result.name for result in results}) < len(results):
        raise WrongUse(f"Networks need different names to be told apart; got {[result.name for result in results]}.")
    first_of = {result.space: result for result in reversed(results)}
    names = dict.fromkeys(result.space for result in results)
    return tuple(first_of[name].open(precision)[0] for name in names)


def spread_architectures(space: Space, lookup: Lookup, count: int, seed: int) -> list[Architecture]:
    """Different networks spread from the fastest to wholly random ones.

    Args:
        space: to draw from.
        lookup: its latencies.
        count: how many draws; the i-th replaces a growing share of the fastest network by random candidates.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    fastest = Objective.latency(space, lookup).cheapest()
    found = dict[Architecture, None]()
    for share in np.linspace(0.1, 1.0, count):
        picks = [
            int(rng.choice(np.flatnonzero(~np.isnan(row)))) if rng.random() < share else pick
            for row, pick in zip(lookup.mean_s, fastest, strict=True)
        ]
        found[Architecture(space.name, tuple(picks))] = None
    return list(found)


def _spearman(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(first, second).statistic)
