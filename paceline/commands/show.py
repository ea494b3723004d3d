"""``paceline show``: what a network or a space costs on paper."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from devices import WrongUse
from latency import Workload, operator_of
from paceline.options import Classes, InputSize, Json
from paceline.screen import show_json, show_table, size_text
from search import PUBLISHED, SPACES, Architecture, SearchResult, Space, open_published, open_space


def show(
    network: Annotated[
        str | None,
        typer.Argument(
            help="A published network (lat_small, fbnet_a, ...), a file that `paceline search` wrote, or with --space "
            "the candidate of each unit."
        ),
    ] = None,
    space: Annotated[
        str | None,
        typer.Option("--space", help=f"A space: {', '.join(SPACES)}; or a file such as my_space.py:space."),
    ] = None,
    input_size: InputSize = None,
    classes: Classes = None,
    units: Annotated[bool, typer.Option("--units", help="List every unit's candidates.")] = False,
    as_json: Json = False,
) -> None:
    """Show MACs and parameters of a network, or of every candidate of a space; without either, list what there is.

    MACs count convolutions, output elements x kernel area x input channels / groups, and fully connected layers.

    Example: paceline show lat_small --input 1024x2048
    """
    if network is not None and space is not None:
        opened = open_space(space, input_size, classes)
        _show_network("network", opened, opened.read(network), as_json=as_json)
    elif network is not None:
        opened, architecture = open_network(network, input_size, classes)
        _show_network(network, opened, architecture, as_json=as_json)
    elif space is not None:
        _show_space(open_space(space, input_size, classes), units=units, as_json=as_json)
    else:
        _show_names(as_json=as_json)


def open_network(
    name: str, input_size: tuple[int, int] | None = None, classes: int | None = None, precision: str = "fp32"
) -> tuple[Space, Architecture]:
    """A published network by name, or a searched one by the file it was written to."""
    if name not in PUBLISHED and Path(name).suffix == ".json":
        if input_size is not None or classes is not None:
            raise WrongUse(f"{name} has its own input size and classes; leave out --input and --classes.")
        return SearchResult.read(Path(name)).open(precision)
    return open_published(name, input_size, classes, precision)


def _show_network(name: str, space: Space, architecture: Architecture, *, as_json: bool) -> None:
    values = {
        "name": name,
        "space": space.name,
        "input_size": list(space.input_size),
        "classes": space.classes,
        **_counts([space.network(architecture)]),
        "architecture": list(space.names(architecture)),
    }
    if as_json:
        show_json(values)
        return
    print(f"{name}: {space.name} at {size_text(space.input_size)}, {space.classes} classes")
    print(f"MACs        {values['macs']:>15,}".replace(",", " "))
    print(f"parameters  {values['parameters']:>15,}".replace(",", " "))
    print(f"units       {' '.join(space.names(architecture))}")


def _show_space(space: Space, *, units: bool, as_json: bool) -> None:
    if as_json:
        show_json(_space_json(space, units=units))
        return
    print(
        f"{space.name} at {size_text(space.input_size)}, {space.classes} classes: {len(space.units)} units, "
        f"{len(space.workloads())} different workloads, {space.fixed_macs / 1e6:.4g} M MACs in every network"
    )
    if units:
        rows = [
            (unit.name, candidate.name, *(f"{count:,}".replace(",", " ") for count in _two(candidate.workloads)))
            for unit in space.units
            for candidate in unit.candidates
        ]
        show_table("candidates", ("unit", "candidate", "MACs", "parameters"), rows, left=2)


def _space_json(space: Space, *, units: bool) -> dict[str, Any]:
    values: dict[str, Any] = {
        "space": space.name,
        "input_size": list(space.input_size),
        "classes": space.classes,
        "workloads": len(space.workloads()),
        "fixed": [{"name": workload.operator, **_counts([workload])} for workload in space.fixed],
    }
    if units:
        values["units"] = [
            {
                "name": unit.name,
                "candidates": [
                    {"name": candidate.name, **_counts(candidate.workloads)} for candidate in unit.candidates
                ],
            }
            for unit in space.units
        ]
    return values


def _show_names(*, as_json: bool) -> None:
    if as_json:
        show_json({"spaces": list(SPACES), "networks": list(PUBLISHED)})
        return
    print(f"spaces:    {', '.join(SPACES)}")
    print(f"networks:  {', '.join(PUBLISHED)}")


def _counts(workloads: Sequence[Workload]) -> dict[str, int]:
    macs, parameters = _two(workloads)
    stored = sum(operator_of(workload).activation_bytes(workload) for workload in workloads)
    return {"macs": macs, "parameters": parameters, "activation_bytes": stored}


def _two(workloads: Sequence[Workload]) -> tuple[int, int]:
    operators = [(operator_of(workload), workload) for workload in workloads]
    return (
        sum(operator.macs(workload) for operator, workload in operators),
        sum(operator.parameters(workload) for operator, workload in operators),
    )
