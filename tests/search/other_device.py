"""A device that is none: its tensors say that they are elsewhere, and are computed on the CPU all the same.

It refuses what a GPU refuses, operations on tensors of two devices, and counts how often its numbers are waited for.
Since it computes as the CPU does, what it comes to can be compared to the bit.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

NAME = "lazy"
"""One of torch's own names, of a backend that is not there, whose gradients need no thread of their own."""

_MOVES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
_WAITS = (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default)


class Elsewhere(Tensor):
    """A tensor of that device, whose numbers are kept on the CPU."""

    numbers: Tensor

    @staticmethod
    def __new__(cls: type[Elsewhere], numbers: Tensor) -> Elsewhere:
        """Claim the shape of ``numbers``."""
        made: Elsewhere = torch.Tensor._make_wrapper_subclass(
            cls, numbers.shape, strides=numbers.stride(), dtype=numbers.dtype, device=NAME
        )
        made.numbers = numbers
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Refuse to compute unless the device is there."""
        raise AssertionError(f"{func} was called outside of OtherDevice")


class OtherDevice(TorchDispatchMode):
    """Has the device while it is entered.

    Attributes:
        waits: how often numbers of the device were asked for on the CPU, by the name of the operation.
        operations: how many were computed there.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.waits, self.operations = Counter[str](), 0

    def __enter__(self) -> OtherDevice:
        """Have what ``torch.tensor`` makes be made here and moved there, as it is with FakeTensorMode."""
        self._before = torch._C._only_lift_cpu_tensors()
        torch._C._set_only_lift_cpu_tensors(True)
        super().__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        """Be gone."""
        super().__exit__(*error)  # type: ignore[arg-type]
        torch._C._set_only_lift_cpu_tensors(self._before)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute on the CPU what is on one device."""
        kwargs = dict(kwargs or {})
        there = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Elsewhere)]
        asked = kwargs.get("device")
        stays = bool(there) if asked is None else torch.device(asked).type == NAME
        if stays and asked is not None:
            kwargs["device"] = torch.device("cpu")
        if there and func not in _MOVES:
            _refuse_mixture(func, args, kwargs)
        if there and (func in _WAITS or (func in _MOVES and _comes_here(func, args, stays=stays))):
            self.waits[func.__name__] += 1
        self.operations += stays
        numbers = {id(each.numbers): each for each in there}
        made = func(*_here(args), **_here(kwargs))
        if not stays or func is torch.ops.aten._local_scalar_dense.default:
            return made
        if func is torch.ops.aten.copy_.default:
            return args[0]
        # What is changed in place is handed back as it came.
        return tree_map_only(Tensor, lambda each: numbers[id(each)] if id(each) in numbers else Elsewhere(each), made)


def _here(values: Any) -> Any:
    return tree_map_only(Elsewhere, lambda each: each.numbers, values)


def _comes_here(func: Any, args: Any, *, stays: bool) -> bool:
    """Whether a move is one from the device to the CPU."""
    return not isinstance(args[0], Elsewhere) if func is torch.ops.aten.copy_.default else not stays


def _refuse_mixture(func: Any, args: Any, kwargs: Any) -> None:
    """A number without dimensions may come from the CPU, and nothing else."""
    for each in tree_leaves((args, kwargs)):
        if isinstance(each, Tensor) and not isinstance(each, Elsewhere) and each.dim() > 0:
            raise AssertionError(f"{func} mixes devices: a tensor of {tuple(each.shape)} is on the CPU")
