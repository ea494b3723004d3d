"""How well do zero-cost proxies order networks whose accuracy is known?

Cells of NAS-Bench-201 with a path from input to output, drawn uniformly; each is built with random weights, scored by
synflow and by NASWOT without any training, and ordered by the score. Spearman's and Kendall's rank correlations with
the accuracy on test images after 200 epochs, the standard deviation of Spearman's by 500 resamplings of the cells, and
what processor time a score takes on one thread. Beside them what needs no network at all: MACs, by which these cells
are in the same order as by parameters; and what needs a little training, the validation accuracy after 12 epochs, where
the file has it. From the root of the repository, minutes:

    python benchmarks/zero_cost.py --data ../shared/data/nasbench201.npz

CIFAR's images are not part of the project, so NASWOT is shown generated street scenes at 32x32, and noise. One seed of
the weights is what a search gets; with more, cells are ordered by their mean rank over seeds. For all 15 625 cells
Abdelfattah et al. (Zero-cost proxies for lightweight NAS, ICLR 2021) report .74, .76 and .75 for synflow on CIFAR-10,
CIFAR-100 and ImageNet16-120.

Cells without convolutions are many and poor, which every count of weights can tell. So the correlations are printed
once more for the best half of the drawn cells by accuracy, which are those that a search has to tell apart.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import numpy.typing as npt

from devices import PacelineError, WrongUse
from paceline.screen import Bar, progress_bar
from search import (
    Evaluator,
    LabelledImages,
    Naswot,
    Objective,
    Space,
    Synflow,
    is_live,
    open_images,
    open_space,
    read_cells,
)

Array: TypeAlias = npt.NDArray[np.float64]
Cells: TypeAlias = npt.NDArray[np.intp]

PROXIES = ("synflow", "naswot, scenes", "naswot, noise")

_IMAGES = ("cifar10", "cifar100", "imagenet16")
_TRUTH, _SHORT = "accuracy_200ep_test/", "accuracy_12ep_val/"
_RESAMPLED = 500
_NOISE_IMAGES = 256


@final
class Noise(LabelledImages):
    """Images without any content: each channel of each pixel uniform.

    Args:
        size: height and width in pixels.
    """

    name = "noise"
    classes = ("nothing",)
    palette = ((0, 0, 0),)

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size

    def __len__(self) -> int:
        """As many as a large batch."""
        return _NOISE_IMAGES

    def read(self, index: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """Noise that depends on the index alone, and labels that say nothing."""
        picture = np.random.default_rng(index).integers(0, 256, (*self.size, 3), dtype=np.uint8)
        return picture, np.zeros(self.size, dtype=np.uint8)


@final
@dataclass(frozen=True, eq=False)
class Drawn:
    """Cells with what is known of them.

    Attributes:
        cells: indices into ``CELL_OPERATIONS``, shape (n, 6).
        truth: accuracy on test images after 200 epochs in percent, by data set, each of shape (n,).
        short: accuracy on validation images after 12 epochs, likewise; empty where the file has none.
    """

    cells: Cells
    truth: Mapping[str, Array]
    short: Mapping[str, Array]

    @staticmethod
    def read(file: Path, count: int) -> Drawn:
        """So many cells with a path from input to output, uniformly and always the same.

        Raises:
            WrongUse: the file is missing, has no accuracies, or fewer cells.
        """
        if not file.exists():
            raise WrongUse(f"{file} is missing. Name a file of the layout of nasbench201.npz with --data.")
        with np.load(file, allow_pickle=False) as data:
            arrays = {name: data[name] for name in data.files if name == "arch" or name.startswith("accuracy_")}
        if "arch" not in arrays or not any(_TRUTH + images in arrays for images in _IMAGES):
            raise WrongUse(
                f"{file} must have arch and {_TRUTH}DATA for one of {', '.join(_IMAGES)}; got {', '.join(arrays)}."
            )
        cells = read_cells(arrays["arch"].tolist())
        live = np.flatnonzero(is_live(cells).any(axis=1))
        if count > len(live):
            raise WrongUse(f"{file} has {len(live)} cells with a path from input to output; {count} were asked for.")
        drawn = np.random.default_rng(0).choice(live, count, replace=False)
        truth, short = (
            {i: arrays[kind + i][drawn].astype(np.float64) for i in _IMAGES if kind + i in arrays}
            for kind in (_TRUTH, _SHORT)
        )
        return Drawn(cells[drawn], truth, short)

    def correlations(self, scores: Mapping[str, Array]) -> dict[str, dict[str, float]]:
        """Of a score with the accuracies.

        Args:
            scores: by data set, each of shape (n,).

        Returns:
            By data set: ``spearman``, its ``spread`` over resamplings, ``kendall``, and ``best_half``, Spearman's
            among the better half of the cells.
        """
        known = {images: truth for images, truth in self.truth.items() if images in scores}
        return {images: _correlations(scores[images], truth) for images, truth in known.items()}


def main() -> None:
    """Score, correlate, print."""
    arguments = _arguments()
    if arguments.cells < 4 or arguments.seeds < 1 or not 2 <= arguments.batch <= _NOISE_IMAGES:
        raise WrongUse(f"4 cells or more are needed, 1 seed or more, and batches of 2 to {_NOISE_IMAGES} images.")
    drawn = Drawn.read(arguments.data, arguments.cells)
    space = open_space("nasbench201", (arguments.input, arguments.input))
    macs = Objective.macs(space).cost(drawn.cells)
    rows: dict[str, dict[str, object]] = {"macs": {"s": 0.0, **drawn.correlations(dict.fromkeys(drawn.truth, macs))}}
    with progress_bar("networks") as bar:
        for name in PROXIES:
            begun = time.process_time()  # Other programs do not count, which on one thread is all the difference.
            scores = _scores(name, space, drawn.cells, arguments, bar)
            seconds = (time.process_time() - begun) / scores.size / arguments.seeds
            rows[name] = {"s": seconds, **drawn.correlations(dict.fromkeys(drawn.truth, scores))}
    if drawn.short:
        rows["12 epochs"] = {**drawn.correlations(drawn.short)}
    print(json.dumps(rows, indent=1) if arguments.json else _text(rows, list(drawn.truth), arguments))


def _scores(name: str, space: Space, cells: Cells, arguments: argparse.Namespace, bar: Bar) -> Array:
    """Mean rank over the seeds, so that the scale of none counts for more; what cannot be scored ranks lowest."""
    import torch

    torch.set_num_threads(1)
    evaluators = [_evaluator(name, space, seed, arguments.batch) for seed in range(arguments.seeds)]
    values = np.empty((len(cells), len(evaluators)))
    for index, cell in enumerate(cells.tolist()):
        values[index] = [evaluator.score(tuple(cell)) for evaluator in evaluators]
        bar(index + 1, len(cells), "", name)
    return np.asarray(_ranks(np.where(np.isnan(values), -np.inf, values)).mean(axis=1))


def _evaluator(name: str, space: Space, seed: int, batch: int) -> Evaluator:
    if name == "synflow":
        return Synflow(space, seed)
    images = (
        Noise(space.input_size)
        if name.endswith("noise")
        else open_images("scenes", "train", space.input_size, count=batch)
    )
    return Naswot(space, seed, images, batch)


def _correlations(scores: Array, accuracy: Array) -> dict[str, float]:
    from scipy.stats import kendalltau

    rng = np.random.default_rng(0)
    drawn = (rng.integers(len(scores), size=len(scores)) for _ in range(_RESAMPLED))
    best = np.argsort(-accuracy, kind="stable")[: len(accuracy) // 2]
    return {
        "spearman": _spearman(scores, accuracy),
        "spread": float(np.nanstd([_spearman(scores[rows], accuracy[rows]) for rows in drawn])),
        "kendall": float(kendalltau(scores, accuracy).statistic),
        "best_half": _spearman(scores[best], accuracy[best]),
    }


def _spearman(first: Array, second: Array) -> float:
    """NaN where all of one are equal."""
    ranks = _ranks(np.column_stack([first, second]))
    matrix = np.asarray(np.corrcoef(ranks.T)) if np.ptp(ranks, axis=0).all() else np.full((2, 2), np.nan)
    return float(matrix[0, 1])


def _ranks(values: Array) -> Array:
    """Ranks of each column, those of equal values their mean."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(values, axis=0), dtype=np.float64)


def _text(rows: Mapping[str, Mapping[str, object]], known: list[str], arguments: argparse.Namespace) -> str:
    side = arguments.input
    lines = [
        f"{arguments.cells} cells at {side}x{side}, {arguments.seeds} seed(s), batches of {arguments.batch}, 1 thread.",
        "Rank correlation with test accuracy after 200 epochs: Spearman +- its standard deviation over the cells,",
        "Kendall, Spearman among the better half of the cells. 12 epochs: validation accuracy after 12 epochs.",
        f"{'':16}" + "".join(f"{images:>33}" for images in known) + f"{'s a score':>11}",
    ]
    for name, row in rows.items():
        figures = "".join(_figures(row.get(images)) for images in known)
        lines.append(f"{name:16}{figures}" + (f"{row['s']:11.3f}" if "s" in row else ""))
    return "\n".join(lines)


def _figures(found: object) -> str:
    if not isinstance(found, Mapping):
        return f"{'-':>33}"
    return f"{found['spearman']:13.3f} +- {found['spread']:.3f}{found['kendall']:6.3f}{found['best_half']:7.3f}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data/nasbench201.npz"), help="cells, accuracies")
    parser.add_argument("--cells", type=int, default=300, help="cells to score")
    parser.add_argument("--seeds", type=int, default=1, help="seeds of the weights, from 0 on")
    parser.add_argument("--batch", type=int, default=32, help="images that NASWOT compares")
    parser.add_argument("--input", type=int, default=32, help="side of the image")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except PacelineError as error:
        sys.exit(f"error: {error}")
