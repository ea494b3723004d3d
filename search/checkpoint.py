"""Checkpoints without pickles: tensors and a few plain values in one safetensors file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devices import WrongUse

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

_SCHEMA = 1


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
    """Write tensors and plain values so that a process killed at any moment leaves the old file or the new one.

    Nothing in the file says which devices the tensors are on.

    Raises:
        OSError: it cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    begun = path.with_name(path.name + ".part")
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    begun.touch()
    mode = begun.stat().st_mode
    try:
        save_file(contiguous, begun, metadata={"values": json.dumps({"schema": _SCHEMA, **values})})
    except SafetensorError as error:
        raise OSError(f"{path} cannot be written: {error}") from error
    begun.chmod(mode)  # Others may read it who may read other new files; safetensors leaves it to the owner alone.
    begun.replace(path)


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what ``save_checkpoint`` wrote; tensors come back on the CPU.

    Raises:
        WrongUse: the file is damaged or of another schema.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            values = json.loads(file.metadata()["values"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, ValueError, KeyError, TypeError, OSError) as error:
        raise WrongUse(f"{path} is no checkpoint ({error}). Move it away to begin anew.") from error
    if not isinstance(values, dict) or values.pop("schema", None) != _SCHEMA:
        raise WrongUse(f"{path} was written by another version of paceline. Move it away to begin anew.")
    return tensors, values


def load_own_checkpoint(
    path: Path, identity: Mapping[str, object], what: str, later: Collection[str] = ()
) -> tuple[dict[str, Tensor], int]:
    """Read a checkpoint that must have been written under the same conditions.

    Args:
        path: the file.
        identity: the conditions, as they were handed to ``save_checkpoint`` beside the ``step``.
        what: what is resumed, for the message (``search``).
        later: names in ``identity`` that checkpoints from before do not say, and need not.

    Returns:
        The tensors, and the step after which they were written.

    Raises:
        WrongUse: the file is damaged, or its conditions differ; the message names those that do.
    """
    tensors, values = load_checkpoint(path)
    step = int(values.pop("step", 0))
    identity = {name: value for name, value in identity.items() if name in values or name not in later}
    if values != identity:
        differing = [name for name in sorted({*identity, *values}) if values.get(name) != identity.get(name)]
        raise WrongUse(
            f"{path} belongs to another {what}: {', '.join(differing)} differ. "
            "Move it away to begin anew, or choose another file."
        )
    return tensors, step


def layers_digest(module: nn.Module) -> str:
    """What tells a network from others whose weights have the same shapes: they may differ in dilation for one.

    Returns:
        16 hexadecimal digits, of the layers with their settings; weights are no part of them.
    """
    return hashlib.sha256(str(module).encode()).hexdigest()[:16]


def module_tensors(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    """Weights and statistics of a module, under ``prefix``."""
    return {f"{prefix}.{name}": tensor for name, tensor in module.state_dict().items()}


def restore_module(prefix: str, module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put back what ``module_tensors`` took, wherever the module is now."""
    module.load_state_dict(_below(prefix, tensors))


def optimizer_tensors(prefix: str, optimizer: Optimizer) -> dict[str, Tensor]:
    """What an optimiser remembers of each parameter (momenta, step counts), under ``prefix``."""
    state: Mapping[int, Mapping[str, Any]] = optimizer.state_dict()["state"]
    return {
        f"{prefix}.{index}.{name}": value
        for index, values in state.items()
        for name, value in values.items()
        if value is not None
    }


def restore_optimizer(prefix: str, optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what ``optimizer_tensors`` took, into an optimiser of the same parameters, wherever they are now."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _below(prefix, tensors).items():
        index, _, key = name.partition(".")
        state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix + "."): t for name, t in tensors.items() if name.startswith(prefix + ".")}
