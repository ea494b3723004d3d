"""``paceline compare`` and ``paceline report``: searched networks side by side."""

from __future__ import annotations

import shlex
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from devices import find_target
from latency import nothing_measured
from lut import appending, refuse_other_environment
from paceline.options import (
    NO_DEVICE,
    Config,
    Data,
    Json,
    NetworkRounds,
    Options,
    Runtime,
    Seed,
    TablePath,
    TablePrecision,
    TargetName,
    Threads,
    TrainDevice,
    TrainThreads,
    holds_estimates,
    look_up,
    precision_of,
    refuse_idle,
    use_threads,
)
from paceline.place import measuring_place
from paceline.screen import progress_bar, say, show_json, show_table
from search import (
    WHOLE_NETWORK_PLAN,
    Comparison,
    Images,
    Interval,
    NetworkComparison,
    NetworkResult,
    Recipe,
    SearchResult,
    format_cost,
    open_images,
    spaces_of,
)


def compare(
    networks: Annotated[list[Path], typer.Argument(help="Files that `paceline search` and `paceline baseline` wrote.")],
    table: TablePath,
    out: Annotated[Path, typer.Option("--out", help="Folder for compare.json, report.html, weights and ONNX files.")],
    data: Data = "scenes",
    split: Annotated[str, typer.Option("--split", help="Split to score on: test or val.")] = "test",
    references: Annotated[
        int, typer.Option("--references", min=0, help="Further networks to measure whole, from fast to random.")
    ] = 10,
    again: Annotated[
        bool, typer.Option("--again", help="Measure whole networks again that are known already.")
    ] = False,
    rounds: NetworkRounds = WHOLE_NETWORK_PLAN.most_bursts,
    target: TargetName = "local",
    runtime: Runtime = None,
    threads: Threads = 1,
    precision: TablePrecision = None,
    options: Options = [],  # noqa: B006 - typer wants a list and hands out a new one
    seed: Seed = 0,
    config: Config = None,
    device: TrainDevice = "auto",
    train_threads: TrainThreads = None,
    as_json: Json = False,
) -> None:
    """Train searched networks the same way, export them, measure them whole on the device, and report.

    With a table that was estimated from peak figures nothing is measured, because the device is not at hand: networks
    are trained, scored and exported, and the report says that their latencies are estimates.

    Example: paceline compare runs/macs.json runs/latency.json --table tables/local.jsonl --out runs/compare
    """
    use_threads(train_threads)
    results = [SearchResult.read(path) for path in networks]
    recipe = Recipe.read(config).train
    plan = WHOLE_NETWORK_PLAN.with_rounds(rounds)
    with appending(table, create=False) as writer, ExitStack() as stack:
        number_format = precision_of(writer.table, precision)
        space, *others = spaces_of(results, number_format)
        images = Images(
            open_images(data, "train", space.input_size, seed=seed, count=recipe.images),
            open_images(data, split, space.input_size, seed=seed, count=recipe.test_images),
        )
        start = None
        if not holds_estimates(writer.table):
            start = stack.enter_context(measuring_place(find_target(target), runtime, threads, options).starts())
            with start({}) as process:
                refuse_other_environment(writer.table, process.environment)
        else:
            typed = {"--rounds": rounds != WHOLE_NETWORK_PLAN.most_bursts, "--again": again}
            refuse_idle(NO_DEVICE, target, runtime, threads, options, typed)
        bar = stack.enter_context(progress_bar("comparing"))
        lookup = look_up(space, writer.table, table)
        beside = {other.name: look_up(other, writer.table, table) for other in others}
        comparing = NetworkComparison(
            results, lookup, writer, start, plan, images, recipe, out, seed, number_format, beside, device
        )
        command = shlex.join(["paceline", *sys.argv[1:]])
        comparison = comparing.run(references, command, lambda what, done, of: bar(done, of, "", what), again=again)
    comparison.write(out / "compare.json")
    _report(comparison, out / "report.html")
    if as_json:
        show_json({"comparison": str(out / "compare.json"), "report": str(out / "report.html")})
    else:
        rows = [_row(network) for network in comparison.networks]
        show_table("compared", ("network", "limit", "MACs", "predicted", "measured whole", comparison.measure), rows)
        if note := nothing_measured(lookup.environment):
            print(note)


def report(
    comparison: Annotated[Path, typer.Argument(help="A compare.json that `paceline compare` wrote.")],
    out: Annotated[Path, typer.Option("--out", help="HTML file to write.")] = Path("report.html"),
) -> None:
    """Draw the report of a comparison again: one HTML file that needs nothing else."""
    _report(Comparison.read(comparison), out)


def _report(comparison: Comparison, path: Path) -> None:
    from paceline.report import write_report

    write_report(comparison, path)
    say(f"Look at {path.resolve()}")


def _row(network: NetworkResult) -> tuple[str, ...]:
    return (
        network.name,
        "" if network.limit is None else format_cost(network.objective or "latency", network.limit),
        f"{network.macs / 1e6:.4g} M",
        _interval(network.predicted),
        _interval(network.measured) if network.measured else "failed" if network.failure else "not measured",
        "" if network.miou is None else f"{network.miou:.3f}",
    )


def _interval(interval: Interval) -> str:
    return f"{interval.mean_s * 1e3:.3g} ms ({interval.low_s * 1e3:.3g} to {interval.high_s * 1e3:.3g})"
