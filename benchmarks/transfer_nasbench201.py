"""How well are all cells of a space ranked on a new device of which ten cells were measured?

Each device of the file is the new one in turn; known of the others are their first 900 cells, of the new one ten among
its first 900; asked for are cells 900 to 1899, those in the middle 10 to 90 % by their own latency. The queries, the
split and the number of cells are those of HELP (Lee et al., NeurIPS 2021); the sources are all other devices of the
file, among them the same card at other batch sizes. The ten are chosen from what the other devices tell, and each seed
may choose from another random half of the 900. Spearman's rank correlation, mean and standard deviation over seeds, and
the share of asked cells in their 90 % interval. From the root of the repository:

    python benchmarks/transfer_nasbench201.py --data ../shared/data/nasbench201.npz

HELP learns from nine devices and is asked for others. With those of the nine that the file has as the only sources:

    python benchmarks/transfer_nasbench201.py --sources help --devices raspi4 eyeriss

The full form takes some minutes. This takes seconds:

    python benchmarks/transfer_nasbench201.py --seeds 1 --devices raspi4 eyeriss

Beside it, in the same run: the same estimate from ten random cells, ridge on principal components of the other devices
from ten random cells that are not extreme, and ridge on the edges of a cell from fifty random cells of the new device
alone. The last column is that ridge from all 900 cells of the new device, about what a sum over edges can reach: where
that is low on a GPU or a Xeon, the device was disturbed or changed its speed while the file was recorded (1080ti_32 by
a quarter among the cells that are asked for), and no function of the cell can follow.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import numpy.typing as npt

from devices import PacelineError, WrongUse
from latency import DeviceTransfer
from paceline.screen import progress_bar
from search import cell_features, read_cells

Array: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.intp]

_KNOWN, _ASKED = 900, 1900
"""Cells before the first are known, those from the first to the second are asked for."""

_MIDDLE = (0.1, 0.9)
_ALONE = 50
_RIDGE = 0.05
"""Of the baselines, on columns of zeros and ones."""

_HELP = {
    "titan_rtx_256": 0.987,
    "gold_6226": 0.989,
    "fpga": 0.985,
    "pixel2": 0.802,
    "raspi4": 0.890,
    "eyeriss": 0.940,
}
"""What HELP reports with 10 measurements; as its code reads, ten more are measured for the device's embedding."""

_HELP_SOURCES = (
    "1080ti_1",
    "1080ti_32",
    "1080ti_256",
    "silver_4114",
    "silver_4210r",
    "samsung_a50",
    "pixel3",
    "essential_ph_1",
    "samsung_s7",
)
"""What HELP learns from, whatever the new device is."""

_TARGETS = ((r"raspi4$", 0.92), (r"eyeriss$", 0.95), (r"(1080ti|2080ti|titan|gold|silver)", 0.985))
_PREFIX = "latency_ms/"


@final
@dataclass(frozen=True, eq=False)
class Cells:
    """The file: cells and their latencies.

    Attributes:
        views: descriptions of the cells, each of shape (cells, f).
        latency_ms: shape (cells,) by device.
    """

    views: tuple[Array, ...]
    latency_ms: Mapping[str, Array]

    @staticmethod
    def read(file: Path) -> Cells:
        """Read the cells that the protocol uses.

        Raises:
            WrongUse: the file is missing or has not enough cells or devices.
        """
        if not file.exists():
            raise WrongUse(f"{file} is missing. Name a file of the layout of nasbench201.npz with --data.")
        with np.load(file, allow_pickle=False) as data:
            names = [name for name in data.files if name.startswith(_PREFIX)]
            if len(names) < 2 or len(data["arch"]) < _ASKED:
                raise WrongUse(
                    f"The protocol needs at least 2 devices and {_ASKED} cells; {file} has {len(names)} and "
                    f"{len(data['arch'])}."
                )
            latency = {name.removeprefix(_PREFIX): data[name][:_ASKED].astype(np.float64) for name in names}
            return Cells(cell_features(read_cells(data["arch"][:_ASKED])), latency)

    def asked(self, device: str) -> Indices:
        """The cells that are asked for."""
        latency = self.latency_ms[device][_KNOWN:]
        low, high = np.quantile(latency, _MIDDLE)
        return np.asarray(_KNOWN + np.flatnonzero((latency >= low) & (latency <= high)))

    def sources(self, device: str, which: str) -> list[str]:
        """The devices that a new one is predicted from, in the order of the file.

        Args:
            device: the new one, which is never among them.
            which: ``all`` of the file, or those that ``help`` learns from and the file has.

        Raises:
            WrongUse: there is none.
        """
        allowed = self.latency_ms if which == "all" else _HELP_SOURCES
        found = [name for name in self.latency_ms if name != device and name in allowed]
        if not found:
            raise WrongUse(f"The file has no device to predict {device} from; give --sources all.")
        return found


def main() -> None:
    """Predict each device from the others, score, print."""
    arguments = _arguments()
    cells = Cells.read(arguments.data)
    wanted = arguments.devices or list(cells.latency_ms)
    if unknown := set(wanted) - set(cells.latency_ms):
        raise WrongUse(
            f"{', '.join(sorted(unknown))} is not in {arguments.data}; it has {', '.join(cells.latency_ms)}."
        )
    if not 3 <= arguments.measure <= _KNOWN // 2 or arguments.seeds < 1:
        raise WrongUse(f"Measure 3 to {_KNOWN // 2} cells, with at least 1 seed.")
    rows = {}
    with progress_bar("devices") as bar:
        for done, device in enumerate(wanted):
            bar(done, len(wanted), device)
            sources = cells.sources(device, arguments.sources)
            rows[device] = _device(cells, device, sources, arguments.measure, arguments.seeds)
        bar(len(wanted), len(wanted))
    if arguments.json:
        print(json.dumps(rows, indent=1))
    else:
        _print(rows, arguments)


def _device(cells: Cells, device: str, sources: Sequence[str], count: int, seeds: int) -> dict[str, float]:
    """All scores of one new device."""
    others_s = np.array([cells.latency_ms[name] for name in sources]) * 1e-3
    others_s[:, _KNOWN:] = np.nan
    transfer = DeviceTransfer(others_s, cells.views, law="additive")
    components = _components(others_s[:, :_KNOWN], cells.views[0])
    truth_s, asked = cells.latency_ms[device] * 1e-3, cells.asked(device)
    found = [_seed(transfer, components, cells.views[0], truth_s, asked, count, seed) for seed in range(seeds)]
    scores = {name: float(np.mean([scores[name] for scores in found])) for name in found[0]}
    everything = _ridge(cells.views[0], truth_s, np.arange(_KNOWN))
    return {
        **scores,
        "spread": float(np.std([one["ours"] for one in found])),
        "all known": _spearman(everything[asked], truth_s[asked]),
    }


def _seed(
    transfer: DeviceTransfer, components: Array, edges: Array, truth_s: Array, asked: Indices, count: int, seed: int
) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    half = np.sort(rng.choice(_KNOWN, _KNOWN // 2, replace=False))
    chosen = transfer.choose(count, among=half)
    drawn = rng.choice(half, max(count, _ALONE), replace=False)
    ours = transfer.estimate(chosen, truth_s[chosen])
    lower_s, upper_s = ours.interval_s()
    inside = (lower_s <= truth_s) & (truth_s <= upper_s)
    predictions = {
        "ours": ours.mean_s,
        "ours, random cells": transfer.estimate(drawn[:count], truth_s[drawn[:count]]).mean_s,
        "components": np.exp(_ridge(components, np.log(truth_s), _usual(truth_s, rng)[:count])),
        "alone": _ridge(edges, truth_s, drawn[:_ALONE]),
    }
    scores = {name: _spearman(predicted[asked], truth_s[asked]) for name, predicted in predictions.items()}
    return {**scores, "coverage": float(inside[asked].mean())}


def _usual(truth_s: Array, rng: np.random.Generator) -> Indices:
    """Known cells in the middle of the latencies, in random order: what HELP draws its ten from.

    The logarithm of a cell that a runtime prunes away would spoil that baseline.
    """
    low, high = np.quantile(truth_s[:_KNOWN], _MIDDLE)
    known = truth_s[:_KNOWN]
    return np.asarray(rng.permutation(np.flatnonzero((known >= low) & (known <= high))))


def _components(known_s: Array, edges: Array) -> Array:
    """Principal components of what ridge says of the other devices, half as many as devices and at most five."""
    logarithms = np.array([_ridge(edges, np.log(np.maximum(times_s, 1e-6)), np.arange(_KNOWN)) for times_s in known_s])
    around = logarithms - logarithms.mean(axis=1, keepdims=True)
    _, _, directions = np.linalg.svd(around, full_matrices=False)
    kept = directions[: max(1, min(5, len(directions) // 2))]
    return np.asarray((kept * np.sqrt(kept.shape[1])).T)


def _ridge(design: Array, seen: Array, rows: Indices) -> Array:
    """Ridge regression with a free intercept, fitted on ``rows`` and told for all."""
    centre, level = design[rows].mean(axis=0), seen[rows].mean()
    away = design[rows] - centre
    weights = np.linalg.solve(away.T @ away + _RIDGE * np.eye(design.shape[1]), away.T @ (seen[rows] - level))
    return np.asarray(level + (design - centre) @ weights)


def _spearman(predicted: Array, truth: Array) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(predicted, truth).statistic)


def _target(device: str) -> float | None:
    return next((target for pattern, target in _TARGETS if re.match(pattern, device)), None)


def _print(rows: Mapping[str, Mapping[str, float]], arguments: argparse.Namespace) -> None:
    sources = {"all": "all other devices", "help": "those of HELP's that the file has"}[arguments.sources]
    print(
        f"{arguments.measure} cells of the new device measured in all, {arguments.seeds} seeds, {len(rows)} devices, "
        f"sources are {sources}; Spearman on the rest"
    )
    print(
        f"{'':16}{'ours':>16}{'90 % interval':>15}{'random cells':>14}{'components':>12}{f'{_ALONE} alone':>10}"
        f"{'HELP':>7}{'target':>8}{'900 alone':>11}"
    )
    for device, row in rows.items():
        print(_line(device, row))
    names = ("ours", "spread", "coverage", "ours, random cells", "components", "alone", "all known")
    print(_line("mean", {name: float(np.mean([row[name] for row in rows.values()])) for name in names}))
    aimed = {device: target for device in rows if (target := _target(device)) is not None}
    met = [device for device, target in aimed.items() if rows[device]["ours"] >= target]
    print(f"target met on {len(met)} of {len(aimed)}: {', '.join(met)}")
    capped = [d for d, target in aimed.items() if d not in met and rows[d]["all known"] < target]
    print(f"missed, and missed with all 900 cells measured, too: {', '.join(capped) or 'none'}")
    print(f"missed otherwise: {', '.join(d for d in aimed if d not in met and d not in capped) or 'none'}")


def _line(device: str, row: Mapping[str, float]) -> str:
    helped, target = _HELP.get(device), _target(device)
    return (
        f"{device:16}{row['ours']:8.4f} +- {row['spread']:.3f}{row['coverage']:15.0%}{row['ours, random cells']:14.4f}"
        f"{row['components']:12.4f}{row['alone']:10.4f}{'' if helped is None else f'{helped:.3f}':>7}"
        f"{'' if target is None else f'{target:.3f}':>8}{row['all known']:11.4f}"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0],
        epilog="target: raspi4 0.92, eyeriss 0.95, every GPU and Xeon 0.985",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data/nasbench201.npz"), help="the latencies")
    parser.add_argument("--measure", type=int, default=10, help="cells of the new device to measure")
    parser.add_argument("--seeds", type=int, default=20, help="from 0 on, each for other cells to choose from")
    parser.add_argument("--devices", nargs="+", help="only these as the new one; all of the file without")
    parser.add_argument("--sources", choices=("all", "help"), default="all", help="what the new one is predicted from")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except PacelineError as error:
        sys.exit(f"error: {error}")
