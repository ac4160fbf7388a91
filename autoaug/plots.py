"""Every figure: each function takes data and `ax=None`, draws, and returns the Axes; none reads, saves or shows.

Colours are Paul Tol's "medium contrast" scheme (SRON technical note SRON/EPS/TN/09-002), made to stay apart for
colour-blind readers and in grey print; every series also differs in its marker and its line.
"""

import cycler
import matplotlib
import matplotlib.pyplot as plt
import numpy as np

COLOURS = ("#004488", "#994455", "#997700", "#6699cc", "#ee99aa", "#eecc66")
MARKERS = ("o", "s", "^", "D", "v", "P")
LINES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (8, 2)))
INK, FAINT = "#222222", "#cccccc"

STYLE = {
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.linewidth": 0.8,
    "axes.prop_cycle": cycler.cycler(color=COLOURS) + cycler.cycler(marker=MARKERS) + cycler.cycler(linestyle=LINES),
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.8,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "legend.frameon": False,
    "xtick.color": INK,
    "ytick.color": INK,
}
styled = matplotlib.rc_context(STYLE)  # a decorator: the style holds inside the function and nowhere else


def _axes(ax, width, height):
    """`ax`, or the Axes of a new figure of the given size in inches."""
    return plt.subplots(figsize=(width, height), layout="constrained")[1] if ax is None else ax


@styled
def image_grid(images, labels=None, ax=None, columns=10):
    """Images in rows of `columns`, each above its label.

    Args:
        images: uint8 [n, height, width, 3], n at least 1.
        labels: n texts, or None.
        ax: the Axes to draw on; a new figure if None.
        columns: images in a row, at least 1; fewer where there are fewer images.

    Raises:
        ValueError: images of another type or shape, or another number of labels.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3 or not len(images):
        raise ValueError(f"Expected images: uint8 [n, height, width, 3]. Received: {images.dtype} {images.shape}")
    if labels is not None and len(labels) != len(images):
        raise ValueError(f"Expected {len(images)} labels, one per image. Received: {len(labels)}")
    count, height, width, _ = images.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    tile_height, tile_width = height + (2 if labels is None else height // 3), width + 2
    canvas = np.full((rows * tile_height, columns * tile_width, 3), 255, np.uint8)
    ax = _axes(ax, 0.75 * columns, 0.75 * rows * tile_height / tile_width)
    for index, image in enumerate(images):
        top, left = index // columns * tile_height, index % columns * tile_width
        canvas[top : top + height, left : left + width] = image
        if labels is not None:
            ax.text(left + width / 2, top + height + 1, labels[index], ha="center", va="top", fontsize=6)
    ax.imshow(canvas, interpolation="none")  # "none": vector files hold the pixels as they are
    ax.set_axis_off()
    return ax
