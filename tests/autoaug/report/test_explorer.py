"""The widgets: what they offer, and that choosing draws what was chosen."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import report_runs
import run_files

from autoaug import datasets, recipes
from autoaug.report import explorer
from autoaug.shift import study
from data_prep import synthetic

PAIR = ("synthetic10", "synthetic10_harder")
WIDE, SHAKE = "WRN-10-1, 10 epochs", "Shake-Shake-8 2×16d, 4 epochs"


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """Two seeds of one family and one of another, that are right on real images as often as chance has it."""
    folder = tmp_path_factory.mktemp("results")
    synthetic.build(folder / "data", [PAIR[1]])
    labels = datasets.load_test(PAIR[1], folder / "data").labels
    for model, seed in (("wrn", 0), ("wrn", 1), ("ss32", 0)):
        rng = np.random.default_rng([seed, *model.encode()])
        tests = {
            name: run_files.predictions(rng, labels, chance) for name, chance in zip(PAIR, (0.9, 0.5), strict=True)
        }
        run_files.write(folder, PAIR[0], tests, seed, recipes.get(model))
    return report_runs.load(folder)


def test_the_widgets_offer_what_there_is_and_draw_what_is_chosen(loaded, monkeypatch):
    drawn = []
    monkeypatch.setattr(explorer, "display", lambda figure: drawn.append(figure.axes[0]))
    models, pair, scale, confidence, _, number, _ = explorer.explore(loaded).children
    assert set(models.options) == {WIDE, SHAKE} and models.value == models.options
    assert dict(pair.options) == {"shapes → shapes, harder": PAIR} and confidence.value == 0.95
    assert models.style.description_width == "initial"
    chart, image = drawn
    assert chart.get_xlabel() == "accuracy on shapes, %" and len(chart.containers) == 2  # a colour for each family
    number.value = 2
    assert len(drawn) == 3 and not np.array_equal(drawn[-1].images[0].get_array(), image.images[0].get_array())
    scale.value = "linear"
    assert drawn[-1].get_xscale() == "linear" and chart.get_xscale() == "function"
    models.value = (WIDE,)
    assert len(drawn[-2].containers) == 1 and drawn[-1].texts[0].get_text().endswith("2 of 2")


def test_seeds_of_one_or_two_families_make_no_line(loaded):
    ax = explorer.old_against_new(loaded, [WIDE, SHAKE], PAIR, "probit", 0.95)
    assert [line.get_label() for line in ax.lines if line.get_label().startswith("line")] == []


def test_the_hardest_image_is_the_one_most_models_fail_on(loaded):
    ax = explorer.hardest_image(loaded, [WIDE, SHAKE], PAIR, 1)
    panel = study.panel(loaded.runs, *PAIR)
    hardest = np.argmax((~panel.right).sum(axis=0))
    image = datasets.load_test(PAIR[1], loaded.data_dir).images[hardest]
    np.testing.assert_array_equal(ax.images[0].get_array()[:32, :32], image)


def test_what_cannot_be_shown_is_said(loaded, capsys):
    wrong = (~study.panel(loaded.runs, *PAIR).right).any(axis=0).sum()
    with pytest.raises(explorer.NothingToShow, match=f"These models get {wrong:,} images of shapes, harder wrong"):
        explorer.hardest_image(loaded, [WIDE, SHAKE], PAIR, 10_000)
    with pytest.raises(explorer.NothingToShow, match="None of these models"):
        explorer.hardest_image(loaded, [], PAIR, 1)
    with pytest.raises(explorer.NothingToShow, match="tested on both sets"):
        explorer.old_against_new(loaded, [], PAIR, "probit", 0.9)
    explorer._show(explorer.hardest_image, loaded, families=[], pair=PAIR, number=1)
    assert "None of these models" in capsys.readouterr().out
    assert not plt.get_fignums()


def test_without_runs_it_says_what_to_run(tmp_path):
    (text,) = explorer.explore(report_runs.load(tmp_path)).children
    assert "make report" in text.value
