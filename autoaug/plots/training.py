"""Figures of the training, in the style of `plots`."""

from collections.abc import Mapping, Sequence

import matplotlib.axes
import matplotlib.figure
import matplotlib.ticker
import pandas as pd

from autoaug.plots import axes, looks, small_multiples, styled

_MOST_LINES = 10  # of one label; more would run together


@styled
def training_curves(
    histories: Mapping[str, Sequence[pd.DataFrame]],
    quantity: str = "accuracy",
    order: Sequence[str] = (),
    ax: matplotlib.axes.Axes | None = None,
) -> matplotlib.axes.Axes:
    """A quantity of the training by epoch: for each label a thin line for each run, and a thick line for their mean.

    With more than ten runs, a band from the lowest to the highest value replaces the thin lines.

    Args:
        histories: label → histories of one or more runs, with the columns `epoch` and `quantity`.
        quantity: "accuracy" (on the augmented training images, drawn in percent), "loss" or another column.
        order: labels; a label's look follows from its place in this list, so that it is the same in several Axes.
        ax: the Axes to draw on; a new figure if None.
    """
    ax = axes(ax, 5, 3)
    scale = 100 if quantity == "accuracy" else 1
    chosen = dict(zip(dict.fromkeys([*order, *histories]), looks(), strict=False))
    ends: list[tuple[float, str, str]] = []
    for label, runs in histories.items():
        by_epoch, colour = pd.concat(runs).groupby("epoch")[quantity], chosen[label]["color"]
        mean = by_epoch.mean()
        if len(runs) > _MOST_LINES:
            ax.fill_between(mean.index, scale * by_epoch.min(), scale * by_epoch.max(), color=colour, alpha=0.2, lw=0)
        for run in runs if 1 < len(runs) <= _MOST_LINES else ():
            ax.plot(run["epoch"], scale * run[quantity], color=colour, linewidth=0.6, alpha=0.5)
        ax.plot(mean.index, scale * mean, label=label, **chosen[label] | {"markersize": 3})
        ends.append((scale * mean.iloc[-1], label, colour))
    ax.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
    ax.set_xlabel("epoch")
    ax.set_ylabel("training accuracy, %" if quantity == "accuracy" else quantity.replace("_", " "))
    ax.grid(axis="y")
    _label(ax, ends)
    return ax


def _label(ax: matplotlib.axes.Axes, ends: Sequence[tuple[float, str, str]]) -> None:
    """Write the labels in the lower right corner, in the order of the lines' ends (height, label, colour)."""
    for place, (_, label, colour) in enumerate(sorted(ends)):
        ax.annotate(
            label, (1, 0), (-3, 4 + 9 * place), "axes fraction", textcoords="offset points", ha="right", color=colour,
            fontsize=7, bbox={"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 0.5},
        )  # fmt: skip


@styled
def all_training_curves(
    panels: Mapping[str, Mapping[str, Sequence[pd.DataFrame]]], quantity: str = "accuracy"
) -> matplotlib.figure.Figure:
    """`training_curves` as small multiples, one for each training set; a label has the same look in all.

    Args:
        panels: title → `histories` of `training_curves`, at least one.
        quantity: as there.
    """
    order = list(dict.fromkeys(label for histories in panels.values() for label in histories))
    height = 1.3 + 0.14 * max(len(histories) for histories in panels.values())
    figure, grid = small_multiples(len(panels), 3, 3.1, max(1.9, height), sharey=True)
    for ax, (title, histories) in zip(grid, panels.items(), strict=True):
        training_curves(histories, quantity, order, ax)
        ax.set_title(title, fontsize=9)
    for ax in grid:
        ax.label_outer(remove_inner_ticks=False)
    return figure
