"""Figures of the shift analysis, in the style of `plots`: each takes data and `ax=None`, and returns the Axes."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy.optimize
from jaxtyping import Int, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from autoaug.plots import COLOURS, INK, axes, image_grid, looks, small_multiples, styled
from autoaug.shift.contrasts import Cells


@dataclasses.dataclass(frozen=True)
class Panel:
    """One picture of small multiples: its title, the four accuracies as `Estimate`s, and the looks of A and of B."""

    title: str
    cells: Cells
    looks: tuple[dict[str, Any], dict[str, Any]]


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
