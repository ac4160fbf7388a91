"""Figures of the training, in the style of `plots`."""

from collections.abc import Mapping, Sequence
from typing import Any

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
        ax: the Axes to draw on, without a legend; a new figure with one if None.
    """
    is_alone = ax is None
    ax = axes(ax, 5, 3)
    scale = 100 if quantity == "accuracy" else 1
    chosen = dict(zip(dict.fromkeys([*order, *histories]), looks(), strict=False))
    for label, runs in histories.items():
        by_epoch, colour = pd.concat(runs).groupby("epoch")[quantity], chosen[label]["color"]
        mean = by_epoch.mean()
        if len(runs) > _MOST_LINES:
            ax.fill_between(mean.index, scale * by_epoch.min(), scale * by_epoch.max(), color=colour, alpha=0.2, lw=0)
        for run in runs if 1 < len(runs) <= _MOST_LINES else ():
            ax.plot(run["epoch"], scale * run[quantity], color=colour, linewidth=0.6, alpha=0.5)
        ax.plot(mean.index, scale * mean, label=label, **chosen[label] | {"markersize": 3})
    ax.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
    ax.set_xlabel("epoch")
    ax.set_ylabel("training accuracy, %" if quantity == "accuracy" else quantity.replace("_", " "))
    ax.grid(axis="y")
    if is_alone:
        ax.legend(fontsize=7)
    return ax


@styled
def all_training_curves(
    panels: Mapping[str, Mapping[str, Sequence[pd.DataFrame]]], quantity: str = "accuracy"
) -> matplotlib.figure.Figure:
    """`training_curves` as small multiples, one for each training set. A label has the same look in all; one legend.

    Args:
        panels: title → `histories` of `training_curves`, at least one.
        quantity: as there.
    """
    order = list(dict.fromkeys(label for histories in panels.values() for label in histories))
    figure, grid = small_multiples(len(panels), 3, 3.1, 1.9, sharey=True)
    lines: dict[str, Any] = {}
    for ax, (title, histories) in zip(grid, panels.items(), strict=True):
        training_curves(histories, quantity, order, ax)
        ax.set_title(title, fontsize=9)
        handles, labels = ax.get_legend_handles_labels()
        lines |= dict(zip(labels, handles, strict=True))
    figure.supxlabel(grid[0].get_xlabel(), fontsize=9)
    figure.supylabel(grid[0].get_ylabel(), fontsize=9)
    for ax in grid:
        ax.set(xlabel="", ylabel="")
    figure.legend([lines[label] for label in order], order, fontsize=7, loc="outside upper left")
    return figure
