"""The widgets: what they offer, and that choosing draws what was chosen."""

import matplotlib
import run_files

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from autoaug import datasets, recipes, records
from autoaug.report import explorer
from autoaug.shift import study
from data_prep import synthetic

PAIR = ("synthetic10", "synthetic10_harder")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    path = tmp_path_factory.mktemp("data")
    synthetic.build(path, [PAIR[1]])
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory, data_dir):
    """Two seeds of one family and one of another, that are right on real images as often as chance has it."""
    results = tmp_path_factory.mktemp("results")
    labels = datasets.load_test(PAIR[1], data_dir).labels
    for model, seed in (("wrn", 0), ("wrn", 1), ("ss32", 0)):
        rng = np.random.default_rng([seed, *model.encode()])
        tests = {
            name: run_files.predictions(rng, labels, chance) for name, chance in zip(PAIR, (0.9, 0.5), strict=True)
        }
        run_files.write(results, PAIR[0], tests, seed, recipes.get(model))
    return study.named(records.collect(results))


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_the_widgets_offer_what_there_is_and_draw_what_is_chosen(runs, data_dir, monkeypatch):
    drawn = []
    monkeypatch.setattr(explorer, "display", lambda figure: drawn.append(figure.axes[0]))
    models, pair, scale, confidence, _, number, _ = explorer.explore(runs, data_dir).children
    assert models.options == ("shake_shake_32", "wrn") and models.value == models.options
    assert dict(pair.options) == {"synthetic10 → synthetic10_harder": PAIR} and confidence.value == 0.95
    chart, image = drawn
    assert chart.get_xlabel() == "accuracy on synthetic10, %" and len(chart.containers) == 3
    number.value = 2
    assert len(drawn) == 3 and not np.array_equal(drawn[-1].images[0].get_array(), image.images[0].get_array())
    scale.value = "linear"
    assert drawn[-1].get_xscale() == "linear" and chart.get_xscale() == "function"
    models.value = ("wrn",)
    assert len(drawn[-2].containers) == 2 and drawn[-1].texts[0].get_text().endswith("2 of 2")


def test_the_hardest_image_is_the_one_most_models_fail_on(runs, data_dir):
    ax = explorer.hardest_image(runs, ["wrn", "shake_shake_32"], PAIR, 1, data_dir)
    panel = study.panel(runs, *PAIR)
    hardest = np.argmax((~panel.right).sum(axis=0))
    image = datasets.load_test(PAIR[1], data_dir).images[hardest]
    np.testing.assert_array_equal(ax.images[0].get_array()[:32, :32], image)
    assert explorer.hardest_image(runs, ["wrn"], PAIR, 10_000, data_dir) is None
    assert explorer.hardest_image(runs, [], PAIR, 1, data_dir) is None


def test_without_runs_it_says_what_to_run(runs, data_dir):
    (text,) = explorer.explore(runs[:0], data_dir).children
    assert "make report" in text.value


def test_models_without_both_test_sets_are_not_drawn(runs):
    assert explorer.old_against_new(runs[runs.test_set == PAIR[0]], ["wrn"], PAIR, "probit", 0.9) is None
