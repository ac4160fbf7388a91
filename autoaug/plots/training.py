"""Figures of the training, in the style of `plots`."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.ticker
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from autoaug.plots import LOOKS, axes, small_multiples


def training_curves(
    histories: Mapping[str, Sequence[pd.DataFrame]], order: Sequence[str] = (), ax: Axes | None = None
) -> Axes:
    """Accuracy on the augmented training images by epoch: the mean of each label's runs, and a band of their range.

    Args:
        histories: label → histories of one or more runs, with the columns `epoch` and `accuracy`.
        order: labels; a label's look follows from its place in this list, so that it is the same in several Axes.
        ax: the Axes to draw on, without a legend; a new figure with one if None.
    """
    is_alone, chosen = ax is None, dict(zip(dict.fromkeys([*order, *histories]), LOOKS, strict=False))
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


def all_training_curves(panels: Mapping[str, Mapping[str, Sequence[pd.DataFrame]]]) -> Figure | None:
    """`training_curves` as small multiples, title → histories, with one legend; None without any."""
    if not panels:
        return None
    order = list(dict.fromkeys(label for histories in panels.values() for label in histories))
    figure, grid = small_multiples(len(panels), 4, 2.6, 1.9, sharey=True)
    lines: dict[str, Any] = {}
    for ax, (title, histories) in zip(grid, panels.items(), strict=True):
        training_curves(histories, order, ax).set_title(title, fontsize=8)
        lines |= dict(zip(*ax.get_legend_handles_labels()[::-1], strict=True))
        ax.set(xlabel="", ylabel="")
    figure.supylabel("training accuracy, %, by epoch", fontsize=9)
    figure.legend([lines[label] for label in order], order, fontsize=7, loc="outside lower center", ncols=3)
    return figure
