"""The contest of camvid.py: how each contender comes to a network that measures within the limit."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np

from benchmarks.camvid_record import (
    BEST_OF_RANDOM,
    BY_HAND,
    BY_LATENCY,
    CONTENDERS,
    LATENCY,
    LATENCY_NASWOT,
    MACS,
    MACS_NASWOT,
    MOST_TRIES,
    RANDOM,
    Entry,
    Picks,
    Record,
    Terms,
    Try,
    next_budget,
    one_of,
    slowest_fitting,
)
from benchmarks.camvid_searches import Searches
from benchmarks.camvid_trainings import Training, scores
from devices import NoAnswer
from latency import Calibration, Measurement, SamplingPlan, Workload, operator_of
from lut import Lookup, Start, Table, appending, calibrated, fill
from search import (
    SPLITS,
    WHOLE_NETWORK_PLAN,
    AdditiveFeasible,
    Architecture,
    Interval,
    LabelledImages,
    Objective,
    Space,
    balanced_architectures,
    open_images,
    open_space,
    widest_mobilenetv2,
)

Say: TypeAlias = Callable[[str], None]
Starts: TypeAlias = Callable[[], AbstractContextManager[Start]]
"""Opens what starts the processes that measure."""

_AVERAGED = 256
"""Random networks whose MACs tell where MAC searches begin."""

_DRAWN, _MOST_DRAWS = 1024, 100
"""Networks drawn at a time, and how often, before those that are wanted are taken to be too few."""


@final
@dataclass(frozen=True)
class _Chosen:
    """A network that measured within the limit."""

    space: Space
    picks: Picks
    budget: float | None
    tries: int

    @property
    def architecture(self) -> Architecture:
        return Architecture(self.space.name, self.picks)

    @property
    def network(self) -> Workload:
        return self.space.network(self.architecture)


@final
class Contest:
    """Contenders for one limit on one device. Running it again goes on where it was interrupted.

    Args:
        terms: what is compared, and how.
        folder: for everything that is kept.
        starts: opens what measures.
        place: it in words, which belongs to the record.
        device: that networks and supernets are trained on: ``cpu`` or ``cuda``.
        say: is told what is being done.
        at_once: networks that are trained at the same time, each in a process of its own; 1 trains in this one.
        threads: of each process that is started to train.
    """

    def __init__(
        self,
        terms: Terms,
        folder: Path,
        starts: Starts,
        place: str = "",
        device: str = "cpu",
        say: Say = lambda words: None,
        at_once: int = 1,
        threads: int | None = None,
    ) -> None:
        first = open_images(terms.data, "train", terms.input_size, count=1)
        self.space = open_space(terms.space, terms.input_size, len(first.classes), terms.precision)
        self.terms, self._folder, self._starts, self._device, self._say = terms, folder, starts, device, say
        self._at_once, self._threads = at_once, threads
        self._searches = Searches(self.space, terms, folder, self._images, device)
        asked = {**asdict(terms), "place": place, "device": device}
        del asked["seeds"]  # More of them can be asked for later.
        self._record = Record(folder / "record.json", asked)
        blocks, whole = SamplingPlan(), WHOLE_NETWORK_PLAN
        self._block_plan = replace(blocks.with_rounds(terms.rounds), sample_s=terms.sample_s)
        self._plan = replace(whole.with_rounds(min(terms.rounds, whole.most_bursts)), sample_s=terms.sample_s)

    @cached_property
    def lookup(self) -> Lookup:
        """Latencies of the space's candidates: measured, and calibrated by networks that are measured whole."""
        file, terms = self._folder / "table.jsonl", self.terms
        self._say(f"measuring blocks of {self.space.name}")
        table = self._measure(file, self.space.workloads(), self._block_plan)
        plain = Lookup.read(table, self.space.grid, self.space.fixed)
        if not terms.calibration or plain.calibration is not None:
            return plain
        networks = balanced_architectures(self.space, terms.calibration, 0, np.isnan(plain.mean_s))
        self._say(f"measuring {terms.calibration} networks to calibrate with")
        self._measure(file, [self.space.network(each) for each in networks], self._plan)
        with appending(file) as writer:
            writer.append_calibration(plain.environment, calibrated(writer.table, plain.environment))
            return Lookup.read(writer.table, self.space.grid, self.space.fixed)

    @property
    def calibration(self) -> Calibration | None:
        """What whole networks taught of the blocks."""
        return self.lookup.calibration

    @cached_property
    def limit_s(self) -> float:
        """The limit that every contender's network must measure within."""
        latency = self._objective(LATENCY)
        return float(self._record.get("limit", lambda: latency.limit(self.terms.limit)))

    def room(self) -> str:
        """How far MACs tell what networks take here: what there is to gain by knowing, in words.

        Spearman's rank correlation over random networks, and the MACs of random networks that take the limit.
        """
        from scipy.stats import spearmanr

        macs, latency = self._objective(MACS), self._objective(LATENCY)
        every = latency.additive(np.inf)
        drawn = AdditiveFeasible(every.costs, every.budget, every.fixed).draw(_DRAWN, np.random.default_rng(0))
        alike = float(spearmanr(macs.cost(drawn), latency.cost(drawn)).statistic)
        millions = macs.cost(np.array(self._drawn(0, stream=0, count=_AVERAGED))) / 1e6
        low, high = np.percentile(millions, [5, 95])
        return (
            f"MACs and predicted times rank random networks alike by {alike:.3f} (Spearman); "
            f"90 % of those that take the limit have {low:.3g} to {high:.3g} M MACs"
        )

    def entries(self) -> list[Entry]:
        """Find, train, score and measure all networks; a contender that nothing fits has none.

        Networks are measured together at last, one burst of each in every round, into a table of their own: what they
        took when they were chosen has no part in what is told.
        """
        kept, mious = dict[tuple[str, int], _Chosen](), dict[tuple[str, int], float]()
        for seed in range(self.terms.seeds):
            chosen = {name: self._chosen(name, seed) for name in CONTENDERS}
            found = {name: each for name, each in chosen.items() if each is not None}
            kept |= {(name, seed): each for name, each in found.items()}
            mious |= {(name, seed): score for name, score in self._scores(found, seed).items()}
        self._say("measuring all networks together")
        times = self._measured(f"final_{self.terms.seeds}", [each.network for each in kept.values()])
        return [
            Entry(
                contender=name,
                seed=seed,
                space=each.space.name,
                architecture=each.space.names(each.architecture),
                macs=operator_of(each.network).macs(each.network),
                parameters=operator_of(each.network).parameters(each.network),
                predicted=self._predicted(each),
                measured=times[each.network],
                miou=mious[name, seed],
                budget=each.budget,
                tries=each.tries,
            )
            for (name, seed), each in kept.items()
        ]

    def _chosen(self, name: str, seed: int) -> _Chosen | None:
        """A contender's network; None, with the reason told, where none is found."""
        try:
            if name == BY_HAND:
                return self._by_hand()
            if name == RANDOM:
                return self._fitting(f"{name}, seed {seed}", self._drawn(seed, stream=1, count=MOST_TRIES))
            if name == BEST_OF_RANDOM:
                return self._fitting(f"{name}, seed {seed}", self._ranked(seed))
            return self._searched(name, seed)
        except NoAnswer as error:
            self._say(f"seed {seed}, {name}: {error}")
            return None

    def _searched(self, name: str, seed: int) -> _Chosen:
        """Search under one budget after another, until a network fits and is as slow as it may be."""
        tried, objective = list[Try](), self._objective(name)
        least = objective.cost_of(objective.cheapest())
        budget: float | None = self._first_budget(name, seed)
        while budget is not None:
            if any(each.budget <= least and each.time_s > self.limit_s for each in tried):
                raise NoAnswer(f"Not even the cheapest network measures within {self.limit_s * 1e3:.4g} ms.")
            tried.append(self._try(name, seed, len(tried) + 1, max(least, budget)))
            budget = next_budget(tried, self.limit_s, self.terms.tries)
        best = slowest_fitting(tried, self.limit_s)
        return _Chosen(self.space, best.picks, best.budget, len(tried))

    def _try(self, name: str, seed: int, number: int, budget: float) -> Try:
        def made() -> dict[str, Any]:
            self._say(f"seed {seed}: {name}, within {self._objective(name).format(budget)}")
            networks = self._search(name, seed, number, budget)
            return asdict(one_of(networks, budget, lambda picks: self._time_s(self._network(picks)), self.limit_s))

        known = self._record.get(f"{name}, seed {seed}, search {number}", made)
        return Try(known["budget"], tuple(known["picks"]), known["time_s"])

    def _search(self, name: str, seed: int, number: int, budget: float) -> list[Picks]:
        """The networks that a search scored, the best first."""
        searches, objective = self._searches, self._objective(name)
        by_naswot = name in {LATENCY_NASWOT, MACS_NASWOT}
        search = searches.by_naswot if by_naswot else searches.differentiable
        return search(f"{name}_{number}", objective, budget, seed)

    def _first_budget(self, name: str, seed: int) -> float:
        """The limit itself; or the MACs that random networks have on average that are predicted to take it."""
        if name in BY_LATENCY:
            return self.limit_s
        return float(self._objective(MACS).cost(np.array(self._drawn(seed, stream=0, count=_AVERAGED))).mean())

    def _ranked(self, seed: int) -> list[Picks]:
        """Random networks, the best first by the weights of a supernet that was trained on all networks alike.

        It makes as many steps on its weights as that of a search.
        """
        from search import DifferentiableSearch

        def scored() -> list[Any]:
            self._say(f"seed {seed}: {BEST_OF_RANDOM}")
            steps = self.terms.search.warm_up_steps + self.terms.search.alternating_steps
            recipe = replace(self.terms.search, warm_up_steps=steps, alternating_steps=0)
            checkpoint = self._folder / f"seed_{seed}" / "random.safetensors"
            images = self._images("train", seed), self._images("val", seed)
            search = DifferentiableSearch(
                *(self._objective(LATENCY), self.limit_s, *images, recipe, seed, checkpoint), device=self._device
            )
            evaluator = search.trained()
            drawn = self._drawn(seed, stream=2, count=recipe.candidates)
            return [[evaluator.score(picks), picks] for picks in dict.fromkeys(drawn)]

        known = self._record.get(f"{BEST_OF_RANDOM}, seed {seed}, scores", scored)
        return [tuple(picks) for _, picks in sorted(known, key=lambda pair: -pair[0])]

    def _fitting(self, what: str, networks: Sequence[Picks]) -> _Chosen:
        """The first that measures within the limit."""
        for number, picks in enumerate(networks[:MOST_TRIES], 1):
            network = self._network(picks)
            time_s = self._record.get(f"{what}, network {number}", partial(self._time_s, network))
            if time_s <= self.limit_s:
                return _Chosen(self.space, picks, None, number)
        raise NoAnswer(f"None of the random networks measures within {self.limit_s * 1e3:.4g} ms.")

    def _drawn(self, seed: int, stream: int, count: int) -> list[Picks]:
        """Networks that are predicted to take the limit or little less, uniformly among all such.

        Raises:
            NoAnswer: there are hardly any.
        """
        latency, rng = self._objective(LATENCY), np.random.default_rng([seed, stream])
        feasible = AdditiveFeasible(latency.costs, self.limit_s, latency.fixed)
        least_s, found = (1 - self.terms.band) * self.limit_s, list[Picks]()
        for _ in range(_MOST_DRAWS):
            drawn = feasible.draw(_DRAWN, rng)
            found += [tuple(row) for row in drawn[feasible.cost(drawn) >= least_s].tolist()]
            if len(found) >= count:
                return found[:count]
        raise NoAnswer(
            f"Hardly a network is predicted to take {least_s * 1e3:.4g} to {self.limit_s * 1e3:.4g} ms. "
            "Choose another --limit."
        )

    def _by_hand(self) -> _Chosen:
        """MobileNetV2 as wide as it may be."""
        size, precision = self.terms.input_size, self.terms.precision

        def made() -> dict[str, Any]:
            self._say("MobileNetV2, as wide as the limit lets it be")
            measured = list[float]()

            def cost(space: Space, architecture: Architecture) -> float:
                measured.append(self._time_s(space.network(architecture)))
                return measured[-1]

            found = widest_mobilenetv2(self.limit_s, cost, size, self.space.classes, precision)
            return {"space": found.space.name, "tries": len(measured)}

        known = self._record.get(BY_HAND, made)
        space = open_space(known["space"], size, self.space.classes, precision)
        return _Chosen(space, space.reference, None, known["tries"])

    def _scores(self, chosen: Mapping[str, _Chosen], seed: int) -> dict[str, float]:
        """Each contender's network trained from scratch and scored; one that two of them chose is trained once."""
        known = {name: self._training(each, seed) for name, each in chosen.items()}
        places = {name: f"seed {seed}, mIoU of {each.checkpoint.name}" for name, each in known.items()}
        left = {places[name]: each for name, each in known.items() if places[name] not in self._record}
        if left:
            self._say(f"seed {seed}: training {len(left)} networks")
        for place, score in scores(left, self._at_once, self._threads):
            self._record.get(place, partial(float, score))
            self._say(f"{place}: {score:.2%}")
        return {name: float(self._record[place]) for name, place in places.items()}

    def _training(self, chosen: _Chosen, seed: int) -> Training:
        name = "-".join([chosen.space.name, *map(str, chosen.picks)])
        return Training(
            chosen.network,
            self._images("train", seed),
            self._images("test", seed),
            self.terms.train,
            seed,
            self._folder / f"seed_{seed}" / f"{name}.trained.safetensors",
            self._device,
        )

    def _predicted(self, chosen: _Chosen) -> Interval:
        lookup = self.lookup
        if chosen.space.name != self.space.name:
            self._say(f"measuring blocks of {chosen.space.name}")
            file = self._folder / f"{chosen.space.name}.jsonl"
            table = self._measure(file, chosen.space.workloads(), self._block_plan)
            lookup = Lookup.read(table, chosen.space.grid, chosen.space.fixed)
        estimate = lookup.estimate(chosen.picks)
        return Interval(estimate.mean_s, *estimate.interval_s)

    def _time_s(self, network: Workload) -> float:
        """What it takes when it is measured whole, by itself: what decides whether it fits."""
        return self._measured("tried", [network])[network].mean_s

    def _measured(self, table: str, networks: Sequence[Workload]) -> dict[Workload, Interval]:
        """Measure whole networks, those that the table knows excepted.

        The table begins with the rows of the blocks: their sentinels tell what the machine is like when it is quiet.
        """
        file, blocks = self._folder / f"{table}.jsonl", self._folder / "table.jsonl"
        if not file.exists():
            copied = file.with_suffix(".part")
            shutil.copyfile(blocks, copied)
            copied.replace(file)
        known = self._measure(file, networks, self._plan)
        environment, found = known.environment(), dict[Workload, Interval]()
        for network in networks:
            outcome = known.outcome(network, environment)
            if not isinstance(outcome, Measurement):
                reason = "" if outcome is None else f": {outcome.stage}: {outcome.reason}"
                raise NoAnswer(f"{network.describe()} could not be measured{reason}. Mend the cause and try again.")
            found[network] = Interval(outcome.time_s, *outcome.interval_s)
        return found

    def _measure(self, file: Path, workloads: Sequence[Workload], plan: SamplingPlan) -> Table:
        """The table in a file, with all of these measured."""
        # In an order of each table's own: what the machine did in the meantime must not be the same in all.
        with self._starts() as start, appending(file) as writer:
            fill(writer, start, workloads, plan, seed=sum(map(ord, file.stem)))
            return writer.table

    def _objective(self, name: str) -> Objective:
        return self._objectives[name]

    @cached_property
    def _objectives(self) -> dict[str, Objective]:
        return {
            **dict.fromkeys(BY_LATENCY, Objective.latency(self.space, self.lookup)),
            **dict.fromkeys(BY_LATENCY.values(), Objective.macs(self.space, self.lookup)),
        }

    def _network(self, picks: Picks) -> Workload:
        return self.space.network(Architecture(self.space.name, picks))

    def _images(self, split: str, seed: int) -> LabelledImages:
        counts = (self.terms.train.images, self.terms.search.score_images, self.terms.train.test_images)
        count = dict(zip(SPLITS, counts, strict=True))[split]
        return open_images(self.terms.data, split, self.space.input_size, seed=seed, count=count)
