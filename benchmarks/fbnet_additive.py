"""Do latencies of whole networks follow from networks measured whole: exactly where they are sums, and otherwise?

Learns each device of a file of FBNet networks from the first 1 000 of them and predicts all others, beside additive
ridge with the penalty that leave-one-out chooses. Rows are taken to be in the order in which they were measured, as
their drift shows that they are; with ``--shuffle`` a random 1 000 are learned from instead. With ``--ofa``,
``--accel`` and ``--nasbench201`` the same is done for those spaces, always from a random 1 000: the first 1 795 rows
of Accel-NASBench have no squeeze-and-excitation. From the root of the repository:

    python benchmarks/fbnet_additive.py --data fbnet_cifar100.npz --ofa ofa_mbv3.npz --accel accel_nasbench.npz

The file is one of arrays: ``arch`` (networks, units), index of the candidate, ``op_names`` and ``latency_ms/DEVICE``.
All of it takes some minutes on one core; a look takes seconds:

    python benchmarks/fbnet_additive.py --data fbnet_cifar100.npz --train 300 --device eyeriss
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import numpy.typing as npt

from devices import PacelineError
from latency import AdditiveForm, ArchitectureCodes, fit_architectures
from search import AccelNasBench, FbnetPicks, MeasuredArchitectures, NasBench201Cells, OfaMobileNetV3

Array: TypeAlias = npt.NDArray[np.float64]

_DATA = Path("../shared/data")
_EXACT = 1e-9
_SEED = 1
_HEADER = (
    f"{'device':20}{'additive ridge':>16}{'ours':>10}{'ratio':>8}{'90 % cover':>12}{'inside':>8}{'form':>11}"
    f"{'largest':>11}"
)


@dataclass(frozen=True)
class Score:
    """What one device came to.

    Attributes:
        device: its name.
        ridge: root mean square relative error of additive ridge.
        ours: the same of the model that was chosen.
        coverage: share of latencies within their 90 % interval.
        inside: share of architectures with nothing that was not learned from.
        form: of the model that was chosen.
        largest: its largest relative error.
    """

    device: str
    ridge: float
    ours: float
    coverage: float
    inside: float
    form: str
    largest: float

    @property
    def ratio(self) -> float:
        """Our error over that of additive ridge."""
        return self.ours / self.ridge

    def row(self) -> str:
        """One line of the table."""
        ours = f"{self.ours:10.1e}" if self.form == "sum" else f"{self.ours:10.2%}"
        largest = f"{self.largest:11.1e}" if self.form == "sum" else f"{self.largest:11.1%}"
        known = f"{self.ratio:8.3f}{self.coverage:12.1%}{self.inside:8.1%}{self.form:>11}"
        return f"{self.device:20}{self.ridge:16.2%}{ours}{known}{largest}"


def main() -> None:
    """Learn, predict, compare, print."""
    arguments = _arguments()
    fbnet = _scores("FBNet", FbnetPicks.read(arguments.data), arguments, arguments.shuffle)
    print(_verdict(fbnet))
    for name, read, file in _others(arguments):
        scores = _scores(name, read(file), arguments, is_random=True)
        print(f"worse than additive ridge: {_worse(scores)}")


def _others(
    arguments: argparse.Namespace,
) -> Sequence[tuple[str, Callable[[Path], MeasuredArchitectures], Path]]:
    known = (
        ("OFA-MobileNetV3", OfaMobileNetV3.read, arguments.ofa),
        ("Accel-NASBench", AccelNasBench.read, arguments.accel),
        ("NAS-Bench-201", NasBench201Cells.read, arguments.nasbench201),
    )
    return [(name, read, file) for name, read, file in known if file]


def _scores(name: str, measured: MeasuredArchitectures, arguments: argparse.Namespace, is_random: bool) -> list[Score]:
    print(
        f"{name}: {measured.describe()}; {'a random' if is_random else 'the first'} "
        f"{arguments.train} to learn from, the others to predict"
    )
    print(_HEADER)
    scores = []
    for device in measured.time_s:
        if not arguments.device or device in arguments.device:
            scores.append(score(device, *measured.of(device), arguments.train, is_random))
            print(scores[-1].row(), flush=True)
    return scores


def score(device: str, codes: ArchitectureCodes, time_s: Array, order: Array, train: int, is_random: bool) -> Score:
    """Learn from the first ``train`` rows, or from as many random ones, and look at all others."""
    rows = np.random.default_rng(_SEED).permutation(len(codes)) if is_random else np.arange(len(codes))
    seen, left = np.sort(rows[:train]), np.sort(rows[train:])
    tested, truth_s = codes[left], time_s[left]
    # What comes after is measured on the device as it then is; what lies between, on the device as it usually is.
    model = fit_architectures(codes[seen], time_s[seen], order[seen], "usual" if is_random else "latest")
    ridge = AdditiveForm(codes[seen], time_s[seen]).fit(codes[seen], time_s[seen], None)
    estimates = model.estimate(tested)
    lower_s, upper_s = estimates.interval_s(0.9)
    errors = estimates.mean_s / truth_s - 1
    return Score(
        device=device,
        ridge=_root_mean_square(ridge.mean_s(tested.values) / truth_s - 1),
        ours=_root_mean_square(errors),
        coverage=float(np.mean((lower_s <= truth_s) & (truth_s <= upper_s))),
        inside=float(estimates.is_inside.mean()),
        form=model.form,
        largest=float(np.abs(errors).max()),
    )


def _root_mean_square(errors: Array) -> float:
    return float(np.sqrt(np.mean(errors**2)))


def _verdict(scores: Sequence[Score]) -> str:
    sums = [score for score in scores if score.form == "sum"]
    measured = [score for score in scores if score.form != "sum"]
    names = ", ".join(score.device for score in sums) or "none"
    largest = max((score.largest for score in sums), default=float("nan"))
    return (
        f"sums by construction: {names}; largest relative error {largest:.1e} (target: at most {_EXACT:.0e})\n"
        f"measured devices worse than additive ridge: {_worse(measured)} (target: none)"
    )


def _worse(scores: Sequence[Score]) -> str:
    # Where ours is that ridge itself, sums in another order are no difference.
    return ", ".join(score.device for score in scores if score.ours > score.ridge * (1 + 1e-9)) or "none"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=_DATA / "fbnet_cifar100.npz", help="FBNet networks, npz")
    parser.add_argument("--ofa", type=Path, help="OFA-MobileNetV3 networks, npz")
    parser.add_argument("--accel", type=Path, help="Accel-NASBench networks, npz")
    parser.add_argument("--nasbench201", type=Path, help="NAS-Bench-201 cells, npz")
    parser.add_argument("--train", type=int, default=1000, help="networks to learn from")
    parser.add_argument("--shuffle", action="store_true", help="learn from random networks, not from the first")
    parser.add_argument("--device", action="append", default=[], help="only this device; may be repeated")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except PacelineError as error:
        sys.exit(f"error: {error}")
