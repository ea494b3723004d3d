"""What is learnt: labels, and what a teacher says, each with its share and where it counts only."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; losses are its tensors")
from torch import nn  # noqa: E402 - only once torch is known to be there

from search.distillation import Teacher, counted, cross_entropy, divergence  # noqa: E402 - it imports torch
from search.mixed_precision import MixedPrecision  # noqa: E402

PIXELS = (2, 3, 4, 5)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def labelled() -> torch.Tensor:
    labels = torch.randint(0, 3, (2, 4, 5))
    labels[:, 1:3] = 255
    return labels


def test_what_counts_is_counted() -> None:
    assert counted(labelled()).item() == 2 * 2 * 5
    assert counted(torch.tensor([255, 1, 0])).item() == 3, "255 is a class like another where pictures have one"


@pytest.mark.parametrize("labels", [labelled(), torch.tensor([1, 2])])
def test_the_sum_is_the_mean_times_what_counts(labels: torch.Tensor) -> None:
    scores = torch.randn(2, 3, *labels.shape[1:])
    whole = cross_entropy(scores, labels, "sum")
    torch.testing.assert_close(whole, cross_entropy(scores, labels) * counted(labels).float())


def test_whoever_says_what_the_teacher_says_has_nothing_to_learn() -> None:
    taught = torch.randn(PIXELS)
    scores = (taught + 3.0).requires_grad_()  # The same classes, as sure of them.
    loss = divergence(scores, taught, labelled(), temperature=2.0)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-5)
    assert scores.grad is not None
    assert scores.grad.abs().max() < 1e-6


def test_the_divergence_is_the_sum_over_classes_that_it_is_named_after() -> None:
    scores, taught = torch.randn(1, 4), torch.randn(1, 4)
    own, wanted = (torch.softmax(each / 3.0, dim=1) for each in (scores, taught))
    expected = 9.0 * (wanted * (wanted / own).log()).sum()
    torch.testing.assert_close(divergence(scores, taught, torch.tensor([1]), 3.0), expected)


def test_a_temperature_leaves_the_gradient_about_as_large() -> None:
    """In the limit, Hinton et al., equation 4: without the square it would be 25 and 100 times smaller."""
    norms = []
    for temperature in (20.0, 100.0):
        scores, taught = torch.zeros(1, 4, requires_grad=True), torch.tensor([[1.0, 0.0, 0.0, -1.0]])
        divergence(scores, taught, torch.tensor([0]), temperature).backward()
        assert scores.grad is not None
        norms.append(scores.grad.norm().item())
    assert norms[0] == pytest.approx(norms[1], rel=0.01)


def test_nothing_is_taught_where_nothing_counts() -> None:
    scores, taught, labels = torch.randn(PIXELS, requires_grad=True), torch.randn(PIXELS), labelled()
    divergence(scores, taught, labels, 1.0).backward()
    assert scores.grad is not None
    assert (scores.grad[:, :, 1:3] == 0).all()
    assert (scores.grad[:, :, [0, 3]] != 0).all()


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_teacher_has_its_share_of_the_loss(share: float) -> None:
    scores, taught, labels = torch.randn(PIXELS), torch.randn(PIXELS), labelled()
    plain = cross_entropy(scores, labels, "sum")
    loss = Teacher(nn.Identity(), share, 2.0).mixed(plain, scores, taught, labels)
    torch.testing.assert_close(loss, (1 - share) * plain + share * divergence(scores, taught, labels, 2.0))


def test_a_teacher_does_not_learn() -> None:
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)).train()
    said = Teacher(network, 0.5, 2.0).says(torch.randn(2, 3, 4, 4) + 5.0, MixedPrecision("fp32", "cpu"))
    assert not said.requires_grad
    assert (network[1].running_mean == 0).all(), "its statistics are those it was trained with"
