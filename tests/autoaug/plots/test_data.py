"""What the figures of the data sets show."""

import numpy as np
import pytest

from autoaug.plots import data as data_plots


def test_a_column_per_class():
    labels = np.array([1, 0, 1, 0, 0, 1])
    images = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1) * np.ones((1, 32, 32, 3), np.uint8)
    axes = data_plots.class_examples(images, labels, ("cat", "dog"), count=2)
    assert [text.get_text() for text in axes.texts] == ["cat", "dog", "cat", "dog"]
    canvas = axes.images[0].get_array()
    height = canvas.shape[0] // 2
    assert [canvas[row * height, column * 34, 0] for row in (0, 1) for column in (0, 1)] == [1, 0, 3, 2]
    with pytest.raises(ValueError, match=r"Expected 4 images of every class\. Received: fewer of cat, dog"):
        data_plots.class_examples(images, labels, ("cat", "dog"), count=4)
