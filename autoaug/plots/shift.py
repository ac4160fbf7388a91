"""Figures of the shift analysis, in the style of `plots`: each takes data and `ax=None`, and returns the Axes."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.optimize
from jaxtyping import Int, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from autoaug.plots import COLOURS, GREY, INK, NAMED, axes, image_grid, looks, small_multiples, styled
from autoaug.shift.contrasts import Cells
from autoaug.shift.line_fit import SCALES, Line


@dataclasses.dataclass(frozen=True)
class Panel:
    """One picture of small multiples: its title, the four accuracies as `Estimate`s, and the looks of A and of B."""

    title: str
    cells: Cells
    looks: tuple[dict[str, Any], dict[str, Any]]


@styled
def old_against_new(
    old: pd.DataFrame,
    new: pd.DataFrame,
    line: Line | None = None,
    highlighted: Mapping[str, Sequence[str]] | None = None,
    scale: str = "linear",
    names: tuple[str, str] = ("old", "new"),
    ax: Axes | None = None,
) -> Axes:
    """Accuracy on a new test set against accuracy on an old one, in percent, with y = x, a fitted line and its band.

    Args:
        old, new: tables with the index `label` (of the model) and the columns `accuracy`, `low`, `high`, fractions; the
            same labels in both, at least one.
        line: fitted to accuracies, or None.
        highlighted: name in the legend → labels of models drawn in one colour; the others are grey.
        scale: of both axes: "linear", "logit" or "probit".
        names: of the old and of the new test set.
        ax: the Axes to draw on; a new figure if None.
    """
    ax, to = axes(ax, 5.5, 4.6), SCALES[scale][0]
    highlighted = highlighted or {}
    others = [label for label in old.index if not any(label in labels for labels in highlighted.values())]
    _points(ax, old, new, others, GREY, "o", "published models")
    for (name, labels), look in zip(highlighted.items(), looks(), strict=False):
        _points(ax, old, new, list(labels), look["color"], look["marker"], name)
    low, high = np.clip([old["low"].min(), old["high"].max()], 0.001, 0.999)
    grid = np.linspace(low, high, 100)
    ax.plot(100 * grid, 100 * grid, color=INK, linestyle=":", linewidth=1, label="y = x")
    if line is not None:
        slope = "{:.2f} [{:.2f}, {:.2f}]".format(*line.slope)
        label = f"line ({line.scale}), slope {slope}"
        ax.plot(100 * grid, 100 * line.predict(grid), color=INK, label=label)
        low, high = line.band(grid)
        ax.fill_between(100 * grid, 100 * low, 100 * high, color="#d0d0d0", linewidth=0, zorder=0)
    if scale != "linear":
        percent = (lambda value: to(np.clip(value / 100, 1e-4, 1 - 1e-4)), lambda value: 100 * SCALES[scale][1](value))
        ax.set_xscale("function", functions=percent)
        ax.set_yscale("function", functions=percent)
    ax.set_xlabel(f"accuracy on {names[0]}, %")
    ax.set_ylabel(f"accuracy on {names[1]}, %")
    ax.grid()
    ax.legend(loc="upper left", fontsize=8)
    return ax


def _points(
    ax: Axes, old: pd.DataFrame, new: pd.DataFrame, labels: list[str], colour: str, marker: str, legend: str
) -> None:
    """Marks with intervals in both directions; the id of a mark holds its name."""
    if not labels:
        return
    x, y = (100 * table.loc[labels, ["accuracy", "low", "high"]] for table in (old, new))
    xerr, yerr = ([part["accuracy"] - part["low"], part["high"] - part["accuracy"]] for part in (x, y))
    ax.errorbar(
        x["accuracy"], y["accuracy"], xerr=xerr, yerr=yerr, color=colour, linestyle="none", elinewidth=0.8,
        marker=marker, markersize=4, label=legend,
    )  # fmt: skip
    for label, old_value, new_value in zip(labels, x["accuracy"], y["accuracy"], strict=True):
        (mark,) = ax.plot([old_value], [new_value], color=colour, marker=marker, markersize=4, label=f"_{label}")
        mark.set_gid(f"{NAMED}{label}")


@styled
def two_by_two(cells: Cells, chosen: Sequence[dict[str, Any]] = (), ax: Axes | None = None) -> Axes:
    """The four accuracies as two lines, in percent, with intervals: one line for the models of each training set.

    Both lines fall if the reproduction is harder. They cross if it is different, since then each test set is best for
    the models of its own data set.

    Args:
        cells: accuracies AA, AB, BA, BB, each an `Estimate`.
        chosen: looks of the two lines; if empty, the first two of `plots.looks`.
        ax: the Axes to draw on; a new figure if None.
    """
    ax = axes(ax, 3.4, 2.6)
    lines: Sequence[tuple[str, Any, Any]] = (("trained on A", cells.aa, cells.ab), ("trained on B", cells.ba, cells.bb))
    chosen = chosen or list(itertools.islice(looks(), 2))
    for shift, (label, on_a, on_b), look in zip((-0.02, 0.02), lines, chosen, strict=True):
        value, low, high = 100 * np.array([on_a, on_b]).T
        ax.errorbar(
            [shift, 1 + shift], value, yerr=[value - low, high - value], label=label, elinewidth=1.1, capsize=2.5,
            clip_on=False, **look,
        )  # fmt: skip
    bottom, top = ax.get_ylim()
    ax.set_ylim(min(bottom, top - 10), top)  # at least 10 points, so that small differences look small
    places = spread([100 * on_b.value for _, _, on_b in lines], 0.09 * np.ptp(ax.get_ylim()))
    for (label, *_), place, look in zip(lines, places, chosen, strict=True):
        ax.annotate(
            label, (1, place), (9, 0), textcoords="offset points", va="center", fontsize=7.5, color=look["color"],
            annotation_clip=False,
        )  # fmt: skip
    ax.set_xticks([0, 1], ["tested on A", "tested on B"])
    ax.set_xlim(-0.2, 1.2)
    ax.set_ylabel("accuracy, %")
    ax.grid(axis="y")
    return ax


def spread(heights: Sequence[float], least: float) -> list[float]:
    """Heights for the labels of marks: in the same order as the marks, at least `least` apart."""
    order = np.argsort(heights, kind="stable")
    steps = least * np.arange(len(heights))
    places = np.empty(len(heights))
    places[order] = scipy.optimize.isotonic_regression(np.asarray(heights, float)[order] - steps).x + steps
    return places.tolist()


@styled
def all_two_by_two(panels: Sequence[Panel]) -> Figure:
    """`two_by_two` as small multiples, a picture for each pair of data sets.

    Args:
        panels: at least one.
    """
    figure, grid = small_multiples(len(panels), 3, 3.1, 2.6)
    for ax, panel in zip(grid, panels, strict=True):
        two_by_two(panel.cells, panel.looks, ax)
        ax.set_title(panel.title, fontsize=8.5)
    return figure


@styled
def class_gaps(
    gaps: Mapping[int, tuple[float, float, float]],
    names: Sequence[str],
    overall: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The gap of each class in percentage points, with its interval, the largest at the top.

    Args:
        gaps: class → (gap, low, high), fractions, at least one.
        names: of the classes.
        overall: the gap of all classes together, a line; or None.
        ax: the Axes to draw on; a new figure if None.
    """
    order = sorted(gaps, key=lambda label: -gaps[label][0])[:30]
    ax = axes(ax, 5.5, 0.7 + 0.24 * len(order))
    value, low, high = 100 * np.array([gaps[label] for label in order]).T
    rows = np.arange(len(order))
    ax.errorbar(
        value, rows, xerr=[value - low, high - value], color=COLOURS[0], marker="o", linestyle="none", elinewidth=1.2
    )
    ax.axvline(0, color=INK, linewidth=0.8)
    if overall is not None:
        ax.axvline(100 * overall, color=COLOURS[1], linestyle="--", linewidth=1.2, label="all classes")
        ax.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2)
    ax.set_yticks(rows, [names[label] for label in order])
    ax.set_ylim(len(order) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")
    ax.set_xlabel("accuracy lost, percentage points")
    return ax


def hardest_gallery(
    images: UInt8[np.ndarray, "n height width 3"],
    labels: Int[np.ndarray, " n"],
    answers: Int[np.ndarray, "models n"],
    wrong: Int[np.ndarray, " n"],
    names: Sequence[str],
    ax: Axes | None = None,
    columns: int = 8,
) -> Axes:
    """Images that most models get wrong, with class, most frequent answer, and number of models that failed.

    Args:
        images: uint8 [n, height, width, 3], the hardest first.
        labels: int [n], their classes.
        answers: int [models, n], the models' answers.
        wrong: int [n], how many models are wrong.
        names: of the classes.
        ax: the Axes to draw on; a new figure if None.
        columns: images in a row.
    """
    common = [int(np.bincount(column).argmax()) for column in answers.T]
    texts = [
        f"{names[label]}\n→ {names[answer]}\n{count} of {len(answers)}"
        for label, answer, count in zip(labels, common, wrong, strict=True)
    ]
    return image_grid(images, texts, ax=ax, columns=columns)
