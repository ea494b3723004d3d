"""Which host keys are trusted, and what to say about one that is not."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

SYSTEM_FILES = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
USER_FILES = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
SSH_PORT = 22


@dataclass(frozen=True)
class _Line:
    """One entry that can be read."""

    path: Path
    number: int
    text: str


@dataclass(frozen=True)
class OfferedKey:
    """A host key that a device offered, and that is not trusted.

    Attributes:
        host: the name that it was looked up by.
        address: numeric address of the device; empty behind a jump host.
        port: of its ssh server.
        key: the key, as asyncssh has it.
    """

    host: str
    address: str
    port: int
    key: Any

    def names(self) -> list[str]:
        """What the entry may be called in a file of known hosts."""
        return [_entry_name(name, self.port) for name in (self.host, self.address) if name]


@final
class KnownHosts:
    """The host keys that are trusted, from files that may be missing.

    Args:
        files: in the format of OpenSSH; a line that cannot be read is no reason to distrust the others.
    """

    def __init__(self, files: Sequence[str]) -> None:
        self._files = [Path(file).expanduser() for file in files]
        self._lines = list(self._readable_lines())

    def trusted(self) -> Any:
        """All entries, as asyncssh takes them."""
        import asyncssh

        return asyncssh.import_known_hosts("\n".join(line.text for line in self._lines))

    def contradicts(self, offered: OfferedKey) -> bool:
        """Whether keys of that device are known, and ``offered`` is none of them."""
        keys = [key for line in self._lines for key in _keys(line, offered)]
        return bool(keys) and offered.key not in keys

    def refusal(self, offered: OfferedKey, reached_by: Sequence[str], is_direct: bool) -> str:
        """Why ``offered`` is not trusted, and the way out.

        Args:
            offered: what the device offered.
            reached_by: words that make ssh log in there.
            is_direct: whether the device can be reached without ssh's configuration, as ssh-keyscan does.
        """
        kind, fingerprint = offered.key.get_algorithm(), offered.key.get_fingerprint()
        accept = self._command_to_accept(offered, reached_by, is_direct)
        for line in self._lines:
            kept = _keys(line, offered)
            if not kept:
                continue
            if line.text.startswith("@revoked"):
                return f"its host key {kind} {fingerprint} is revoked by line {line.number} of {line.path}"
            forget = shlex.join(["ssh-keygen", "-f", str(line.path), "-R", offered.names()[0]])
            return (
                f"its host key has changed: line {line.number} of {line.path} has {kept[0].get_algorithm()} "
                f"{kept[0].get_fingerprint()}, it offers {kind} {fingerprint}. If the device was installed anew, "
                f"forget the old key with `{forget}` and trust the new one with `{accept}`; if not, beware"
            )
        return (
            f"its host key is not known. It offers {kind} {fingerprint}: compare that with what `ssh-keygen -lf "
            f"/etc/ssh/ssh_host_{_file_kind(kind)}_key.pub` says on the device itself, then trust it with `{accept}`"
        )

    def _command_to_accept(self, offered: OfferedKey, reached_by: Sequence[str], is_direct: bool) -> str:
        target = self._files[0] if self._files else Path(USER_FILES[0]).expanduser()
        if not is_direct:
            return shlex.join(["ssh", "-o", f"UserKnownHostsFile={target}", *reached_by, "true"])
        port = [] if offered.port == SSH_PORT else ["-p", str(offered.port)]
        kind = _file_kind(offered.key.get_algorithm())
        return f"{shlex.join(['ssh-keyscan', *port, '-t', kind, offered.host])} >> {shlex.quote(str(target))}"

    def _readable_lines(self) -> Iterator[_Line]:
        import asyncssh

        for path in self._files:
            try:
                texts = path.read_text(encoding="utf-8", errors="replace").splitlines()
            except OSError:
                continue
            for number, text in enumerate(texts, 1):
                try:
                    asyncssh.import_known_hosts(text)
                except ValueError:
                    continue
                yield _Line(path, number, text.strip())


def _keys(line: _Line, offered: OfferedKey) -> list[Any]:
    """The keys that a line has for the host of ``offered``."""
    import asyncssh

    entry = asyncssh.import_known_hosts(line.text)
    matches = (entry.match(name, "", None) for name in offered.names())
    # Host keys, keys of authorities, revoked keys; what follows are certificates.
    return [key for match in matches for keys in match[:3] for key in keys]


def _entry_name(name: str, port: int) -> str:
    return name if port == SSH_PORT else f"[{name}]:{port}"


def _file_kind(algorithm: str) -> str:
    """``ssh-ed25519`` is kept in ``ssh_host_ed25519_key``, and so on."""
    return next((kind for kind in ("ed25519", "ecdsa", "rsa") if kind in algorithm), "ed25519")
