"""Figures and their style. Each function takes data and `ax=None`, draws, and returns the Axes, or a Figure of small
multiples. No function reads files, or saves or shows the figure.

Colours are Paul Tol's "medium contrast" scheme (SRON technical note SRON/EPS/TN/09-002), which colour-blind readers can
tell apart, also in grey print. Series also differ in marker and line. A `$` in a text does not begin a formula.
"""

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ParamSpec, TypeVar

import matplotlib
import matplotlib.axes
import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import UInt8

COLOURS = ("#004488", "#994455", "#997700", "#6699cc", "#ee99aa", "#eecc66")
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (8, 2)))
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
    """Load matplotlib's backend, once.

    If it were loaded inside a styled function, the end of the style would also end a notebook's interactive mode: only
    the first figure would be shown.
    """
    plt.switch_backend(matplotlib.get_backend())


def styled(draw: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """A decorator: the style holds only inside the function."""

    @functools.wraps(draw)
    def drawn(*arguments: _Parameters.args, **options: _Parameters.kwargs) -> _Result:
        choose_backend()
        with matplotlib.rc_context(STYLE):
            return draw(*arguments, **options)

    return drawn


def axes(ax: matplotlib.axes.Axes | None, width: float, height: float) -> matplotlib.axes.Axes:
    """`ax`, or the Axes of a new figure of the given size in inches."""
    return plt.subplots(figsize=(width, height), layout="constrained")[1] if ax is None else ax


def small_multiples(
    count: int, columns: int, width: float, height: float, **options: Any
) -> tuple[matplotlib.figure.Figure, list[matplotlib.axes.Axes]]:
    """A figure of `count` Axes in rows of at most `columns`, each `width` by `height` inches; at least one.

    `options` are those of `plt.subplots`, such as `sharey`.
    """
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
    """Images in rows of `columns`, each above its label.

    Args:
        images: uint8 [n, height, width, 3], n at least 1.
        labels: n texts, or None.
        ax: the Axes to draw on; a new figure if None.
        columns: images in a row, at least 1; fewer where there are fewer images.

    Raises:
        ValueError: images of another type or shape, or another number of labels.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3 or not len(images):
        raise ValueError(f"Expected images: uint8 [n, height, width, 3]. Received: {images.dtype} {images.shape}")
    if labels is not None and len(labels) != len(images):
        raise ValueError(f"Expected {len(images)} labels, one per image. Received: {len(labels)}")
    count, height, width, _ = images.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    lines = 0 if labels is None else max(label.count("\n") + 1 for label in labels)
    tile_height, tile_width = height + 2 + lines * height // 4, width + 2
    canvas = np.full((rows * tile_height, columns * tile_width, 3), 255, np.uint8)
    ax = axes(ax, 0.75 * columns, 0.75 * rows * tile_height / tile_width)
    for index, image in enumerate(images):
        top, left = index // columns * tile_height, index % columns * tile_width
        canvas[top : top + height, left : left + width] = image
        if labels is not None:
            ax.text(left + width / 2, top + height + 1, labels[index], ha="center", va="top", fontsize=7)
    ax.imshow(canvas, interpolation="none")  # "none": vector files hold the pixels as they are
    ax.set_axis_off()
    return ax


def looks() -> Iterator[dict[str, Any]]:
    """An endless series of looks: colour, marker and dashes of the first line, the second, and so on.

    When the colours are used up they come again with other markers: 36 looks differ.
    """
    kinds = list(zip(MARKERS, DASHES, strict=True))
    for number in itertools.count():
        marker, dashes = kinds[(number + number // len(COLOURS)) % len(kinds)]
        yield {"color": COLOURS[number % len(COLOURS)], "marker": marker, "linestyle": dashes}
