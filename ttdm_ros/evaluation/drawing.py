"""Drawing for a page that may be light or dark: SVG without background, in the text colour of the page."""

import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

# Readable on white and on near black; from the palette of Okabe and Ito, the darkest ones lightened.
BLUE, ORANGE, GREEN, RED, VIOLET, SKY, GREY = (
    "#2f86d1",
    "#e08a1e",
    "#1f9e77",
    "#d6513c",
    "#a86bc4",
    "#4fb3d9",
    "#8a8f98",
)
_INK = "#010203"  # stands for the text colour of the page
_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",  # texts stay texts
    "svg.hashsalt": "ttdm_ros",  # the same data give the same file
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": GREY,
    "axes.titlecolor": _INK,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "axes.grid": True,
    "grid.color": GREY,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "lines.linewidth": 1.1,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "figure.dpi": 72,
}


class Canvas:
    """A figure in the style of the report; use it in a ``with`` block, then ask for its ``svg``."""

    def __init__(self, width: float, height: float, *, with_png: bool = False) -> None:
        """Make a figure of so many inches; a page is about 11 wide."""
        self._with_png = with_png
        self._style = mpl.rc_context(_STYLE)
        self._size = (width, height)

    def __enter__(self) -> Figure:
        """Return the figure to draw into."""
        self._style.__enter__()
        self._figure = Figure(figsize=self._size, layout="constrained")
        return self._figure

    def __exit__(self, *error: Any) -> None:
        """Render, unless drawing failed."""
        try:
            if error[0] is None:
                self._svg = _render(self._figure)
                self._png = _render_png(self._figure) if self._with_png else b""
        finally:
            self._style.__exit__(*error)

    def svg(self, name: str) -> str:
        """Return an SVG element for a page; ``name`` keeps the ids of several figures apart."""
        text = self._svg[self._svg.index("<svg") :].replace(_INK, "currentColor")
        text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
        text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", text)
        return re.sub(r'<svg ([^>]*?)width="[^"]*" height="[^"]*"', r"<svg \1", text, count=1)

    @property
    def png(self) -> bytes:
        """The figure on white, if it was asked for."""
        return self._png


def _render_png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_figure(buffer, format="png", dpi=110, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


def _render(figure: Figure) -> str:
    buffer = io.StringIO()
    FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def thin(t: np.ndarray, y: np.ndarray, bins: int = 700) -> tuple[np.ndarray, np.ndarray]:
    """Return fewer points (m,) of a curve (n,) that look the same: the lowest and the highest of every bin."""
    if len(t) <= 2 * bins:
        return t, y
    kept = set()
    filled = np.where(np.isfinite(y), y, 0.0)
    for part in np.array_split(np.arange(len(t)), bins):
        kept |= {int(part[np.argmin(filled[part])]), int(part[np.argmax(filled[part])])}
    rows = np.array(sorted({0, len(t) - 1} | kept))
    return t[rows], y[rows]


def curve(axes: Axes, t: np.ndarray, y: np.ndarray, *, bins: int = 700, **style: Any) -> None:
    """Draw a curve, thinned."""
    axes.plot(*thin(t, y, bins), **style)


def small_multiples(figure: Figure, names: Sequence[str]) -> list[Axes]:
    """Return one pair of axes a joint, in rows of four, and at the end one without axes that has room for a legend."""
    grid = figure.subplots(2, 4, sharex=True).ravel().tolist()
    for axes, name in zip(grid, names, strict=False):
        axes.set_title(name, loc="left")
    for axes in grid[len(names) :]:
        axes.set_axis_off()
    for axes in grid[: len(names)]:
        axes.tick_params(labelbottom=True)
    figure.supxlabel("time [s]", fontsize=9)
    return grid
