"""Runs on disk → families, comparisons and means over seeds."""

import numpy as np
import run_files

from autoaug import recipes, shift
from autoaug.runs import collect as collect_runs
from autoaug.shift import study

LABELS = np.arange(200) % 10
QUICK = recipes.get("wrn")
WRN, SHAKE_SHAKE = "WRN-10-1, 10 epochs", "Shake-Shake-8 2×16d, 4 epochs (ss32, quick)"


def write(results, train_data, accuracies, seed=0, overlap=(), **options):
    rng = np.random.default_rng([seed, *train_data.encode()])
    tests = {
        name: run_files.predictions(rng, LABELS, accuracy, overlap if name != train_data else ())
        for name, accuracy in accuracies.items()
    }
    return run_files.write(results, train_data, tests, seed, **options)


def collect(results):
    return study.named(collect_runs(results))


BOTH = {"synthetic10": 0.9, "synthetic10_harder": 0.5}


def test_a_comparison_holds_the_right_answers_of_every_family_and_seed(tmp_path):
    for train_data in BOTH:
        for seed in range(3):
            write(tmp_path, train_data, BOTH, seed)
        write(tmp_path, train_data, BOTH, recipe=recipes.get("ss32"))
    write(tmp_path, "synthetic10", BOTH, recipe=recipes.get("pyramid"))  # not on the other set: in no comparison
    write(tmp_path, "synthetic10", {"synthetic10": 0.9}, seed=9)  # not tested on the other
    runs = collect(tmp_path)
    (comparison,) = study.comparisons(runs)
    assert (comparison.original, comparison.reproduction, comparison.preset) == (
        "synthetic10",
        "synthetic10_harder",
        "quick",
    )
    assert {name: [len(cell) for cell in cells] for name, cells in comparison.families.items()} == {
        SHAKE_SHAKE: [1] * 4,
        WRN: [3] * 4,
    }
    counts = runs.set_index(["family", "train_data", "test_set", "seed"])["correct"]
    ab = counts.sort_index().loc[WRN, "synthetic10", "synthetic10_harder"]
    assert comparison.families[WRN].ab.sum(axis=1).tolist() == ab.tolist()
    np.testing.assert_array_equal(comparison.labels.b, LABELS)
    assert comparison.left_out == (0, 0)


def test_test_images_that_any_model_was_trained_on_are_left_out(tmp_path):
    write(tmp_path, "synthetic10", BOTH, overlap=[0, 1])
    write(tmp_path, "synthetic10_harder", BOTH, overlap=[5])
    (comparison,) = study.comparisons(collect(tmp_path))
    assert comparison.left_out == (1, 2)
    np.testing.assert_array_equal(np.flatnonzero(~comparison.clean.b), [0, 1])
    assert [cell.shape for cell in comparison.families[WRN]] == [(1, 199), (1, 198)] * 2
    np.testing.assert_array_equal(comparison.labels.a, np.delete(LABELS, 5))
    np.testing.assert_array_equal(comparison.labels.b, LABELS[2:])


def test_runs_are_compared_on_the_newest_version_of_every_data_set(tmp_path):
    newer = {"started": "2026-02-01T00:00:00Z"}
    kept = [write(tmp_path, "synthetic10", BOTH, seed, **newer) for seed in range(2)]
    older_test = write(tmp_path, "synthetic10", BOTH, seed=2, test_sha256="00" * 32)
    older_training = write(tmp_path, "synthetic10", BOTH, seed=3, train_sha256="00" * 32)
    other = write(tmp_path, "synthetic10_harder", BOTH, train_sha256="11" * 32)  # the only version of that set
    runs, left_out = study.of_newest_data(collect_runs(tmp_path))
    assert left_out == sorted([older_test, older_training])
    assert sorted(runs["run_id"]) == sorted(2 * [*kept, other])
    write(tmp_path, "synthetic10", {"synthetic10": 0.9}, seed=4, test_sha256="22" * 32, started="2026-03-01T00:00:00Z")
    runs, left_out = study.of_newest_data(collect_runs(tmp_path))
    assert set(runs["run_id"][runs["test_set"] == "synthetic10_harder"]) == {*kept, other}  # as it was
    assert runs["seed"][runs["test_set"] == "synthetic10"].tolist() == [4]
    runs, left_out = study.of_newest_data(runs[:0])
    assert runs.empty and left_out == []


def test_the_mean_over_seeds_keeps_their_spread(tmp_path):
    for seed in range(3):
        write(tmp_path, "synthetic10", BOTH, seed)
    write(tmp_path, "synthetic10_harder", {"synthetic10": 0.5})
    counts = shift.clean_counts(collect(tmp_path))
    means = study.mean_over_seeds(counts).set_index(["train_data", "test_set"])
    assert means["seeds"].map(len).to_dict() == {
        ("synthetic10", "synthetic10"): 3,
        ("synthetic10", "synthetic10_harder"): 3,
        ("synthetic10_harder", "synthetic10"): 1,
    }
    correct = counts.query("train_data == 'synthetic10' and test_set == 'synthetic10'")["correct"]
    first = means.loc[("synthetic10", "synthetic10")]
    assert first["seeds"] == dict(enumerate(correct.index.map(counts["run_id"])))
    assert first["correct"] == round(correct.mean())
    assert (first["lowest"], first["highest"]) == (correct.min() / 200, correct.max() / 200)
    assert study.mean_over_seeds(counts[:0]).empty


def test_pairs_go_from_originals_to_what_is_not_another_original(tmp_path):
    write(tmp_path, "synthetic10_harder", BOTH)
    write(tmp_path, "cifar10", {"cifar10": 0.9, "cifar10_10k": 0.9, "cifar10.1-v6": 0.8, "cifar102": 0.8})
    assert study.pairs(collect(tmp_path)) == [("cifar10", "cifar10.1-v6"), ("cifar10", "cifar102")]


def test_a_panel_holds_runs_of_the_best_kind_on_images_that_are_clean_for_all(tmp_path):
    write(tmp_path, "synthetic10", BOTH, seed=0, overlap=[3])
    write(tmp_path, "synthetic10", BOTH, seed=1, overlap=[5])
    runs = collect(tmp_path)
    panel = study.panel(runs, *BOTH)
    assert (panel.families, panel.seeds, panel.left_out) == ((WRN, WRN), (0, 1), 2)
    np.testing.assert_array_equal(panel.indices, np.delete(np.arange(200), [3, 5]))
    np.testing.assert_array_equal(panel.labels, LABELS[panel.indices])
    np.testing.assert_array_equal(panel.right, panel.answers == panel.labels)
    write(tmp_path, "synthetic10", BOTH, recipe=recipes.get("ss32", "paper"))
    assert study.panel(collect(tmp_path), *BOTH).families == ("Shake-Shake-26 2×32d, 1800 epochs",)
    assert study.panel(runs, "synthetic10_harder", "synthetic10") is None


def test_runs_that_were_trained_on_all_test_images_are_in_no_panel(tmp_path):
    write(tmp_path, "synthetic10", {"synthetic10_harder": 0.5}, overlap=range(1000))
    runs = collect(tmp_path)
    assert (runs["total"] == 0).all() and study.pairs(runs) == []
    assert study.panel(runs, *BOTH) is None
