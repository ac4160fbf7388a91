"""Figures of the shift analysis, in the style of `plots`: each takes data and `ax=None`, and returns the Axes."""

import numpy as np

from autoaug.plots import COLOURS, INK, axes, image_grid, looks, styled
from autoaug.shift.line_fit import SCALES

GREY = "#8a8a8a"
_EDGE = {"edgecolor": INK, "linewidth": 0.6}


@styled
def old_against_new(old, new, line=None, highlighted=(), scale="linear", names=("old", "new"), ax=None):
    """Accuracy on a new test set against that on an old one, in percent, with y = x, a fitted line and its band.

    Args:
        old, new: DataFrames with the index `label` (of the model) and the columns `accuracy`, `low`, `high`, fractions;
            the same labels in both, at least one.
        line: `line_fit.Line`, or None.
        highlighted: labels drawn in colour and named; the others are grey.
        scale: of both axes: "linear", "logit" or "probit".
        names: of the old and of the new test set.
        ax: the Axes to draw on; a new figure if None.
    """
    ax, to = axes(ax, 5.5, 4.6), SCALES[scale][0]
    _points(ax, old, new, [label for label in old.index if label not in highlighted], GREY, "o", "other models")
    for label, look in zip(highlighted, looks(), strict=False):
        _points(ax, old, new, [label], look["color"], look["marker"], label)
    ends = np.array([old["low"].min(), old["high"].max()]).clip(0.001, 0.999)
    grid = np.linspace(*ends, 100)
    ax.plot(100 * grid, 100 * grid, color=INK, linestyle=":", linewidth=1, label="y = x")
    if line is not None:
        ax.plot(
            100 * grid, 100 * line.predict(grid), color=INK, label=f"line ({line.scale}), slope {line.slope.value:.2f}"
        )
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


def _points(ax, old, new, labels, colour, marker, legend):
    if not labels:
        return
    x, y = (100 * table.loc[labels, ["accuracy", "low", "high"]] for table in (old, new))
    xerr, yerr = ([part["accuracy"] - part["low"], part["high"] - part["accuracy"]] for part in (x, y))
    ax.errorbar(
        x["accuracy"], y["accuracy"], xerr=xerr, yerr=yerr,
        color=colour, marker=marker, linestyle="none", markersize=4, elinewidth=0.8, label=legend,
    )  # fmt: skip


@styled
def decompositions(parts, ax=None):
    """Gaps as bars of two parts, hardness and difference, in percentage points, each with its interval.

    Args:
        parts: label → `decomposition.Decomposition`, at least one; a bar each, from the top. The parts begin at zero,
            one below the other, so that a negative one is seen as such.
        ax: the Axes to draw on; a new figure if None.
    """
    ax = axes(ax, 7, 0.9 + 0.62 * len(parts))
    rows = np.arange(len(parts))
    for offset, name, colour, hatch in ((-0.19, "hardness", COLOURS[3], ""), (0.19, "difference", COLOURS[5], "////")):
        estimates = 100 * np.array([getattr(part, name) for part in parts.values()])
        value, low, high = estimates.T
        ax.barh(rows + offset, value, 0.34, color=colour, hatch=hatch, label=name, **_EDGE)
        ax.errorbar(
            value,
            rows + offset,
            xerr=[value - low, high - value],
            color=INK,
            linestyle="none",
            elinewidth=1.2,
            capsize=2.5,
        )
    gaps = [100 * part.gap.value for part in parts.values()]
    ax.plot(
        gaps,
        rows,
        color=INK,
        marker="D",
        markersize=5,
        markerfacecolor="white",
        linestyle="none",
        label="gap, their sum",
    )
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.set_yticks(rows, list(parts))
    ax.set_ylim(len(parts) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")
    ax.set_xlabel("percentage points of accuracy")
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, borderaxespad=0.2)
    return ax


@styled
def two_by_two(part, names, ax=None):
    """The design as slopes: accuracy in percent on both test sets, a line for the models trained on each.

    Parallel lines that fall are hardness; lines that cross are difference.

    Args:
        part: `decomposition.Decomposition`.
        names: of the original and of the reproduction.
        ax: the Axes to draw on; a new figure if None.
    """
    ax, (aa, ab, ba, bb) = axes(ax, 3.6, 3), part.accuracies
    for name, values, look in zip(names, ((aa, ab), (ba, bb)), looks(), strict=False):
        ax.plot([0, 1], 100 * np.array(values), label=f"trained on {name}", **look)
    ax.set_xticks([0, 1], [f"tested on\n{name}" for name in names])
    ax.set_xlim(-0.3, 1.3)
    ax.set_ylim(0, 100)
    ax.set_ylabel("accuracy, %")
    ax.grid(axis="y")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)
    return ax


@styled
def class_gaps(gaps, names, overall=None, ax=None):
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


@styled
def confusion_difference(first, second, names, ax=None):
    """How much more often each class is called each other on a second test set, in points.

    Each cell of 1 point or more also holds its number, so that the sign can be read in grey.

    Args:
        first, second: float [classes, classes], from `agreement.confusion`, a row per true class.
        names: of the classes.
        ax: the Axes to draw on; a new figure if None.
    """
    difference = 100 * (second - first)
    ax = axes(ax, 5.4, 5)
    limit = max(1, np.nanmax(np.abs(difference)))
    image = ax.imshow(difference, cmap="PuOr_r", vmin=-limit, vmax=limit)
    for row, column in np.argwhere(np.abs(np.nan_to_num(difference)) >= 1):
        value = difference[row, column]
        text = f"{value:+.0f}".replace("-", "−")
        colour = "white" if abs(value) > 0.6 * limit else INK
        ax.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
    ax.set_xticks(range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(names)), names)
    ax.set_xlabel("answer")
    ax.set_ylabel("class")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.figure.colorbar(image, ax=ax, shrink=0.7, label="percentage points")
    return ax


@styled
def reliability_curves(curves, ax=None):
    """Accuracy against confidence, in percent, a line per curve, and the diagonal of a calibrated model.

    Args:
        curves: label → `calibration.Reliability`, at least one.
        ax: the Axes to draw on; a new figure if None.
    """
    ax = axes(ax, 4.6, 4.2)
    ax.plot([0, 100], [0, 100], color=INK, linestyle=":", linewidth=1, label="calibrated")
    for (label, curve), look in zip(curves.items(), looks(), strict=False):
        legend = f"{label}: error {100 * curve.error:.1f}, if calibrated up to {100 * curve.limit:.1f}"
        ax.plot(100 * curve.confidence, 100 * curve.accuracy, label=legend, **look)
    ax.set_xlim(0, 101)
    ax.set_ylim(0, 101)
    ax.set_aspect("equal")
    ax.set_xlabel("confidence of the answer, %")
    ax.set_ylabel("accuracy, %")
    ax.grid()
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)
    return ax


def hardest_gallery(images, labels, answers, wrong, names, ax=None, columns=8):
    """Images that most models get wrong, each with its class, the answer that most models gave, and how many failed.

    Args:
        images: uint8 [n, height, width, 3], the hardest first.
        labels: int [n], their classes.
        answers: int [models, n], the models' answers.
        wrong: int [n], how many models are wrong.
        names: of the classes.
        ax: the Axes to draw on; a new figure if None.
        columns: images in a row.
    """
    common = [np.bincount(column).argmax() for column in answers.T]
    texts = [
        f"{names[label]}\n→ {names[answer]}\n{count} of {len(answers)}"
        for label, answer, count in zip(labels, common, wrong, strict=True)
    ]
    return image_grid(images, texts, ax=ax, columns=columns)
