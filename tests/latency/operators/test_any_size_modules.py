"""Forms for any size compute what the modules compute that they stand for, built at that size."""

from __future__ import annotations

import pytest

from latency import Workload, build_module

torch = pytest.importorskip("torch", reason="torch is not installed")

from latency.operators.any_size_modules import any_size  # noqa: E402 - needs torch


def built(workload: Workload) -> torch.nn.Module:
    module = build_module(workload)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():  # So that statistics and biases are none of those that change nothing.
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + (0.5 if "var" in name else -0.3))
    return module.eval()


def decoding(operator: str, size: tuple[int, int], source: tuple[int, int], tap: tuple[int, int]) -> Workload:
    attributes = {"middle": 4, "classes": 2, "height": size[0], "width": size[1]}
    return Workload(operator, ((4, *source), (6, *tap)), attributes)


@pytest.mark.parametrize("size", [(8, 6), (7, 6), (8, 5), (9, 7)])
def test_a_reduction_reads_odd_and_even_sizes(size: tuple[int, int]) -> None:
    here = built(Workload("factorized_reduce", ((3, 10, 10),), {"channels": 4}))
    there = built(Workload("factorized_reduce", ((3, *size),), {"channels": 4}))
    x = torch.randn(2, 3, *size)
    assert torch.equal(any_size(here).eval()(x), there(x))


@pytest.mark.parametrize(
    ("operator", "here", "there"),
    [
        ("lr_aspp", (9, 12), (5, 49)),
        ("lr_aspp", (60, 12), (50, 9)),
        ("lr_aspp", (60, 70), (80, 90)),
        ("lr_aspp", (9, 60), (7, 69)),
        ("aspp", (9, 12), (5, 60)),
    ],
)
def test_a_decoder_reads_sizes_on_its_side_of_the_kernel(
    operator: str, here: tuple[int, int], there: tuple[int, int]
) -> None:
    def at(size: tuple[int, int]) -> Workload:
        height, width = size
        return decoding(operator, (16 * height - 3, 16 * width), size, (2 * height, 2 * width))

    x, tap, image = (
        torch.randn(2, 4, *there),
        torch.randn(2, 6, 2 * there[0], 2 * there[1]),
        torch.empty(1, 1, 16 * there[0] - 3, 16 * there[1]),
    )
    with torch.inference_mode():
        got = any_size(built(at(here))).eval()(x, tap, image)
        torch.testing.assert_close(got, built(at(there))(x, tap))


def test_what_needs_no_other_form_is_left_alone() -> None:
    module = torch.nn.ReLU()
    assert any_size(module) is module


def test_weights_are_shared_and_not_copied() -> None:
    module = built(Workload("factorized_reduce", ((3, 8, 8),), {"channels": 4}))
    assert {id(p) for p in module.parameters()} == {id(p) for p in any_size(module).parameters()}
