"""Memory of steps: what the counter of tensors counts, and what is asked of a GPU's allocator."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; its tensors are counted")

from benchmarks.supernet_memory import MIB, LiveTensors, memory_of  # noqa: E402 - needs torch

MEGABYTE = 1_000_000


def test_live_tensors_are_counted_while_they_live_and_the_most_is_kept() -> None:
    given = torch.ones(250_000, requires_grad=True)
    with LiveTensors() as live:
        doubled = given * 2
        whole = doubled.exp()
        view = whole.view(500, 500)
        assert live.live_bytes == 2 * MEGABYTE  # A view is nothing new.
        del doubled
        assert live.live_bytes == MEGABYTE  # The exponential keeps its own output.
        view.sum().backward()
        del whole, view
        assert given.grad is not None
        assert live.live_bytes == pytest.approx(MEGABYTE, abs=100)
        assert live.most_bytes >= 3 * MEGABYTE
        given.detach().mul_(0.5)
        assert live.live_bytes == pytest.approx(MEGABYTE, abs=100)  # What was there before is never counted.


def test_the_most_of_each_step_counts_and_the_worst_is_told_apart() -> None:
    sizes = iter((1, 3))
    found = memory_of(lambda: torch.ones(next(sizes) * MIB, dtype=torch.uint8), 2)
    assert (found["tensors"], found["tensors_most"]) == (2.0, 3.0)
    assert found["held"] >= 1


class Allocator:
    """Gives out memory in the way of a GPU's, in MiB: what was once taken from the GPU stays reserved."""

    def __init__(self) -> None:
        self.given = self.most = self.reserved = 10

    def step(self, needed: int, kept: int) -> None:
        """Allocate for a moment, and keep some."""
        self.most = max(self.most, self.given + needed)
        self.reserved = max(self.reserved, self.most)
        self.given += kept

    def reset(self) -> None:
        """Forget the most."""
        self.most = self.given


def test_on_a_gpu_the_most_above_what_was_there_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    allocator = Allocator()
    asked = {
        "memory_allocated": lambda: allocator.given * MIB,
        "max_memory_allocated": lambda: allocator.most * MIB,
        "memory_reserved": lambda: allocator.reserved * MIB,
        "reset_peak_memory_stats": allocator.reset,
    }
    for name, answer in asked.items():
        monkeypatch.setattr(torch.cuda, name, answer)
    needs = iter(((30, 5), (20, 0)))
    found = memory_of(lambda: allocator.step(*next(needs)), 2, "cuda:0")
    assert found == {"tensors": 25.0, "tensors_most": 30.0, "held": 30.0}
