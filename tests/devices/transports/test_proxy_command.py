from __future__ import annotations

from pathlib import Path

import pytest

from devices.transports.proxy_command import ProxyCommand


def test_what_is_said_to_it_reaches_its_input_and_its_output_comes_back() -> None:
    proxy = ProxyCommand(["cat"])
    with proxy.link:
        proxy.link.sendall(b"there and back")
        assert proxy.link.recv(100) == b"there and back"
    proxy.end()


def test_it_ends_with_all_that_it_started() -> None:
    proxy = ProxyCommand(["sh", "-c", "sleep 20 & echo $!; wait"])
    with proxy.link:
        child = int(proxy.link.recv(100))
        proxy.end()
        proxy.end()
        assert proxy.link.recv(100) == b""  # The last one who held the other end is gone.
    assert not Path(f"/proc/{child}/fd/0").exists()


def test_one_that_cannot_be_started_says_so() -> None:
    with pytest.raises(FileNotFoundError):
        ProxyCommand(["/nonexistent/relay"])
