"""Figures of the data sets: examples by class, and how many test images are among training images."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Int, UInt8
from matplotlib.axes import Axes

from autoaug import plots


def class_examples(
    images: UInt8[np.ndarray, "n 32 32 3"],
    labels: Int[np.ndarray, " n"],
    class_names: Sequence[str],
    count: int = 6,
    ax: Axes | None = None,
) -> Axes:
    """`count` rows of images; each column has the first images of a class.

    Raises:
        ValueError: a class has fewer images.
    """
    rows = [np.flatnonzero(labels == label)[:count] for label in range(len(class_names))]
    if short := [name for name, row in zip(class_names, rows, strict=True) if len(row) < count]:
        raise ValueError(f"Expected {count} images of every class. Received: fewer of {', '.join(short)}")
    chosen = np.transpose(rows).ravel()
    return plots.image_grid(images[chosen], [class_names[label] for label in labels[chosen]], ax, len(class_names))


@plots.styled
def overlap(counts: pd.DataFrame, sizes: Sequence[int], ax: Axes | None = None) -> Axes:
    """Test images that are among training images: a row per training set, a column per test set.

    Args:
        counts: as from `inventory.overlaps`, at least one row and column.
        sizes: number of images of each test set, in the order of the columns; colours show the share.
        ax: the Axes to draw on; a new figure if None.
    """
    rows, columns = counts.shape
    ax = plots.axes(ax, 2 + 0.6 * columns, 1.2 + 0.3 * rows)
    shares = counts.to_numpy() / np.asarray(sizes)
    ax.imshow(shares, vmin=0, vmax=1, cmap="Blues", aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > 0.6 else plots.INK
        ax.text(column, row, f"{counts.iat[row, column]:,}", ha="center", va="center", color=colour)
    ax.set_xticks(range(columns), counts.columns, rotation=40, ha="right")
    ax.set_yticks(range(rows), counts.index)
    ax.tick_params(length=0)
    ax.set_xlabel("test set")
    ax.set_ylabel("training set")
    return ax
