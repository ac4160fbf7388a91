"""Figures and their style. Each function takes data and `ax=None`, draws, and returns the Axes, or a Figure of small
multiples. No function reads files, or saves or shows the figure.

Colours are Paul Tol's "medium contrast" scheme (SRON technical note SRON/EPS/TN/09-002), which colour-blind readers can
tell apart, also in grey print. Series also differ in marker and line. A `$` in a text does not begin a formula.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import matplotlib
import matplotlib.artist
import matplotlib.axes
import matplotlib.axis
import matplotlib.figure
import matplotlib.font_manager
import matplotlib.pyplot as plt
import matplotlib.text
import numpy as np
from jaxtyping import Int, UInt8

COLOURS = ("#004488", "#994455", "#997700", "#6699cc", "#ee99aa", "#eecc66")
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (8, 2)))
LOOKS: tuple[dict[str, Any], ...] = tuple(
    {"color": COLOURS[place], "marker": MARKERS[(place + turn) % 6], "linestyle": DASHES[(place + turn) % 6]}
    for turn in range(6)
    for place in range(6)
)
"""Looks of lines: when the colours are used up they come again with other markers and dashes."""
INK = "#222222"
GREY = "#8a8a8a"

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")

STYLE: dict[Any, Any] = {
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.linewidth": 0.8,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.8,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "legend.frameon": False,
    "xtick.color": INK,
    "ytick.color": INK,
}


@functools.cache
def choose_backend() -> None:
    """Load matplotlib's backend, once: if a styled function did, a notebook would show the first figure only."""
    plt.switch_backend(matplotlib.get_backend())


def styled(draw: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """A decorator: the style holds only inside the function, and texts have no characters that the font lacks."""

    @functools.wraps(draw)
    def drawn(*arguments: _Parameters.args, **options: _Parameters.kwargs) -> _Result:
        choose_backend()
        with matplotlib.rc_context(STYLE):
            drawing = draw(*arguments, **options)
        if isinstance(drawing, matplotlib.artist.Artist):
            for text in drawing.findobj(matplotlib.text.Text):
                text.set_text(printable(text.get_text()))
            for axis in drawing.findobj(matplotlib.axis.Axis):
                names = [label.get_text() for label in axis.get_ticklabels()]
                if names != (kept := list(map(printable, names))):
                    axis.set_ticklabels(kept)
        return drawing

    return drawn


def printable(text: str) -> str:
    """The text with "?" for characters that the font lacks: names of a user's sets and classes may hold any script."""
    return "".join(letter if letter == "\n" or ord(letter) in _letters() else "?" for letter in text)


@functools.cache
def _letters() -> frozenset[int]:
    font = matplotlib.font_manager.get_font(matplotlib.font_manager.findfont("DejaVu Sans"))
    return frozenset(font.get_charmap())


def axes(ax: matplotlib.axes.Axes | None, width: float, height: float) -> matplotlib.axes.Axes:
    """`ax`, or the Axes of a new figure of the given size in inches."""
    return plt.subplots(figsize=(width, height), layout="constrained")[1] if ax is None else ax


def small_multiples(
    count: int, columns: int, width: float, height: float, **options: Any
) -> tuple[matplotlib.figure.Figure, list[matplotlib.axes.Axes]]:
    """A figure of `count` Axes of so many inches in rows of at most `columns`; `options` as of `plt.subplots`."""
    columns = min(columns, count)
    rows = -(-count // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(width * columns, height * rows), layout="constrained", squeeze=False, **options
    )
    for spare in grid.flat[count:]:
        spare.remove()
    return figure, list(grid.flat[:count])


@styled
def image_grid(
    images: UInt8[np.ndarray, "n height width 3"],
    labels: Sequence[str] | None = None,
    ax: matplotlib.axes.Axes | None = None,
    columns: int = 10,
) -> matplotlib.axes.Axes:
    """Images, at least one, in rows of at most `columns`, each above its label if there are labels."""
    count, height, width, _ = images.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    lines = 0 if labels is None else max(label.count("\n") + 1 for label in labels)
    tile_height, tile_width = height + 2 + lines * height // 4, width + 2
    canvas = np.full((rows * tile_height, columns * tile_width, 3), 255, np.uint8)
    ax = axes(ax, 0.75 * columns, 0.75 * rows * tile_height / tile_width)
    for index, (image, label) in enumerate(zip(images, labels or [""] * count, strict=True)):
        top, left = index // columns * tile_height, index % columns * tile_width
        canvas[top : top + height, left : left + width] = image
        if label:
            ax.text(left + width / 2, top + height + 1, label, ha="center", va="top", fontsize=7)
    ax.imshow(canvas, interpolation="none")  # "none": vector files hold the pixels as they are
    ax.set_axis_off()
    return ax


def class_examples(
    images: UInt8[np.ndarray, "n 32 32 3"],
    labels: Int[np.ndarray, " n"],
    class_names: Sequence[str],
    count: int = 6,
    ax: matplotlib.axes.Axes | None = None,
) -> matplotlib.axes.Axes:
    """At most `count` rows of images; each column has the first images of a class."""
    count = min([count, *np.bincount(labels)[: len(class_names)]])
    rows = [np.flatnonzero(labels == label)[:count] for label in range(len(class_names))]
    chosen = np.transpose(rows).ravel()
    return image_grid(images[chosen], [class_names[label] for label in labels[chosen]], ax, len(class_names))
