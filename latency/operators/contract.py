"""The contract of an operator, and the registry that finds one by its name."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, final

from devices import WrongUse, unknown_name
from latency.operators.layer import Layer
from latency.workload import PRECISION_BYTES, Shape, Value, Workload

if TYPE_CHECKING:
    from torch import nn


class Operator(abc.ABC):
    """What a workload's ``operator`` names: how it is built and what it costs on paper.

    An operator describes its layers by shape arithmetic and builds a torch module; the two are written
    independently, and the tests hold one against the other. A change that alters the time of an operator takes
    a new name, because tables outlive the code that filled them.
    """

    name: ClassVar[str]
    """Name in the registry and in tables."""

    attributes: ClassVar[Mapping[str, type | tuple[type, ...]]]
    """Name and type of every attribute. All must be given: an omitted default would be a second spelling."""

    from_zero: ClassVar[frozenset[str]] = frozenset()
    """Whole-number attributes that may be 0; all others are at least 1."""

    input_count: ClassVar[int] = 1
    """How many tensors it reads."""

    is_free: ClassVar[bool] = False
    """True for an operator that leaves no trace in a network, whose time is 0 by definition."""

    @abc.abstractmethod
    def layers(self, workload: Workload) -> Sequence[Layer]:
        """The layers of ``workload`` in order; the last one writes the output."""

    @abc.abstractmethod
    def build(self, workload: Workload) -> nn.Module:
        """A torch module in training mode that takes the inputs, each (batch, channels, height, width)."""

    @final
    def check(self, workload: Workload) -> None:
        """Refuse a workload whose inputs or attributes do not fit this operator.

        Raises:
            WrongUse: with what was expected and what was got.
        """
        if len(workload.inputs) != self.input_count:
            raise WrongUse(f"{self.name} reads {self.input_count} inputs; got {len(workload.inputs)}.")
        if set(workload.attributes) != set(self.attributes):
            raise WrongUse(
                f"{self.name} takes the attributes {sorted(self.attributes)}; got {sorted(workload.attributes)}."
            )
        for name, kind in self.attributes.items():
            value = workload.attributes[name]
            kinds = kind if isinstance(kind, tuple) else (kind,)
            if type(value) not in kinds:  # Exactly: True is an int to isinstance, and would be a second spelling of 1.
                raise WrongUse(f"{self.name} takes {' or '.join(k.__name__ for k in kinds)} as {name}; got {value!r}.")
            if isinstance(value, int) and value < (name not in self.from_zero):
                raise WrongUse(f"{self.name} takes at least {int(name not in self.from_zero)} as {name}; got {value}.")

    @final
    def output(self, workload: Workload) -> Shape:
        """Channels, height and width of the output."""
        self.check(workload)
        return self.layers(workload)[-1].output

    @final
    def macs(self, workload: Workload) -> int:
        """Multiply-accumulates of one forward pass of the whole batch."""
        self.check(workload)
        return workload.batch * sum(layer.macs for layer in self.layers(workload))

    @final
    def parameters(self, workload: Workload) -> int:
        """Trainable numbers."""
        self.check(workload)
        return sum(layer.parameters for layer in self.layers(workload))

    @final
    def activation_bytes(self, workload: Workload) -> int:
        """Bytes of the inputs and of what each counted layer writes, for the whole batch.

        Normalisation, activation and residual addition are taken to be fused into the layer before them.
        """
        self.check(workload)
        written = () if self.is_free else tuple(layer.output for layer in self.layers(workload))
        elements = sum(channels * height * width for channels, height, width in (*workload.inputs, *written))
        return workload.batch * elements * PRECISION_BYTES[workload.precision]


class _Registry(Mapping[str, Operator]):
    """Operators by name. Looking up an unknown name says which are known."""

    def __init__(self) -> None:
        self._operators: dict[str, Operator] = {}

    def add(self, operator: Operator) -> None:
        """Make ``operator`` known under its name.

        Raises:
            WrongUse: another operator has that name.
        """
        if operator.name in self._operators:
            raise WrongUse(f"There is already an operator {operator.name!r}; give the new one another name.")
        self._operators[operator.name] = operator

    def __getitem__(self, name: str) -> Operator:
        if name not in self._operators:
            raise unknown_name("operator", name, self._operators)
        return self._operators[name]

    def __contains__(self, name: object) -> bool:
        return name in self._operators

    def __iter__(self) -> Iterator[str]:
        return iter(self._operators)

    def __len__(self) -> int:
        return len(self._operators)


OPERATORS = _Registry()
"""The one registry of operators."""


def operator_of(workload: Workload) -> Operator:
    """The operator that ``workload`` names.

    Raises:
        WrongUse: there is no operator of that name, or it does not take what the workload has.
    """
    operator = OPERATORS[workload.operator]
    operator.check(workload)
    return operator


def integer(workload: Workload, name: str) -> int:
    """The attribute ``name`` as an int; ``Operator.check`` has made sure that it is one."""
    value: Value = workload.attributes[name]
    if not isinstance(value, int):
        raise WrongUse(f"{workload.operator} takes a whole number as {name}; got {value!r}.")
    return value


def flag(workload: Workload, name: str) -> bool:
    """The attribute ``name``, which is 0 or 1, as a bool.

    Raises:
        WrongUse: it is another number.
    """
    value = integer(workload, name)
    if value not in (0, 1):
        raise WrongUse(f"{workload.operator} takes 0 or 1 as {name}; got {value}.")
    return value == 1


def text(workload: Workload, name: str) -> str:
    """The attribute ``name`` as text; ``Operator.check`` has made sure that it is."""
    value: Value = workload.attributes[name]
    if not isinstance(value, str):
        raise WrongUse(f"{workload.operator} takes text as {name}; got {value!r}.")
    return value
