"""Figures of the shift analysis, in the style of `plots`: each takes a DataFrame, whose accuracies are fractions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import scipy.special
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from autoaug.plots import COLOURS, GREY, INK, axes, small_multiples
from autoaug.shift.line_fit import Line

SIDES: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("trained on A", "aa", "ab", {"color": COLOURS[0], "marker": "o", "linestyle": "-"}),
    ("trained on B", "ba", "bb", {"color": COLOURS[1], "marker": "s", "linestyle": "--"}),
)
_GROUPS: tuple[dict[str, Any], ...] = (  # looks of groups of models: small and grey, then in colours
    {"color": GREY, "marker": ".", "markersize": 3, "alpha": 0.6},
    *({"color": COLOURS[place], "marker": "s^Do"[place], "markersize": 4} for place in range(4)),
)
_TICKS = (1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 98, 99, 99.5, 99.9)  # percent, of probit axes


def four_accuracies(frame: pd.DataFrame, columns: int = 3) -> Figure | None:
    """The four accuracies of each pair, side by side on one scale, with intervals; a line for each training set.

    Both lines fall if B is harder. If the line of B's models falls less, or rises, models are better at home: B may be
    different, which the picture alone does not say.

    Args:
        frame: a row for each pair: `heading`, and aa, ab, ba, bb, each with `_low` and `_high`; None without any.
        columns: pictures in a row.
    """
    if frame.empty:
        return None
    figure, grid = small_multiples(len(frame), columns, 3.1, 2.7, sharey=True)
    values = frame[[f"{cell}{end}" for *_, a, b, _ in SIDES for cell in (a, b) for end in ("_low", "_high")]]
    top = 100 * np.nanmax(values)
    bottom = min(100 * np.nanmin(values), top - 10)  # at least 10 points, so that small differences look small
    grid[0].set_ylim(bottom - 0.04 * (top - bottom), top + 0.04 * (top - bottom))
    for ax, (_, row) in zip(grid, frame.iterrows(), strict=True):
        _two_by_two(row, ax)
        ax.set_title(row["heading"], fontsize=8.5)
    for ax in grid[::columns]:
        ax.set_ylabel("accuracy, %")
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return figure


def _two_by_two(row: pd.Series, ax: Axes) -> None:
    """One pair: two lines with intervals."""
    for shift, (label, on_a, on_b, look) in zip((-0.02, 0.02), SIDES, strict=True):
        ends = ([f"{on_a}{end}", f"{on_b}{end}"] for end in ("", "_low", "_high"))
        value, low, high = (100 * row[columns].to_numpy(float) for columns in ends)
        errors = np.maximum([value - low, high - value], 0)
        ax.errorbar(
            [shift, 1 + shift], value, yerr=errors, elinewidth=1.1, capsize=2.5, clip_on=False, label=label, **look
        )
    ax.set_xticks([0, 1], ["tested on A", "tested on B"])
    ax.set_xlim(-0.2, 1.2)
    ax.grid(axis="y")


def old_against_new(frame: pd.DataFrame, lines: Mapping[str, Line]) -> Figure:
    """New accuracy against old on probit axes, a picture for each new test set, with y = x, a line and its band.

    Args:
        frame: a row for each model: `group`, each in a colour of its own, the largest one grey; and a column of
            accuracies for each test set, NaN where unknown.
        lines: column of each new test set → its line.
    """
    figure, grid = small_multiples(len(lines), 2, 4.6, 4.4)
    groups = frame["group"].value_counts().index
    for ax, (new, line) in zip(grid, lines.items(), strict=True):
        for group, look in zip(groups, _GROUPS, strict=False):
            known = frame.loc[frame["group"] == group, ["cifar10", new]].dropna()
            if len(known):
                ax.plot(*_probit(known).T, linestyle="none", label=f"{group} ({len(known):,})", **look)
        span = np.linspace(_probit(frame["cifar10"].min()), _probit(frame["cifar10"].max()), 100)
        at = scipy.special.ndtr(span)
        ax.plot(span, span, color=INK, linestyle=":", linewidth=1, label="y = x")
        words = "line through the grey ones, band of a further model"
        ax.plot(span, _probit(line.predict(at)), color=INK, linewidth=1, label=words)
        ax.fill_between(span, *map(_probit, line.band(at)), color="#d0d0d0", linewidth=0, zorder=0)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_ticks(_probit(np.divide(_TICKS, 100)), [f"{tick:g}" for tick in _TICKS])
        ax.set(xlim=span[[0, -1]] + (-0.05, 0.05), ylim=(_probit(frame[new].min()) - 0.05, span[-1] + 0.05))
        ax.set(xlabel="accuracy on CIFAR-10, %", ylabel=f"accuracy on {new.replace('cifar', 'CIFAR-')}, %")
        ax.grid()
        ax.legend(loc="upper left", fontsize=7.5)
    return figure


def _probit(accuracy: Any) -> Any:
    return scipy.special.ndtri(np.clip(np.asarray(accuracy, float), 1e-4, 1 - 1e-4))


def class_losses(frame: pd.DataFrame, ax: Axes | None = None) -> Axes | None:
    """The accuracy that each class loses, in percentage points, with its interval, the largest at the top.

    Args:
        frame: a row for each class, its name the index, and training set: `train_data`, `lost`, `lost_low`,
            `lost_high`; None without any.
        ax: the Axes to draw on; a new figure if None.
    """
    if frame.empty:
        return None
    order = list(frame[frame["train_data"] == frame["train_data"].iloc[0]].sort_values("lost")["lost"].index[::-1])
    ax, places = axes(ax, 5.5, 0.9 + 0.26 * len(order)), {name: place for place, name in enumerate(order)}
    sides = zip((-0.1, 0.1), frame.groupby("train_data", sort=False), SIDES, strict=False)
    for shift, (name, part), (*_, look) in sides:
        value, low, high = (100 * part[column].to_numpy() for column in ("lost", "lost_low", "lost_high"))
        rows, look = [places[label] + shift for label in part.index], look | {"linestyle": "none"}
        ax.errorbar(value, rows, xerr=[value - low, high - value], elinewidth=1.2, label=f"trained on {name}", **look)
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.set_yticks(range(len(order)), order)
    ax.set_ylim(len(order) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")
    ax.set_xlabel("accuracy lost, percentage points")
    ax.legend(fontsize=7.5, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return ax
