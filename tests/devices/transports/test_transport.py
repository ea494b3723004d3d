from __future__ import annotations

from collections.abc import Callable

import pytest

from devices.transports.transport import Channel, Transport


class Quiet(Channel):
    """A channel that only knows whether it was closed."""

    is_closed = False

    def write(self, data: bytes) -> None: ...

    def read_line(self, timeout_s: float) -> bytes:
        return b""

    def last_words(self) -> str:
        return ""

    def exit_status(self) -> int | None:
        return None

    def close(self) -> None:
        self.is_closed = True


class Way(Transport):
    """A transport that only knows whether it was closed."""

    is_closed = False

    def describe(self) -> str:
        return "nowhere"

    def start(self, command: object) -> Channel:
        return Quiet()

    def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize("kind", [Quiet, Way])
def test_leaving_its_block_closes_it_also_by_an_error(kind: Callable[[], Quiet | Way]) -> None:
    opened = kind()
    with opened as entered:
        assert entered is opened
    assert opened.is_closed
    opened = kind()
    with pytest.raises(KeyError), opened:
        raise KeyError
    assert opened.is_closed
