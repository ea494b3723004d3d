from __future__ import annotations

import pytest
import typer

from paceline.screen import image_size, progress_bar, seconds, share, show_table


def test_sizes_times_and_shares_are_read_with_their_units() -> None:
    assert image_size("256x512") == (256, 512)
    assert seconds("500ms") == pytest.approx(0.5)
    assert seconds("2min") == 120
    assert seconds("1.5 s") == 1.5
    assert share("1%") == pytest.approx(0.01)
    assert share("2.5 %") == pytest.approx(0.025)


@pytest.mark.parametrize(
    ("read", "text"),
    [(image_size, "256"), (image_size, "256x"), (image_size, "-1x2"), (seconds, "5"), (seconds, "ms"), (share, "1")],
)
def test_a_quantity_without_its_unit_is_refused_with_an_example(read: object, text: str) -> None:
    assert callable(read)
    with pytest.raises(typer.BadParameter, match="such as"):
        read(text)


def test_a_table_prints_what_the_cells_hold_and_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    show_table("t", ("name", "value"), [("[red]x[/red]", "1")])
    assert "[red]x[/red]" in capsys.readouterr().out


def test_a_cell_that_has_a_look_says_the_same_where_the_screen_has_no_colours(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_table("t", ("name", "state"), [("a", "problem"), ("b", "ok")], looks={"problem": "bold red"})
    out = capsys.readouterr().out
    assert "problem" in out
    assert "\x1b[" not in out


def test_a_cell_that_has_a_look_has_it_where_the_screen_has_colours(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    show_table("t", ("name", "state"), [("a", "problem"), ("b", "ok")], looks={"problem": "red"})
    assert "\x1b[31mproblem" in capsys.readouterr().out


def test_progress_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("measuring") as bar:
        bar(1, 2, "half")
        bar(2, 2, "whole", "training")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "measuring" in captured.err
    assert "training" in captured.err


def test_where_nothing_is_to_do_there_is_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("measuring") as bar:
        bar(0, 0)
    assert "measuring" not in capsys.readouterr().err
