from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from devices import DeviceState
from latency import Burst, Environment, Estimate, Measurement, Outcome, Workload
from lut.checking import Concern, Findings, check, differing_fields
from lut.table import Table
from tests.contracts.examples import DEVICE, ENVIRONMENT, OTHER_DEVICE, RUNTIME, block, failure, measurement, network

NOW = datetime(2024, 1, 3, tzinfo=UTC)
"""A day after the examples were measured."""

OTHER = Environment(OTHER_DEVICE, replace(RUNTIME, versions={"examplert": "1.3"}))
TIMES = [1e-3 * (1 + step / 1000) for step in (0, -3, 1, 3, -1, 2)]
WIDE = [1e-3, 1.1e-3, 1.2e-3, 1.3e-3, 1.4e-3, 1.5e-3]


def steady(count: int, *, first: int = 8, environment: Environment = ENVIRONMENT) -> list[Outcome]:
    """Measurements that nothing speaks against."""
    return [measurement(block(first + n), environment=environment, times=TIMES) for n in range(count)]


def wide(workload: Workload) -> Measurement:
    return measurement(workload, times=WIDE)


def changed(measured: Outcome, **changes: object) -> Measurement:
    """The same measurement, each burst with ``changes``."""
    assert isinstance(measured, Measurement)
    bursts: list[Burst] = [replace(b, **changes) for b in measured.bursts]  # type: ignore[arg-type]
    return replace(measured, bursts=tuple(bursts))


def findings(
    outcomes: Sequence[Outcome], *, now: datetime = NOW, installed: Mapping[str, str] = {}, command: str = "fill it"
) -> Findings:
    return check(Table(outcomes), now=now, installed=installed, command=command)


def only(found: Findings) -> Concern:
    (concern,) = found.concerns
    return concern


def test_nothing_speaks_against_a_steady_table() -> None:
    found = findings(steady(20), installed=RUNTIME.versions)
    assert found == Findings(20, 0, 0, ())
    assert found.is_trusted


def test_an_empty_table_is_not_trusted() -> None:
    found = findings([])
    assert only(found).kind == "no rows"
    assert only(found).command == "fill it"
    assert not found.is_trusted


@pytest.mark.parametrize(("doubtful", "is_trusted"), [(1, True), (2, False)])
def test_one_doubtful_row_in_twenty_is_a_note_and_more_are_serious(doubtful: int, is_trusted: bool) -> None:
    found = findings([*steady(20 - doubtful), *(wide(block(100 + n)) for n in range(doubtful))])
    assert (only(found).count, only(found).of) == (doubtful, 20)
    assert found.is_trusted is is_trusted


def test_the_worst_rows_are_named_the_worst_first() -> None:
    rows = [
        measurement(block(100 + n), times=[1e-3 * (1 + (time / 1e-3 - 1) * n) for time in WIDE]) for n in range(1, 6)
    ]
    examples = only(findings(rows)).examples
    assert [example.subject for example in examples] == [block(100 + n).describe() for n in (5, 4, 3)]
    assert "% of" in examples[0].detail


def test_doubtful_rows_are_measured_again_by_the_command_that_filled_the_table() -> None:
    assert only(findings([wide(block())])).command == "fill it --again doubtful"


def test_unfinished_rows_go_on_with_the_command_that_filled_the_table() -> None:
    unfinished = [replace(row, stopped="unfinished") for row in steady(3) if isinstance(row, Measurement)]
    concern = only(findings(unfinished))
    assert (concern.kind, concern.count, concern.command) == ("unfinished", 3, "fill it")


def test_whole_networks_are_mended_by_the_command_that_measures_them() -> None:
    unfinished = replace(measurement(network(size=(64, 64)), times=TIMES), stopped="unfinished")
    rows = [*steady(20), wide(block(100)), wide(network()), failure(network(batch=2)), unfinished]
    found = check(Table(rows), now=NOW, command="fill it", calibrate_command="calibrate it")
    assert {concern.kind: (concern.count, concern.command) for concern in found.concerns} == {
        "wide intervals": (1, "fill it --again doubtful"),
        "wide intervals (whole networks)": (1, "calibrate it --again doubtful"),
        "failures (whole networks)": (1, "calibrate it --again failed"),
        "unfinished (whole networks)": (1, "calibrate it --again doubtful"),
    }


@pytest.mark.parametrize(("failed", "is_trusted"), [(5, True), (6, False)])
def test_failures_are_an_answer_unless_most_rows_are_failures(failed: int, is_trusted: bool) -> None:
    found = findings([*steady(10 - failed), *(failure(block(100 + n)) for n in range(failed))])
    assert (found.measured, found.failed) == (10 - failed, failed)
    assert only(found).command == "fill it --again failed"
    assert found.is_trusted is is_trusted


def test_failures_are_counted_by_their_reason() -> None:
    lost = replace(failure(block(99)), stage="run", reason="device lost")
    concern = only(findings([*steady(5), lost, failure(block(100)), failure(block(101))]))
    assert [example.detail for example in concern.examples] == [
        "2 failed at load: not implemented",
        "1 failed at run: device lost",
    ]
    assert concern.examples[0].subject == block(100).describe()


def test_mixed_environments_are_serious_and_named_field_by_field() -> None:
    found = findings([*steady(39), *steady(1, first=99, environment=OTHER)])
    concern = only(found)
    assert (concern.kind, concern.count, found.is_trusted) == ("mixed environments", 1, False)
    assert {example.subject: example.detail for example in concern.examples} == {
        "device name": f"{DEVICE.name} in 39 rows, {OTHER_DEVICE.name} in 1 row",
        "examplert": "1.2 in 39 rows, 1.3 in 1 row",
    }


def test_a_version_that_is_no_longer_installed_is_serious() -> None:
    found = findings(steady(3), installed={"examplert": "2.0", "numpy": "9.9"})
    assert (only(found).kind, only(found).count) == ("other versions", 3)
    assert only(found).examples[0].detail == "measured with 1.2, installed is 2.0"
    assert not found.is_trusted


def test_versions_that_are_not_known_here_are_not_compared() -> None:
    assert findings(steady(3), installed={"numpy": "9.9"}).concerns == ()


def test_a_second_frequency_governor_is_found_with_the_rows_that_saw_the_rarer_one() -> None:
    usual, rare = (DeviceState(governor=name) for name in ("performance", "powersave"))
    rows = [changed(row, before=rare if n == 0 else usual) for n, row in enumerate(steady(30))]
    concern = only(findings(rows))
    assert (concern.kind, concern.count, concern.is_serious) == ("frequency governors", 1, False)
    assert concern.examples[0].detail == "29 rows"


def test_old_rows_are_a_note_with_the_date_of_the_oldest() -> None:
    rows = steady(3)
    rows[1] = changed(rows[1], measured_at="2024-01-01T00:00:00+00:00")
    found = findings(rows, now=datetime(2025, 1, 1, tzinfo=UTC))
    assert (only(found).kind, only(found).count) == ("measured long ago", 3)
    assert "2024-01-01" in only(found).examples[0].detail
    assert only(found).examples[0].subject == rows[1].workload.describe()
    assert found.is_trusted


def test_rows_of_different_months_are_a_note() -> None:
    rows = steady(3)
    rows[0] = changed(rows[0], measured_at="2023-11-20T00:00:00+00:00")
    concern = only(findings(rows))
    assert concern.kind == "measured over a long time"
    assert concern.examples[0].detail == "from 2023-11-20 to 2024-01-02"


@pytest.mark.parametrize(("text", "kinds"), [("long ago", []), ("2020-02-03", ["measured long ago"])])
def test_a_time_without_a_zone_is_read_and_one_that_is_none_is_left_out(text: str, kinds: list[str]) -> None:
    assert [concern.kind for concern in findings([changed(steady(1)[0], measured_at=text)]).concerns] == kinds


def test_operators_that_nothing_knows_any_more_are_a_note() -> None:
    strange = measurement(replace(block(), operator="hologram"), times=TIMES)
    outdated = measurement(replace(block(), attributes={"channels": 8}), times=TIMES)
    found = findings([*steady(3), strange, outdated])
    assert (only(found).kind, only(found).count) == ("unknown operators", 2)
    assert "no operator 'hologram'" in only(found).examples[0].detail
    assert found.is_trusted


def test_serious_findings_come_first_then_those_of_most_rows() -> None:
    rows: list[Outcome] = [*steady(6), failure(block(99)), wide(block(100)), wide(block(101))]
    found = findings(rows, now=datetime(2025, 1, 1, tzinfo=UTC))
    assert [concern.kind for concern in found.concerns] == ["wide intervals", "measured long ago", "failures"]


def test_fields_that_cannot_make_a_difference_are_not_named() -> None:
    roomier = Environment(replace(DEVICE, memory_bytes=2**40), RUNTIME)
    assert differing_fields([ENVIRONMENT, roomier]) == {}


def test_a_field_that_one_environment_lacks_differs() -> None:
    plain = Environment(replace(DEVICE, cores=None), replace(RUNTIME, options={}))
    assert differing_fields([ENVIRONMENT, plain]) == {"cores": ("4", "unknown"), "mode": ("fast", "none")}


def test_times_that_were_not_measured_are_a_note_extrapolations_first() -> None:
    table = Table(steady(2))
    table.add_estimate(block(40), ENVIRONMENT, Estimate(1e-3, 2e-4, "predicted"))
    table.add_estimate(block(41), ENVIRONMENT, Estimate(1e-3, 1e-5, "predicted", is_inside=False))
    table.add_estimate(block(42), ENVIRONMENT, Estimate(1e-3, math.nan, "reported"))
    found = check(table, now=NOW, command="fill it")
    assert found.unmeasured == 3
    assert found.is_trusted
    predicted, reported = found.concerns
    assert (predicted.kind, predicted.count, predicted.of, predicted.command) == ("predicted", 2, 5, "fill it")
    assert [example.subject for example in predicted.examples] == [block(41).describe(), block(40).describe()]
    assert "unlike everything that was measured" in predicted.examples[0].detail
    assert predicted.examples[1].detail == "its 95 % interval is +-39%"
    assert (reported.kind, reported.examples[0].detail) == ("reported", "how sure it is, is not known")


def test_a_table_in_which_nothing_was_measured_is_not_trusted() -> None:
    table = Table()
    table.add_estimate(block(), ENVIRONMENT, Estimate(1e-3, 7.5e-4, "roofline", is_inside=False))
    found = check(table, now=NOW, command="fill it")
    concern = only(found)
    assert not found.is_trusted
    assert (concern.kind, concern.count, concern.of) == ("estimated from peak figures", 1, 1)
    assert "nothing was measured" in concern.meaning
    assert "without --estimate" in concern.advice
    assert concern.examples[0].detail == "its 95 % interval is 0.23 to 4.3 ms"


def test_a_table_of_reports_alone_is_not_empty() -> None:
    table = Table()
    table.add_estimate(block(), ENVIRONMENT, Estimate(1e-3, math.nan, "reported"))
    assert [concern.kind for concern in check(table, now=NOW).concerns] == ["reported"]


def test_rows_that_were_not_measured_count_where_environments_are_mixed_and_do_not_dilute_failures() -> None:
    table = Table([*steady(1), *(failure(block(30 + n)) for n in range(3))])
    for n in range(10):
        table.add_estimate(block(50 + n), OTHER, Estimate(1e-3, 1e-5, "predicted"))
    kinds = {concern.kind: concern for concern in check(table, now=NOW).concerns}
    assert kinds["mixed environments"].count == 4
    assert (kinds["failures"].of, kinds["failures"].is_serious) == (4, True)
