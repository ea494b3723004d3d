"""What a search may spend, from the command line: limits, costs to trade, tables, and the space they belong to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import final

from devices import WrongUse, unknown_name
from latency import nothing_measured
from lut import Lookup, Table
from paceline.options import fill_command, look_up, precision_of
from search import (
    OBJECTIVES,
    SPACES,
    Goal,
    KnownCosts,
    Space,
    TabularBenchmark,
    open_images,
    open_space,
)

DEFAULT_OBJECTIVE = "latency"

BENCHMARK_SUFFIX = ".npz"
"""Files of tabular benchmarks; tables of paceline are JSON lines."""

_ANY_SIZE = (32, 32)
"""Size to open images at when only their classes are asked for."""

_NAMED_LIMIT = re.compile(r"([A-Za-z_]+(?:@[^=]+)?)=(.+)")
_NAMED_TABLE = re.compile(r"([\w.-]+)=(.+)")  # A path with = in the name of a folder has a / before it.


@final
@dataclass(frozen=True)
class Wanted:
    """A cost that was named on the command line.

    Attributes:
        name: one of ``OBJECTIVES``.
        device: whose; None where one is enough.
        limit: as it was typed; None for a cost that is only traded against the score.
    """

    name: str
    device: str | None
    limit: str | None = None

    @property
    def spelled(self) -> str:
        """As it is typed: ``latency@xavier``."""
        return self.name if self.device is None else f"{self.name}@{self.device}"


@final
@dataclass(frozen=True)
class Settings:
    """How the space of a search is opened.

    Attributes:
        space: name of the space; None for the benchmark's, or else the demo's.
        input_size: height and width of the input; the space's own when None.
        classes: that networks tell apart; those of the images, or the space's own, when None.
        precision: number format of all tables; each table's own when None.
        data: where images come from, which have classes.
        tables: files as they were typed, ``FILE`` or ``NAME=FILE``.
    """

    space: str | None
    input_size: tuple[int, int] | None
    classes: int | None
    precision: str | None
    data: str
    tables: Sequence[str]


@final
@dataclass(frozen=True, eq=False)
class Ground:
    """What a search runs on.

    Attributes:
        space: the networks; None where only a benchmark knows them.
        input_size: height and width of the input, in pixels.
        classes: that the networks tell apart.
        tables: latencies by device.
        benchmark: networks of the space with what somebody measured of them.
    """

    space: Space | None
    input_size: tuple[int, int]
    classes: int
    tables: dict[str, Lookup]
    benchmark: TabularBenchmark | None = None

    @cached_property
    def costs(self) -> KnownCosts:
        """What the networks can be limited in."""
        return KnownCosts(self.space, self.tables, self.benchmark)

    @property
    def name(self) -> str:
        """Of the space."""
        if self.space is not None:
            return self.space.name
        assert self.benchmark is not None, "one of the two is there"
        return self.benchmark.networks.name

    def note(self, wanted: Sequence[Wanted]) -> str:
        """What must be said wherever its latencies are shown; empty where there is nothing."""
        if not any(one.name == "latency" for one in wanted):
            return ""
        said = [nothing_measured(lookup.environment) for lookup in self.tables.values()]
        return " ".join(filter(None, [*said, self._other_size(wanted)]))

    def _other_size(self, wanted: Sequence[Wanted]) -> str:
        """That a benchmark measured latencies at another size than the networks now have; empty where it did not."""
        devices = {one.device for one in wanted if one.name == "latency"} - {*self.tables}
        if self.benchmark is None or not devices or (devices == {None} and self.tables):
            return ""
        measured = _measured_size(self.benchmark)
        if measured == self.input_size:
            return ""
        sizes = [f"{height}x{width}" for height, width in (measured, self.input_size)]
        return f"Latencies in {self.benchmark.file.name} are of networks at {sizes[0]}; these have {sizes[1]}."

    def buildable(self, why: str) -> Space:
        """The space, for what needs to build its networks.

        Args:
            why: what needs it, as it is typed.

        Raises:
            WrongUse: only a benchmark knows them.
        """
        if self.space is None:
            raise WrongUse(
                f"Networks of {self.name} cannot be built here, and {why} builds them. Look their scores up."
            )
        return self.space


def wanted_costs(limits: Sequence[str], objective: str | None, pareto: Sequence[str]) -> list[Wanted]:
    """The costs that the command line names, those with a limit first.

    Args:
        limits: ``OBJECTIVE=QUANTITY`` each, or a quantity alone, which is one of ``objective``.
        objective: what a bare quantity is of; latency when None.
        pareto: further ones, to be traded against the score, separated by commas.

    Raises:
        WrongUse: nothing is named, something that there is not, or something twice; or there is no bare quantity for
            the objective.
    """
    named = [_NAMED_LIMIT.fullmatch(text) for text in limits]
    if objective is not None and all(named):
        raise WrongUse("--objective says what a bare --limit such as 30ms is on, and there is none. Leave it out.")
    found = [
        _cost(objective or DEFAULT_OBJECTIVE, text) if match is None else _cost(match[1], match[2])
        for text, match in zip(limits, named, strict=True)
    ]
    spelled = [one.spelled for one in found]
    if twice := [name for name in spelled if spelled.count(name) > 1]:
        raise WrongUse(f"There are several limits on {twice[0]}. Give the smallest of them alone.")
    traded = [_cost(name.strip(), None) for names in pareto for name in names.split(",")]
    found += [one for one in dict.fromkeys(traded) if one.spelled not in spelled]
    if not found:
        raise WrongUse(
            "Say what a network may cost, as --limit 30ms or --limit macs=300M, or what its score is traded against, "
            "as --pareto latency,macs."
        )
    return found


def open_ground(
    settings: Settings, wanted: Sequence[Wanted], benchmark: TabularBenchmark | None, column: str | None
) -> Ground:
    """The space with its tables.

    Args:
        settings: how to open it.
        wanted: costs that are asked for.
        benchmark: whose scores are searched; None where there are others.
        column: which scores.

    Raises:
        WrongUse: things do not fit together, a table lacks entries, or there is none for a latency.
    """
    files = _table_files(settings.tables)
    measured = [file for file in files.values() if file.suffix == BENCHMARK_SUFFIX]
    if len({*measured, *([] if benchmark is None else [benchmark.file])}) > 1:
        raise WrongUse("A search knows one benchmark: leave out --table FILE.npz, or all but one.")
    known = TabularBenchmark.read(measured[0]) if measured and benchmark is None else benchmark
    tables = {name: file for name, file in files.items() if file.suffix != BENCHMARK_SUFFIX}
    if known is not None:
        if settings.precision and not tables and any(one.name == "latency" for one in wanted):
            raise WrongUse(f"The number format of latencies in {known.file} cannot be chosen: leave out --precision.")
        return _benchmark_ground(settings, known, column, tables)
    read = {name: Table.read(file) for name, file in tables.items()}
    space = _open(settings, precision_of(next(iter(read.values()), Table()), settings.precision))
    if not tables and any(one.name == "latency" for one in wanted):
        raise WrongUse(
            "A search on latency reads a table: give --table. This command fills one: "
            + fill_command(space, Path("tables/local.jsonl"))
        )
    return Ground(space, space.input_size, space.classes, _lookups(settings, space, tables, read))


def goals_of(ground: Ground, wanted: Sequence[Wanted], confidence: float | None) -> list[Goal]:
    """The costs with their limits; a share of the reference network is one of its best single number.

    Raises:
        WrongUse: a cost is not known, a limit is none, or there is a confidence and no latency.
    """
    if confidence is not None and all(one.name != "latency" for one in wanted):
        raise WrongUse(
            "MACs, parameters and memory are known for certain: --confidence belongs to --objective latency "
            "or to a limit on it."
        )
    goals = []
    for one in wanted:
        certain = ground.costs.cost(one.name, one.device)
        cost = certain if one.name != "latency" else ground.costs.cost(one.name, one.device, confidence)
        goals.append(Goal(cost) if one.limit is None else Goal(cost, certain.limit(one.limit)))
    return goals


def _cost(text: str, limit: str | None) -> Wanted:
    name, at, device = text.partition("@")
    if name not in OBJECTIVES:
        raise unknown_name("objective", name, OBJECTIVES)
    if at and not device:
        raise WrongUse(f"A device is named after the @, as {name}@xavier; got {text!r}.")
    return Wanted(name, device or None, limit)


def _table_files(texts: Sequence[str]) -> dict[str, Path]:
    """Files by the name of their device: the one that was typed, else the file's own."""
    files = dict[str, Path]()
    for text in texts:
        named = _NAMED_TABLE.fullmatch(text)
        file = Path(text if named is None else named[2])
        name = file.stem if named is None else named[1]
        if name in files:
            raise WrongUse(f"Two tables are called {name}. Name them, as --table other={file}.")
        files[name] = file
    return files


def _benchmark_ground(
    settings: Settings, benchmark: TabularBenchmark, column: str | None, tables: dict[str, Path]
) -> Ground:
    """The ground of networks that a benchmark lists, of which it may be known how they are built."""
    name = benchmark.networks.name
    if settings.space not in (None, name):
        raise WrongUse(f"{benchmark.file} knows networks of {name}: leave out --space {settings.space}.")
    if column is not None and (settings.input_size or settings.classes):
        raise WrongUse(f"{benchmark.file} has scores for its own images: leave out --input and --classes.")
    read = {device: Table.read(file) for device, file in tables.items()}
    precision = precision_of(next(iter(read.values()), Table()), settings.precision)
    if name not in SPACES:
        if tables:
            raise WrongUse(f"{name} has no blocks that a table could hold: leave out --table {next(iter(tables))}.")
        return Ground(None, *benchmark.data(column or ""), {}, benchmark)
    own = replace(settings, space=name)
    space = _open(own, precision) if column is None else open_space(name, *benchmark.data(column), precision)
    lookups = _lookups(settings, space, tables, read)
    return Ground(space, space.input_size, space.classes, lookups, benchmark)


def _measured_size(benchmark: TabularBenchmark) -> tuple[int, int]:
    """Height and width of the images that a benchmark's latencies are of: its space's own."""
    name = benchmark.networks.name
    return open_space(name).input_size if name in SPACES else benchmark.data("")[0]


def _open(settings: Settings, precision: str) -> Space:
    """The space; one that tells what the images have classes of tells as many, where nothing else is asked for."""
    name = settings.space or "demo"
    space = open_space(name, settings.input_size, settings.classes, precision)
    images = open_images(settings.data, "train", _ANY_SIZE)
    if settings.classes is not None or images.has_one_class_each != (space.tap is None):
        return space
    classes = len(images.classes)
    return space if classes == space.classes else open_space(name, settings.input_size, classes, precision)


def _lookups(settings: Settings, space: Space, files: dict[str, Path], tables: dict[str, Table]) -> dict[str, Lookup]:
    """Latencies by device, each looked up in its own number format."""
    found = dict[str, Lookup]()
    for name, table in tables.items():
        precision = precision_of(table, settings.precision)
        same = open_space(space.name, space.input_size, space.classes, precision)
        found[name] = look_up(same, table, files[name])
    return found
