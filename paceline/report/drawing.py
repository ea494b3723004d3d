"""From a matplotlib figure to SVG that can stand inside an HTML page.

Figures are laid out in CSS pixels: matplotlib's SVG has one unit per point, and the page shows one unit as one
pixel at full width. Text stays text (``svg.fonttype`` none): it can be searched, copied and read aloud, takes a
fifth of the space of outlines, and follows the font of the page. Layout is measured with DejaVu Sans, which
matplotlib ships and which is wider than any font the page asks for, so nothing that fits here overflows there.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from io import StringIO
from typing import Any

from matplotlib import rc_context, style
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from paceline.report.palette import INK, MUTED, RULE

_POINTS_PER_INCH = 72

# At seven tenths the labels of 11 pixels are near 8, the least that is legible on a phone.
_LEAST_SCALE = 0.7

_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 12,
    "text.color": INK,
    # A network or device may have a dollar sign in its name; it is no formula.
    "text.parse_math": False,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.use_mathtext": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#eceef1",
    "grid.linewidth": 1,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "hatch.linewidth": 1.2,
    "legend.frameon": False,
    "legend.fontsize": 11,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


@dataclass(frozen=True)
class Drawing:
    """A figure ready for the page.

    Attributes:
        name: unique on the page; prefixes every id of the SVG.
        svg: the markup, an ``svg`` element.
        alternative: what the figure shows, for those who do not see it.
        width_px: the width it was laid out for, beyond which it is not stretched.
        least_px: the width below which its text is too small; a narrower screen scrolls.
    """

    name: str
    svg: str
    alternative: str
    width_px: int
    least_px: int


def draw(name: str, size_px: tuple[int, int], paint: Callable[[Figure], None], alternative: str) -> Drawing:
    """Make a figure and turn it into inline SVG, the same markup for the same input.

    Args:
        name: unique on the page, letters and dashes.
        size_px: width and height in CSS pixels.
        paint: draws on the empty figure.
        alternative: what the figure shows, in words.

    Returns:
        The figure as markup. Settings of the user's matplotlib do not change it, nor does it change them.
    """
    width, height = size_px
    out = StringIO()
    with rc_context(), warnings.catch_warnings():
        style.use(["default", {**_STYLE, "svg.hashsalt": name}])
        # The reader's browser has the fonts for a name in Korean; that the measuring font has not is no matter.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure = Figure(figsize=(width / _POINTS_PER_INCH, height / _POINTS_PER_INCH))
        FigureCanvasSVG(figure)
        paint(figure)
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return Drawing(
        name, _inline(out.getvalue(), name, size_px, alternative), alternative, width, round(width * _LEAST_SCALE)
    )


def place(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place given in pixels from the top left corner, as on the page."""
    across, down = (float(side) * _POINTS_PER_INCH for side in figure.get_size_inches())
    return figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))


def _inline(document: str, name: str, size_px: tuple[int, int], alternative: str) -> str:
    """The ``svg`` element alone, with ids that are unique on the page and without rules for the page around it."""
    body = document[document.index("<svg") :]
    body = body[body.index(">") + 1 :]
    body = re.sub(r"<style\b.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r"<metadata\b.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", body)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
        f'viewBox="0 0 {size_px[0]} {size_px[1]}" aria-label="{escape(alternative, quote=True)}">'
    )
    return head + body.strip()
