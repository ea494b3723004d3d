"""Where networks and supernets are trained, by the word of whoever asks for it."""

from __future__ import annotations

from devices import NotAvailable, unknown_name

DEVICES = ("auto", "cpu", "cuda")
"""Where a network can be trained; ``auto`` is the GPU where there is one."""


def training_device(asked: str, local: int = 0) -> str:
    """The device that is meant, as torch calls it: ``cpu`` or ``cuda:0``.

    Args:
        asked: one of :data:`DEVICES`, or what this function said before: ``cuda:0``.
        local: number of this process among those of this machine, which all need a GPU of their own.

    Raises:
        NotAvailable: there is no GPU, or there are more processes here than GPUs.
        WrongUse: there is no such device.
    """
    asked, _, number = asked.partition(":")
    if asked not in DEVICES or (number and not number.isdecimal()):
        raise unknown_name("device to train on", f"{asked}:{number}" if number else asked, DEVICES)
    local = int(number) if number else local
    if asked == "cpu":
        return "cpu"  # Which can be said without torch.
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if asked == "auto" and count == 0:
        return "cpu"
    if count == 0:
        raise NotAvailable(
            f"torch {torch.__version__} finds no GPU to train on. Give --device cpu, or install a build of torch for "
            "CUDA on a machine with an NVIDIA GPU."
        )
    if local >= count:
        raise NotAvailable(
            f"Each process needs a GPU of its own; there are {count}, and this would be number {local + 1}. "
            "Start fewer processes, or give --device cpu."
        )
    return f"cuda:{local}"
