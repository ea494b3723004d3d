"""The report: one HTML page that needs nothing but a browser."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devices import NotAvailable
from paceline.report import finding, rows, wording
from paceline.report.palette import network_styles
from search import Comparison

if TYPE_CHECKING:
    from jinja2 import Template

_TEMPLATE = "page.html"


def render_report(comparison: Comparison) -> str:
    """The report on a comparison as one HTML page.

    The page makes no request to anywhere: styles and figures are inside it. The same comparison gives the same
    page, byte for byte.

    Args:
        comparison: what was searched, predicted and measured.

    Returns:
        An HTML document.

    Raises:
        NotAvailable: jinja2 or matplotlib is not installed.
    """
    template = _template()
    return template.render(**_words(comparison), **_figures(comparison))


def write_report(comparison: Comparison, path: Path) -> None:
    """Write the report on a comparison to a file, making the folder if need be.

    Args:
        comparison: what was searched, predicted and measured.
        path: the HTML file to write; one that is there is replaced.

    Raises:
        NotAvailable: jinja2 or matplotlib is not installed.
    """
    page = render_report(comparison)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")


def _template() -> Template:
    try:
        import matplotlib as mpl  # noqa: F401
        from jinja2 import Environment, StrictUndefined
    except ImportError as error:
        raise NotAvailable(
            f"A report needs jinja2 and matplotlib, and {error.name} is not installed. "
            "Run: pip install 'paceline[report]'"
        ) from error
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(files("paceline.report").joinpath(_TEMPLATE).read_text(encoding="utf-8"))


def _words(comparison: Comparison) -> dict[str, Any]:
    headline, *others = finding.findings(comparison)
    return {
        "device": wording.device_name(comparison),
        "comparison": comparison,
        "estimated": wording.estimated_note(comparison),
        "headline": headline,
        "other_findings": others,
        "problems": rows.problems(comparison),
        "rows": rows.table_rows(comparison),
        "device_facts": rows.device_facts(comparison),
        "runtime_facts": rows.facts(comparison.runtime),
        "setting": rows.setting(comparison),
    }


def _figures(comparison: Comparison) -> dict[str, Any]:
    # They import matplotlib, which a machine that only measures need not have.
    from paceline.report.architecture_plot import architecture_plot
    from paceline.report.class_plot import class_plot
    from paceline.report.heat_maps import heat_maps, marked_networks
    from paceline.report.macs_plot import macs_notes, macs_plot
    from paceline.report.prediction_plot import prediction_notes, prediction_plot

    colours = dict(zip(map(id, comparison.networks), network_styles(comparison.networks), strict=True))
    return {
        "prediction": prediction_plot(comparison),
        "prediction_notes": prediction_notes(comparison),
        "cost": heat_maps(comparison),
        "marked": [(network.name, colours[id(network)].colour) for network in marked_networks(comparison)],
        "macs": macs_plot(comparison),
        "macs_notes": macs_notes(comparison),
        "architectures": architecture_plot(comparison),
        "classes": class_plot(comparison),
    }
