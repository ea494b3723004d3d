"""What does a step of the supernet cost when it computes one or two candidates in place of all 13?

A step is one on the weights and one on the architecture logits. The first table holds time, tensors and memory of each
way to draw paths against ``soft``, which computes all candidates for every image, on random images. The second asks
what that buys: networks found by ``soft`` and by ``two`` in equal steps and in equal time, within the same limit,
trained alike; and one drawn at random. From the root of the repository:

    python benchmarks/supernet_step.py
    python benchmarks/supernet_step.py --part networks --data CAMVID_FOLDER
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from devices import PacelineError, WrongUse, read_device
from search import (
    AdditiveFeasible,
    DifferentiableSearch,
    LabelledImages,
    Objective,
    Policy,
    SearchRecipe,
    Space,
    Supernet,
    Thrift,
    TrainedFromScratch,
    TrainRecipe,
    cross_entropy,
    mixtures,
    open_images,
    open_space,
    path_mode,
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

MIB = 2**20
_TEMPERATURE = 0.5  # It has no part in what a step costs.


class Steps:
    """A supernet, a policy, random images, and steps on them.

    Args:
        space: what the supernet is of.
        way: of the steps.
        batch: images.
    """

    def __init__(self, space: Space, way: Way, batch: int) -> None:
        torch.manual_seed(0)
        self._mode, self._thrift = path_mode(way.paths), way.thrift
        self._count = mixtures(self._mode, way.draws, batch)
        self._generator = torch.Generator().manual_seed(0)
        self.supernet = Supernet(space)
        self._thrift.prepare(self.supernet)
        self._policy = Policy(torch.from_numpy(space.macs.astype(float)), float(space.fixed_macs))
        self._images = torch.randn(batch, 3, *space.input_size)
        self._labels = torch.randint(0, space.classes, (batch, *space.input_size))
        self._weights_optimizer = torch.optim.SGD(self.supernet.parameters(), 0.01, momentum=0.9)
        self._policy_optimizer = torch.optim.Adam(self._policy.parameters(), 0.05, betas=(0.5, 0.999))

    def __call__(self) -> Array:
        """One step on the weights and one on the logits; returns seconds: on the clock, and of processors."""
        begun = _now()
        self._weights_step()
        self._policy_step()
        return _now() - begun

    def _weights_step(self) -> None:
        mixture = self._mode.weights_mixture(self._policy, _TEMPERATURE, self._generator, self._count)
        self._weights_optimizer.zero_grad(set_to_none=True)
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


class LiveTensors(TorchDispatchMode):
    """Counts the bytes of all tensors that operations make while it is entered, and the most that lived at once.

    Activations that are kept for the backward pass, gradients, and what lives for a moment in between; momenta of the
    optimiser, once made. What an operation allocates inside and frees again does not show.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live_bytes, self.most_bytes = 0, 0
        self._known = WeakIdKeyDictionary()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation and count what is new."""
        for tensor in tree_leaves((args, kwargs)):
            if isinstance(tensor, Tensor):
                self._known.setdefault(tensor.untyped_storage(), 0)  # Was there before, or is counted already.
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor) and tensor.untyped_storage() not in self._known:
                self._count(tensor.untyped_storage())
        return made

    def _count(self, storage: Any) -> None:
        size = storage.nbytes()
        self._known[storage] = size
        self.live_bytes += size
        self.most_bytes = max(self.most_bytes, self.live_bytes)
        weakref.finalize(storage, self._freed, size)

    def _freed(self, size: int) -> None:
        self.live_bytes -= size


def memory(space: Space, way: Way, batch: int, steps: int) -> dict[str, float]:
    """Memory of steps in this process, which should have made none before.

    Returns:
        MiB: ``tensors``, mean over steps of the most that lived at once; ``tensors_most``, in the worst step;
        ``resident``, what the process's peak is above what it held before, at least 1.
    """
    made = Steps(space, way, batch)
    before, peaks = _resident_mib(), list[float]()
    for _ in range(steps):
        with LiveTensors() as live:
            made()
        peaks.append(live.most_bytes / MIB)
    return {
        "tensors": statistics.mean(peaks),
        "tensors_most": max(peaks),
        "resident": max(1.0, _peak_resident_mib() - before),
    }


def times(space: Space, names: Sequence[str], batch: int, rounds: int, repeats: int) -> dict[str, Array]:
    """Seconds of a step by name, (rounds, 2): on the clock, and of processors.

    All take turns, and what draws few paths makes several steps in its.

    Args:
        space: of the supernets.
        names: of ways.
        batch: images.
        rounds: turns of each, after one that does not count.
        repeats: steps in a turn, whose mean counts, but for ``soft`` paths, which hardly vary.
    """
    steps = {name: Steps(space, WAYS[name], batch) for name in names}
    for each in steps.values():
        each()
    found = {name: list[Array]() for name in names}
    for _ in range(rounds):
        for name, each in steps.items():
            count = 1 if WAYS[name].paths == "soft" else repeats
            found[name].append(np.mean([each() for _ in range(count)], axis=0))
    return {name: np.stack(rounds_of) for name, rounds_of in found.items()}


@dataclass(frozen=True)
class Contest:
    """Searches and trainings that are compared.

    Attributes:
        objective: what is limited.
        limit: in its unit.
        source: of images.
        search: recipe of all searches but for paths and steps.
        train: recipe of all trainings.
    """

    objective: Objective
    limit: float
    source: str
    search: SearchRecipe
    train: TrainRecipe

    def rows(self, seed: int, folder: Path) -> dict[str, dict[str, float]]:
        """By name of the search: processor seconds of its alternating steps, their number, cost and mIoU."""
        steps = self.search.alternating_steps
        rows = {"soft": self._searched("soft", steps, seed, folder), "two": self._searched("two", steps, seed, folder)}
        more = max(steps, round(steps * rows["soft"]["search_s"] / rows["two"]["search_s"]))
        rows["two, equal time"] = self._searched("two", more, seed, folder)
        feasible = AdditiveFeasible(self.objective.costs, self.limit, self.objective.fixed)
        drawn = tuple(int(pick) for pick in feasible.draw(1, np.random.default_rng(seed))[0])
        rows["random"] = {"search_s": 0.0, "steps": 0, **self._trained(drawn, seed, folder / f"random_{seed}")}
        return rows

    def _searched(self, paths: str, steps: int, seed: int, folder: Path) -> dict[str, float]:
        recipe = SearchRecipe(**{**vars(self.search), "paths": paths, "alternating_steps": steps})
        clock = dict[int, float]()
        file = folder / f"{paths}_{steps}_{seed}.safetensors"
        search = DifferentiableSearch(
            self.objective, self.limit, self._images("train", seed), self._images("val", seed), recipe, seed, file
        )

        def tell(stage: str, done: int, *_: object) -> None:
            if stage == "supernet":
                clock[done] = time.process_time()

        clock[0] = time.process_time()
        trial, _ = search.search(tell)
        spent = clock[recipe.warm_up_steps + steps] - clock[recipe.warm_up_steps]
        return {"search_s": spent, "steps": steps, **self._trained(trial.picks, seed, folder / f"{paths}_{steps}")}

    def _trained(self, picks: tuple[int, ...], seed: int, folder: Path) -> dict[str, float]:
        images = self._images("train", seed), self._images("test", seed)
        evaluator = TrainedFromScratch(self.objective.space, *images, self.train, seed, folder)
        return {"cost": self.objective.cost_of(picks), "miou": evaluator.score(picks)}

    def _images(self, split: str, seed: int) -> LabelledImages:
        count = {"train": self.train.images, "val": self.search.score_images, "test": self.train.test_images}[split]
        return open_images(self.source, split, self.objective.space.input_size, seed=seed, count=count)


def main() -> None:
    """Measure, print."""
    options = _options()
    torch.set_num_threads(options.threads)
    space = open_space(options.space, tuple(options.size), options.classes)
    if options.memory_of is not None:
        print(json.dumps(memory(space, WAYS[options.memory_of], options.batch, options.memory_steps)))
        return
    print(f"machine: {read_device().describe()}\ntorch {torch.__version__}, {options.threads} threads")
    if options.part in {"all", "steps"}:
        _print_steps(space, options)
    if options.part in {"all", "networks"}:
        _print_networks(_contest(options), options)


def _print_steps(space: Space, options: argparse.Namespace) -> None:
    names = [name for name in WAYS if name in {"soft", *options.ways}]
    height, width = space.input_size
    print(f"\n{space.name}, {height}x{width}, batch {options.batch}: one step on the weights and one on the policy;")
    print(f"{options.rounds} rounds in turn, {options.repeats} steps a round; memory of {options.memory_steps} steps.")
    print("cpu: of all threads, without other programs; tensors: most alive at once, mean over steps (the worst);")
    print("resident: peak growth of a process of its own; x: soft against it, median over rounds.")
    found = times(space, names, options.batch, options.rounds, options.repeats)
    memories = {name: _memory_apart(name) for name in names}
    print(f"\n{'':22}{'ms':>8}{'x':>7}{'cpu, ms':>10}{'x':>7}{'tensors, MiB':>20}{'x':>7}{'resident, MiB':>15}{'x':>7}")
    base = memories["soft"]
    for name in names:
        seconds, of = np.median(found[name], axis=0), memories[name]
        ratio = np.median(found["soft"] / found[name], axis=0)
        tensors = f"{of['tensors']:.0f} ({of['tensors_most']:.0f})"
        print(
            f"{name:22}{1e3 * seconds[0]:8.0f}{ratio[0]:7.2f}{1e3 * seconds[1]:10.0f}{ratio[1]:7.2f}{tensors:>20}"
            f"{base['tensors'] / of['tensors']:7.2f}{of['resident']:15.0f}{base['resident'] / of['resident']:7.2f}",
            flush=True,
        )


def _memory_apart(name: str) -> dict[str, float]:
    """``memory`` in a process of its own, with the options of this one."""
    command = [sys.executable, __file__, *sys.argv[1:], "--memory-of", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise WrongUse(f"The memory of {name} cannot be measured: {done.stderr.strip().splitlines()[-1:]}.")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _contest(options: argparse.Namespace) -> Contest:
    first = open_images(options.data, "train", (96, 192), count=1)
    space = open_space("demo", tuple(options.network_size), len(first.classes))
    objective = Objective.macs(space)
    search = SearchRecipe(
        warm_up_steps=options.warm_up, alternating_steps=options.steps, candidates=options.candidates, score_images=32
    )
    train = TrainRecipe(steps=options.train_steps, images=options.images, test_images=options.images // 4)
    return Contest(objective, objective.limit(options.limit), options.data, search, train)


def _print_networks(contest: Contest, options: argparse.Namespace) -> None:
    recipe, limit = contest.search, contest.objective.format(contest.limit)
    print(f"\nNetworks of {contest.objective.space.name} on {options.data} within {limit}:")
    print(
        f"{recipe.warm_up_steps} steps on weights alone, then {recipe.alternating_steps} alternating ones of soft; as"
    )
    print("many of two, and as many as take as long as soft's;")
    print(f"{recipe.candidates} candidates; each network trained {contest.train.steps} steps.")
    scores = dict[str, list[float]]()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.seeds):
            for name, row in contest.rows(seed, Path(folder)).items():
                scores.setdefault(name, []).append(row["miou"])
                cost = contest.objective.format(row["cost"])
                print(
                    f"seed {seed} {name:16} {row['steps']:4.0f} steps {row['search_s']:6.1f} processor seconds "
                    f"{cost:>12} test mIoU {row['miou']:.3f}",
                    flush=True,
                )
    for name, found in scores.items():
        spread = statistics.stdev(found) if len(found) > 1 else 0.0
        lead = statistics.mean(found) - statistics.mean(scores["soft"])
        print(f"{name:16} mean {statistics.mean(found):.3f}, deviation {spread:.3f}, against soft {lead:+.3f}")


def _now() -> Array:
    return np.array([time.perf_counter(), time.process_time()])


def _resident_mib() -> float:
    """What the process holds; its peak where the system does not tell."""
    file = Path("/proc/self/statm")
    return int(file.read_text().split()[1]) * resource.getpagesize() / MIB if file.exists() else _peak_resident_mib()


def _peak_resident_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (MIB if sys.platform == "darwin" else 1024)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--part", choices=("all", "steps", "networks"), default="all", help="what to run")
    parser.add_argument("--threads", type=int, default=2, help="threads that torch may use")
    parser.add_argument("--space", default="squeezenas-large", help="whose steps are timed")
    parser.add_argument("--size", type=int, nargs=2, default=(180, 240), metavar=("HEIGHT", "WIDTH"), help="of images")
    parser.add_argument("--classes", type=int, default=11, help="of images")
    parser.add_argument("--batch", type=int, default=8, help="images in a step")
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS), help="beside soft")
    parser.add_argument("--rounds", type=int, default=5, help="turns that are timed")
    parser.add_argument("--repeats", type=int, default=5, help="steps in a turn of ways that draw few paths")
    parser.add_argument("--memory-steps", type=int, default=5, help="steps whose memory is measured")
    parser.add_argument("--memory-of", choices=list(WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--data", default="scenes", help="images of the networks: scenes, or a folder")
    parser.add_argument("--network-size", type=int, nargs=2, default=(96, 192), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--seeds", type=int, default=3, help="of searches and trainings, from 0 on")
    parser.add_argument("--warm-up", type=int, default=100, help="steps on weights alone")
    parser.add_argument("--steps", type=int, default=40, help="alternating steps of soft")
    parser.add_argument("--candidates", type=int, default=8, help="networks that are scored at the end of a search")
    parser.add_argument("--train-steps", type=int, default=150, help="of each network")
    parser.add_argument("--images", type=int, default=160, help="to train on")
    parser.add_argument("--limit", default="80%", help="MACs, as for paceline search")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except PacelineError as error:
        sys.exit(f"error: {error}")
