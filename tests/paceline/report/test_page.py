from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from devices import NotAvailable
from paceline.report import render_report, write_report
from search import Comparison

# What a browser closes by itself.
VOID = {"meta", "link", "br", "hr", "img", "input"}
NAMESPACES = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
EVIL = "<script>alert('x')</script>\"&"


class Outline(HTMLParser):
    """Open elements, and everything that could make a browser ask for something."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name in {"src", "href", "xlink:href", "srcset", "data"}]

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def outline(page: str) -> Outline:
    parsed = Outline()
    parsed.feed(page)
    parsed.close()
    return parsed


def visible(page: str) -> str:
    return " ".join(" ".join(outline(page).texts).replace("\u00a0", " ").split())


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return {}


@pytest.fixture
def page(comparison: Comparison, pages: dict[str, str]) -> str:
    """The full-size page, drawn once for all tests of this file."""
    if "normal" not in pages:
        pages["normal"] = render_report(comparison)
    return pages["normal"]


def test_every_element_is_closed_and_every_id_is_unique(page: str) -> None:
    parsed = outline(page)
    assert parsed.open == []
    assert len(parsed.ids) == len(set(parsed.ids))


def test_nothing_is_asked_of_the_network(page: str) -> None:
    parsed = outline(page)
    assert all(link.startswith("#") for link in parsed.links)
    assert not parsed.seen & {"script", "link", "iframe", "object", "embed", "img", "base", "form"}
    assert "@import" not in page
    assert all(target.startswith("#") for target in re.findall(r"url\(\s*['\"]?([^)]*)", page))
    assert set(re.findall(r"https?://[^\s\"'<>)]*", page)) <= NAMESPACES


def test_every_name_and_number_is_on_the_page(comparison: Comparison, page: str) -> None:
    text = visible(page)
    said = [network.name for network in comparison.networks] + list(comparison.commands)
    said += ["27.40", "27.20\u201327.60", "26.85", "30.50", "3,912", "1.87", "68.0", "67.2", "30 ms", "4,000 M"]
    said += ["0.93 over candidates", "Mean absolute error 0.57 ms", "4.20 ms, 900 M MACs", comparison.data]
    said += ["Jetson AGX Xavier", "not readable", "tensorrt", "8.5.2", comparison.created_at, "512 \u00d7 1024"]
    assert [item for item in said if item not in text] == []


def test_figures_have_words(page: str) -> None:
    labels = re.findall(r'<svg [^>]*role="img"[^>]*aria-label="([^"]+)"', page)
    assert len(labels) == 5 == page.count("<svg ")


def test_problems_come_before_the_numbers_and_only_if_there_are_any(small: Comparison, page: str) -> None:
    assert "Problems" not in visible(page)
    text = visible(render_report(replace(small, problems=("The clocks fell to 905 MHz.",))))
    assert text.index("The clocks fell to 905 MHz.") < text.index("The networks")


def test_times_that_nobody_measured_are_marked_before_the_numbers_and_beside_them(small: Comparison, page: str) -> None:
    note = "Estimated from peak figures of Jetson AGX Xavier; nothing was measured."
    networks = tuple(replace(network, measured=None) for network in small.networks)
    runtime = {"name": "roofline", "versions": {}, "threads": None, "options": {"peaks from": "a datasheet"}}
    estimated = replace(small, runtime=runtime, networks=networks, reference_networks=(), problems=(note,))
    text = visible(render_report(estimated))
    assert text.count(note) == 1, "the problems need not say it again"
    assert text.index(note) < text.index("The networks")
    assert "Problems" not in text
    assert text.count("Latencies here are estimated from peak figures, not measured.") == 3
    assert "What was estimated, from what" in text
    assert "a datasheet" in text
    assert "peak figures" not in visible(page)


def test_whatever_the_data_says_is_text(small: Comparison) -> None:
    ours, theirs = small.networks
    evil = replace(
        small,
        device={"name": EVIL, EVIL: {EVIL: EVIL}},
        runtime={"name": EVIL},
        space=EVIL,
        data=EVIL,
        created_at=EVIL,
        unit_names=(EVIL, *small.unit_names[1:]),
        candidates=((EVIL, *small.candidates[0][1:]), *small.candidates[1:]),
        networks=(
            replace(ours, name=EVIL, architecture=(EVIL, *ours.architecture[1:]), class_iou={EVIL: 0.5}),
            replace(theirs, name=EVIL, measured=None, failure=EVIL),
        ),
        rank_correlation={EVIL: 0.5},
        problems=(EVIL,),
        commands=(EVIL,),
    )
    page = render_report(evil)
    parsed = outline(page)
    assert "script" not in parsed.seen
    assert parsed.open == []
    assert "<script" not in page
    assert EVIL in unescape(page)


@pytest.mark.parametrize("count", [0, 1])
def test_few_networks_and_nothing_else(small: Comparison, count: int) -> None:
    bare = replace(
        small,
        networks=tuple(
            replace(network, measured=None, miou=None, class_iou=None) for network in small.networks[:count]
        ),
        reference_networks=(),
        rank_correlation=None,
        commands=(),
        device={},
    )
    page = render_report(bare)
    assert outline(page).open == []
    assert "Not recorded." in page
    assert "Accuracy by class" not in page


def test_a_failure_is_told_at_the_top_and_in_the_table(small: Comparison) -> None:
    ours, theirs = small.networks
    broken = replace(ours, measured=None, failure="TensorRT: no engine was built")
    text = visible(render_report(replace(small, networks=(broken, theirs))))
    assert text.count("TensorRT: no engine was built") == 2
    assert "failed" in text


def test_the_same_comparison_gives_the_same_page_in_a_file_too(small: Comparison, tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"
    write_report(small, path)
    assert path.read_text(encoding="utf-8") == render_report(small)
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("package", ["jinja2", "matplotlib"])
def test_a_missing_package_is_named_with_what_to_do(
    small: Comparison, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(NotAvailable, match=r"pip install 'paceline\[report\]'") as caught:
        render_report(small)
    assert package in str(caught.value)


def test_the_report_is_imported_without_either() -> None:
    code = "import sys, paceline.report; sys.exit(bool({'jinja2', 'matplotlib'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_browser_shows_it(page: str, tmp_path: Path) -> None:
    assert CHROMIUM is not None
    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")
    offline = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"]
    once = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={tmp_path / 'profile'}"]
    command = [CHROMIUM, *once, *offline, "--window-size=1100,3000", "--dump-dom", path.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
    assert "latency-searched runs in" in shown
    assert shown.count("<svg ") == page.count("<svg ")
    assert shown.count("<text ") == page.count("<text ")
