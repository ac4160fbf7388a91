"""The figures of the shift analysis: what is drawn, where, on which scale."""

import numpy as np
import pandas as pd
import pytest
import scipy.special

from autoaug.plots import shift as shift_plots
from autoaug.shift.line_fit import fit


def pairs(*cells):
    """Rows as `sentences.statements` gives them, of (aa, ab, ba, bb)."""
    rows = []
    for number, values in enumerate(cells):
        row = {"heading": f"pair {number}"}
        for name, value in zip(("aa", "ab", "ba", "bb"), values, strict=True):
            row |= {name: value, f"{name}_low": value - 0.01, f"{name}_high": value + 0.01}
        rows.append(row)
    return pd.DataFrame(rows)


def test_four_accuracies_are_side_by_side_on_one_scale():
    figure = shift_plots.four_accuracies(pairs((0.9, 0.5, 0.8, 0.6), (0.9, 0.8, 0.8, 0.9)), columns=2)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["pair 0", "pair 1"]
    assert len({ax.get_ylim() for ax in figure.axes}) == 1
    (of_a, *_), (of_b, *_) = figure.axes[0].containers
    np.testing.assert_allclose(of_a.get_ydata(), [90, 50])
    np.testing.assert_allclose(of_b.get_ydata(), [80, 60])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["trained on A", "trained on B"]


def test_small_differences_look_small():
    (ax,) = shift_plots.four_accuracies(pairs((0.5, 0.5, 0.5, 0.5))).axes
    assert np.ptp(ax.get_ylim()) >= 10


def test_without_rows_there_is_no_figure():
    assert shift_plots.four_accuracies(pd.DataFrame()) is None
    assert shift_plots.class_losses(pd.DataFrame()) is None


def test_new_against_old_has_a_picture_for_each_test_set_on_probit_axes_with_the_line_and_its_band():
    old = np.linspace(0.2, 0.95, 12)
    frame = pd.DataFrame({"group": "scratch", "cifar10": old, "cifar10.2": old - 0.1, "cifar10.1": old - 0.05})
    frame = pd.concat([frame, pd.DataFrame({"group": ["other"], "cifar10": [0.6], "cifar10.2": [0.6]})])
    lines = {name: fit(old, frame[name].dropna()[:12]) for name in ("cifar10.1", "cifar10.2")}
    figure = shift_plots.old_against_new(frame, lines)
    left, right = figure.axes
    assert (left.get_ylabel(), right.get_ylabel()) == ("accuracy on CIFAR-10.1, %", "accuracy on CIFAR-10.2, %")
    drawn = {line.get_label(): line for line in right.lines}
    assert {"scratch (12)", "other (1)", "y = x"} < drawn.keys()
    np.testing.assert_allclose(drawn["scratch (12)"].get_xdata(), scipy.special.ndtri(old))
    assert "other (1)" not in {line.get_label() for line in left.lines}  # it has no accuracy there
    assert drawn["scratch (12)"].get_color() != drawn["other (1)"].get_color()
    ticks = dict(zip([tick.get_text() for tick in right.get_xticklabels()], right.get_xticks(), strict=True))
    assert ticks["50"] == pytest.approx(0)
    assert len(right.collections) == 1  # the band


def test_class_losses_are_sorted_with_a_colour_for_each_training_set():
    losses = {"lost": [0.1, 0.3], "lost_low": [0.05, 0.2], "lost_high": [0.2, 0.4]}
    index = pd.Index(["cat", "dog"], name="class")
    frame = pd.concat([pd.DataFrame(losses, index).assign(train_data=name) for name in ("a", "b")])
    ax = shift_plots.class_losses(frame)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["dog", "cat"]
    of_a, of_b = ax.containers
    np.testing.assert_allclose(sorted(of_a[0].get_xdata()), [10, 30])
    assert of_a[0].get_color() != of_b[0].get_color()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["trained on a", "trained on b"]
