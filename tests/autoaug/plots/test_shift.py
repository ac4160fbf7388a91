"""The figures of the shift analysis: what is drawn, where, and with which words."""

import matplotlib

matplotlib.use("agg")

import matplotlib.colors
import matplotlib.pyplot as plt
import numpy as np
import pytest

from autoaug.plots import shift as shift_plots
from autoaug.shift import Cells
from autoaug.shift.intervals import Estimate


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def texts(artists):
    return [artist.get_text() for artist in artists]


def legend(ax):
    return texts(ax.get_legend().get_texts())


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
