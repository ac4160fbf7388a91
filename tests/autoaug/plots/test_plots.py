"""The figures: what is drawn, where, and with which words."""

import os
import subprocess
import sys

import matplotlib

matplotlib.use("agg")

import matplotlib.colors
import matplotlib.pyplot as plt
import numpy as np
import pytest

from autoaug import plots


def test_image_grid_draws_every_image_in_its_place_with_its_label():
    images = np.random.default_rng(0).integers(0, 256, (7, 6, 6, 3), np.uint8)
    ax = plots.image_grid(images, labels=list("abcdefg"), columns=3)
    canvas = ax.images[0].get_array()
    assert canvas.shape == (3 * 9, 3 * 8, 3)
    np.testing.assert_array_equal(canvas[9:15, 16:22], images[5])  # second row, third column
    assert [text.get_text() for text in ax.texts] == list("abcdefg")
    assert ax.texts[5].get_position() == (16 + 3, 9 + 6 + 1)


def test_image_grid_draws_on_the_axes_it_is_given():
    ax = plt.subplots()[1]
    assert plots.image_grid(np.zeros((1, 4, 4, 3), np.uint8), ax=ax) is ax


@pytest.mark.parametrize(
    "images", [np.zeros((2, 4, 4, 3)), np.zeros((4, 4, 3), np.uint8), np.zeros((0, 4, 4, 3), np.uint8)]
)
@pytest.mark.usefixtures("wrong_types")
def test_image_grid_refuses_other_arrays(images):
    with pytest.raises(ValueError, match=r"Expected images: uint8 \[n, height, width, 3\]"):
        plots.image_grid(images)


def test_image_grid_refuses_another_number_of_labels():
    with pytest.raises(ValueError, match="Expected 2 labels"):
        plots.image_grid(np.zeros((2, 4, 4, 3), np.uint8), labels=["one"])


def test_the_style_ends_with_the_function():
    before = dict(matplotlib.rcParams)
    plots.image_grid(np.zeros((1, 4, 4, 3), np.uint8))
    assert dict(matplotlib.rcParams) == before


def test_colours_stay_apart_in_grey():
    red, green, blue = np.array([matplotlib.colors.to_rgb(colour) for colour in plots.COLOURS[:3]]).T
    lightness = np.sort(0.2126 * red + 0.7152 * green + 0.0722 * blue)
    assert np.diff(lightness).min() > 0.05


def test_importing_the_figures_chooses_no_backend():
    code = "import matplotlib, autoaug.plots\nprint(matplotlib.rcParams._get_backend_or_none())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout == "None\n"
