"""Figures and their style. Each function takes data and `ax=None`, draws, and returns the Axes, or a Figure of small
multiples. No function reads files, or saves or shows the figure.

The import sets matplotlib's style (`style.mplstyle`), so that what a reader adds to a figure looks like the rest of it.
Colours are Paul Tol's "medium contrast" scheme (SRON technical note SRON/EPS/TN/09-002), which colour-blind readers can
tell apart, also in grey print. Series also differ in marker and line.
"""

import itertools
import pathlib
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.axes
import matplotlib.figure
import matplotlib.pyplot as plt
import matplotlib.ticker
import numpy as np
import pandas as pd
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

plt.style.use(pathlib.Path(__file__).with_name("style.mplstyle"))
warnings.filterwarnings("ignore", "Glyph .* missing from font")  # of a user's sets and classes


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
    """At most `count` rows of images; each column has the first images of a class that has images."""
    shown, sizes = np.unique(labels[labels < len(class_names)], return_counts=True)
    rows = [np.flatnonzero(labels == label)[: min(count, *sizes)] for label in shown]
    chosen = np.transpose(rows).ravel()
    return image_grid(images[chosen], [class_names[label] for label in labels[chosen]], ax, len(shown))


def training_curves(
    histories: Mapping[str, Sequence[pd.DataFrame]], order: Sequence[str] = (), ax: matplotlib.axes.Axes | None = None
) -> matplotlib.axes.Axes:
    """Accuracy on the augmented training images by epoch: the mean of each label's runs, and a band of their range.

    Args:
        histories: label → histories of one or more runs, with the columns `epoch` and `accuracy`.
        order: labels; a label's look follows from its place in this list, so that it is the same in several Axes.
        ax: the Axes to draw on, without a legend; a new figure with one if None.
    """
    is_alone, chosen = ax is None, dict(zip(dict.fromkeys([*order, *histories]), itertools.cycle(LOOKS), strict=False))
    ax = axes(ax, 5, 3)
    for label, runs in histories.items():
        by_epoch = 100 * pd.concat(runs).groupby("epoch")["accuracy"].agg(["mean", "min", "max"])
        ax.plot(by_epoch.index, by_epoch["mean"], label=label, **chosen[label] | {"markersize": 3})
        if len(runs) > 1:
            colour = chosen[label]["color"]
            ax.fill_between(by_epoch.index, by_epoch["min"], by_epoch["max"], color=colour, alpha=0.2, linewidth=0)
    ax.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
    ax.set(xlabel="epoch", ylabel="training accuracy, %")
    ax.grid(axis="y")
    if is_alone:
        ax.legend(fontsize=7)
    return ax


def all_training_curves(panels: Mapping[str, Mapping[str, Sequence[pd.DataFrame]]]) -> matplotlib.figure.Figure | None:
    """`training_curves` as small multiples, title → histories, with one legend; None without any."""
    if not panels:
        return None
    order = list(dict.fromkeys(label for histories in panels.values() for label in histories))
    figure, grid = small_multiples(len(panels), 4, 2.6, 1.9, sharey=True)
    lines: dict[str, Any] = {}
    for ax, (title, histories) in zip(grid, panels.items(), strict=True):
        training_curves(histories, order, ax).set_title(title, fontsize=8)
        lines |= dict(zip(*ax.get_legend_handles_labels()[::-1], strict=True))
        ax.set(ylabel="")
    figure.supylabel("training accuracy, %", fontsize=9)
    figure.legend([lines[label] for label in order], order, fontsize=7, loc="outside lower center", ncols=3)
    return figure
