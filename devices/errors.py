"""The errors of paceline, one class for each way a command can end.

::

    PacelineError
    |-- NoAnswer      exit 1: the question is fine, the answer is no (no network within the limit)
    |-- WrongUse      exit 2: what was asked cannot be done as asked (unknown name, damaged file)
    `-- NotAvailable  exit 3: a device or a runtime is missing
        |-- Unreachable     a device that will not answer however often it is asked
        `-- ConnectionLost  a device that does not answer now, and may again

They live in the rightmost room so that every room can raise them. A message says what must hold, what was
got and what to do about it; it is printed as it stands, without a traceback.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class PacelineError(Exception):
    """Base of everything paceline raises on purpose.

    Attributes:
        exit_code: what a command that ends with this error hands to the shell.
    """

    exit_code = 1


class NoAnswer(PacelineError):
    """The question was understood and the answer is no."""

    exit_code = 1


class WrongUse(PacelineError):
    """What was asked cannot be done as it was asked."""

    exit_code = 2


class NotAvailable(PacelineError):
    """A device, a runtime or a package that the command needs is not here."""

    exit_code = 3


class Unreachable(NotAvailable):
    """A device cannot be reached, and trying again will not help: a host key that is not known, a key it refuses."""


class ConnectionLost(NotAvailable):
    """A device cannot be reached at this moment, or went away: a cable, a reboot. It is worth to try again."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> WrongUse:
    """The error for a name that is not in a registry, with the nearest known ones.

    Args:
        kind: what the name should have been, in the singular (``"target"``).
        name: what was asked for.
        known: the names that exist.

    Returns:
        An error to raise; its message names close matches first, then all known names.
    """
    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return WrongUse(f"There is no {kind} {name!r}.{hint} Known: {', '.join(names) or 'none'}.")
