"""Logging in by ssh, through jump hosts where there are any; what can go wrong, in words that lead out of it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, final

from devices.catalog import Connection
from devices.errors import ConnectionLost, NotAvailable, PacelineError, Unreachable
from devices.transports.known_hosts import SYSTEM_FILES, USER_FILES, KnownHosts, OfferedKey
from devices.transports.proxy_command import ProxyCommand
from devices.transports.ssh_keys import LoginKeys

CONFIG = "~/.ssh/config"

_PATIENCE_S = 20.0
"""How long one login may take."""

_KEEPALIVE_S = 5.0
_KEEPALIVES = 3
"""A device that says nothing so often is gone."""

_PATIENCE_TO_LEAVE_S = 2.0

_MOST_HOPS = 8

_NO_SUCH_NAME = {getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA") if hasattr(socket, name)}


@final
class NoSuchName(Unreachable):
    """No address belongs to the name of a device."""


@dataclass(frozen=True)
class _Link:
    """A connection, and the program that it goes through, if any."""

    connection: Any
    proxy: ProxyCommand | None


@final
class Login:
    """An open connection, and those to the jump hosts that it goes through."""

    def __init__(self, links: Sequence[_Link]) -> None:
        self._links = list(links)
        self.connection = self._links[-1].connection

    @property
    def is_open(self) -> bool:
        """Whether commands can be started through it."""
        return not self.connection.is_closed()

    async def close(self) -> None:
        """End it, the far end first; one that does not take its leave is dropped."""
        for link in reversed(self._links):
            link.connection.close()
            with suppress(TimeoutError):
                await asyncio.wait_for(link.connection.wait_closed(), _PATIENCE_TO_LEAVE_S)
        await self.abort()

    async def abort(self) -> None:
        """Drop it without a word to the other side, which may be gone."""
        for link in reversed(self._links):
            link.connection.abort()
            await link.connection.wait_closed()
            if link.proxy is not None:
                link.proxy.end()


async def log_in(connection: Connection) -> Login:
    """Connect to a device.

    Raises:
        NotAvailable: asyncssh is not installed.
        Unreachable: trying again will not help.
        ConnectionLost: it may.
    """
    async with AsyncExitStack() as unless_reached:
        opened = list[_Link]()

        async def drop() -> None:
            if opened:
                await Login(opened).abort()

        unless_reached.push_async_callback(drop)
        await _reach(connection, None, opened)
        unless_reached.pop_all()
    return Login(opened)


def require_asyncssh() -> None:
    """Make sure that there is something to connect with.

    Raises:
        NotAvailable: there is not.
    """
    try:
        import asyncssh  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise NotAvailable(
            f"A device that is not this machine is reached with asyncssh, which cannot be imported here ({error}): "
            "pip install 'paceline[ssh]'"
        ) from error


async def _reach(connection: Connection, tunnel: Any, opened: list[_Link], depth: int = 0) -> Any:
    """Connect, to the jump hosts first; every connection made on the way is added to ``opened``."""
    if depth > _MOST_HOPS:
        raise Unreachable(f"{connection.describe()} lies behind more than {_MOST_HOPS} jump hosts: see {CONFIG}.")
    settings = _Settings.read(connection)
    if tunnel is None:
        for hop in settings.hops:
            tunnel = await _reach(hop, tunnel, opened, depth + 1)
    opened.append(await _connect(settings, tunnel))
    return opened[-1].connection


@dataclass(frozen=True)
class _Settings:
    """What is known of one host before it is asked: the user's words, and those of ssh's configuration.

    Attributes:
        connection: the user's.
        resolved: host, port, user and so on, as asyncssh finds them.
        keys: what to log in with.
        known_hosts: whom to trust.
        hops: jump hosts, the nearest first.
    """

    connection: Connection
    resolved: Any
    keys: LoginKeys
    known_hosts: KnownHosts
    hops: tuple[Connection, ...]

    @classmethod
    def read(cls, connection: Connection) -> Self:
        """Read them.

        Raises:
            Unreachable: the configuration or the named key cannot be used.
        """
        try:
            resolved = _resolve(connection)
            names = ("IdentityFile", "IdentitiesOnly", "IdentityAgent")
            keys = LoginKeys.find(connection.identity, {name: resolved.config.get(name) for name in names})
        except (OSError, ValueError) as error:
            raise Unreachable(f"{connection.describe()} cannot be logged in to: {error}.") from error
        files = [connection.known_hosts] if connection.known_hosts else _known_hosts_files(resolved)
        jump = connection.jump or (resolved.tunnel if isinstance(resolved.tunnel, str) else None)
        return cls(connection, resolved, keys, KnownHosts(files), _hops(jump, connection))

    def options(self, client: Any) -> dict[str, Any]:
        """As ``asyncssh.connect`` takes them."""
        return {
            **_named(self.connection),
            **self.keys.options(),
            "known_hosts": self.known_hosts.trusted(),
            "client_factory": lambda: client,
            "proxy_command": None,
            "password": None,
            "password_auth": False,
            "kbdint_auth": False,
            "agent_forwarding": False,
            "keepalive_interval": _KEEPALIVE_S,
            "keepalive_count_max": _KEEPALIVES,
            "connect_timeout": _PATIENCE_S,
            "login_timeout": _PATIENCE_S,
        }

    def start_proxy(self) -> ProxyCommand | None:
        """Start the program that the configuration puts between, if any. asyncssh would not wait for its end.

        Raises:
            OSError: it cannot be started.
        """
        return ProxyCommand(self.resolved.proxy_command) if self.resolved.proxy_command else None

    def ssh_words(self) -> list[str]:
        """What makes ssh log in there."""
        connection = self.connection
        port = ["-p", str(connection.port)] if connection.port else []
        jump = ["-o", f"ProxyJump={connection.jump}"] if connection.jump else []
        return [*port, *jump, f"{connection.user}@{connection.host}" if connection.user else connection.host]

    @property
    def is_direct(self) -> bool:
        """Whether it is reached by its name alone, with nothing between."""
        return not (self.hops or self.resolved.proxy_command or self.resolved.host_key_alias)


def _resolve(connection: Connection) -> Any:
    """What asyncssh makes of the user's words and ssh's configuration; keys are left for later."""
    import asyncssh

    return asyncssh.SSHClientConnectionOptions(host=connection.host, client_keys=None, **_named(connection))


def _named(connection: Connection) -> dict[str, Any]:
    """What the user named, which goes before ssh's configuration."""
    config = Path(CONFIG).expanduser()
    named = {"port": connection.port, "username": connection.user}
    return {
        "config": [str(config)] if config.is_file() else None,
        **{name: value for name, value in named.items() if value is not None},
    }


def _known_hosts_files(resolved: Any) -> list[str]:
    """Those of ssh's configuration. ``none`` there does not mean that everybody is trusted."""
    named = resolved.config.get("UserKnownHostsFile", list(USER_FILES))
    return [*named, *resolved.config.get("GlobalKnownHostsFile", list(SYSTEM_FILES))]


def _hops(jump: str | None, connection: Connection) -> tuple[Connection, ...]:
    """Read ``user@host:port,...``; identity and known hosts of the target hold for its jump hosts."""
    if jump is None or jump.lower() == "none":
        return ()
    return tuple(_hop(text.strip(), connection) for text in jump.split(","))


def _hop(text: str, connection: Connection) -> Connection:
    user, _, place = text.removeprefix("ssh://").rpartition("@")
    host, colon, port = place.rpartition(":")
    if not colon or place.endswith("]"):
        host, port = place, ""
    if not host or (port and not port.isdigit()):
        raise Unreachable(f"A jump host is USER@HOST:PORT, with user and port where they are needed; got {text!r}.")
    plain = Connection(host.strip("[]"), int(port) if port else None, user or None)
    return replace(plain, identity=connection.identity, known_hosts=connection.known_hosts)


async def _connect(settings: _Settings, tunnel: Any) -> _Link:
    import asyncssh

    offered = list[OfferedKey]()
    client = asyncssh.SSHClient()

    def refuse(host: str, address: str, port: int, key: Any) -> bool:
        offered.append(OfferedKey(host, address, port, key))
        return False

    client.validate_host_public_key = refuse  # It is asked about keys that are not known.
    try:
        proxy = settings.start_proxy() if tunnel is None else None
        options = settings.options(client)
        with ExitStack() as unless_connected:
            if proxy is not None:
                unless_connected.callback(proxy.end)
                options["sock"] = proxy.link
            connection = await asyncssh.connect(settings.connection.host, tunnel=tunnel, **options)
            unless_connected.pop_all()
        return _Link(connection, proxy)
    except (OSError, ValueError, asyncssh.Error) as error:
        raise await _refusal(error, settings, tunnel, offered) from error


async def _refusal(error: Exception, settings: _Settings, tunnel: Any, offered: Sequence[OfferedKey]) -> PacelineError:
    """What an error of asyncssh or the system means to the user."""
    import asyncssh

    where = settings.connection.describe()
    if isinstance(error, asyncssh.KeyExchangeFailed | asyncssh.ConnectionLost | ConnectionResetError):
        offered = offered or await _contradicting_key(settings, tunnel)
    if offered:
        words = settings.known_hosts.refusal(offered[-1], settings.ssh_words(), settings.is_direct)
        return Unreachable(f"{where} is not trusted: {words}.")
    if isinstance(error, asyncssh.PermissionDenied) or "Too many authentication failures" in str(error):
        return Unreachable(f"{where} lets nobody in: {await settings.keys.refusal(settings.ssh_words())}.")
    if isinstance(error, socket.gaierror) and error.errno in _NO_SUCH_NAME:
        return NoSuchName(
            f"{where} cannot be found: no address belongs to the name {settings.resolved.host!r}. Name the address in "
            f"place of it, or see to /etc/hosts or {CONFIG}."
        )
    if isinstance(error, asyncssh.HostKeyNotVerifiable | asyncssh.KeyExchangeFailed):
        return Unreachable(f"{where} is not trusted: {error}.")
    if isinstance(error, ValueError) or getattr(error, "filename", None):
        return Unreachable(f"{where} cannot be logged in to: {error}.")
    return ConnectionLost(f"{where} cannot be reached now: {_plainly(error)}.")


def _plainly(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {_PATIENCE_S:g} s; is it switched on, and is the address right?"
    return str(error) or type(error).__name__


async def _contradicting_key(settings: _Settings, tunnel: Any) -> list[OfferedKey]:
    """The host key of a device that has none of the kinds that are known of it, and so breaks off."""
    import asyncssh

    host, port = settings.resolved.host, settings.resolved.port
    try:
        asking = asyncssh.get_server_host_key(host, port, tunnel=tunnel, config=None)
        key = await asyncio.wait_for(asking, _PATIENCE_S)
    except (OSError, asyncssh.Error):
        return []
    offered = OfferedKey(settings.resolved.host_key_alias or host, "", port, key)
    return [offered] if key is not None and settings.known_hosts.contradicts(offered) else []
