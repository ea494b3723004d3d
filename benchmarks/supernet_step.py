"""What does a step of the supernet cost when it computes one or two candidates in place of all 13?

A step is one on the weights and one on the architecture logits. The first table holds time, tensors and memory of each
way to draw paths against ``soft``, which computes all candidates for every image, on random images. The second asks
what that buys: networks found by ``soft`` and by ``two`` in equal steps and in equal time, within the same limit,
trained alike; and one drawn at random. From the root of the repository:

    python benchmarks/supernet_step.py
    python benchmarks/supernet_step.py --part networks --data CAMVID_FOLDER

On an NVIDIA GPU, which is waited for before and after each step, so that the clock sees all of it:

    python benchmarks/supernet_step.py --part steps --device cuda --size 512 1024 --classes 19
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch

from benchmarks.supernet_contest import Contest, show_networks
from benchmarks.supernet_memory import memory_of
from devices import PacelineError, WrongUse, read_device
from search import (
    Objective,
    Policy,
    SearchRecipe,
    Space,
    Supernet,
    Thrift,
    TrainRecipe,
    cross_entropy,
    mixtures,
    open_images,
    open_space,
    path_mode,
    training_device,
)

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Way:
    """A way to make a step.

    Attributes:
        paths: candidates that it computes.
        draws: whether images draw apart.
        thrift: what else makes it cheaper.
    """

    paths: str
    draws: str = "auto"
    thrift: Thrift = field(default_factory=Thrift)


@dataclass(frozen=True)
class Columns:
    """What the two columns are that a processor and a GPU do not share.

    Attributes:
        second: name of the second time.
        last: name of the second kind of memory.
        meaning: of all columns.
    """

    second: str
    last: str
    meaning: str


COLUMNS: Mapping[str, Columns] = {
    "cpu": Columns(
        "cpu",
        "resident",
        "cpu: of all threads, without other programs; tensors: most alive at once, mean over steps (the worst);\n"
        "resident: peak growth of a process of its own; x: soft against it, median over rounds.",
    ),
    "cuda": Columns(
        "events",
        "reserved",
        "ms: on the clock, the GPU waited for before and after; events: between two of the GPU's; tensors: most\n"
        "allocated at once above what was there before a step, mean over steps (the worst); reserved: what torch\n"
        "took from the GPU for them in a process of its own; x: soft against it, median over rounds.",
    ),
}
"""By the kind of device that computes."""

WAYS: Mapping[str, Way] = {
    "soft": Way("soft"),
    "straight_through": Way("straight_through"),
    "drawn": Way("drawn"),
    "two": Way("two"),
    "two, each image": Way("two", "image"),
    "two, checkpointing": Way("two", thrift=Thrift(checkpointing=True)),
    "two, channels last": Way("two", thrift=Thrift(channels_last=True)),
    "two, bf16": Way("two", thrift=Thrift(bf16=True)),
    "two, both": Way("two", thrift=Thrift(channels_last=True, bf16=True)),
    "soft, checkpointing": Way("soft", thrift=Thrift(checkpointing=True)),
}
"""The ways that are compared, the first with all others; ``drawn`` does not learn (docs/decisions/0007)."""

_TEMPERATURE = 0.5  # It has no part in what a step costs.


class Steps:
    """A supernet, a policy, random images, and steps on them.

    Args:
        space: what the supernet is of.
        way: of the steps.
        batch: images.
        device: where the supernet is, ``cpu`` or torch's name of a GPU; the policy stays on the CPU, as in a search.
    """

    def __init__(self, space: Space, way: Way, batch: int, device: str = "cpu") -> None:
        torch.manual_seed(0)
        self._device = device
        self._mode, self._thrift = path_mode(way.paths), way.thrift
        self._count = mixtures(self._mode, way.draws, batch)
        self._generator = torch.Generator().manual_seed(0)
        self.supernet = Supernet(space).to(device)
        self._thrift.prepare(self.supernet)
        self._policy = Policy(torch.from_numpy(space.macs.astype(float)), float(space.fixed_macs))
        self._images = torch.randn(batch, 3, *space.input_size).to(device)
        self._labels = torch.randint(0, space.classes, (batch, *space.input_size)).to(device)
        self._weights_optimizer = torch.optim.SGD(self.supernet.parameters(), 0.01, momentum=0.9)
        self._policy_optimizer = torch.optim.Adam(self._policy.parameters(), 0.05, betas=(0.5, 0.999))

    def __call__(self) -> Array:
        """One step on the weights and one on the logits.

        Returns:
            Seconds on the clock, and of processors or, on a GPU, between two of its events.
        """
        if self._device != "cpu":
            return self._timed_on_gpu()
        begun = _now()
        self._both()
        return _now() - begun

    def _timed_on_gpu(self) -> Array:
        """The events leave out what passes before the first operation has begun; the clock holds all of it."""
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        begun = time.perf_counter()
        first.record()
        self._both()
        last.record()
        torch.cuda.synchronize()
        return np.array([time.perf_counter() - begun, 1e-3 * first.elapsed_time(last)])

    def _both(self) -> None:
        self._weights_step()
        self._policy_step()

    def _weights_step(self) -> None:
        mixture = self._mode.weights_mixture(self._policy, _TEMPERATURE, self._generator, self._count)
        cross_entropy(self._thrift.scores(self.supernet, self._images, mixture), self._labels).backward()
        self._weights_optimizer.step()
        self._weights_optimizer.zero_grad(set_to_none=True)

    def _policy_step(self) -> None:
        paths = self._mode.policy_paths(self._policy, _TEMPERATURE, self._generator, self._count)
        scores = self._thrift.scores(self.supernet, self._images, paths.mixture, paths.left_out)
        before = self._policy.logits.detach().clone()
        loss = cross_entropy(scores, self._labels)
        self._policy.logits.grad = torch.autograd.grad(loss, self._policy.logits)[0]
        self._policy_optimizer.step()
        self._mode.settle(self._policy, before, paths)


def times(
    space: Space, names: Sequence[str], batch: int, rounds: int, repeats: int, device: str = "cpu"
) -> dict[str, Array]:
    """Seconds of a step by name, (rounds, 2), as ``Steps`` gives them.

    All take turns, and what draws few paths makes several steps in its.

    Args:
        space: of the supernets.
        names: of ways.
        batch: images.
        rounds: turns of each, after one that does not count.
        repeats: steps in a turn, whose mean counts, but for ``soft`` paths, which hardly vary.
        device: of the supernets.
    """
    steps = {name: Steps(space, WAYS[name], batch, device) for name in names}
    for each in steps.values():
        each()
    found = {name: list[Array]() for name in names}
    for _ in range(rounds):
        for name, each in steps.items():
            count = 1 if WAYS[name].paths == "soft" else repeats
            found[name].append(np.mean([each() for _ in range(count)], axis=0))
    return {name: np.stack(rounds_of) for name, rounds_of in found.items()}


def main() -> None:
    """Measure, print."""
    options = _options()
    options.device = training_device(options.device)
    torch.set_num_threads(options.threads)
    space = open_space(options.space, tuple(options.size), options.classes)
    if options.memory_of is not None:
        steps = Steps(space, WAYS[options.memory_of], options.batch, options.device)
        print(json.dumps(memory_of(steps, options.memory_steps, options.device)))
        return
    print(f"machine: {read_device().describe()}\ntorch {torch.__version__}, {options.threads} threads")
    if options.device != "cpu":
        print(f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}")
    if options.part in {"all", "steps"}:
        _print_steps(space, options)
    if options.part in {"all", "networks"}:
        show_networks(_contest(options), options.seeds)


def _print_steps(space: Space, options: argparse.Namespace) -> None:
    names = [name for name in WAYS if name in {"soft", *options.ways}]
    height, width = space.input_size
    print(f"\n{space.name}, {height}x{width}, batch {options.batch}: one step on the weights and one on the policy;")
    print(f"{options.rounds} rounds in turn, {options.repeats} steps a round (1 of soft);")
    print(f"memory of {options.memory_steps} steps.")
    columns, digits = COLUMNS[options.device.partition(":")[0]], 0 if options.device == "cpu" else 1
    print(columns.meaning)
    memories = {name: _memory_apart(name) for name in names}  # First: of a GPU, torch keeps what it once took.
    found = times(space, names, options.batch, options.rounds, options.repeats, options.device)
    second, last = f"{columns.second}, ms", f"{columns.last}, MiB"
    print(f"\n{'':22}{'ms':>8}{'x':>7}{second:>10}{'x':>7}{'tensors, MiB':>20}{'x':>7}{last:>15}{'x':>7}")
    base = memories["soft"]
    for name in names:
        taken, of = 1e3 * np.median(found[name], axis=0), memories[name]
        ratio = np.median(found["soft"] / found[name], axis=0)
        tensors = f"{of['tensors']:.0f} ({of['tensors_most']:.0f})"
        print(
            f"{name:22}{taken[0]:8.{digits}f}{ratio[0]:7.2f}{taken[1]:10.{digits}f}{ratio[1]:7.2f}{tensors:>20}"
            f"{base['tensors'] / of['tensors']:7.2f}{of['held']:15.0f}{base['held'] / of['held']:7.2f}",
            flush=True,
        )


def _memory_apart(name: str) -> dict[str, float]:
    """What ``memory_of`` finds in a process of its own, with the options of this one."""
    command = [sys.executable, __file__, *sys.argv[1:], "--memory-of", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise WrongUse(f"The memory of {name} cannot be measured: {done.stderr.strip().splitlines()[-1:]}.")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _contest(options: argparse.Namespace) -> Contest:
    """The searches that the options ask for."""
    first = open_images(options.data, "train", (96, 192), count=1)
    space = open_space("demo", tuple(options.network_size), len(first.classes))
    objective = Objective.macs(space)
    search = SearchRecipe(
        warm_up_steps=options.warm_up,
        alternating_steps=options.steps,
        candidates=options.candidates,
        score_images=32,
        least_cost=0.9,
    )
    train = TrainRecipe(steps=options.train_steps, images=options.images, test_images=options.test_images)
    return Contest(objective, objective.limit(options.limit), options.data, search, train, options.device)


def _now() -> Array:
    return np.array([time.perf_counter(), time.process_time()])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--part", choices=("all", "steps", "networks"), default="all", help="what to run")
    parser.add_argument(
        "--device", default="cpu", help="that computes: cpu, cuda, or auto (the GPU where there is one)"
    )
    parser.add_argument("--threads", type=int, default=2, help="threads that torch may use")
    parser.add_argument("--space", default="squeezenas-large", help="whose steps are timed")
    parser.add_argument("--size", type=int, nargs=2, default=(180, 240), metavar=("HEIGHT", "WIDTH"), help="of images")
    parser.add_argument("--classes", type=int, default=11, help="of images")
    parser.add_argument("--batch", type=int, default=8, help="images in a step")
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS), help="beside soft")
    parser.add_argument("--rounds", type=int, default=3, help="turns that are timed")
    parser.add_argument("--repeats", type=int, default=3, help="steps in a turn of ways that draw few paths")
    parser.add_argument("--memory-steps", type=int, default=3, help="steps whose memory is measured")
    parser.add_argument("--memory-of", choices=list(WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--data", default="scenes", help="images of the networks: scenes, or a folder")
    parser.add_argument("--network-size", type=int, nargs=2, default=(96, 192), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--seeds", type=int, default=3, help="of searches and trainings, from 0 on")
    parser.add_argument("--warm-up", type=int, default=100, help="steps on weights alone")
    parser.add_argument("--steps", type=int, default=40, help="alternating steps of soft")
    parser.add_argument("--candidates", type=int, default=8, help="networks that are scored at the end of a search")
    parser.add_argument("--train-steps", type=int, default=150, help="of each network")
    parser.add_argument("--images", type=int, default=160, help="to train on")
    parser.add_argument("--test-images", type=int, default=100, help="to score trained networks on")
    parser.add_argument("--limit", default="80%", help="MACs, as for paceline search")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except PacelineError as error:
        sys.exit(f"error: {error}")
    except torch.cuda.OutOfMemoryError as error:
        sys.exit(f"error: {error} Give a smaller --batch or --size.")
