"""What a format of somebody else's tables is, and what reading one yields."""

from __future__ import annotations

import abc
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, TypeAlias, TypeVar, final

from devices import WrongUse
from latency import Environment, Estimate, Source, Workload
from lut.foreign.origins import Origin, Statement

Tell: TypeAlias = Callable[[int, int], None]
"""Is told how many of how many bytes or rows are done."""

UNTAKEN: Mapping[str, Source] = {"predicted": "predicted", "roofline": "roofline"}
"""Sources of times that nobody took, as files spell them."""


@dataclass(frozen=True)
class ForeignRow:
    """A row whose key was understood. Its numbers are as the file has them: nobody has judged them yet.

    Attributes:
        where: line number, key, or both.
        workload: what was timed.
        origin: where.
        time: the time, in the format's unit; anything at all in a damaged file.
        deviation: standard deviation of the time, or its variance; None where the file does not say.
        is_variance: whether ``deviation`` is a variance, in the unit squared.
        failed: stage and reason, of a row that says in words that there is no time.
        source: where the time comes from; ``reported`` unless the file says that nobody took it.
        is_inside: whether a predicted time lies inside what was measured.
    """

    where: str
    workload: Workload
    origin: Origin
    time: object
    deviation: object = None
    is_variance: bool = False
    failed: tuple[str, str] | None = None
    source: Source = "reported"
    is_inside: bool = True


@dataclass(frozen=True)
class Problem:
    """A row that is not taken as it stands.

    Attributes:
        where: its line number, key, or both.
        reason: why, in words.
        key: a key that its format does not know.
    """

    where: str
    reason: str
    key: str = ""


@dataclass(frozen=True)
class KnownRow:
    """What a table knows of a workload in an environment, ready to be written.

    Attributes:
        workload: what was timed.
        environment: where.
        estimate: its time; None when it failed.
        bursts: how many bursts were measured here; None for a time that was not measured here.
        failed: stage and reason of a failure.
        measured_at: ISO 8601 time in UTC; None where nobody knows.
    """

    workload: Workload
    environment: Environment
    estimate: Estimate | None
    bursts: int | None = None
    failed: tuple[str, str] | None = None
    measured_at: str | None = None


class Format(abc.ABC):
    """A format of tables that other people's tools read and write.

    A new one is one file and one line in ``lut.foreign``; ``tests/contracts/format_contract.py`` is its test suite.
    """

    name: ClassVar[str]
    """What ``--format`` calls it."""

    per_s: ClassVar[int] = 1000
    """How many of its units are a second. Times are divided by it, which is exact to the last digit."""

    says_environment: ClassVar[bool] = False
    """Whether each row says where it comes from. If not, a file holds rows of one environment and precision."""

    published: ClassVar[Sequence[tuple[str, Origin]]] = ()
    """Regular expressions for the end of a published file's path, and what its publication says of its origin."""

    @abc.abstractmethod
    def looks_like(self, head: bytes) -> bool:
        """Whether a file that begins with ``head`` is of this format, damaged rows included."""

    def has_key(self, text: str) -> bool:
        """Whether ``text`` is a key of this format; False where it has none."""
        return False

    @abc.abstractmethod
    def read(self, path: Path, statement: Statement, tell: Tell) -> Iterator[ForeignRow | Problem]:
        """The rows of a file in order, and those that cannot be understood.

        Args:
            path: the file.
            statement: what the user says of its origin.
            tell: is told how far it is.

        Raises:
            WrongUse: the file as a whole is not of this format.
        """

    @abc.abstractmethod
    def write(self, rows: Iterable[KnownRow], path: Path) -> None:
        """Write rows that ``refusal`` has nothing against."""

    def refusal(self, row: KnownRow) -> str:
        """Why this format cannot say ``row``, in words; empty when it can."""
        return ""

    @final
    def origin(self, path: Path, statement: Statement) -> Origin:
        """What is known of a file's origin, from its path where it is a published one, and from the user."""
        ends = f"{path.resolve().parent.name}/{path.name}".lower()
        found = (origin for pattern, origin in self.published if re.search(pattern, ends))
        return replace(next(found, Origin(path.name)), file=path.name).stated(statement)


def refusal_of_any_key(row: KnownRow) -> str:
    """Why a file of keys and times alone cannot say ``row``, whatever its key; empty when it can."""
    if row.estimate is None:
        return "the format has no way to say that something failed"
    if row.estimate.source == "predicted":
        return "the format has no way to say that a time was predicted"
    if row.estimate.source == "roofline":
        return "the format has no way to say that nothing was measured"
    return ""


_Spelled = TypeVar("_Spelled")


def reads_back(
    workload: Workload, spell: Callable[[Workload], _Spelled | None], read: Callable[[_Spelled], Workload | None]
) -> bool:
    """Whether what ``spell`` makes of a workload is read as the same workload again.

    Attributes come from a table, so they may be missing, of other kinds, or more than the format has words for.
    """
    try:
        spelled = spell(workload)
        return spelled is not None and read(spelled) == workload
    except (KeyError, IndexError, TypeError, ValueError, WrongUse):
        return False


def text_of(path: Path) -> str:
    """A file's text.

    Raises:
        WrongUse: it cannot be read, or is no text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise WrongUse(f"{path} cannot be read ({error.strerror}). Name a file that exists.") from error
    except UnicodeDecodeError as error:
        raise WrongUse(f"{path} is no UTF-8 text (byte {error.start}). Name the format with --format.") from error


def in_units(seconds: float, per_s: int = 1000) -> float:
    """Seconds in units of which ``per_s`` are a second, such that reading the number gives the same seconds again."""
    time = seconds * per_s
    short = (float(f"{time:.{digits}g}") for digits in (15, 16, 17))
    near = (math.nextafter(time, math.inf), math.nextafter(time, 0.0))
    return next((number for number in (*short, *near) if number / per_s == seconds), time)
