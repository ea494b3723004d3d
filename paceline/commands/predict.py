"""``paceline predict``: the latency of a network from a table."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from latency import LEAST_NETWORKS, Source, nothing_measured
from lut import Lookup, Table, networks_of
from paceline.commands.show import open_network
from paceline.options import Classes, InputSize, Json, TablePath, TablePrecision, look_up, place_words, precision_of
from paceline.screen import say, show_json
from search import Architecture, Space


def predict(
    network: Annotated[str, typer.Argument(help="A published network, or a file that `paceline search` wrote.")],
    table: TablePath,
    input_size: InputSize = None,
    classes: Classes = None,
    precision: TablePrecision = None,
    as_json: Json = False,
) -> None:
    """Predict the latency of a network as the sum of its blocks' times in a table.

    Blocks run faster or slower inside a network than alone. Where the table was calibrated (`paceline table calibrate`)
    the prediction and its interval take that into account. Where it was not, the interval covers what is said of each
    block, taken to be independent: the noise of its measurement, or the deviation of its prediction. A table that was
    estimated from peak figures is wrong by about the same factor in all blocks, and the interval says by how much.
    """
    read = Table.read(table)
    space, architecture = open_network(network, input_size, classes, precision_of(read, precision))
    lookup = look_up(space, read, table)
    hint_at_calibration(space, read, table, lookup)
    estimate = lookup.estimate(architecture.picks)
    low, high = estimate.interval_s
    unsure = math.isnan(estimate.standard_deviation_s)
    if as_json:
        show_json(
            {
                "network": network,
                "mean_s": estimate.mean_s,
                "interval_s": None if unsure else [low, high],
                "source": estimate.source,
                "is_inside": estimate.is_inside,
                "blocks": _blocks_by_source(lookup, space, architecture),
                "environment": lookup.environment.to_json(),
                "note": nothing_measured(lookup.environment),
            }
        )
        return
    sources = _blocks_by_source(lookup, space, architecture)
    words = " and ".join(f"{count} {_WORDS.get(source, source)}" for source, count in sources.items())
    interval = "not known, as a block's is not" if unsure else f"{low * 1e3:.4g} to {high * 1e3:.4g} ms"
    calibrated = "calibrated " if lookup.calibration is not None else ""
    print(
        f"{network}: {estimate.mean_s * 1e3:.4g} ms (95 % interval {interval}, {calibrated}sum of {words} blocks) on "
        f"{lookup.environment.describe()}"
    )
    if note := nothing_measured(lookup.environment):
        print(note)
    elif not estimate.is_inside:
        print("It has blocks that are unlike everything that was measured; `profile-device` measures them.")


_WORDS: Mapping[Source, str] = {"roofline": "estimated"}
"""Sources whose names are no words for what was done."""


def _blocks_by_source(lookup: Lookup, space: Space, architecture: Architecture) -> dict[Source, int]:
    """How many blocks of a network were measured, and how many are known otherwise."""
    known = [lookup.alone[workload] for workload in space.lower(architecture) if workload in lookup.alone]
    return dict(Counter(estimate.source for estimate in known))


def hint_at_calibration(space: Space, read: Table, path: Path, lookup: Lookup) -> None:
    """Say so where whole networks could teach a prediction more than it was taught."""
    if lookup.calibration is not None or len(networks_of(read, lookup.environment)) < LEAST_NETWORKS:
        return
    height, width = space.input_size
    words = [str(path), "--space", space.name, "--input", f"{height}x{width}", "--classes", str(space.classes)]
    command = shlex.join(["paceline", "table", "calibrate", *words, *place_words(lookup.environment, path)])
    say(f"{path} knows whole networks, but is not calibrated for all blocks of this space. Run `{command}`.")
