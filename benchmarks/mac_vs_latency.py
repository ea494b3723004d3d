"""What does a search gain by a limit on latency, where it would have had one on MACs?

NAS-Bench-201, every device of the file, MAC limits at the 10th, 30th and 60th percentile of the MACs of its cells. For
each: A is the best cell within the MAC limit, and takes some time on the device. B is the best cell within that time:
what accuracy was there to be had for the same time. C is the fastest cell that is no worse than A: what time was there
to be saved at the same accuracy. Best is by accuracy on validation images after 12 epochs, which is all that the
searches see; accuracies are those on test images after 200 epochs. From the root of the repository:

    python benchmarks/mac_vs_latency.py --data ../shared/data/nasbench201.npz --out runs/mac_vs_latency

No searcher's luck is in it: the first column of each pair is exhaustive, over all 15 625 cells. The second is the mean
over seeds, and its standard deviation, of the same done exhaustively among 1000 cells that are drawn uniformly, the
same ones for both limits: what a random search of 1000 networks would gain. B and C are by construction no worse than A
in what the searches see, so a gain below 0 on test images after 200 epochs is what choosing by the validation accuracy
after 12 costs.

MACs are those of every edge that is written, of convolutions and the classifier. Beside each device: Spearman's rank
correlation of MACs with its latency over all cells with a path from input to output, without which MACs mean nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import numpy.typing as npt

from devices import NotAvailable, PacelineError, WrongUse
from paceline.screen import progress_bar
from search import Objective, is_live, open_space, read_cells

Array: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.intp]

_PERCENTILES = (10, 30, 60)
_PREFIX = "latency_ms/"


@final
@dataclass(frozen=True, eq=False)
class Cells:
    """The file.

    Attributes:
        macs: of each cell, shape (cells,).
        seen: accuracy on validation images after 12 epochs, in percent, same shape.
        tested: accuracy on test images after 200 epochs, in percent, same shape.
        live: whether there is a path from input to output, same shape.
        latency_ms: same shape, by device.
    """

    macs: Array
    seen: Array
    tested: Array
    live: npt.NDArray[np.bool_]
    latency_ms: Mapping[str, Array]

    @staticmethod
    def read(file: Path, images: str) -> Cells:
        """Read the cells.

        Raises:
            WrongUse: the file is missing, or has no such images or no device.
        """
        if not file.exists():
            raise WrongUse(f"{file} is missing. Name a file of the layout of nasbench201.npz with --data.")
        with np.load(file, allow_pickle=False) as data:
            seen, tested = f"accuracy_12ep_val/{images}", f"accuracy_200ep_test/{images}"
            devices = [name for name in data.files if name.startswith(_PREFIX)]
            if not {seen, tested} <= set(data.files) or not devices:
                raise WrongUse(f"{file} must have {seen}, {tested} and {_PREFIX}DEVICE; got {', '.join(data.files)}.")
            cells = read_cells(data["arch"].tolist())
            return Cells(
                Objective.macs(open_space("nasbench201")).cost(cells),
                data[seen].astype(np.float64),
                data[tested].astype(np.float64),
                np.asarray(is_live(cells).any(axis=1)),
                {name.removeprefix(_PREFIX): data[name].astype(np.float64) for name in devices},
            )

    def compare(self, device: str, limit_macs: float, among: Indices) -> dict[str, float] | None:
        """A, B and C among some cells; None where no cell is within the limit.

        Returns:
            ``gained``: test accuracy of B above A's, in percentage points; ``seen``: the same of what was searched on;
            ``saved``: share of A's time that C does not take; ``kept``: test accuracy of C above A's; ``latency_ms``
            and ``accuracy`` of A.
        """
        time_ms, macs, seen, tested = (
            self.latency_ms[device][among],
            self.macs[among],
            self.seen[among],
            self.tested[among],
        )
        within = np.flatnonzero(macs <= limit_macs)
        if not len(within):
            return None
        a = _best(within, seen, macs)
        b = _best(np.flatnonzero(time_ms <= time_ms[a]), seen, time_ms)
        as_good = np.flatnonzero(seen >= seen[a])
        c = as_good[np.lexsort((-seen[as_good], time_ms[as_good]))[0]]
        return {
            "gained": float(tested[b] - tested[a]),
            "seen": float(seen[b] - seen[a]),
            "saved": float(1 - time_ms[c] / time_ms[a]),
            "kept": float(tested[c] - tested[a]),
            "latency_ms": float(time_ms[a]),
            "accuracy": float(tested[a]),
        }


def _best(rows: Indices, seen: Array, cost: Array) -> int:
    """The row of highest accuracy, and among equals of least cost."""
    return int(rows[np.lexsort((cost[rows], -seen[rows]))[0]])


def main() -> None:
    """Compare on every device, print, draw."""
    arguments = _arguments()
    cells = Cells.read(arguments.data, arguments.images)
    devices = arguments.devices or list(cells.latency_ms)
    if unknown := set(devices) - set(cells.latency_ms):
        raise WrongUse(
            f"{', '.join(sorted(unknown))} is not in {arguments.data}; it has {', '.join(cells.latency_ms)}."
        )
    if arguments.seeds < 2 or not 1 <= arguments.cells <= len(cells.macs):
        raise WrongUse(f"A spread needs 2 seeds or more, each of 1 to {len(cells.macs)} cells.")
    found = {}
    with progress_bar("devices") as bar:
        for done, device in enumerate(devices):
            bar(done, len(devices), device)
            found[device] = _device(cells, device, arguments.cells, arguments.seeds)
        bar(len(devices), len(devices))
    found = dict(sorted(found.items(), key=lambda item: item[1]["spearman"]))
    if arguments.out is not None:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "mac_vs_latency.json").write_text(json.dumps(found, indent=1) + "\n")
        _draw(found, arguments.out / "mac_vs_latency.png")
    if arguments.json:
        print(json.dumps(found, indent=1))
    else:
        _print(found, arguments)


def _device(cells: Cells, device: str, count: int, seeds: int) -> dict[str, float]:
    """All figures of a device, flat: ``gained_30`` is exhaustive, ``gained_30_mean`` and ``_spread`` over seeds."""
    everything = np.arange(len(cells.macs))
    figures = {"spearman": _spearman(cells.macs[cells.live], cells.latency_ms[device][cells.live])}
    for percentile in _PERCENTILES:
        limit = float(np.percentile(cells.macs, percentile))
        whole = cells.compare(device, limit, everything)
        assert whole is not None, "a percentile has cells below it"
        figures |= {f"{name}_{percentile}": value for name, value in whole.items()}
        pools = [np.random.default_rng(seed).choice(everything, count, replace=False) for seed in range(seeds)]
        drawn = [one for pool in pools if (one := cells.compare(device, limit, pool)) is not None]
        for name in ("gained", "saved"):
            values = np.array([one[name] for one in drawn])
            figures[f"{name}_{percentile}_mean"] = float(values.mean()) if len(values) else float("nan")
            figures[f"{name}_{percentile}_spread"] = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
    return figures


def _spearman(first: Array, second: Array) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(first, second).statistic)


def _print(found: Mapping[str, Mapping[str, float]], arguments: argparse.Namespace) -> None:
    print(
        f"{arguments.images}; limits at the {', '.join(map(str, _PERCENTILES))}th percentile of MACs; exhaustive, then "
        f"mean +- standard deviation over {arguments.seeds} draws of {arguments.cells} cells"
    )
    print("accuracy gained in percentage points (test, 200 epochs) for the same time | time saved at no less accuracy")
    heads = (
        "".join(f"{f'gained {p}':>21}" for p in _PERCENTILES)
        + " |"
        + "".join(f"{f'saved {p}':>21}" for p in _PERCENTILES)
    )
    print(f"{'':16}{'Spearman':>9}{heads}")
    for device, figures in found.items():
        print(_line(device, figures))
    print(
        _line("mean", {name: float(np.mean([f[name] for f in found.values()])) for name in next(iter(found.values()))})
    )
    print(_summary(found))


def _line(device: str, figures: Mapping[str, float]) -> str:
    gained = "".join(
        f"{figures[f'gained_{p}']:7.2f}{figures[f'gained_{p}_mean']:7.2f} +-{figures[f'gained_{p}_spread']:4.2f}"
        for p in _PERCENTILES
    )
    saved = "".join(
        f"{figures[f'saved_{p}']:7.0%}{figures[f'saved_{p}_mean']:7.0%} +-{figures[f'saved_{p}_spread']:4.0%}"
        for p in _PERCENTILES
    )
    return f"{device:16}{figures['spearman']:9.3f}{gained} |{saved}"


def _summary(found: Mapping[str, Mapping[str, float]]) -> str:
    """How the gain hangs together with the rank correlation, and where it is a loss."""
    worse = [
        f"{device} at {p}" for device, figures in found.items() for p in _PERCENTILES if figures[f"gained_{p}"] < 0
    ]
    said = f"exhaustive gains below 0 on test images: {len(worse)} of {len(found) * len(_PERCENTILES)}"
    said += f" ({', '.join(worse)})" if worse else ""
    if len(found) > 2:
        rho = np.array([figures["spearman"] for figures in found.values()])
        saved = np.array([np.mean([figures[f"saved_{p}"] for p in _PERCENTILES]) for figures in found.values()])
        said += (
            f"\nrank correlation over devices of Spearman(MACs, latency) with time saved: {_spearman(rho, saved):.2f}"
        )
    return said


def _draw(found: Mapping[str, Mapping[str, float]], path: Path) -> None:
    """One row for each device, the ones that MACs tell least of on top: what was gained, and what was saved."""
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import PercentFormatter
    except ImportError as error:
        raise NotAvailable("The plot needs matplotlib. pip install 'paceline[report]', or leave --out out.") from error
    figure = Figure(figsize=(11, 1.2 + 0.32 * len(found)), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    rows = np.arange(len(found))[::-1]
    titles = {
        "gained": "accuracy gained for the same time, percentage points",
        "saved": "time saved at no less accuracy",
    }
    for axis, (name, title) in zip(axes, titles.items(), strict=True):
        for shift, percentile in zip((0.2, 0.0, -0.2), _PERCENTILES, strict=True):
            whole, mean, spread = (
                np.array([figures[f"{name}_{percentile}{end}"] for figures in found.values()])
                for end in ("", "_mean", "_spread")
            )
            colour = f"C{_PERCENTILES.index(percentile)}"
            axis.errorbar(mean, rows + shift, xerr=spread, fmt="|", color=colour, elinewidth=1, alpha=0.5)
            axis.plot(whole, rows + shift, "o", color=colour, markersize=4, label=f"{percentile}th percentile of MACs")
        axis.axvline(0, color="0.6", linewidth=0.8)
        axis.set_title(title, fontsize=10)
        axis.grid(axis="x", color="0.9")
    axes[0].set_yticks(
        rows, [f"{device}  ({figures['spearman']:.2f})" for device, figures in found.items()], fontsize=8
    )
    axes[1].xaxis.set_major_formatter(PercentFormatter(1))
    figure.supxlabel(
        "beside each device Spearman's correlation of MACs and latency; points exhaustive, bars over draws"
    )
    axes[1].legend(fontsize=8)
    figure.savefig(path, dpi=150)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data/nasbench201.npz"), help="cells")
    parser.add_argument("--images", default="cifar10", help="which accuracies: cifar10, cifar100 or imagenet16")
    parser.add_argument("--devices", nargs="+", help="only these; all of the file without")
    parser.add_argument("--cells", type=int, default=1000, help="cells in each draw")
    parser.add_argument("--seeds", type=int, default=20, help="draws, from seed 0 on")
    parser.add_argument("--out", type=Path, help="folder for the plot and the figures; without, they are printed only")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except PacelineError as error:
        sys.exit(f"error: {error}")
