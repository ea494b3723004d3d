"""Running a search that was put together on the command line, and what its result says."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from itertools import chain, count
from pathlib import Path
from typing import Any, TypeAlias, final

from devices import WrongUse, unknown_name
from paceline.screen import Bar, progress_bar, say
from paceline.search_scores import SUPERNET, Choice, Materials, open_scoring, words_of
from search import (
    DEFAULT_STRATEGY,
    PARETO_STRATEGIES,
    STRATEGIES,
    FrontPoint,
    Goal,
    Objective,
    ScalarLog,
    SearchResult,
    Standing,
    Strategy,
    Trial,
    best,
    costs_of,
    feasible_set,
    known_strategies,
    open_strategy,
    pareto_front,
    run,
    score_of,
)

DIFFERENTIABLE = "differentiable"
"""The strategy that trains a supernet and a policy together, and so brings its evaluator with it."""

BUDGET = 200
"""Networks to evaluate where one costs little."""

Watch: TypeAlias = Callable[[Sequence[Trial]], None]


@final
@dataclass(frozen=True, eq=False)
class Plan:
    """A search that was put together.

    Attributes:
        strategy: its name.
        choice: how networks are scored.
        goals: costs with their limits; the first is the one that is shown.
        pareto: whether the score is traded against the costs.
        budget: networks to evaluate; what is usual for the evaluator when None.
        materials: what the evaluator is made from.
        out: file for the result; what a search keeps lies beside it.
        tensorboard: folder for scalars; None for none.
    """

    strategy: str
    choice: Choice
    goals: Sequence[Goal]
    pareto: bool
    budget: int | None
    materials: Materials
    out: Path
    tensorboard: Path | None = None

    @property
    def first(self) -> Goal:
        """The cost that is shown."""
        return self.goals[0]

    @property
    def networks(self) -> int:
        """How many to evaluate: few where each is trained, or the strategy is, as the recipe says."""
        dear = self.strategy == DIFFERENTIABLE or self.choice.kind == "train"
        return self.budget or (self.materials.recipe.search.candidates if dear else BUDGET)

    def made(self) -> Strategy | None:
        """The strategy; None for the differentiable search, which is none of those that see numbers only.

        Raises:
            NoAnswer: no network is within the limits, with the cheapest.
            WrongUse: there is no such strategy.
        """
        if self.strategy != DIFFERENTIABLE:
            return open_strategy(self.strategy, feasible_set(self.goals), self.materials.seed)
        self.first.cost.refuse_impossible(self.first.limit)
        return None


@final
@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes:
        best: the network of highest score within the limits.
        trials: all that were evaluated.
        meaning: what a score is, in words.
        data: what was searched on, in words.
        recipe: lengths and rates that had a part in it.
    """

    best: Trial
    trials: Sequence[Trial]
    meaning: str
    data: str
    recipe: Mapping[str, Any]


def chosen_strategy(asked: str | None, choice: Choice, goals: Sequence[Goal], *, pareto: bool) -> str:
    """The strategy that was asked for, or the usual one.

    Raises:
        WrongUse: the one that was asked for is not known, or does not fit evaluator, limits or front.
    """
    unfit = _unfit_for_gradients(choice, goals, pareto=pareto)
    if asked is None:
        return DIFFERENTIABLE if unfit is None else PARETO_STRATEGIES[0] if pareto else DEFAULT_STRATEGY
    if asked not in (known := (DIFFERENTIABLE, *known_strategies())):
        raise unknown_name("strategy", asked, known)
    if asked == DIFFERENTIABLE and unfit is not None:
        raise WrongUse(f"{unfit} Leave out --strategy differentiable, or choose another, such as {DEFAULT_STRATEGY}.")
    if pareto and asked in STRATEGIES and asked not in PARETO_STRATEGIES:
        raise WrongUse(
            f"{asked} looks at the score alone, and --pareto trades it against costs: leave out --strategy, or choose "
            f"{' or '.join(PARETO_STRATEGIES)}."
        )
    return asked


def checkpoint_of(out: Path) -> Path:
    """The file beside a result that a supernet is kept in."""
    return out.with_suffix(".search.safetensors")


def history_of(out: Path) -> Path:
    """The file beside a result that all networks are kept in."""
    return checkpoint_of(out).with_suffix(".trials.jsonl")


def put_away(out: Path) -> None:
    """Move what an earlier search left beside ``out`` to names that end with ``.old``; scores of networks stay.

    What was moved there before stays as well: the next names end with ``.old.2``, and those of one search end alike.
    """
    paths = (history_of(out), checkpoint_of(out))
    endings = chain([".old"], (f".old.{number}" for number in count(2)))
    free = next(each for each in endings if not any(path.with_name(path.name + each).exists() for path in paths))
    for path in paths:
        if path.exists():
            path.replace(path.with_name(path.name + free))
            say(f"{path} is kept as {path.name}{free}.")


def run_plan(plan: Plan, strategy: Strategy | None) -> Found:
    """Search.

    Args:
        plan: what.
        strategy: as ``plan.made()`` gives it.

    Raises:
        NoAnswer: no network could be scored.
        WrongUse: what lies beside ``plan.out`` belongs to another search.
    """
    log = nullcontext(_nothing) if plan.tensorboard is None else ScalarLog(plan.tensorboard, plan.first.cost)
    with log as watch, progress_bar("search") as bar:
        if strategy is None:
            return _by_gradients(plan, watch, bar)
        return _by_strategy(plan, strategy, watch, bar)


def result_of(plan: Plan, found: Found) -> SearchResult:
    """The result for the file, without what only the command line knows."""
    first, ground, trial = plan.first, plan.materials.ground, found.best
    assert trial.cost is not None, "the best trial is feasible, so it has a cost"
    assert trial.score is not None, "and a score"
    told = len(plan.goals) > 1 or bool(first.cost.on)  # What says more than objective, limit and cost do.
    return SearchResult(
        name=plan.out.stem,
        space=ground.name,
        input_size=ground.input_size,
        classes=ground.classes,
        architecture=first.cost.names(trial.picks),
        objective=first.cost.name,
        limit=None if first.is_free else first.limit,
        cost=trial.cost,
        score=trial.score,
        seed=plan.materials.seed,
        data=found.data,
        recipe=found.recipe,
        command=shlex.join(["paceline", *sys.argv[1:]]),
        strategy=plan.strategy,
        evaluator=plan.choice.text,
        meaning=found.meaning,
        costs={goal.cost.title: goal.cost.cost_of(trial.picks) for goal in plan.goals} if told else {},
        limits={goal.cost.title: goal.limit for goal in plan.goals if not goal.is_free} if told else {},
        front=_front(plan, found.trials) if plan.pareto else (),
        listed=ground.space is None,
    )


def _nothing(trials: Sequence[Trial]) -> None:
    """Nobody watches."""


def _unfit_for_gradients(choice: Choice, goals: Sequence[Goal], *, pareto: bool) -> str | None:
    """Why the differentiable search cannot do it; None when it can."""
    if choice.kind != SUPERNET:
        return f"The differentiable search scores networks with its own supernet, not with --evaluator {choice.text}."
    if pareto or len(goals) != 1 or not isinstance(goals[0].cost, Objective):
        return "The differentiable search takes one limit, on latency, MACs or parameters, and trades nothing."
    return None


def _by_gradients(plan: Plan, watch: Watch, bar: Bar) -> Found:
    from search import DifferentiableSearch

    materials, cost = plan.materials, plan.first.cost
    assert isinstance(cost, Objective), "others were refused"
    train, validation = images = materials.images()
    recipe = replace(materials.recipe.search, candidates=plan.networks)
    searching = DifferentiableSearch(
        *(cost, plan.first.limit, train, validation, recipe, materials.seed, materials.checkpoint, materials.warm_up),
        device=materials.device,
    )
    trial, trials = searching.search(lambda stage, done, of, words: bar(done, of, words, stage), watch)
    meaning = f"{score_of(validation).meaning} with inherited weights on validation images, 0 to 1"
    return Found(trial, trials, meaning, words_of(images), asdict(recipe))


def _by_strategy(plan: Plan, strategy: Strategy, watch: Watch, bar: Bar) -> Found:
    scoring = open_scoring(plan.choice, plan.materials, bar)
    first, evaluator = plan.first, scoring.evaluator
    standing = Standing.of(())

    def tell(trials: Sequence[Trial]) -> None:
        nonlocal standing
        standing = standing.then(trials[standing.tried :])
        # A history may hold more than are wanted now.
        bar(len(trials), max(len(trials), plan.networks), standing.words(first.cost, evaluator.words), "networks")
        watch(trials)

    trials = run(
        *(strategy, evaluator.score, first.cost, first.limit, plan.networks, history_of(plan.out)),
        also=plan.goals[1:],
        pareto=plan.pareto,
        identity=_identity(plan, evaluator.key),
        tell=tell,
    )
    if not trials:
        raise WrongUse(f"The strategy {plan.strategy} proposed no network. Choose another.")
    return Found(best(trials, first.cost, first.limit), trials, evaluator.meaning, scoring.data, scoring.recipe)


def _identity(plan: Plan, evaluator: str) -> dict[str, object]:
    """What decides which networks are tried: trials alone would fit a search within a wider limit, too."""
    tables = sha256()
    for goal in plan.goals:
        for numbers in goal.cost.tables():
            tables.update(numbers.tobytes())
    return {
        "strategy": plan.strategy,
        "seed": plan.materials.seed,
        "evaluator": evaluator,
        "limits": {goal.cost.title: None if goal.is_free else goal.limit for goal in plan.goals},
        "costs": tables.hexdigest()[:16],
        "pareto": plan.pareto,
    }


def _front(plan: Plan, trials: Sequence[Trial]) -> tuple[FrontPoint, ...]:
    titles, names = [goal.cost.title for goal in plan.goals], plan.first.cost.names
    return tuple(
        FrontPoint(names(trial.picks), trial.score or 0.0, dict(zip(titles, costs_of(trial), strict=True)))
        for trial in pareto_front(trials)
    )
