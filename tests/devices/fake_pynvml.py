# ruff: noqa: N802 (the names are those of the real module)
"""A stand-in for ``pynvml``: the names, arguments and results of the real module, on boards that are plain data.

``test_nvidia.py`` compares every name with the real package, where that is installed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

EVENT_BITS = {
    "GpuIdle": 0x1,
    "ApplicationsClocksSetting": 0x2,
    "SwPowerCap": 0x4,
    "HwSlowdown": 0x8,
    "SyncBoost": 0x10,
    "SwThermalSlowdown": 0x20,
    "HwThermalSlowdown": 0x40,
    "HwPowerBrakeSlowdown": 0x80,
}

ERRORS = (
    "NotSupported",
    "NoPermission",
    "FunctionNotFound",
    "NotFound",
    "InvalidArgument",
    "GpuIsLost",
    "LibraryNotFound",
    "DriverNotLoaded",
    "LibRmVersionMismatch",
)


@dataclass(eq=False)
class Board:
    """A GPU. What is None in ``answers`` is not supported by it."""

    uuid: str = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"
    name: str = "NVIDIA H100 80GB HBM3"
    answers: dict[str, Any] = field(default_factory=dict)
    parts: dict[str, Board] = field(default_factory=dict)
    whole: Board | None = None


ANSWERS: dict[str, Any] = {
    "nvmlDeviceGetCudaComputeCapability": (9, 0),
    "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=85_520_809_984, free=1, used=2),
    "nvmlDeviceGetPciInfo": SimpleNamespace(pciDeviceId=0x233010DE, busId="00000000:0F:00.0"),
    "nvmlDeviceGetNumGpuCores": 16896,
    "nvmlDeviceGetClockInfo": 1755,
    "nvmlDeviceGetMaxClockInfo": 1980,
    "nvmlDeviceGetTemperature": 41,
    "nvmlDeviceGetTemperatureThreshold": 89,
    "nvmlDeviceGetPowerUsage": 121_500,
    "nvmlDeviceGetEnforcedPowerLimit": 700_000,
    "nvmlDeviceGetPerformanceState": 0,
    "nvmlDeviceGetTotalEnergyConsumption": 123_456_789,
    "nvmlDeviceGetPersistenceMode": 1,
    "nvmlDeviceGetComputeRunningProcesses": [],
    "nvmlDeviceGetMigMode": [0, 0],
    "nvmlDeviceGetCurrentClocksEventReasons": 0,
    "nvmlDeviceGetCurrentClocksThrottleReasons": 0,
}
"""What a board answers unless it was told otherwise."""


class FakePynvml(ModuleType):
    """The module, with boards in it.

    Attributes:
        boards: in the order of their slots.
        refusal: error that ``nvmlInit`` raises.
        started: how often it was initialised.
        asked: names of the functions that were called.
    """

    def __init__(self, *boards: Board, refusal: str | None = None) -> None:
        super().__init__("pynvml")
        self.boards, self.refusal, self.started, self.asked = boards, refusal, 0, list[str]()
        self.NVMLError = type("NVMLError", (Exception,), {})
        for name in ERRORS:
            setattr(self, f"NVMLError_{name}", type(f"NVMLError_{name}", (self.NVMLError,), {}))
        for name, bit in EVENT_BITS.items():
            setattr(self, f"nvmlClocksEventReason{name}", bit)
            setattr(self, f"nvmlClocksThrottleReason{name}", bit)
        self.nvmlClocksThrottleReasonBoardLimit = 0x200
        self.nvmlClocksThrottleReasonReliability = 0x400
        self.NVML_CLOCK_SM = 1
        self.NVML_TEMPERATURE_GPU = 0
        self.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN = 1
        for name in ANSWERS:
            setattr(self, name, self._function(name))

    def forget(self, *names: str) -> None:
        """Be a version of the package that has not these names."""
        for name in names:
            delattr(self, name)

    def _function(self, name: str) -> Any:
        def function(board: Board, *_: Any) -> Any:
            self.asked.append(name)
            answer = board.answers.get(name, ANSWERS[name])
            if answer is None:
                raise self._error("NotSupported")
            if isinstance(answer, str):
                raise self._error(answer)
            return answer

        return function

    def _error(self, name: str) -> Exception:
        kind: type[Exception] = getattr(self, f"NVMLError_{name}")
        return kind(name)

    def nvmlInit(self) -> None:
        self.started += 1
        if self.refusal is not None:
            raise self._error(self.refusal)

    def nvmlSystemGetDriverVersion(self) -> str:
        return "550.54.15"

    def nvmlSystemGetCudaDriverVersion(self) -> int:
        return 12040

    def nvmlDeviceGetCount(self) -> int:
        return len(self.boards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Board:
        return self.boards[index]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Board:
        for board in self.boards:
            if uuid in board.parts:
                return board.parts[uuid]
        raise self._error("NotFound")

    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, part: Board) -> Board:
        assert part.whole is not None
        return part.whole

    def nvmlDeviceGetIndex(self, board: Board) -> int:
        return self.boards.index(board)

    def nvmlDeviceGetName(self, board: Board) -> str:
        return board.name

    def nvmlDeviceGetUUID(self, board: Board) -> str:
        return board.uuid
