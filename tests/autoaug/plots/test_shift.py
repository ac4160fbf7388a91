"""The figures of the shift analysis: what is drawn, where, and with which words."""

import matplotlib

matplotlib.use("agg")

import matplotlib.colors
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from autoaug.plots import shift as shift_plots
from autoaug.shift import Cells, line_fit
from autoaug.shift.intervals import Estimate


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def texts(artists):
    return [artist.get_text() for artist in artists]


def legend(ax):
    return texts(ax.get_legend().get_texts())


@pytest.fixture
def models():
    """Five models on an old and a new test set, with intervals of ±2 points."""
    old = pd.DataFrame({"accuracy": [0.5, 0.6, 0.7, 0.8, 0.9]}, index=list("abcde"))
    new = pd.DataFrame({"accuracy": [0.3, 0.42, 0.5, 0.6, 0.7]}, index=list("abcde"))
    return [part.assign(low=part.accuracy - 0.02, high=part.accuracy + 0.02) for part in (old, new)]


def test_old_against_new_draws_models_intervals_line_and_band(models):
    old, new = models
    line = line_fit.fit(old.accuracy, new.accuracy, "linear", 0.95, np.random.default_rng(0), 200)
    ax = shift_plots.old_against_new(
        old, new, line, {"b": ["b"], "models of d": ["d"]}, names=("CIFAR-10", "CIFAR-10.1")
    )
    others, first, second = (container for container in ax.containers)
    np.testing.assert_allclose(others[0].get_xydata(), [[50, 30], [70, 50], [90, 70]])
    np.testing.assert_allclose(first[0].get_xydata(), [[60, 42]])
    assert first[0].get_marker() != second[0].get_marker() and first[0].get_color() != second[0].get_color()
    horizontal, vertical = (bars.get_segments()[0] for bars in first[2])
    np.testing.assert_allclose(horizontal, [[58, 42], [62, 42]])
    np.testing.assert_allclose(vertical, [[60, 40], [60, 44]])
    lines = {drawn.get_label(): drawn.get_xydata() for drawn in ax.lines}
    np.testing.assert_allclose(lines["y = x"][[0, -1]], [[48, 48], [92, 92]])
    label = "line (linear), slope {:.2f} [{:.2f}, {:.2f}]".format(*line.slope)
    fitted = lines[label]
    np.testing.assert_allclose(fitted[:, 1], 100 * line.predict(fitted[:, 0] / 100))
    (band,) = [
        collection
        for collection in ax.collections
        if isinstance(collection, matplotlib.collections.FillBetweenPolyCollection)
    ]
    corners = band.get_paths()[0].vertices
    for place in (0, 50, 99):
        low, high = line.band(fitted[[place], 0] / 100)
        heights = corners[np.isclose(corners[:, 0], fitted[place, 0]), 1]
        assert (heights.min(), heights.max()) == pytest.approx((100 * low[0], 100 * high[0]))
    assert legend(ax)[:2] == ["y = x", label]
    assert {"published models", "b", "models of d"} <= set(legend(ax))
    named = {line.get_gid(): line.get_xydata().tolist() for line in ax.lines if line.get_gid()}
    assert set(named) == {f"named:{label}" for label in "abcde"} and named["named:b"] == [[60, 42]]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("accuracy on CIFAR-10, %", "accuracy on CIFAR-10.1, %")


def test_old_against_new_on_a_probit_scale_spaces_accuracies_by_the_normal_quantile(models):
    ax = shift_plots.old_against_new(*models, scale="probit")
    ax.set_xlim(10, 90)
    ax.figure.canvas.draw()
    left, middle, right = (ax.transData.transform((x, 50))[0] for x in (50, 84.134, 97.725))
    assert right - middle == pytest.approx(middle - left, rel=1e-3)


CELLS = Cells(*(Estimate(value, value - 0.02, value + 0.03) for value in (1.0, 0.6, 0.8, 0.7)))


def test_two_by_two_draws_a_slope_with_intervals_for_the_models_of_each_set():
    ax = shift_plots.two_by_two(CELLS)
    values = [container[0].get_ydata() for container in ax.containers]
    np.testing.assert_allclose(values, [[100, 60], [80, 70]])
    segments = [bar[:, 1] for container in ax.containers for bar in container[2][0].get_segments()]
    np.testing.assert_allclose(segments, [[98, 103], [58, 63], [78, 83], [68, 73]])
    assert texts(ax.texts) == ["trained on A", "trained on B"]
    assert texts(ax.get_xticklabels()) == ["tested on A", "tested on B"]
    assert not any(container[0].get_clip_on() for container in ax.containers)  # a mark at 100 % is whole


def test_nearly_equal_accuracies_are_not_blown_up():
    ax = shift_plots.two_by_two(Cells(*[Estimate(0.5, 0.499, 0.501)] * 4))
    assert np.ptp(ax.get_ylim()) >= 10
    first, second = (text.xyann for text in ax.texts), [text.xy[1] for text in ax.texts]
    assert list(first) and abs(np.diff(second)[0]) > 0.5


def test_every_pair_has_its_picture_with_its_title_and_the_looks_of_its_sets():
    looks = ({"color": "#000000", "marker": "o"}, {"color": "#ff0000", "marker": "s"})
    figure = shift_plots.all_two_by_two([shift_plots.Panel(f"pair {place}", CELLS, looks) for place in range(5)])
    assert [ax.get_title(loc="left") for ax in figure.axes] == [f"pair {place}" for place in range(5)]
    assert {container[0].get_color() for ax in figure.axes for container in ax.containers} == {"#000000", "#ff0000"}


def test_class_gaps_are_ordered_by_size_with_intervals_and_the_overall_gap():
    ax = shift_plots.class_gaps({0: (0.1, 0.05, 0.2), 2: (0.3, 0.2, 0.4)}, ["cat", "dog", "owl"], overall=0.15)
    marks, _, (bars,) = ax.containers[0]
    np.testing.assert_allclose(marks.get_xdata(), [30, 10])
    np.testing.assert_allclose([segment[:, 0] for segment in bars.get_segments()], [[20, 40], [5, 20]])
    assert texts(ax.get_yticklabels()) == ["owl", "cat"]
    (overall,) = [line for line in ax.lines if line.get_label() == "all classes"]
    assert set(overall.get_xdata()) == {15}


def test_the_hardest_images_carry_class_usual_answer_and_count():
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    answers = np.array([[1, 0], [1, 0], [0, 1]])
    ax = shift_plots.hardest_gallery(images, np.array([0, 1]), answers, np.array([2, 2]), ["cat", "dog"])
    assert texts(ax.texts) == ["cat\n→ dog\n2 of 3", "dog\n→ cat\n2 of 3"]
    np.testing.assert_array_equal(ax.images[0].get_array()[:8, 10:18], images[1])


def test_labels_are_spread_in_their_order_and_only_as_far_as_they_must():
    assert shift_plots.spread([1.0, 5.0], 2) == [1, 5]
    assert shift_plots.spread([3.0, 3.0], 2) == pytest.approx([2, 4])
    places = shift_plots.spread([0.5] * 35, 1)
    assert np.diff(places) == pytest.approx(np.ones(34)) and np.mean(places) == pytest.approx(0.5)
    assert shift_plots.spread([2.0, 1.9], 1) == pytest.approx([2.45, 1.45])  # the higher one stays higher
