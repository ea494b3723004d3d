"""What does a short training gain by AdamW, and by weights of classes?

The reference network of a space is trained by each recipe with each seed, from scratch, for the same number of steps on
the same batches, and scored on the validation images and on those it was trained on. A seed decides the weights it
begins with and the order of the images. What is printed is mean and standard deviation over seeds, and how many seeds
each recipe beats the first one with. From the root of the repository, some ten minutes on two cores:

    python benchmarks/train_recipes.py --data ../shared/data/camvid_240x180
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from benchmarks.camvid_trainings import RATES, Training, scores, threads_each
from devices import PacelineError, WrongUse, read_device
from paceline.options import use_threads
from paceline.screen import image_size, say, size_text
from search import Architecture, TrainRecipe, open_images, open_space

RECIPES: dict[str, dict[str, Any]] = {
    "SGD, 0.1": {},
    "SGD, 0.1, enet": {"class_weights": "enet"},
    "AdamW, 0.01": {"optimizer": "adamw", "rate": RATES["adamw"]},
    "AdamW, 0.01, enet": {"optimizer": "adamw", "rate": RATES["adamw"], "class_weights": "enet"},
}
"""By name, with the rate; the first is the default of ``paceline train``."""

Found = dict[tuple[str, int], dict[str, float]]
"""mIoU, 0 to 1, on the images of each split, by recipe and seed."""


def main(words: Sequence[str] | None = None) -> None:
    """Train and print."""
    options = _options(sys.argv[1:] if words is None else words)
    if min(options.seeds, options.steps, options.at_once) < 1:
        raise WrongUse("Seeds, steps and trainings at once must be 1 or more.")
    threads = threads_each(options.at_once, options.threads)
    use_threads(threads)
    with TemporaryDirectory() as folder:
        found = train(options, Path(folder), threads)
    if options.json:
        print(json.dumps([{"recipe": name, "seed": seed, **each} for (name, seed), each in found.items()], indent=1))
        return
    print(f"machine: {read_device().describe()}, {options.at_once} trainings at once")
    print(
        f"{options.space} at {size_text(options.input)}, {Path(options.data).name}, {options.steps} steps of 8 images"
    )
    print("\n".join(lines(found)))


def train(options: argparse.Namespace, folder: Path, threads: int | None) -> Found:
    """The scores of every recipe with every seed."""
    found: Found = {}
    for split in ("val", "train"):  # The second time trainings are finished, and only scored.
        trainings = {
            (name, seed): _training(options, folder, name, seed, split)
            for seed in range(options.seeds)
            for name in RECIPES
        }
        for (name, seed), score in scores(trainings, options.at_once, threads):
            found.setdefault((name, seed), {})[split] = score
            say(f"{name}, seed {seed}: {score:.1%} on {split}")
    return found


def lines(found: Found) -> list[str]:
    """The table: in percent, mean and standard deviation over seeds."""
    seeds = sorted({seed for _, seed in found})
    first = next(iter(RECIPES))
    told = [f"{'mIoU, %':20}{'validation':>16}{'training images':>18}{f'better than {first}':>24}"]
    for name in RECIPES:
        held, own = ([100 * found[name, seed][split] for seed in seeds] for split in ("val", "train"))
        ahead = sum(score > 100 * found[first, seed]["val"] for score, seed in zip(held, seeds, strict=True))
        told.append(f"{name:20}{_spread(held):>16}{_spread(own):>18}{f'{ahead} of {len(seeds)} seeds':>24}")
    return told


def _training(options: argparse.Namespace, folder: Path, name: str, seed: int, split: str) -> Training:
    train = open_images(options.data, "train", options.input, seed=seed, count=options.images)
    scored = train if split == "train" else open_images(options.data, split, options.input, count=options.images)
    space = open_space(options.space, options.input, len(train.classes))
    checkpoint = folder / f"{list(RECIPES).index(name)}_{seed}.safetensors"
    recipe = replace(TrainRecipe(steps=options.steps), **RECIPES[name])
    reference = space.network(Architecture(space.name, space.reference))
    return Training(reference, train, scored, recipe, seed, checkpoint, "cpu")


def _spread(values: Sequence[float]) -> str:
    deviation = np.std(values, ddof=1) if len(values) > 1 else 0.0
    return f"{np.mean(values):.1f} +-{deviation:.1f}"


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--data", default="../shared/data/camvid_240x180", help="folder of images, or scenes for generated ones")
    add("--space", default="squeezenas-small", help="whose reference network is trained")
    add("--input", type=image_size, default=(96, 128), help="height and width of the images")
    add("--steps", type=int, default=600, help="of each training")
    add("--images", type=int, default=400, help="to train on, and to score on, at most")
    add("--seeds", type=int, default=3, help="from 0 on")
    add("--at-once", type=int, default=2, help="networks trained at the same time, each in a process of its own")
    add("--threads", type=int, help="of each training; a share of the cores without")
    add("--json", action="store_true", help="print JSON")
    return parser.parse_args(words)


if __name__ == "__main__":
    try:
        main()
    except PacelineError as error:
        sys.exit(f"error: {error}")
