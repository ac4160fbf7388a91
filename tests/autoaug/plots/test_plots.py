"""The figures: what is drawn, where, and with which words."""

import subprocess
import sys

import matplotlib.colors
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
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
    ax = plots.class_examples(images, 2 * labels, ("cat", "none", "dog"), count=1)
    assert [text.get_text() for text in ax.texts] == ["cat", "dog"]


def test_colours_stay_apart_in_grey():
    red, green, blue = np.array([matplotlib.colors.to_rgb(colour) for colour in plots.COLOURS[:3]]).T
    lightness = np.sort(0.2126 * red + 0.7152 * green + 0.0722 * blue)
    assert np.diff(lightness).min() > 0.05


def test_importing_the_figures_chooses_no_backend_and_characters_that_the_font_lacks_give_no_warning():
    code = "import matplotlib\nfrom autoaug import plots\nprint(matplotlib.rcParams._get_backend_or_none())\n"
    code += "matplotlib.use('agg')\nplots.axes(None, 2, 2).set_title('コピー, θ')\nplots.plt.gcf().canvas.draw()"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "None\n"), done.stderr


def history(*accuracies):
    epochs = np.arange(1, len(accuracies) + 1)
    return pd.DataFrame({"epoch": epochs, "accuracy": accuracies})


def test_a_line_is_the_mean_of_the_runs_and_the_band_their_range():
    ax = plots.training_curves({"wide": [history(0.2, 0.6), history(0.4, 0.8)], "narrow": [history(0.5)]})
    wide, narrow = ax.lines
    np.testing.assert_allclose(wide.get_ydata(), [30, 70])
    assert (wide.get_label(), narrow.get_label()) == ("wide", "narrow")
    (band,) = ax.collections
    assert band.get_datalim(ax.transData).height == pytest.approx(60)  # 20 to 80


def test_a_label_looks_the_same_in_every_panel_and_there_is_one_legend():
    panels = {"first": {"wide": [history(0.2)], "narrow": [history(0.3)]}, "second": {"narrow": [history(0.4)]}}
    figure = plots.all_training_curves(panels)
    first, second = figure.axes
    assert first.lines[1].get_color() == second.lines[0].get_color() != first.lines[0].get_color()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["wide", "narrow"]
    assert (first.get_title(loc="left"), first.get_legend()) == ("first", None)
    assert plots.all_training_curves({}) is None
    assert len(plots.training_curves({f"family {n}": [history(0.2, 0.6)] for n in range(50)}).lines) == 50
