"""What does a search gain by a limit on latency, where it would have had one on MACs?

The default strategy searches under a MAC limit, at the 10th, 30th and 60th percentile of the MACs of all networks; A is
what it returns, and takes some time on a device. The same search under that time as the limit returns B: how much more
accurate is B than A, for the same time? C is the fastest network that this search came by and that is no worse than A,
or A itself: how much time does it save at the same accuracy? All of it with several seeds. From the root of the
repository, minutes:

    python benchmarks/mac_vs_latency.py --data ../shared/data/*.npz --out runs/mac_vs_latency

On NAS-Bench-201 searches see the validation accuracy after 12 epochs, and what is told is the test accuracy after 200;
Accel-NASBench has one accuracy only, which is both. Both are tables: beside each search, in brackets, is what an
exhaustive one gains, and in the last column what it gains on average of limits at the 5th, 10th, ... 95th percentile.
Its C is the fastest of all networks that are no worse than A, where a search under a limit on time has no reason to
look for networks far below it: what a search saves beside its A is the lower end of what can be saved. Where searches
gain more than an exhaustive one does, it is because they missed what is best within the MAC limit.

The row of MACs is the control: MACs in place of the time, so that both limits are the same and nothing is to be gained.
Searches under the second limit have other seeds than those under the first, or that would be so by construction. What
is gained there is chance, and as large as chance is elsewhere: searches of any seed end in the same few networks, so
the standard error over seeds says little of what other networks would have brought.

Beside each device: Spearman's rank correlation of MACs with its latency. On NAS-Bench-201 it leaves out the cells
without a path from input to output, whose MACs mean nothing. A throughput (of batches of a size that Accel-NASBench
does not say) is taken as the time for an image. Networks that failed on a device are left out on all. Of FBNet's
networks no accuracies are known, and correlations are all that is told of them; their MACs are those at 32x32 for
CIFAR-100, where stem and first stages have no stride. Files of anything else are passed over.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeAlias, final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import numpy.typing as npt

from benchmarks.mac_vs_latency_shown import CONTROL, PERCENTILES, Array, Gains, Shown
from devices import PacelineError, WrongUse
from latency import Workload, operator_of
from paceline.screen import Bar, progress_bar
from search import (
    Goal,
    ListedCost,
    ListedNetworks,
    SurrogateSearch,
    TabularBenchmark,
    best,
    feasible_set,
    is_live,
    open_space,
    run,
)

Rows: TypeAlias = npt.NDArray[np.intp]

_COLUMNS = {
    "nasbench201": ("accuracy_12ep_val/{}", "accuracy_200ep_test/{}"),
    "accel_nasbench": ("val_top1", "val_top1"),
}
_THROUGHPUT, _LATENCY = "perf/throughput_", "latency_ms/"


@final
@dataclass(frozen=True, eq=False)
class Networks:
    """Networks of a space that ran on every device.

    Attributes:
        title: of the space, with what is searched and what is told.
        listed: the networks, n of them.
        macs: of each, shape (n,).
        seen: accuracy that searches see, in percent, same shape.
        tested: accuracy that is told, in percent, same shape.
        connected: whether there is a path from input to output, same shape.
        times_s: in seconds by device, same shape.
    """

    title: str
    listed: ListedNetworks
    macs: Array
    seen: Array
    tested: Array
    connected: npt.NDArray[np.bool_]
    times_s: Mapping[str, Array]

    @staticmethod
    def read(file: Path, images: str) -> Networks:
        """A file of NAS-Bench-201 or Accel-NASBench.

        Raises:
            WrongUse: it is neither, or has no such images.
        """
        benchmark = TabularBenchmark.read(file)
        name = benchmark.networks.name
        columns = [column.format(images) for column in _COLUMNS[name]]
        if not set(columns) <= set(benchmark.scores):
            raise WrongUse(f"{file} must have {', '.join(columns)}; it has {', '.join(benchmark.scores)}.")
        times = {**benchmark.latency_s, **_times_of_throughputs(file)}
        ran = np.flatnonzero(np.isfinite(list(times.values())).all(axis=0))
        picks = benchmark.networks.picks[ran]
        seen, tested = (benchmark.scores[column][ran] for column in columns)
        return Networks(
            ", ".join([name, *dict.fromkeys(map(benchmark.meaning, columns))]),
            ListedNetworks(name, benchmark.networks.candidates, picks, tuple(picks[0].tolist())),
            benchmark.counts["macs"][ran],
            seen,
            tested,
            np.asarray(is_live(picks).any(axis=1)) if name == "nasbench201" else np.ones(len(ran), dtype=np.bool_),
            {device: values[ran] for device, values in times.items()},
        )

    def limits(self, percentiles: Sequence[float]) -> list[float]:
        """Limits on MACs."""
        return [float(limit) for limit in np.percentile(self.macs, percentiles)]

    def spearman(self, times_s: Array) -> float:
        """Rank correlation of MACs with a time."""
        return _spearman(self.macs[self.connected], times_s[self.connected])

    def searched(self, name: str, costs: Array, limit: float, seed: int, queries: int) -> tuple[int, Rows]:
        """The default strategy under a limit: what it returns, and all that it came by.

        Args:
            name: of the cost, ``macs`` or ``latency``.
            costs: of each network, shape (n,).
            limit: in the same unit.
            seed: of the strategy.
            queries: networks that it may ask for.
        """
        cost = ListedCost(name, self.listed, costs)
        strategy = SurrogateSearch(feasible_set([Goal(cost, limit)]), seed)
        trials = run(strategy, lambda picks: float(self.seen[self._row(picks)]), cost, limit, queries)
        return self._row(best(trials, cost, limit).picks), np.array([self._row(trial.picks) for trial in trials])

    def exhaustive(self, costs: Array, limit: float) -> int:
        """The network that searches see the most accurate within a limit, among equals the cheapest."""
        within = np.flatnonzero(costs <= limit)
        return int(within[np.lexsort((costs[within], -self.seen[within]))[0]])

    def fastest(self, times_s: Array, first: int, among: Rows) -> int:
        """The fastest that searches see no worse than the first, which is it where there is none faster."""
        as_good = np.append(among[self.seen[among] >= self.seen[first]], first)
        return int(as_good[np.lexsort((-self.seen[as_good], times_s[as_good]))[0]])

    def _row(self, picks: Sequence[int]) -> int:
        row = self.listed.row(picks)
        assert row is not None, "strategies are given the listed networks and no others"
        return row


@final
@dataclass(frozen=True, eq=False)
class Search:
    """Every device of a file, with the same searches under MAC limits for all of them.

    Attributes:
        networks: what is searched.
        seeds: how many, from 0 on; searches under the second limit have those that follow.
        queries: of each search.
    """

    networks: Networks
    seeds: int
    queries: int

    @cached_property
    def by_macs(self) -> list[list[int]]:
        """A for each limit and seed."""
        return [
            [self.networks.searched("macs", self.networks.macs, limit, seed, self.queries)[0] for seed in self._seeds]
            for limit in self.networks.limits(PERCENTILES)
        ]

    def device(self, times: Array, name: str = "latency") -> Gains:
        """What is gained on a device.

        Args:
            times: of each network, shape (n,), in seconds; or MACs.
            name: ``latency`` or ``macs``.
        """
        found = [[self._compared(times, name, a, seed) for seed, a in enumerate(returned)] for returned in self.by_macs]
        whole, many = (
            np.array([self._exhaustive(times, limit) for limit in self.networks.limits(percentiles)])
            for percentiles in (PERCENTILES, range(5, 100, 5))
        )
        return Gains.of(self.networks.spearman(times), np.array(found), whole, many.mean(axis=0))

    def _exhaustive(self, times: Array, limit: float) -> tuple[float, ...]:
        networks = self.networks
        a = networks.exhaustive(networks.macs, limit)
        return self._differences(times, a, networks.exhaustive(times, times[a]), np.arange(len(times)))

    def _compared(self, times: Array, name: str, a: int, seed: int) -> tuple[float, ...]:
        b, among = self.networks.searched(name, times, float(times[a]), self.seeds + seed, self.queries)
        return self._differences(times, a, b, among)

    def _differences(self, times: Array, a: int, b: int, among: Rows) -> tuple[float, ...]:
        """In the order of ``Gains``."""
        networks = self.networks
        c = networks.fastest(times, a, among)
        return (
            float(networks.tested[b] - networks.tested[a]),
            float(networks.seen[b] - networks.seen[a]),
            float(1 - times[c] / times[a]),
            float(networks.tested[c] - networks.tested[a]),
        )

    @property
    def _seeds(self) -> range:
        return range(self.seeds)


def main() -> None:
    """Search on every device, print, draw."""
    arguments = _arguments()
    if arguments.seeds < 2 or arguments.queries < 1:
        raise WrongUse("A spread needs 2 seeds or more, and a search 1 query or more.")
    spaces, alone = _read(arguments.data, arguments.images)
    known = {device for networks in spaces for device in networks.times_s}
    if unknown := set(arguments.devices or ()) - known:
        raise WrongUse(f"{', '.join(sorted(unknown))} is in none of the files; they have {', '.join(sorted(known))}.")
    found = dict[str, dict[str, Gains]]()
    with progress_bar("searches") as bar:
        for networks in spaces:
            wanted = [device for device in networks.times_s if device in (arguments.devices or known)]
            if wanted:
                found[networks.title] = _searched(Search(networks, arguments.seeds, arguments.queries), wanted, bar)
    shown = Shown(found, alone, arguments.seeds, arguments.queries)
    if arguments.out is not None:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "mac_vs_latency.json").write_text(json.dumps(shown.to_json(), indent=1) + "\n")
        shown.draw(arguments.out / "mac_vs_latency.png")
    print(json.dumps(shown.to_json(), indent=1) if arguments.json else shown.text())


def _read(files: Sequence[Path], images: str) -> tuple[list[Networks], dict[str, float]]:
    """Spaces to search, the one of most networks first, and FBNet's correlations.

    Raises:
        WrongUse: a file is missing or cannot be read, or none can be searched.
    """
    spaces, alone = list[Networks](), dict[str, float]()
    for file in files:
        names = _arrays_of(file)
        if "op_names" in names:
            alone = correlations_of_fbnet(file)
        elif any(name.startswith("accuracy_") for name in names) or "val_top1" in names:
            spaces.append(Networks.read(file, images))
    if not spaces:
        raise WrongUse("One of the files must have accuracies, as nasbench201.npz and accel_nasbench.npz do.")
    return sorted(spaces, key=lambda networks: -len(networks.macs)), alone


def _arrays_of(file: Path) -> list[str]:
    try:
        with np.load(file, allow_pickle=False) as data:
            return list(data.files)
    except (OSError, ValueError) as error:
        raise WrongUse(f"{file} must be an npz file; it cannot be read ({error}). Name others with --data.") from error


def _searched(search: Search, devices: Sequence[str], bar: Bar) -> dict[str, Gains]:
    """Gains by device, those first whose latency MACs tell least of; the control last."""
    gains = dict[str, Gains]()
    for done, device in enumerate(devices):
        bar(done, len(devices) + 1, device, search.networks.listed.name)
        gains[device] = search.device(search.networks.times_s[device])
    gains = dict(sorted(gains.items(), key=lambda item: item[1].spearman))
    gains[CONTROL] = search.device(search.networks.macs, "macs")
    bar(len(devices) + 1, len(devices) + 1, "", search.networks.listed.name)
    return gains


def _times_of_throughputs(file: Path) -> dict[str, Array]:
    """Seconds for an image by device, in the order of ``TabularBenchmark``, which keeps the first of equal networks."""
    with np.load(file, allow_pickle=False) as data:
        names = [name for name in data.files if name.startswith(_THROUGHPUT)]
        if not names:
            return {}
        kept = np.sort(np.unique(data["arch"], axis=0, return_index=True)[1])
        rates = {name.removeprefix("perf/"): data[name][kept].astype(np.float64) for name in names}
    return {device: 1 / np.where(rate > 0, rate, np.nan) for device, rate in rates.items()}


def correlations_of_fbnet(file: Path) -> dict[str, float]:
    """Spearman's correlation of MACs with latency by device, for FBNet's networks at 32x32.

    Args:
        file: of the layout of fbnet_cifar100.npz: ``arch``, one of nine candidates for each of 22 units, and
            ``latency_ms/DEVICE``.
    """
    with np.load(file, allow_pickle=False) as data:
        picks = data["arch"]
        times = {name.removeprefix(_LATENCY): data[name] for name in data.files if name.startswith(_LATENCY)}
    # At 128 pixels and by their strides, all but the first two units have the sizes that they have for CIFAR.
    units = open_space("fbnet", (128, 128)).units
    macs = np.array(
        [[_macs(_at_32(each.workload, place)) for each in unit.candidates] for place, unit in enumerate(units)]
    )
    sums = macs[np.arange(len(units)), picks].sum(axis=1)
    return {device: _spearman(sums, values) for device, values in times.items()}


def _at_32(workload: Workload, unit: int) -> Workload:
    """What a workload of the space at 128 pixels is for CIFAR."""
    if unit > 1:
        return workload
    attributes = {name: 1 if name == "stride" else value for name, value in workload.attributes.items()}
    return replace(workload, inputs=((workload.inputs[0][0], 32, 32),), attributes=attributes)


def _macs(workload: Workload) -> float:
    return float(operator_of(workload).macs(workload))


def _spearman(first: Array, second: Array) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(first, second).statistic)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data", type=Path, nargs="+", default=[Path("../shared/data/nasbench201.npz")], help="tables")
    parser.add_argument("--images", default="cifar100", help="of NAS-Bench-201: cifar10, cifar100 or imagenet16")
    parser.add_argument("--devices", nargs="+", help="only these; all of the files without")
    parser.add_argument("--queries", type=int, default=100, help="networks that a search may ask for")
    parser.add_argument("--seeds", type=int, default=5, help="from 0 on")
    parser.add_argument("--out", type=Path, help="folder for the plot and the figures; without, they are printed only")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except PacelineError as error:
        sys.exit(f"error: {error}")
