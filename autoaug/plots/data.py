"""Pictures of the data sets."""

from collections.abc import Sequence

import numpy as np
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
