"""Figures of data, accuracies and training, and the style of all: each function takes data and `ax=None`, draws, and
returns the Axes; none reads, saves or shows.

Colours are Paul Tol's "medium contrast" scheme (SRON technical note SRON/EPS/TN/09-002), made to stay apart for
colour-blind readers and in grey print; every series also differs in its marker and its line.
"""

import itertools
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import matplotlib.ticker
import numpy as np

COLOURS = ("#004488", "#994455", "#997700", "#6699cc", "#ee99aa", "#eecc66")
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (8, 2)))
INK = "#222222"

STYLE: dict[Any, Any] = {
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "font.size": 9,
    "text.color": INK,
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
# Choose the backend now: chosen inside a styled function, a notebook's interactive mode would end with the style, and
# only the first figure would be shown.
plt.switch_backend(matplotlib.get_backend())
styled = matplotlib.rc_context(STYLE)  # a decorator: the style holds inside the function and nowhere else


def axes(ax, width, height):
    """`ax`, or the Axes of a new figure of the given size in inches."""
    return plt.subplots(figsize=(width, height), layout="constrained")[1] if ax is None else ax


@styled
def image_grid(images, labels=None, ax=None, columns=10):
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


def accuracy_intervals(accuracies, ax=None):
    """Accuracy in percent with its interval: a line per model, a mark per test set.

    Args:
        accuracies: DataFrame with the columns `label` (of the model), `test_set`, and `accuracy`, `low`, `high`,
            fractions; at least one row.
        ax: the Axes to draw on; a new figure if None.
    """
    ax = _interval_rows(accuracies, "accuracy", ax)
    ax.set_xlabel("accuracy, %")
    return ax


def gaps(differences, ax=None):
    """Points of accuracy lost from a model's own test set to others, with intervals, and a line at no loss.

    Args:
        differences: DataFrame with the columns `label` (of the model), `test_set` (the other one), and `gap`, `low`,
            `high`, fractions; at least one row.
        ax: the Axes to draw on; a new figure if None.
    """
    ax = _interval_rows(differences, "gap", ax)
    ax.axvline(0, color=INK, linewidth=0.8, zorder=1)
    ax.set_xlabel("accuracy lost, percentage points")
    return ax


@styled
def _interval_rows(table, value, ax):
    """A row per `label`, in order, from the top; in it a mark per `test_set`, slightly apart, with its interval."""
    rows, test_sets = list(dict.fromkeys(table["label"])), sorted(set(table["test_set"]))
    spread = 0.14 * min(1, 4 / len(test_sets))  # between the marks of one row, whose rows are 1 apart
    lines = max(label.count("\n") + 1 for label in rows)
    ax = axes(ax, 7, 0.9 + len(rows) * max(0.2 * lines, 0.1 * len(test_sets)))
    for index, (test_set, line) in enumerate(zip(test_sets, looks(), strict=False)):
        part = table[table["test_set"] == test_set]
        middle = 100 * part[value]
        ax.errorbar(
            middle,
            [rows.index(label) + spread * (index - (len(test_sets) - 1) / 2) for label in part["label"]],
            xerr=[middle - 100 * part["low"], 100 * part["high"] - middle],
            **line | {"linestyle": "none"},
            elinewidth=1.2,
            label=test_set,
        )
    ax.set_yticks(range(len(rows)), rows)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(axis="x")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=min(len(test_sets), 4), borderaxespad=0.2)
    return ax


@styled
def training_curves(histories, quantity="accuracy", ax=None):
    """A quantity of the training, epoch by epoch, a line per run.

    Args:
        histories: label → DataFrame of a run's history.csv, with the columns `epoch` and `quantity`.
        quantity: "accuracy" (of the augmented training images, drawn in percent), "loss" or another column.
        ax: the Axes to draw on; a new figure if None.
    """
    ax = axes(ax, 5, 3)
    for (label, history), line in zip(histories.items(), looks(), strict=False):
        scale = 100 if quantity == "accuracy" else 1
        ax.plot(history["epoch"], scale * history[quantity], label=label, **line)
    ax.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
    ax.set_xlabel("epoch")
    ax.set_ylabel("training accuracy, %" if quantity == "accuracy" else quantity.replace("_", " "))
    ax.grid(axis="y")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)
    return ax


def looks():
    """The looks of the first line, the second, …: colour, marker and dashes, without end."""
    return itertools.cycle(
        {"color": colour, "marker": marker, "linestyle": dashes}
        for colour, marker, dashes in zip(COLOURS, MARKERS, DASHES, strict=True)
    )
