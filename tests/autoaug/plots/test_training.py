"""The figures of the training: what is drawn for one run, for several seeds, and for many runs."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from autoaug.plots import training as training_plots


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def history(*accuracies):
    return pd.DataFrame({"epoch": range(1, len(accuracies) + 1), "accuracy": accuracies, "loss": accuracies})


def test_runs_are_thin_lines_and_their_mean_a_thick_one_with_its_name_in_the_legend():
    ax = training_plots.training_curves({"wide": [history(0.2, 0.6), history(0.4, 0.8)], "narrow": [history(0.5)]})
    assert [line.get_linewidth() < 1 for line in ax.lines] == [True, True, False, False]
    np.testing.assert_allclose(ax.lines[2].get_xydata(), [[1, 30], [2, 70]])
    legend = ax.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["wide", "narrow"]
    assert [line.get_color() for line in legend.get_lines()] == [ax.lines[place].get_color() for place in (2, 3)]
    assert ax.get_ylabel() == "training accuracy, %"
    losses = training_plots.training_curves({"one": [history(2, 1)]}, "loss")
    assert losses.get_ylabel() == "loss" and losses.lines[0].get_ydata().tolist() == [2, 1]


def test_thirty_five_runs_have_a_panel_for_each_training_set_and_one_look_for_each_family():
    panels = {f"set {place}": {name: [history(0.1, 0.9)] * 3 for name in ("a", "b")} for place in range(6)}
    panels["last"] = {"b": [history(0.1, 0.9)]}
    figure = training_plots.all_training_curves(panels)
    assert [ax.get_title(loc="left") for ax in figure.axes] == list(panels)
    colours = [{line.get_label(): line.get_color() for line in ax.lines} for ax in figure.axes]
    assert {found["b"] for found in colours} == {colours[0]["b"]} != {colours[0]["a"]}
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]
    assert [line.get_color() for line in legend.get_lines()] == [colours[0]["a"], colours[0]["b"]]
    assert not any(ax.texts or ax.get_legend() for ax in figure.axes)


def test_long_names_leave_the_panels_their_size():
    panels = {f"set {place}": {"a family with many words in its name, " * 3: [history(0.1, 0.9)]} for place in range(9)}
    figure = training_plots.all_training_curves(panels)
    figure.draw_without_rendering()
    assert all(ax.get_position().width > 0.25 and ax.get_position().height > 0.15 for ax in figure.axes)


def test_many_runs_are_a_band():
    ax = training_plots.training_curves({"many": [history(0.1, end / 100) for end in range(80, 92)]})
    assert len(ax.lines) == 1  # the mean
    (band,) = ax.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((10, 91))
