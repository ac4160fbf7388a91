"""The figures: what is drawn, where, and with which words."""

import matplotlib

matplotlib.use("agg")

import matplotlib.colors
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from autoaug import plots


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


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
def test_image_grid_refuses_other_arrays(images):
    with pytest.raises(ValueError, match=r"Expected images: uint8 \[n, height, width, 3\]"):
        plots.image_grid(images)


def test_image_grid_refuses_another_number_of_labels():
    with pytest.raises(ValueError, match="Expected 2 labels"):
        plots.image_grid(np.zeros((2, 4, 4, 3), np.uint8), labels=["one"])


@pytest.fixture
def accuracies():
    """Two models, three test sets; the second model lacks one."""
    rows = [
        ("wide", "old", 0.9, 0.88, 0.91),
        ("wide", "new", 0.8, 0.77, 0.82),
        ("wide", "newer", 0.7, 0.6, 0.8),
        ("narrow", "old", 0.6, 0.5, 0.7),
        ("narrow", "new", 0.4, 0.3, 0.5),
    ]
    return pd.DataFrame(rows, columns=["label", "test_set", "accuracy", "low", "high"])


def test_accuracy_intervals_draws_percent_with_both_ends_in_the_row_of_the_model(accuracies):
    ax = plots.accuracy_intervals(accuracies)
    drawn = {container.get_label(): container for container in ax.containers}
    assert list(drawn) == ["new", "newer", "old"]  # sorted: a test set looks the same in every figure
    marks, _, (bars,) = drawn["old"]
    np.testing.assert_allclose(marks.get_xdata(orig=False), [90, 60])
    np.testing.assert_allclose([segment[:, 0] for segment in bars.get_segments()], [[88, 91], [50, 70]])
    assert np.round(marks.get_ydata(orig=False)).tolist() == [0, 1]
    assert len(drawn["newer"][0].get_xdata()) == 1
    assert [text.get_text() for text in ax.get_yticklabels()] == ["wide", "narrow"]
    assert ax.yaxis_inverted() and "%" in ax.get_xlabel()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["new", "newer", "old"]


def test_test_sets_differ_in_marker_as_well_as_colour_and_do_not_lie_on_each_other(accuracies):
    marks = [container[0] for container in plots.accuracy_intervals(accuracies).containers]
    assert len({mark.get_marker() for mark in marks}) == len({mark.get_color() for mark in marks}) == 3
    assert len({mark.get_ydata()[0] for mark in marks}) == 3


def test_gaps_draws_points_and_a_line_at_none(accuracies):
    ax = plots.gaps(accuracies.rename(columns={"accuracy": "gap"}).assign(gap=-0.1, low=-0.2, high=0.05))
    marks, _, (bars,) = ax.containers[0]
    np.testing.assert_allclose(marks.get_xdata(orig=False), -10)
    np.testing.assert_allclose(bars.get_segments()[0][:, 0], [-20, 5])
    assert [0, 0] in [list(line.get_xdata()) for line in ax.lines]
    assert "points" in ax.get_xlabel()


def test_training_curves_draws_a_line_per_run_in_percent():
    epochs = pd.DataFrame({"epoch": [1, 2, 3], "accuracy": [0.2, 0.5, 0.6], "loss": [2.0, 1.5, 1.0]})
    ax = plots.training_curves({"first": epochs, "second": epochs[:2]})
    assert [line.get_label() for line in ax.lines] == ["first", "second"]
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[1, 20], [2, 50], [3, 60]])
    assert len({line.get_linestyle() for line in ax.lines}) == 2
    assert ax.get_ylabel() == "training accuracy, %"
    losses = plots.training_curves({"first": epochs}, "loss")
    np.testing.assert_allclose(losses.lines[0].get_ydata(), [2, 1.5, 1])
    assert losses.get_ylabel() == "loss"


def test_more_lines_than_colours_are_all_drawn():
    epochs = pd.DataFrame({"epoch": [1], "accuracy": [0.5]})
    ax = plots.training_curves({str(number): epochs for number in range(8)})
    assert len(ax.lines) == 8 and len(ax.get_legend().get_texts()) == 8


def test_the_style_ends_with_the_function():
    before = dict(matplotlib.rcParams)
    plots.training_curves({"run": pd.DataFrame({"epoch": [1], "accuracy": [0.5]})})
    assert dict(matplotlib.rcParams) == before


def test_colours_stay_apart_in_grey():
    red, green, blue = np.array([matplotlib.colors.to_rgb(colour) for colour in plots.COLOURS[:3]]).T
    lightness = np.sort(0.2126 * red + 0.7152 * green + 0.0722 * blue)
    assert np.diff(lightness).min() > 0.05
