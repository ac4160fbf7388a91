"""Training curves: the mean of a family's runs, its range, and looks that stay the same."""

import numpy as np
import pandas as pd
import pytest

from autoaug import plots


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
