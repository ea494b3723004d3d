"""``paceline predict``: the latency of a network from a table."""

from __future__ import annotations

from typing import Annotated

import typer

from lut import Table
from paceline.commands.show import open_network
from paceline.options import Classes, InputSize, Json, TablePath, look_up
from paceline.screen import show_json


def predict(
    network: Annotated[str, typer.Argument(help="A published network, or a file that `paceline search` wrote.")],
    table: TablePath,
    input_size: InputSize = None,
    classes: Classes = None,
    as_json: Json = False,
) -> None:
    """Predict the latency of a network as the sum of its blocks' times in a table.

    Blocks run faster or slower inside a network than alone. Where the table was calibrated (`paceline table calibrate`)
    the prediction and its interval take that into account; where it was not, the interval covers the noise of the
    blocks' own measurements and nothing else.
    """
    space, architecture = open_network(network, input_size, classes)
    lookup = look_up(space, Table.read(table), table)
    estimate = lookup.estimate(architecture.picks)
    low, high = estimate.interval_s
    if as_json:
        show_json(
            {
                "network": network,
                "mean_s": estimate.mean_s,
                "interval_s": [low, high],
                "source": estimate.source,
                "environment": lookup.environment.to_json(),
            }
        )
        return
    print(
        f"{network}: {estimate.mean_s * 1e3:.4g} ms ({low * 1e3:.4g} to {high * 1e3:.4g} ms, sum of {estimate.source} "
        f"blocks) on {lookup.environment.describe()}"
    )
