"""What a runtime is to the agent: it makes a model ready to run, and says how long that took."""

import abc
from typing import Any, ClassVar, ContextManager, Dict, Mapping, NamedTuple, Optional, Sequence, Tuple

from agent.loop import TimedRun

PRECISIONS = ("fp32", "fp16", "bf16", "int8")
"""The number formats that a workload may have."""


class Input(NamedTuple):
    """One input of a model.

    Attributes:
        name: as in the ONNX file.
        shape: batch, channels, height, width.
        type: ``float32`` or ``float16``.
    """

    name: str
    shape: Tuple[int, ...]
    type: str


class Model(NamedTuple):
    """A model that lies on the device.

    Attributes:
        path: of its ONNX file. A runtime may put files of its own beside it, and removes them when it is done.
        precision: number format that is measured.
        inputs: in the order of the graph.
    """

    path: str
    precision: str
    inputs: Sequence[Input] = ()

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> "Model":
        """A model as ``agent.protocol`` writes it, with a ``path`` in place of the digest."""
        inputs = [Input(one["name"], tuple(one["shape"]), one["type"]) for one in values["inputs"]]
        return Model(values["path"], values["precision"], inputs)


class Missing(NamedTuple):
    """Why a runtime cannot be used here.

    Attributes:
        reason: what is not there, to be followed by a full stop.
        remedy: what to do about it, in sentences.
    """

    reason: str
    remedy: str


class Unavailable(Exception):
    """A runtime that cannot be used here, or not with these options.

    Attributes:
        missing: why, and what to do.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}. {remedy}")
        self.missing = Missing(reason, remedy)


class Runtime(abc.ABC):
    """Times models with one piece of software that the device has.

    Name, versions and options are those that the host's profiler of the same name records, so that a machine which is
    measured from afar and one that measures itself give the same environment.

    Args:
        threads: threads inside an operator; recorded without effect on a GPU.
        options: as ``choices`` lists them; what is not given has its default.

    Attributes:
        threads: as given.
        options: every option of ``choices`` with its value.

    Raises:
        Unavailable: the software is not there, threads is not at least 1, or there is no such option.
    """

    name: ClassVar[str]
    """Name in ``RUNTIMES``, and of the host's profiler."""

    accelerator: ClassVar[str] = "cpu"
    """``cpu`` or ``cuda``: whose time it takes."""

    takes_turns: ClassVar[bool] = True
    """Whether another model can run between two samples. No where a sample is a process or a record of its own."""

    patience_s: ClassVar[float] = 300.0
    """How long one burst of a model, built and all, may take before its process counts as hanging."""

    choices: ClassVar[Mapping[str, Tuple[str, ...]]] = {}
    """Its options, each with the values it takes; the first is the default."""

    def __init__(self, threads: int, options: Mapping[str, str]) -> None:
        if threads < 1:
            raise Unavailable(f"{self.name} needs at least 1 thread; got {threads}", "Ask for 1 or more.")
        self.threads = threads
        self.options = self._chosen(options)
        missing = self.missing()
        if missing is not None:
            raise Unavailable(*missing)

    @classmethod
    def _chosen(cls, options: Mapping[str, str]) -> Dict[str, str]:
        for name, value in options.items():
            if value not in cls.choices.get(name, ()):
                known = "; ".join(f"{known}: {', '.join(values)}" for known, values in cls.choices.items())
                raise Unavailable(f"{cls.name} has no option {name} = {value}", f"Its options: {known or 'none'}.")
        return {name: options.get(name, values[0]) for name, values in cls.choices.items()}

    @classmethod
    @abc.abstractmethod
    def missing(cls) -> Optional[Missing]:
        """Why it cannot be used on this machine; None when it can. Takes no longer than an import."""

    @abc.abstractmethod
    def versions(self) -> Dict[str, str]:
        """Version of each package that shapes the time."""

    def fixed_options(self) -> Dict[str, str]:
        """What is always set the same way, for the record."""
        return {}

    def recorded_options(self) -> Dict[str, str]:
        """All that was set, by the user or by itself, for the record."""
        return dict(self.fixed_options(), **self.options)

    @abc.abstractmethod
    def graph_precisions(self) -> Dict[str, str]:
        """The precisions that it measures, each with the precision that the ONNX graph must have for it."""

    @abc.abstractmethod
    def open(self, model: Model) -> ContextManager[TimedRun]:
        """Make ``model`` ready to run, and release it afterwards.

        Raises:
            ProfilingError: on entering, when it cannot be built or loaded.
        """

    def disturbances(self) -> int:
        """A count that grows when something disturbs what runs: a lost core, a fallen clock."""
        return 0
