"""How figures look, and how they become SVG; of benchmarks and of trainings."""

import io
from typing import Any, Final, NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure

INK: Final = "#1f4e79"
ACCENT: Final = "#c55a11"
PALE: Final = "#9dc3e6"
GREEN: Final = "#548235"
GREY: Final = "#7f7f7f"

_SIZE: Final = (7.5, 4.2)


class Drawn(NamedTuple):
    """A figure: the name of its file, what it shows, and the drawing as SVG."""

    name: str
    title: str
    svg: str


def axes(x: str, y: str = "") -> tuple[Figure, Any]:
    """A figure with one pair of axes."""
    figure = Figure(figsize=_SIZE, layout="constrained")
    pair = figure.add_subplot()
    dress(pair, x, y)
    return figure, pair


def dress(pair: Any, x: str, y: str = "") -> None:
    """Names axes, and takes away what no one reads."""
    pair.set_xlabel(x)
    pair.set_ylabel(y)
    pair.spines[["top", "right"]].set_visible(False)


def svg(figure: Figure) -> str:
    """The drawing, without what an HTML page does not take. Equal figures give equal texts."""
    text = io.StringIO()
    # Without date and with a fixed salt, equal results give equal files.
    with mpl.rc_context({"svg.hashsalt": "sigmaforge", "svg.fonttype": "none"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    found = text.getvalue()
    return found[found.index("<svg") :]
