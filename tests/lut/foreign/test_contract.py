from __future__ import annotations

import math
from pathlib import Path

import pytest

from devices import WrongUse
from latency import Estimate, Workload
from lut.foreign import CsvRows, KnownRow, OnceForAll, Statement
from lut.foreign.contract import in_units, reads_back, refusal_of_any_key, text_of
from tests.contracts.examples import ENVIRONMENT, block


@pytest.mark.parametrize("time", [0.1, 1 / 3, 4.083755600814664, 1e-9, 123456.789, 2.0])
@pytest.mark.parametrize("per_s", [1000, 1_000_000])
def test_a_time_in_its_own_unit_gives_the_same_seconds_again(time: float, per_s: int) -> None:
    assert in_units(time / per_s, per_s) / per_s == time / per_s
    assert in_units(time / per_s, per_s) == pytest.approx(time, rel=1e-15)


def test_what_is_not_known_stays_unknown() -> None:
    assert math.isnan(in_units(math.nan))


def test_a_published_file_is_known_by_the_end_of_its_path(tmp_path: Path) -> None:
    form = OnceForAll()
    theirs = form.origin(tmp_path / "latency_table@note10" / "224_lookup_table.yaml", Statement())
    assert theirs.device is not None
    assert (theirs.device.name, theirs.file) == ("Samsung Galaxy Note10", "224_lookup_table.yaml")
    assert form.origin(tmp_path / "note10" / "sub" / "a.yaml", Statement()).device is None


def test_a_format_has_no_keys_and_says_everything_unless_it_says_otherwise() -> None:
    assert not CsvRows().has_key("anything")
    assert CsvRows().refusal(KnownRow(block(), ENVIRONMENT, None)) == ""


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(WrongUse, match="no UTF-8"):
        text_of(tmp_path / "a")


def test_what_reads_back_as_something_else_or_not_at_all_is_not_said() -> None:
    assert reads_back(block(8), Workload.to_json, Workload.from_json)
    assert not reads_back(block(8), lambda workload: None, lambda spelled: block(8))
    assert not reads_back(block(8), Workload.to_json, lambda spelled: block(9))
    assert not reads_back(block(8), lambda workload: workload.attributes["missing"], lambda spelled: block(8))


def test_a_file_of_keys_and_times_says_reported_times_alone() -> None:
    reported, predicted = (KnownRow(block(), ENVIRONMENT, Estimate(1e-3, 0.0, s)) for s in ("reported", "predicted"))
    assert refusal_of_any_key(reported) == ""
    assert "predicted" in refusal_of_any_key(predicted)
    roofline = KnownRow(block(), ENVIRONMENT, Estimate(1e-3, 0.0, "roofline"))
    assert "nothing was measured" in refusal_of_any_key(roofline)
    assert "failed" in refusal_of_any_key(KnownRow(block(), ENVIRONMENT, None))
