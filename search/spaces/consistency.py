"""Whether a space fits together: said at once, and not by the module that is built first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from devices import WrongUse
from latency import Shape, Workload, operator_of
from search.spaces.chains import output_of, written_by
from search.spaces.space import Candidate, Space, Unit
from search.spaces.wiring import ChainWiring


def refuse_inconsistent(space: Space) -> None:
    """Make sure that every network of ``space`` can be built.

    Raises:
        WrongUse: a name occurs twice or cannot be typed, the reference is no network, workloads differ in precision, an
            operator is missing or does not take its workload; or, in a chain, a part does not read what the one before
            it writes, or candidates of a unit differ in what they write.
    """
    if not space.units:
        raise WrongUse(f"{space.name} has no units. Give it at least one, with candidates to choose from.")
    for unit in space.units:
        _refuse_names(unit)
    _refuse_reference(space)
    formats = {(workload.precision, workload.batch) for workload in space.workloads()}
    if len(formats) > 1:
        raise WrongUse(f"All workloads of {space.name} must have one precision and batch; got {sorted(formats)}.")
    for workload in space.workloads():
        operator_of(workload)
    if isinstance(space.wiring, ChainWiring):
        _refuse_broken_chain(space)


def _refuse_names(unit: Unit) -> None:
    if not unit.candidates:
        raise WrongUse(f"{unit.name} has no candidates. Give it at least one.")
    twice = [name for name, count in Counter(unit.names).items() if count > 1]
    if twice:
        raise WrongUse(f"The candidates of {unit.name} need different names; {twice[0]!r} occurs twice.")
    for name in unit.names:
        if not name or any(sign.isspace() or sign == "|" for sign in name):
            raise WrongUse(f"Name candidates without spaces and '|', which part them; {unit.name} has {name!r}.")


def _refuse_reference(space: Space) -> None:
    picks = space.reference
    within = len(picks) == len(space.units) and all(
        0 <= pick < size for pick, size in zip(picks, space.sizes, strict=True)
    )
    if not within:
        raise WrongUse(
            f"The reference of {space.name} picks a candidate for each of its {len(space.units)} units, counted from "
            f"0; got {picks}."
        )


def _refuse_broken_chain(space: Space) -> None:
    shape = _row("the stem", space.stem, (3, *space.input_size))
    ends = list[Shape]()
    for unit in space.units:
        written = {candidate.name: _written(unit, candidate, shape) for candidate in unit.candidates}
        if len(set(written.values())) > 1:
            first, *others = written.items()
            other = next(pair for pair in others if pair[1] != first[1])
            raise WrongUse(
                f"All candidates of {unit.name} must write the same shape; {first[0]} writes {first[1]} and {other[0]} "
                f"writes {other[1]}. Give them the same channels and stride, or leave one out here."
            )
        shape = next(iter(written.values()))
        ends.append(shape)
    last = _row("the head", space.head, shape)
    tapped = () if space.tap is None else (ends[space.tap],) if 0 <= space.tap < len(ends) else None
    if tapped is None:
        raise WrongUse(f"The tap of {space.name} is one of its {len(ends)} units, counted from 0; got {space.tap}.")
    _refuse_inputs("The decoder", space.decoder, (last, *tapped))


def _written(unit: Unit, candidate: Candidate, source: Shape) -> Shape:
    _row(f"{candidate.name} of {unit.name}", candidate.workloads, source)
    return written_by(candidate, source)


def _row(name: str, layers: Sequence[Workload], source: Shape) -> Shape:
    """What a row of layers writes, once it is sure that each reads what the one before it writes."""
    for layer in layers:
        _refuse_inputs(f"{layer.operator} in {name}", layer, (source,))
        source = output_of(layer)
    return source


def _refuse_inputs(name: str, layer: Workload, given: tuple[Shape, ...]) -> None:
    if layer.inputs != given:
        raise WrongUse(f"{name} reads {layer.inputs}, where it is given {given}. Make it for the shape before it.")
