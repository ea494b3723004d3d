"""The contract of a transport: how a command is started on a device, and how one talks to it."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from types import TracebackType
from typing import Self, final


class Channel(abc.ABC):
    """A command that runs on a device, with its standard input and output."""

    @abc.abstractmethod
    def write(self, data: bytes) -> None:
        """Write to the command's standard input, all of it.

        Raises:
            ConnectionLost: nobody reads any more: the command ended, or the connection did.
        """

    @abc.abstractmethod
    def read_line(self, timeout_s: float) -> bytes:
        """The next line of the command's standard output, with its end.

        Args:
            timeout_s: seconds to wait for it.

        Raises:
            TimeoutError: none came in time; one that comes later is read by the next call.
            ConnectionLost: there are no more; ``last_words`` says how the command ended.
        """

    @abc.abstractmethod
    def last_words(self) -> str:
        """How the command ended and the end of its standard error, in words for the screen; asked after ConnectionLost.

        Of a connection that was cut, it says that.
        """

    @abc.abstractmethod
    def exit_status(self) -> int | None:
        """The command's exit status; negative for a signal; None while it runs and where the connection went first."""

    @abc.abstractmethod
    def close(self) -> None:
        """End the standard input and forget the command. Nothing happens the second time."""

    @final
    def __enter__(self) -> Self:
        return self

    @final
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Transport(abc.ABC):
    """A way to a device. Connects when the first command is started, and anew when the connection is gone."""

    @abc.abstractmethod
    def describe(self) -> str:
        """Where it leads, for the screen: ``nvidia@10.0.0.5``."""

    @abc.abstractmethod
    def start(self, command: Sequence[str]) -> Channel:
        """Start a command; its words reach it as they are, whatever a shell between may think of them.

        Raises:
            ConnectionLost: the device cannot be reached now; it is worth to try again.
            Unreachable: it cannot be reached, and trying again will not help: unknown or changed host key, a key that
                is refused, a name that does not exist; with the way out.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """End the connection and every command that was started through it."""

    @final
    def __enter__(self) -> Self:
        return self

    @final
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
