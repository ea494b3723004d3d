from __future__ import annotations

import re
import subprocess
import sys
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from paceline.report.drawing import Drawing, draw, place


def paint(figure: Figure) -> None:
    axes = place(figure, 20, 10, 60, 30)
    axes.plot([0, 1], [0, 1], "o")
    axes.set_title("50 $ to 60 $ <b>")


def drawn(name: str = "one") -> Drawing:
    return draw(name, (100, 50), paint, 'says "so" & <more>')


def test_the_same_figure_is_the_same_markup() -> None:
    assert drawn() == drawn()


def test_the_user_s_settings_neither_change_the_figure_nor_are_changed() -> None:
    plain = drawn()
    with mpl.rc_context({"axes.facecolor": "red", "font.size": 40, "svg.hashsalt": "mine"}):
        before = dict(mpl.rcParams)
        assert drawn() == plain
        assert dict(mpl.rcParams) == before


def test_two_figures_on_a_page_share_no_id() -> None:
    one, two = (set(re.findall(r'\bid="([^"]*)"', drawn(name).svg)) for name in ("one", "two"))
    assert one
    assert not one & two


def test_references_lead_to_ids_that_exist() -> None:
    svg = drawn().svg
    used = set(re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', svg))
    assert used
    assert {left or right for left, right in used} <= set(re.findall(r'\bid="([^"]*)"', svg))


def test_it_is_an_image_with_words_for_those_who_do_not_see_it() -> None:
    root = ET.fromstring(drawn().svg)  # noqa: S314, our own markup
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == 'says "so" & <more>'
    assert root.attrib["viewBox"] == "0 0 100 50"


def test_text_stays_text_and_a_dollar_sign_is_no_formula() -> None:
    assert "50 $ to 60 $ &lt;b&gt;" in drawn().svg


def test_no_rule_of_the_figure_reaches_the_page() -> None:
    assert "<style" not in drawn().svg
    assert "<metadata" not in drawn().svg


@pytest.mark.filterwarnings("error")
def test_names_in_any_script_are_drawn_without_a_warning() -> None:
    assert "\uc7ac\ube44\uc5d0" in draw("one", (90, 30), lambda figure: _write(figure, "\uc7ac\ube44\uc5d0"), "").svg


def test_places_are_pixels_from_the_top_left() -> None:
    figure = Figure(figsize=(100 / 72, 50 / 72))
    left, bottom, width, height = place(figure, 20, 10, 60, 30).get_position().bounds
    assert (left, bottom, width, height) == pytest.approx((0.2, 0.2, 0.6, 0.6))


def test_neither_pyplot_nor_a_window_is_ever_asked_for() -> None:
    code = "import sys, paceline.report.drawing; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _write(figure: Figure, text: str) -> None:
    figure.text(0.1, 0.5, text)
