"""What tells evaluators and networks apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from search import LabelledImages, Space
from search.evaluators import Evaluator, Naswot, Synflow
from search.evaluators.evaluator import digest_of, network_digest


class Fixed(Evaluator):
    """Has the identity that it was given."""

    name = "fixed"
    meaning = "nothing"

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def score(self, picks: tuple[int, ...]) -> float:
        return float(len(picks))

    def identity(self) -> Mapping[str, object]:
        return self._values

    def digest(self, picks: tuple[int, ...]) -> str:
        return str(picks)


def test_the_key_follows_from_what_decides_the_scores_and_not_from_its_order() -> None:
    assert Fixed({"seed": 1, "data": "a"}).key == Fixed({"data": "a", "seed": 1}).key
    assert Fixed({"seed": 1}).key != Fixed({"seed": 2}).key


def test_a_score_is_shown_as_a_number_where_nothing_else_is_said() -> None:
    assert Fixed({}).words(0.123456) == "0.1235"


def test_different_networks_have_different_digests(tiny: Space) -> None:
    assert network_digest(tiny, (0, 0, 0, 0)) == network_digest(tiny, (0, 0, 0, 0))
    assert len({network_digest(tiny, (pick, 0, 0, 0)) for pick in range(13)}) == 13


def test_proxies_of_one_space_and_seed_are_told_apart(tiny: Space, patches: Callable[[int], LabelledImages]) -> None:
    evaluators = [Synflow(tiny, 0), Synflow(tiny, 1), Naswot(tiny, 0, patches(4)), Naswot(tiny, 0, patches(5))]
    assert len({evaluator.key for evaluator in evaluators}) == 4


def test_digests_are_short_text() -> None:
    assert len(digest_of({"a": [1, 2.5, None]})) == 16
