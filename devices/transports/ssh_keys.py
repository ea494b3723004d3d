"""What one logs in with: key files and the ssh agent, and what to say when none was let in."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEFAULT_FILES = tuple(f"~/.ssh/id_{kind}" for kind in ("ed25519_sk", "ecdsa_sk", "ed25519", "ecdsa", "rsa"))


@dataclass(frozen=True)
class LoginKeys:
    """The keys that a login tries.

    Attributes:
        files: private keys that can be used as they are.
        locked: private keys that are protected by a passphrase, for which only the agent can speak.
        agent: socket of the ssh agent; None without one.
        only: the public keys that the agent is to use; all that it has when None.
    """

    files: tuple[Path, ...]
    locked: tuple[Path, ...]
    agent: str | None
    only: tuple[Any, ...] | None

    @classmethod
    def find(cls, identity: str | None, config: Mapping[str, Any]) -> LoginKeys:
        """Look for them.

        Args:
            identity: file of the one key to use; None leaves it to ssh's configuration and its usual places.
            config: ``IdentityFile``, ``IdentitiesOnly`` and ``IdentityAgent`` of ssh's configuration.

        Raises:
            ValueError: ``identity`` is no private key.
            OSError: it cannot be read.
        """
        named = [identity] if identity else config["IdentityFile"] or DEFAULT_FILES
        paths = [Path(name).expanduser() for name in named]
        if identity:
            _require_key(paths[0])
        locks = {path: _is_locked(path) for path in paths}
        only = [_public_key(path) for path in paths] if identity or config["IdentitiesOnly"] else [None]
        known = tuple(key for key in only if key is not None)
        return cls(
            files=tuple(path for path, locked in locks.items() if locked is False),
            locked=tuple(path for path, locked in locks.items() if locked),
            agent=config["IdentityAgent"] or os.environ.get("SSH_AUTH_SOCK") or None,
            only=known or None,
        )

    def options(self) -> dict[str, Any]:
        """As ``asyncssh.connect`` takes them."""
        named = [str(path) for path in (*self.files, *self.locked)]
        only = {} if self.only is None else {"agent_identities": list(self.only)}
        return {"client_keys": named or (), "ignore_encrypted": True, "agent_path": self.agent, **only}

    async def refusal(self, log_in: Sequence[str]) -> str:
        """What was tried in vain, and the way out.

        Args:
            log_in: words that make ssh log in there.
        """
        in_agent = await _keys_of_agent(self.agent)
        tried = [str(path) for path in self.files]
        if in_agent:
            tried.append(f"{len(in_agent)} of the ssh agent ({', '.join(in_agent)})")
        said = (
            f"the keys it was offered were refused: {'; '.join(tried)}" if tried else "there is no key to log in with"
        )
        return f"{said}. {self._way_out(log_in, has_agent=in_agent is not None)} A password is never asked for"

    def _way_out(self, log_in: Sequence[str], *, has_agent: bool) -> str:
        if self.locked:
            add = shlex.join(["ssh-add", str(self.locked[0])])
            first = add if has_agent else f'eval "$(ssh-agent)"; {add}'
            return f"{self.locked[0]} is protected by a passphrase: give it to the ssh agent with `{first}`."
        if self.files:
            copy = shlex.join(["ssh-copy-id", "-i", f"{self.files[0]}.pub", *log_in])
            return f"Have one let in with `{copy}`, or name another one with --identity."
        copy = shlex.join(["ssh-copy-id", *log_in])
        return f"Make one with `ssh-keygen -t ed25519` and have it let in with `{copy}`, or name one with --identity."


async def _keys_of_agent(socket: str | None) -> list[str] | None:
    """What the agent calls its keys; None where no agent answers."""
    import asyncssh

    if socket is None:
        return None
    try:
        async with await asyncssh.connect_agent(socket) as agent:
            return [pair.get_comment() for pair in await agent.get_keys()]
    except (OSError, ValueError):
        return None


def _require_key(path: Path) -> None:
    import asyncssh

    if _is_locked(path) is None:
        asyncssh.read_private_key(path)  # Says what is wrong with it.


def _is_locked(path: Path) -> bool | None:
    """Whether a private key is protected by a passphrase; None when it is no private key."""
    import asyncssh

    try:
        asyncssh.read_private_key(path)
    except (OSError, ValueError) as error:
        return True if isinstance(error, asyncssh.KeyImportError) and "assphrase" in str(error) else None
    return False


def _public_key(path: Path) -> Any:
    """The public half of a private key, which stands beside it or is not protected; None without one."""
    import asyncssh

    for candidate in (Path(f"{path}.pub"), path):
        try:
            return asyncssh.read_public_key(candidate)
        except (OSError, ValueError):
            continue
    return None
