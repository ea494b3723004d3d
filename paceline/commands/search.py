"""``paceline search``: find a network within a limit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from devices import WrongUse
from paceline.options import (
    SPACE_HELP,
    Config,
    Data,
    InputSize,
    Json,
    Seed,
    TablePrecision,
    TrainDevice,
    TrainThreads,
    refuse_unwritable,
    use_threads,
)
from paceline.screen import say, share, show_json, show_table
from paceline.search_goals import Settings, goals_of, open_ground, wanted_costs
from paceline.search_run import (
    DIFFERENTIABLE,
    Plan,
    checkpoint_of,
    chosen_strategy,
    history_of,
    put_away,
    result_of,
    run_plan,
)
from paceline.search_scores import EVALUATORS, SUPERNET, TABULAR, Choice, Materials, read_choice
from search import OBJECTIVES, STRATEGIES, Goal, Recipe, SearchResult, training_device

_DEFAULT_DATA = "scenes"


def search(
    out: Annotated[Path, typer.Option("--out", help="File to write the network to (JSON).")],
    limits: Annotated[
        list[str],
        typer.Option(
            "--limit",
            metavar="LIMIT",
            help="Most the network may cost: 30ms for latency, 45M for MACs, or 60% of what the space's hand-made "
            "reference network costs. May be repeated, each on its own cost: latency=30ms, macs=300M, parameters=5M, "
            "memory=2MB, latency@DEVICE=30ms. All hold at once.",
        ),
    ] = [],  # noqa: B006 - typer wants a list and hands out a new one
    objective: Annotated[
        str | None,
        typer.Option(
            "--objective", help=f"What a --limit without a name is on: {', '.join(OBJECTIVES)}. (default: latency)"
        ),
    ] = None,
    pareto: Annotated[
        list[str],
        typer.Option(
            "--pareto",
            metavar="COSTS",
            help="Costs to trade against the score, such as latency,macs, besides those that have a limit: all "
            "networks are kept that no other beats in score and in every cost.",
        ),
    ] = [],  # noqa: B006 - as above
    tables: Annotated[
        list[str],
        typer.Option(
            "--table",
            metavar="TABLE",
            help="Latency table. Needed for limits on latency; tells the others what the device cannot run. Of several "
            "devices: repeated, each FILE or NAME=FILE, the NAME being the DEVICE of latency@DEVICE.",
        ),
    ] = [],  # noqa: B006 - as above
    evaluator: Annotated[
        str,
        typer.Option(
            "--evaluator",
            help=f"How networks are scored: {', '.join(EVALUATORS)}, FILE.npz:COLUMN of a tabular benchmark, whose "
            "space and devices are the file's, or my_file.py:function, which takes a space and an architecture and "
            "returns a number, larger for better ones.",
        ),
    ] = SUPERNET,
    strategy: Annotated[
        str | None,
        typer.Option(
            "--strategy",
            help=f"How networks are chosen: {DIFFERENTIABLE}, {', '.join(STRATEGIES)}, or one that is installed. "
            f"(default: {DIFFERENTIABLE} with a supernet and one limit, nsga2 with --pareto, else surrogate)",
        ),
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(
            "--budget",
            min=1,
            help="Networks to score. Strategies draw at random until about the 20th. (default: 200; for the "
            "differentiable search and for train, the recipe's candidates)",
        ),
    ] = None,
    confidence: Annotated[
        float | None,
        typer.Option(
            "--confidence",
            parser=share,
            metavar="PERCENT",
            help="Hold upper bounds of the latency against the limit, which hold with that probability however the "
            "errors of the blocks hang together: 95% makes sure where blocks are predicted or measured in a hurry. "
            "(default: the best single numbers)",
        ),
    ] = None,
    space: Annotated[
        str | None, typer.Option("--space", help=f"{SPACE_HELP} (default: demo; of a tabular benchmark, its own)")
    ] = None,
    input_size: InputSize = None,
    classes: Annotated[
        int | None,
        typer.Option(
            "--classes",
            min=1,
            help="Classes the network tells apart. (default: those of the images, where the network tells of pixels or "
            "pictures what they do; else the space's own)",
        ),
    ] = None,
    precision: TablePrecision = None,
    data: Data = _DEFAULT_DATA,
    seed: Seed = 0,
    config: Config = None,
    warm_up: Annotated[
        Path | None,
        typer.Option(
            "--warm-up",
            help="File to keep the warmed-up supernet in, or to begin from when it is there: searches that differ "
            "in objective or limit alone can share one.",
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option("--cache", help="File of scores that searches can share. (default: beside --out)"),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume/--no-resume",
            help="Go on from what the same command left beside --out, or move it to *.old (*.old.2, ...).",
        ),
    ] = True,
    tensorboard: Annotated[
        Path | None,
        typer.Option("--tensorboard", help="Folder for scalars: best score, its cost, share within."),
    ] = None,
    device: TrainDevice = "auto",
    train_threads: TrainThreads = None,
    as_json: Json = False,
) -> None:
    """Search a network within limits on latency, MACs, parameters or memory.

    The usual search trains a supernet with all candidates, weights first, then alternating with the architecture, whose
    loss holds the expected cost above the limit. Then networks within the limit are drawn and scored, and the best is
    written. Other strategies choose networks one after another by the scores of an evaluator. What is returned is
    within every limit; when no network is, the search says so at once and ends with status 1.

    After Ctrl-C the same command goes on where it was.

    On a device, with a supernet: paceline search --space demo --table tables/local.jsonl --limit 80% --out
    runs/latency.json

    In a tabular benchmark, on two of its devices: paceline search --evaluator
    nasbench201.npz:accuracy_12ep_val/cifar10 --limit latency@raspi4=10ms --limit latency@eyeriss=3ms --out
    runs/cell.json

    By a function of yours, for a front of score, MACs and memory: paceline search --space my_space.py:space --evaluator
    my_score.py:score --pareto macs,memory --out runs/front.json
    """
    choice = read_choice(evaluator)
    _refuse_unused(choice, data, config, device)
    recipe = Recipe.read(config)
    wanted = wanted_costs(limits, objective, pareto)
    settings = Settings(space, input_size, classes, precision, data, tables)
    ground = open_ground(settings, wanted, choice.benchmark(), choice.part or None)
    goals = goals_of(ground, wanted, confidence)
    chosen = chosen_strategy(strategy, choice, goals, pareto=bool(pareto))
    _refuse_unfit(choice, chosen, warm_up, cache)
    scores = _scores_file(choice, cache, out)
    materials = Materials(ground, data, recipe, seed, checkpoint_of(out), warm_up, scores, device)
    plan = Plan(chosen, choice, goals, bool(pareto), budget, materials, out, tensorboard)
    made = plan.made()
    refuse_unwritable(out)
    if not resume:
        put_away(out)
    use_threads(train_threads)
    found = run_plan(plan, made)
    result = replace(result_of(plan, found), confidence=confidence, note=ground.note(wanted))
    result.write(out)
    say(f"{len(found.trials)} networks were scored; {out} holds the best, {history_of(out)} all.")
    if as_json:
        show_json(result.to_json())
    else:
        _show(result, goals)


def _scores_file(choice: Choice, cache: Path | None, out: Path) -> Path | None:
    """The file that scores are kept in; none where they are looked up."""
    return None if choice.kind == TABULAR else cache or out.with_suffix(".scores.jsonl")


def _refuse_unfit(choice: Choice, strategy: str, warm_up: Path | None, cache: Path | None) -> None:
    """Refuse options that would have no effect."""
    if warm_up is not None and choice.kind != SUPERNET:
        raise WrongUse(f"--warm-up keeps a supernet, and --evaluator {choice.text} has none. Leave it out.")
    if cache is not None and choice.kind == TABULAR:
        raise WrongUse("Scores of a tabular benchmark are looked up in its file. Leave out --cache.")
    if cache is not None and strategy == DIFFERENTIABLE:
        raise WrongUse("A differentiable search keeps its scores with its own supernet. Leave out --cache.")


def _refuse_unused(choice: Choice, data: str, config: Path | None, device: str) -> None:
    """Refuse a device that is not there; images, recipes and devices where networks are not trained or shown any."""
    if choice.kind == TABULAR and data != _DEFAULT_DATA:
        raise WrongUse(f"{choice.file} has scores for its own images: leave out --data.")
    if config is not None and choice.kind not in (SUPERNET, "train", "naswot"):
        raise WrongUse(
            f"--config says how to train and on how much, and --evaluator {choice.text} does not train. Leave it out."
        )
    if choice.kind in (SUPERNET, "train"):
        training_device(device)  # Refuses now, before older files are put away.
    elif device != "auto":
        raise WrongUse(f"--device says where to train, and --evaluator {choice.text} does not train. Leave it out.")


def _show(result: SearchResult, goals: list[Goal]) -> None:
    sure = "" if result.confidence is None else f"at most, {result.confidence:.1%} sure, "
    known = result.costs or {goals[0].cost.title: result.cost}
    said = [_cost_words(goal, known[goal.cost.title], named=bool(result.costs)) for goal in goals]
    print(f"{result.name}: {sure}{'; '.join(said)}")
    if result.note:
        print(result.note)
    print(f"score {result.score:.4g}: {result.meaning}")
    print(" ".join(result.architecture))
    if result.front:
        rows = [
            (f"{point.score:.4g}", *(goal.cost.format(point.costs[goal.cost.title]) for goal in goals))
            for point in result.front
        ]
        show_table("front", ("score", *(goal.cost.title for goal in goals)), rows, left=0)


def _cost_words(goal: Goal, cost: float, *, named: bool) -> str:
    name = f"{goal.cost.title} " if named else ""
    limit = "" if goal.is_free else f", limit {goal.cost.format(goal.limit)}"
    return f"{name}{goal.cost.format(cost)}{limit}"
