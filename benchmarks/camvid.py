"""Are networks that were searched under a limit on measured latency better than others that are as fast?

Street images, one device, one limit in milliseconds; every contender has to come with a network that, measured whole on
the device, takes no longer than that. All networks are trained from scratch alike and scored on the test images.

- latency-searched, MAC-searched: the same differentiable search, once with latencies from a table as its cost and once
  with MACs. The two of a seed begin with the same supernet, whose weights were trained alone. A search has a limit in
  its own unit, and scores networks with the weights they inherit, on validation images: some that its policy draws and
  that cost the limit or up to 10 % less (--band), since a network far below a limit is no rival. The six that score
  best are measured whole, one after the other, until one takes the limit on time or up to 5 % less. If none does, the
  limit of the search is raised or lowered by what the slowest that fits falls short of the limit on time, or the
  fastest of all exceeds it (between one limit that is known to fit and one that is known not to, at the middle), and
  the search is made again; after --tries searches the slowest network that fits counts. So a MAC search gets the most
  MACs for which what it finds is fast enough: what somebody does who has a device and no table. The first limit of the
  latency search is the limit on time itself; that of the MAC search is what random networks have on average that are
  predicted to take the limit.
- latency, NASWOT and MACs, NASWOT: the same two limits, but the search is an evolution, and networks are scored without
  any training (NASWOT, which looks at what an untrained network makes of a batch of training images). A search scores
  --evaluations networks.
- best random: of as many random networks as a search scores, the best with inherited weights that measures within the
  limit. Its supernet makes as many steps as a search's, all of them on networks drawn uniformly.
- random: the first random network that measures within the limit. Random networks are drawn uniformly among those that
  are predicted to take the limit or up to 10 % less.
- MobileNetV2, made by hand, with the same decoder: the widest that measures within the limit.

At last all networks of all seeds are measured once more, together, a burst of each in every round: these times are
told, and had no part in any choice. What is told is mean and standard deviation over seeds, and differences between
networks of one seed with their standard error. A seed decides the supernet, the searches, the random networks, the
weights a training begins with, and the order of the images. MobileNetV2 is the same network with all seeds.

Target: a limit on latency gains mIoU on a limit on MACs, by the same search at equal time, by more than the spread over
seeds. Either search has a verdict of its own.

Everything is kept in --out, and the same command goes on where it was, with more --seeds, too. The machine should have
nothing else to do: beside other programs small networks take up to three times as long. Where it has, --sample 0.5ms
lets most samples escape them. From the root of the repository, hours on two cores:

    python benchmarks/camvid.py --data ../shared/data/camvid_240x180 --out runs/camvid

The short form takes three quarters of an hour, with small images and short trainings. Here in PyTorch without a graph,
where MACs tell little of the time, and with glibc told to keep its memory, so that times hold still
(docs/decisions/0024-contest-on-camvid.md):

    export MALLOC_TRIM_THRESHOLD_=2000000000 MALLOC_MMAP_THRESHOLD_=2000000000 MALLOC_TOP_PAD_=67108864
    python benchmarks/camvid.py --short --runtime torch-eager --data ../shared/data/camvid_240x180 --out runs/short

On a machine with an NVIDIA GPU, which trains as well:

    python benchmarks/camvid.py --runtime cuda-events --device cuda --out runs/camvid_cuda
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.camvid_contest import Contest
from benchmarks.camvid_record import Terms
from benchmarks.camvid_shown import Shown
from benchmarks.camvid_trainings import RATES, threads_each
from devices import PacelineError, WrongUse, find_target
from latency import SamplingPlan
from paceline.options import use_threads
from paceline.place import measuring_place
from paceline.screen import image_size, say, seconds, size_text
from search import SearchRecipe, TrainRecipe, training_device

FULL: dict[str, Any] = {
    "space": "squeezenas-small",
    "input": (180, 240),
    "seeds": 3,
    "warm_up": 1000,
    "alternating": 400,
    "candidates": 24,
    "validation_images": 101,
    "evaluations": 400,
    "train_steps": 2000,
    "tries": 4,
    "calibration": 30,
    "rounds": 8,
}
"""Hours on two cores."""

SHORT: dict[str, Any] = {
    "space": "squeezenas-small",
    "input": (96, 128),
    "seeds": 3,
    "warm_up": 400,
    "alternating": 150,
    "candidates": 16,
    "validation_images": 64,
    "evaluations": 200,
    "train_steps": 600,
    "tries": 3,
    "calibration": 16,
    "rounds": 4,
}
"""Three quarters of an hour on two cores."""


def main(words: Sequence[str] | None = None) -> None:
    """Find, train, measure, print, draw."""
    options = _options(sys.argv[1:] if words is None else words)
    use_threads(options.train_threads)
    device = training_device(options.device)
    place = measuring_place(find_target(options.target), options.runtime, options.threads, options.option)
    terms = terms_of(options)
    options.out.mkdir(parents=True, exist_ok=True)
    at_once = options.at_once
    threads = threads_each(at_once, options.threads_each)
    contest = Contest(terms, options.out, place.starts, place.describe(), device, _teller(), at_once, threads)
    entries = tuple(contest.entries())
    shown = Shown(entries, contest.limit_s, heading(contest, place.describe()), asdict(terms))
    (options.out / "camvid.json").write_text(json.dumps(shown.to_json(), indent=1) + "\n", encoding="utf-8")
    shown.draw(options.out / "camvid.png")
    print(json.dumps(shown.to_json(), indent=1) if options.json else shown.text())


def terms_of(options: argparse.Namespace) -> Terms:
    """What the options ask for.

    Raises:
        WrongUse: a number is out of its range.
    """
    counts = (options.seeds, options.tries, options.rounds, options.candidates, options.evaluations)
    if min(*counts, options.train_steps, options.at_once) < 1:
        raise WrongUse(
            "Seeds, tries, rounds, candidates, evaluations, steps of training and trainings at once must be 1 or more."
        )
    if not 0 < options.band <= 1:
        raise WrongUse(f"--band is a share above 0 and at most 1; got {options.band:g}.")
    search = SearchRecipe(
        warm_up_steps=options.warm_up,
        alternating_steps=options.alternating,
        batch_size=options.batch,
        candidates=options.candidates,
        score_images=options.validation_images,
        paths=options.paths,
        least_cost=1 - options.band,
    )
    train = TrainRecipe(
        steps=options.train_steps,
        batch_size=options.batch,
        images=options.train_images,
        test_images=options.test_images,
        augmentation=options.augmentation,
        ema=options.ema,
        precision=options.train_precision,
        workers=options.workers,
        optimizer=options.optimizer,
        rate=RATES.get(options.optimizer, TrainRecipe.rate) if options.rate is None else options.rate,
        class_weights=options.class_weights,
    )
    return Terms(
        space=options.space,
        input_size=(options.input[0], options.input[1]),
        data=options.data,
        limit=options.limit,
        seeds=options.seeds,
        search=search,
        train=train,
        tries=options.tries,
        band=options.band,
        calibration=options.calibration,
        rounds=options.rounds,
        sample_s=options.sample,
        precision=options.precision,
        evaluations=options.evaluations,
    )


def heading(contest: Contest, place: str) -> tuple[str, ...]:
    """What was compared, where, and how well the table predicts."""
    terms, search, train = contest.terms, contest.terms.search, contest.terms.train
    share = " of the reference network's time" if terms.limit.endswith("%") else ""
    size, limit_ms = size_text(terms.input_size), contest.limit_s * 1e3
    steps = f"{search.warm_up_steps} steps on weights alone, {search.alternating_steps} alternating"
    scored = f"{search.candidates} candidates on {search.score_images} validation images"
    stepping = f"{train.optimizer} at a rate of {train.rate:g}, class weights {train.class_weights}"
    lines = [
        f"{terms.space} at {size}, {Path(terms.data).name}, {terms.seeds} seeds, within {limit_ms:.4g} ms",
        f"the limit is {terms.limit}{share}; measured on {place}, {terms.precision}, up to {terms.rounds} rounds",
        f"searches: {steps}, paths {search.paths}; {scored}; {terms.tries} tries",
        f"searches by NASWOT: evolutions of {terms.evaluations} networks",
        f"trainings: {train.steps} steps of {train.batch_size} images, {stepping}",
        contest.room(),
    ]
    if contest.calibration is not None:
        left_out = contest.calibration.leave_one_out
        lines.append(
            f"table calibrated with {contest.calibration.networks} networks; each predicted from the others: "
            f"{left_out.mean_error:.1%} mean error, {left_out.share_close:.0%} within 5 %"
        )
    return tuple(lines)


def _teller() -> Any:
    begun = time.monotonic()
    return lambda words: say(f"{time.monotonic() - begun:6.0f} s  {words}")


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--short", action="store_true", help="a form for two cores; what is not given is then as SHORT has it")
    add("--data", default="../shared/data/camvid_240x180", help="folder of images, or scenes for generated ones")
    add("--out", type=Path, default=Path("runs/camvid"), help="folder for everything; the same command goes on there")
    add("--limit", default="80%", help="on the time of whole networks: 3ms, or a share of the reference network's")
    add("--space", help="search space")
    add("--input", type=image_size, help="height and width of the images")
    add("--seeds", type=int, help="from 0 on")
    add("--warm-up", type=int, help="steps of a search on weights alone")
    add("--alternating", type=int, help="steps of a search after that, on weights and architecture")
    add("--paths", default="two", help="candidates that a step of a search computes: two, straight_through, soft")
    add("--candidates", type=int, help="networks that a search scores")
    add("--validation-images", type=int, help="that they are scored on")
    add("--tries", type=int, help="searches of a contender and seed, until a network is as slow as it may be")
    add("--band", type=float, default=0.1, help="networks are predicted to take the limit or up to this share less")
    add("--evaluations", type=int, help="networks that a search by NASWOT scores")
    add("--train-steps", type=int, help="of each training")
    add("--optimizer", default="adamw", help="of trainings: sgd or adamw")
    add("--rate", type=float, help="learning rate of trainings; 0.1 for sgd and 0.01 for adamw without")
    add("--class-weights", default="enet", help="of trainings: none, or enet: rare classes count more")
    add("--batch", type=int, default=8, help="images of a step")
    add("--augmentation", default=TrainRecipe.augmentation, help="of trainings: zoom, full or none")
    add("--ema", type=float, default=TrainRecipe.ema, help="decay of the average of weights that is scored; 0: none")
    add("--train-precision", default=TrainRecipe.precision, help="number format that networks are trained in")
    add("--workers", type=int, default=TrainRecipe.workers, help="threads that read images ahead")
    add("--train-images", type=int, default=400, help="to train on at most")
    add("--test-images", type=int, default=233, help="to score on at most")
    add("--calibration", type=int, help="networks to calibrate the table with, 0 for none")
    add("--rounds", type=int, help="most rounds of each measurement")
    add(
        "--sample",
        type=seconds,
        default=f"{SamplingPlan.sample_s * 1e3:g}ms",
        help="time that a sample spans at least; beside other programs a shorter one is hit by them less often",
    )
    add("--target", default="local", help="device to measure on")
    add("--runtime", help="runtime to measure with; the target's own without")
    add("--option", action="append", default=[], help="NAME=VALUE, option of the runtime")
    add("--threads", type=int, default=1, help="threads inside an operator, when measuring")
    add("--precision", default="fp32", help="number format that is measured")
    add("--device", default="cpu", help="to search and train on: auto, cpu or cuda")
    add("--train-threads", type=int, help="threads to search with; all cores without")
    add("--at-once", type=int, default=2, help="networks trained at the same time, each in a process of its own")
    add("--threads-each", type=int, help="threads of each of them; its share of the cores without")
    add("--json", action="store_true", help="print JSON")
    parser.set_defaults(**(SHORT if "--short" in words else FULL))
    return parser.parse_args(words)


if __name__ == "__main__":
    try:
        main()
    except PacelineError as error:
        sys.exit(f"error: {error}")
