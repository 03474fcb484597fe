"""One look for every picture: colours, sizes, and SVG that is the same bytes for the same data.

Colours are Okabe and Ito's (2008), told apart by those who see fewer colours, on light and on dark pages.
"""

import io
from contextlib import contextmanager
from typing import Any

from gpuvc.errors import UsageError

BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW, GREY = (
    "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#f0e442", "#8c959f",
)  # fmt: skip
CALLERS = {"gpuvc": BLUE, "gpuvc, pileup": SKY, "bcftools": GREY, "freebayes": ORANGE, "gatk": RED}
BASE_COLOURS = {"A": GREEN, "C": BLUE, "G": ORANGE, "T": RED, "N": GREY}
_STYLE: Any = {
    "svg.hashsalt": "gpuvc",  # names inside the file; Matplotlib draws them otherwise
    "svg.fonttype": "none",  # text stays text: small, searchable, in the reader's font
    "font.family": "sans-serif",
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#8c959f55",
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "figure.dpi": 100,
    "savefig.bbox": "tight",
}


def require_matplotlib(what):
    """Raise UsageError where Matplotlib is missing; `what` needs it. Call it before any work."""
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        raise UsageError(f"{what}: found no Matplotlib, expected it for pictures. pip install 'gpuvc[plots]'")


@contextmanager
def figure(width=6.0, height=3.0, rows=1, columns=1, **subplots):
    """A new Matplotlib figure of `width` x `height` inches in gpuvc's look → (figure, axes); it is in no window and needs no closing.

    Draw and save inside the `with` block: the look is Matplotlib's setting only there.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        drawn = Figure(figsize=(width, height), layout="constrained")
        yield drawn, drawn.subplots(rows, columns, **subplots)


def svg(drawn, transparent=True) -> str:
    """The figure as an <svg> element, without the prologue that a file of its own has; the same text for the same figure."""
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context(_STYLE):
        drawn.savefig(buffer, format="svg", transparent=transparent, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def image(drawn, suffix) -> bytes:
    """The figure as the bytes of a .png (150 dots per inch) or .svg file."""
    import matplotlib as mpl

    if suffix == ".svg":
        return ('<?xml version="1.0" encoding="utf-8"?>\n' + svg(drawn, transparent=False)).encode()
    buffer = io.BytesIO()
    with mpl.rc_context(_STYLE):
        drawn.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    return buffer.getvalue()
