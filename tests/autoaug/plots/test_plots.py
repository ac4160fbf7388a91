"""The figures: what is drawn, where, and with which words."""

import os
import subprocess
import sys

import matplotlib.colors
import matplotlib.pyplot as plt
import numpy as np

from autoaug import plots


def test_image_grid_draws_every_image_in_its_place_with_its_label():
    images = np.random.default_rng(0).integers(0, 256, (7, 6, 6, 3), np.uint8)
    ax = plots.image_grid(images, labels=list("abcdefg"), columns=3)
    canvas = ax.images[0].get_array()
    assert canvas.shape == (3 * 9, 3 * 8, 3)
    np.testing.assert_array_equal(canvas[9:15, 16:22], images[5])  # second row, third column
    assert [text.get_text() for text in ax.texts] == list("abcdefg")
    assert ax.texts[5].get_position() == (16 + 3, 9 + 6 + 1)


def test_a_column_per_class():
    labels = np.array([1, 0, 1, 0, 0, 1])
    images = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1) * np.ones((1, 32, 32, 3), np.uint8)
    ax = plt.subplots()[1]
    assert plots.class_examples(images, labels, ("cat", "dog"), count=2, ax=ax) is ax
    assert [text.get_text() for text in ax.texts] == ["cat", "dog", "cat", "dog"]
    canvas = ax.images[0].get_array()
    height = canvas.shape[0] // 2
    assert [canvas[row * height, column * 34, 0] for row in (0, 1) for column in (0, 1)] == [1, 0, 3, 2]
    assert len(plots.class_examples(images, labels, ("cat", "dog"), count=4).texts) == 6  # there are no more


def test_characters_that_the_font_lacks_are_replaced_without_a_warning():
    @plots.styled
    def draw():
        ax = plt.subplots()[1]
        ax.set_title("JPEG コピー, θ")
        ax.set_yticks([0, 1], labels=["кот", "猫"])
        return ax

    figure = draw().get_figure()
    figure.canvas.draw()  # a warning is an error
    assert figure.axes[0].get_title(loc="left") + figure.axes[0].get_title() == "JPEG ???, θ"
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["кот", "?"]


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
