"""NVIDIA GPUs, asked through a stand-in for NVML's module, and through the real one where there is no driver."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from agent import gpu
from devices import (
    DeviceState,
    GpuDisturbances,
    NotAvailable,
    gpu_count,
    gpu_energy_j,
    gpu_throttle_reasons,
    gpu_versions,
    read_gpu,
    read_gpu_health,
    read_gpu_state,
)
from tests.devices.fake_pynvml import Board, FakePynvml

Install = Callable[..., FakePynvml]

OTHER = "GPU-11112222-3333-4444-5555-666677778888"
PART = "MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f"


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    gpu.forget()
    yield
    gpu.forget()


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    def put(*boards: Board, refusal: str | None = None) -> FakePynvml:
        module = FakePynvml(*boards, refusal=refusal)
        monkeypatch.setitem(sys.modules, "pynvml", module)
        return module

    return put


def board_with(**answers: object) -> Board:
    return Board(answers={f"nvmlDeviceGet{name}": answer for name, answer in answers.items()})


def divided() -> Board:
    whole = board_with(MigMode=[1, 1])
    memory = SimpleNamespace(total=10_468_982_784)
    whole.parts[PART] = Board(
        PART, "NVIDIA H100 80GB HBM3 MIG 1g.10gb", {"nvmlDeviceGetMemoryInfo": memory}, whole=whole
    )
    return whole


def test_every_name_of_the_stand_in_is_one_of_the_real_module() -> None:
    real = pytest.importorskip("pynvml", reason="needs nvidia-ml-py")
    fake = FakePynvml()
    own = {"boards", "refusal", "started", "asked", "forget"}
    names = {name for name in (*vars(fake), *vars(FakePynvml)) if not name.startswith("_")} - own
    assert len(names) > 50
    assert {name for name in names if not hasattr(real, name)} == set()
    constants = {name for name in names if isinstance(getattr(fake, name), int)}
    assert {name: getattr(fake, name) for name in constants} == {name: getattr(real, name) for name in constants}


def test_every_reason_is_a_name_of_the_real_module() -> None:
    real = pytest.importorskip("pynvml", reason="needs nvidia-ml-py")
    assert all(hasattr(real, f"nvmlClocksThrottleReason{name}") for name in gpu._REASONS)


def test_without_a_driver_the_real_module_leads_to_not_available() -> None:
    real = pytest.importorskip("pynvml", reason="needs nvidia-ml-py")
    try:
        real.nvmlInit()
    except real.NVMLError as error:
        with pytest.raises(NotAvailable, match=f"cannot be asked: {error}"):
            read_gpu()
    else:
        assert gpu_versions()["driver"]


def test_a_gpu_is_identified(install: Install) -> None:
    install(Board())
    device = read_gpu()
    assert (device.kind, device.name, device.architecture) == ("cuda", "NVIDIA H100 80GB HBM3", "sm_90")
    assert (device.family, device.cores) == ("pci 233010de", 16896)
    assert device.memory_bytes == 79 * 2**30


def test_what_a_gpu_does_is_read_in_the_houses_units(install: Install) -> None:
    install(Board())
    assert read_gpu_state() == DeviceState(
        clock_mhz=1755,
        temperature_c=41,
        power_w=121.5,
        max_clock_mhz=1980,
        power_mode="P0",
        power_limit_w=700,
        throttle_reasons="",
    )
    assert gpu_energy_j() == pytest.approx(123456.789)


def test_what_a_card_does_not_tell_is_unknown_and_never_zero(install: Install) -> None:
    module = install(Board())
    silent = dict.fromkeys(name for name in vars(module) if name.startswith("nvmlDeviceGet"))
    module.boards[0].answers.update(silent | {"nvmlDeviceGetCudaComputeCapability": (5, 0)})
    assert read_gpu_state() == DeviceState()
    assert gpu_energy_j() is None
    device = read_gpu()
    assert (device.memory_bytes, device.cores, device.family) == (None, None, None)
    health = read_gpu_health()
    assert (health.persistent, health.clocks_set, health.slowdown_c, health.other_processes) == (None,) * 4


@pytest.mark.parametrize(
    ("bits", "reasons"),
    [
        (0x0, ()),
        (0x1 | 0x2, ()),
        (0x4, ("power limit",)),
        (0x8 | 0x40, ("hardware slowdown", "temperature, by the hardware")),
        (0x200, ("board limit",)),
    ],
)
def test_reasons_are_told_in_words_and_idling_is_none(install: Install, bits: int, reasons: tuple[str, ...]) -> None:
    install(board_with(CurrentClocksEventReasons=bits))
    assert gpu_throttle_reasons() == reasons
    assert read_gpu_state().throttle_reasons == ", ".join(reasons)


def test_a_package_from_before_the_new_names_is_asked_by_the_old_ones(install: Install) -> None:
    module = install(board_with(CurrentClocksThrottleReasons=0x20))
    module.forget(*(name for name in vars(module) if "EventReason" in name))
    assert gpu_throttle_reasons() == ("temperature, by the driver",)


def test_a_driver_from_before_the_new_names_is_asked_by_the_old_ones(install: Install) -> None:
    install(board_with(CurrentClocksEventReasons="FunctionNotFound", CurrentClocksThrottleReasons=0x4))
    assert gpu_throttle_reasons() == ("power limit",)


def test_a_gpu_that_tells_no_reasons_has_none_known(install: Install) -> None:
    install(board_with(CurrentClocksEventReasons=None, CurrentClocksThrottleReasons=None))
    assert gpu_throttle_reasons() is None
    assert GpuDisturbances()() == 0


def test_a_count_of_disturbances_grows_while_the_clock_is_held_down(install: Install) -> None:
    board = board_with(CurrentClocksEventReasons=0x1)
    install(board)
    count = GpuDisturbances()
    assert [count(), count()] == [0, 0]
    board.answers["nvmlDeviceGetCurrentClocksEventReasons"] = 0x40
    assert [count(), count()] == [1, 2]
    board.answers["nvmlDeviceGetCurrentClocksEventReasons"] = 0
    assert count() == 2


def test_a_disturbance_is_one_question_and_the_module_is_started_once(install: Install) -> None:
    module = install(Board())
    count = GpuDisturbances()
    module.asked.clear()
    count()
    assert module.asked == ["nvmlDeviceGetCurrentClocksEventReasons"]
    read_gpu_state()
    assert module.started == 1


def test_versions_are_the_drivers_and_the_newest_cuda_it_runs(install: Install) -> None:
    install(Board())
    assert gpu_versions() == {"driver": "550.54.15", "driver_cuda": "12.4"}


def test_words_may_be_bytes_as_older_packages_give_them(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    module = install(Board())
    monkeypatch.setattr(module, "nvmlDeviceGetName", lambda _: b"Tesla V100", raising=False)
    assert read_gpu().name == "Tesla V100"


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        (None, ["a", "b", "c"]),
        ("2,0", ["c", "a"]),
        (" 1 , 2 ", ["b", "c"]),
        ("0,7,1", ["a"]),
        ("-1,0", []),
        ("", []),
        ("NoDevFiles", []),
        (OTHER, ["b"]),
        ("GPU-1111", ["b"]),
        ("GPU-ffff,0", []),
    ],
)
def test_the_number_is_the_one_that_cuda_gives(
    install: Install, monkeypatch: pytest.MonkeyPatch, visible: str | None, names: list[str]
) -> None:
    install(Board("GPU-0000", "a"), Board(OTHER, "b"), Board("GPU-2222", "c"))
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpu_count() == len(names)
    assert [read_gpu(index).name for index in range(len(names))] == names
    with pytest.raises(NotAvailable, match=f"none is number {len(names)}") as error:
        read_gpu(len(names))
    assert ("not set" if visible is None else repr(visible)) in str(error.value)


def test_the_beginning_of_a_uuid_must_be_enough(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install(Board("GPU-11110000"), Board(OTHER))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-1111")
    assert gpu_count() == 0


def test_different_gpus_have_no_number_that_both_know(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install(Board("GPU-0", "slow"), Board("GPU-1", "fast"))
    with pytest.raises(NotAvailable, match="CUDA_DEVICE_ORDER=PCI_BUS_ID"):
        read_gpu(0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-1")
    assert read_gpu(0).name == "fast"


def test_equal_gpus_have_the_same_numbers_for_both(install: Install) -> None:
    install(Board("GPU-0", answers={"nvmlDeviceGetTemperature": 30}), Board("GPU-1"))
    assert [read_gpu_state(index).temperature_c for index in (0, 1)] == [30, 41]


def test_of_a_divided_gpu_it_is_not_known_which_part_is_meant(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(divided())
    with pytest.raises(NotAvailable, match="CUDA_VISIBLE_DEVICES=MIG-"):
        read_gpu()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", PART)
    assert read_gpu().name.endswith("MIG 1g.10gb")


def test_of_a_part_of_a_gpu_power_and_energy_are_unknown(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install(divided())
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", PART)
    device, state = read_gpu(), read_gpu_state()
    assert (device.architecture, device.memory_bytes) == ("sm_90", 9 * 2**30)
    assert (state.clock_mhz, state.temperature_c, state.power_w) == (1755, 41, None)
    assert gpu_energy_j() is None
    assert read_gpu_health().is_part


def test_a_part_that_is_not_there_is_no_gpu(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install(divided())
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-0000")
    assert gpu_count() == 0


def test_what_else_bears_on_a_gpus_times(install: Install) -> None:
    processes = [SimpleNamespace(pid=os.getpid()), SimpleNamespace(pid=1)]
    install(board_with(ComputeRunningProcesses=processes, CurrentClocksEventReasons=0x2, PersistenceMode=0))
    health = read_gpu_health()
    assert (health.other_processes, health.clocks_set, health.persistent) == (1, True, False)
    assert (health.number, health.slowdown_c, health.is_part) == (0, 89, False)


@pytest.mark.parametrize(
    ("refusal", "remedy"),
    [
        ("LibraryNotFound", "docker run --gpus all"),
        ("DriverNotLoaded", "sudo modprobe nvidia"),
        ("LibRmVersionMismatch", "restart the machine"),
        ("NoPermission", "nvidia-smi"),
    ],
)
def test_a_driver_that_refuses_leads_to_a_remedy(install: Install, refusal: str, remedy: str) -> None:
    install(refusal=refusal)
    with pytest.raises(NotAvailable, match=remedy):
        gpu_count()


def test_a_gpu_that_is_gone_is_not_taken_for_one_that_tells_nothing(install: Install) -> None:
    install(board_with(ClockInfo="GpuIsLost"))
    with pytest.raises(NotAvailable, match="nvmlDeviceGetClockInfo: GpuIsLost"):
        read_gpu_state()


def test_without_the_package_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(NotAvailable, match="pip install nvidia-ml-py"):
        read_gpu()
