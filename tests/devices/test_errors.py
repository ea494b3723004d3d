"""Exit statuses, and the words for a name nobody knows."""

from __future__ import annotations

import pytest

from devices import NoAnswer, NotAvailable, PacelineError, WrongUse, unknown_name


@pytest.mark.parametrize(("error", "status"), [(NoAnswer, 1), (WrongUse, 2), (NotAvailable, 3)])
def test_each_way_to_end_has_its_exit_status(error: type[PacelineError], status: int) -> None:
    assert error.exit_code == status
    with pytest.raises(PacelineError, match=r"^said as it stands$"):
        raise error("said as it stands")


def test_an_error_of_no_kind_is_still_no_success() -> None:
    assert PacelineError.exit_code != 0


def test_a_near_miss_is_suggested_before_all_known_names() -> None:
    error = unknown_name("target", "lokal", ["xavier", "local"])
    assert isinstance(error, WrongUse)
    assert str(error) == "There is no target 'lokal'. Did you mean 'local'? Known: local, xavier."


def test_nothing_is_suggested_where_nothing_is_near() -> None:
    assert str(unknown_name("runtime", "zzz", ["local"])) == "There is no runtime 'zzz'. Known: local."


def test_an_empty_registry_is_said_to_be_empty() -> None:
    assert str(unknown_name("target", "local", [])) == "There is no target 'local'. Known: none."


def test_the_known_names_may_come_from_an_iterator() -> None:
    assert "Known: a, b." in str(unknown_name("letter", "z", iter("ba")))
