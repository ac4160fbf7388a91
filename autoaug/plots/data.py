"""Figures of the data sets: examples by class, and how many test images are among training images."""

import matplotlib.pyplot as plt
import numpy as np

from autoaug import plots


def class_examples(images, labels, class_names, count=6, ax=None):
    """`count` rows of images uint8 [n, 32, 32, 3] with labels int [n]; a column per class, the first ones of each.

    Raises:
        ValueError: a class has fewer images.
    """
    rows = [np.flatnonzero(labels == label)[:count] for label in range(len(class_names))]
    if short := [name for name, found in zip(class_names, rows, strict=True) if len(found) < count]:
        raise ValueError(f"Expected {count} images of every class. Received: fewer of {', '.join(short)}")
    chosen = np.transpose(rows).ravel()
    return plots.image_grid(images[chosen], [class_names[label] for label in labels[chosen]], ax, len(class_names))


@plots.styled
def overlap(counts, sizes, ax=None):
    """Test images that are among training images: a row per training set, a column per test set.

    Args:
        counts: DataFrame of int, as from `datasets.overlap_tables`, at least one row and column.
        sizes: number of images of each test set, in the order of the columns; colours show the share.
        ax: the Axes to draw on; a new figure if None.
    """
    rows, columns = counts.shape
    if ax is None:
        ax = plt.subplots(figsize=(2 + 0.6 * columns, 1.2 + 0.3 * rows), layout="constrained")[1]
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
