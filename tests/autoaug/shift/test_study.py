"""Runs on disk → pairs of data sets with families, judges and clean images → a row of statements for each."""

import re

import numpy as np
import pandas as pd
import pytest
import run_files
from run_files import SHAPES

from autoaug import datasets, recipes, runs
from autoaug.shift import study
from data_prep import synthetic

LABELS = np.arange(400) % 10
WRN, SHAKE_SHAKE = (recipes.title(recipes.get(model)) for model in ("wrn", "ss32"))
PHOTOGRAPHS = {"cifar10": 0.9, "cinic10_5k": 0.6}
JUDGING = {"cifar10": 0.9, "cinic10_5k": 0.7}


def write(results, train_data, accuracies, seed=0, overlap=(), labels=None, **options):
    """A run that is right with these chances; `overlap` are images of the other test sets than its own."""
    rng = np.random.default_rng([seed, *train_data.encode()])
    tests = {}
    for name, accuracy in accuracies.items():
        of_test = LABELS if labels is None else labels[name]
        tests[name] = run_files.predictions(rng, of_test, accuracy, overlap if name != train_data else ())
    return run_files.write(results, train_data, tests, seed, **options)


def write_photographs(results, judges=3, of_judges=JUDGING, overlap=(), of_judges_overlap=(), of_b=PHOTOGRAPHS):
    """Three runs of both sides, the first without overlap, and so many of each of the judges."""
    for seed in range(3):
        write(results, "cifar10_5k", PHOTOGRAPHS, seed, overlap if seed else ())
        write(results, "cinic10_5k", of_b, seed)
    for seed in range(judges):
        for name in datasets.JUDGES:
            write(results, name, of_judges, seed, of_judges_overlap, margins=True)


def test_a_pair_holds_the_right_answers_of_every_family_and_seed(tmp_path):
    for train_data in SHAPES:
        for seed in range(3):
            write(tmp_path, train_data, SHAPES, seed)
        write(tmp_path, train_data, SHAPES, recipe=recipes.get("ss32"))
    write(tmp_path, "synthetic10", SHAPES, recipe=recipes.get("pyramid"))  # not on the other set: in no pair
    write(tmp_path, "synthetic10", {"synthetic10": 0.9}, seed=9)  # not tested on the other
    table = runs.collect(tmp_path)
    (pair,) = study.pairs(table)
    assert (pair.original, pair.reproduction, pair.original_test, pair.preset) == (*SHAPES, "synthetic10", "quick")
    assert {name: [len(cell) for cell in cells] for name, cells in pair.families.items()} == {
        SHAKE_SHAKE: [1] * 4, WRN: [3] * 4
    }  # fmt: skip
    counts = table[table["seed"] < 3].set_index(["family", "train_data", "test_set", "seed"])["correct"].sort_index()
    for train_data, cells in zip(SHAPES, (pair.families[WRN][:2], pair.families[WRN][2:]), strict=True):
        for test_set, cell in zip(SHAPES, cells, strict=True):
            assert cell.sum(axis=1).tolist() == counts.loc[WRN, train_data, test_set].tolist()
    np.testing.assert_array_equal(pair.labels.b, LABELS)
    assert pair.left_out == (0, 0) and pair.judges is None and pair.judged_by == ""


def test_images_that_any_model_or_judge_was_trained_on_are_left_out(tmp_path):
    write_photographs(tmp_path, overlap=[0, 1], of_judges_overlap=[7])
    (pair,) = study.pairs(runs.collect(tmp_path))
    assert pair.left_out == (3, 3)  # 0, 1 and 7, on both sides
    kept = np.delete(LABELS, [0, 1, 7])
    np.testing.assert_array_equal(pair.labels.a, kept)
    assert {side.shape for source in pair.judges for side in source} == {(3, len(kept))}
    assert {cell.shape for cell in pair.families[WRN]} == {(3, len(kept))}


def test_judges_are_runs_with_margins_on_both_of_their_sets(tmp_path):
    write_photographs(tmp_path)
    (pair,) = study.pairs(runs.collect(tmp_path))
    assert (pair.original, pair.original_test, pair.reproduction) == ("cifar10_5k", "cifar10", "cinic10_5k")
    assert pair.judges is not None and len(pair.judges) == 2 and pair.judged_by.startswith(WRN)
    assert "cifar10_rest_a and cifar10_rest_b" in pair.judged_by
    (without,) = study.pairs(runs.collect(tmp_path), judges=("cifar10_rest_a", "cifar10_5k"))
    assert without.judges is None and without.judged_by.startswith("of cifar10_rest_a, cifar10_5k, no two have 3 runs")
    with pytest.raises(ValueError, match=r"Expected judges, two training sets or more\. Received: "):
        study.pairs(runs.collect(tmp_path), judges=["cifar10_rest_a"])
    with pytest.raises(ValueError, match=r"Expected judges, one of .* Received: judges='cifar10_half_a'"):
        study.pairs(runs.collect(tmp_path), judges=("cifar10_rest_a", "cifar10_half_a"))
    margins = pair.judges[0][1]
    right = runs.collect(tmp_path).query("train_data == 'cifar10_rest_a' and test_set == 'cinic10_5k'")["correct"]
    assert (margins > 0).sum(axis=1).tolist() == right.tolist()


@pytest.mark.parametrize(
    ("seeds", "accuracy", "said"), [(2, 0.9, "^$"), (3, 0.8, r"\d points less accurate than A's models")]
)
def test_too_few_and_too_weak_judges_do_not_judge(tmp_path, seeds, accuracy, said):
    write_photographs(tmp_path, seeds, JUDGING | {"cifar10": accuracy}, of_b=PHOTOGRAPHS | {"cifar10": 0.6})
    (pair,) = study.pairs(runs.collect(tmp_path))
    assert pair.judges is None and re.search(said, pair.judged_by)
    (row,) = study.verdicts([pair], 0.95).to_dict("records")
    assert np.isnan(row["home_within"]) and row["comparable"] is None


def test_the_difficulty_of_drawn_shapes_is_known(tmp_path):
    drawn = {name: synthetic.latents(name, "test") for name in SHAPES}
    labels = {name: of_set[0] for name, of_set in drawn.items()}
    for train_data in SHAPES:
        write(tmp_path, train_data, SHAPES, overlap=[3], labels=labels)
    (pair,) = study.pairs(runs.collect(tmp_path))
    assert pair.left_out == (1, 1) and pair.judged_by == "known: each image was drawn with it"
    for side, name in zip(pair.judges, SHAPES, strict=True):
        np.testing.assert_array_equal(side, np.delete(drawn[name][1]["difficulty"], 3))


def test_runs_are_compared_on_the_newest_version_of_every_data_set(tmp_path):
    newer = {"started": "2026-02-01T00:00:00Z"}
    kept = [write(tmp_path, "synthetic10", SHAPES, seed, **newer) for seed in range(2)]
    older_test = write(tmp_path, "synthetic10", SHAPES, seed=2, test_sha256="00" * 32)
    older_training = write(tmp_path, "synthetic10", SHAPES, seed=3, train_sha256="00" * 32)
    other = write(tmp_path, "synthetic10_harder", SHAPES, train_sha256="11" * 32)  # the only version of that set
    newest, left_out = study.of_newest_data(collected := runs.collect(tmp_path))
    assert left_out == sorted([older_test, older_training])
    collected.loc[collected["run_id"].isin(kept), "train_source"] = "CIFAR-10 (JPEG copy)"  # then the older data count
    assert set(kept) < set(study.of_newest_data(collected)[1])
    own = collected.assign(train_data="my10")  # whose source is a title, in which brackets say nothing
    assert not set(kept) & set(study.of_newest_data(own)[1])
    assert sorted(newest["run_id"]) == sorted(2 * [*kept, other])
    (pair,) = study.pairs(runs.collect(tmp_path))
    assert [len(cell) for cell in pair.families[WRN]] == [2, 2, 1, 1] and study.of_newest_data(newest[:0])[0].empty


def test_a_row_a_pair_with_numbers_for_every_estimate(tmp_path):
    write_photographs(tmp_path)
    for train_data in SHAPES:
        write(tmp_path, train_data, SHAPES)
    table = study.verdicts(study.pairs(runs.collect(tmp_path)), 0.95)
    assert len(table) == 2
    shapes, photographs = (table.set_index("reproduction").loc[name] for name in ("synthetic10_harder", "cinic10_5k"))
    assert shapes["few_seeds"] and shapes["said"] == "too few seeds to say" and shapes["harder"] is None
    assert photographs["harder"] and photographs["said"].startswith("harder")
    assert (photographs["runs_a"], photographs["images_b"], photographs["families"]) == (3, 400, WRN)
    for name in ("aa", "ab", "ba", "bb", "gap_a", "gap_b", "home_a", "home_b", "home", "home_within"):
        low, value, high = (photographs[f"{name}{end}"] for end in ("_low", "", "_high"))
        assert low <= value <= high
    assert photographs["gap_a"] == pytest.approx(photographs["aa"] - photographs["ab"])
    assert photographs["gap_at_most"] < photographs["gap_b_high"]
    pd.testing.assert_frame_equal(table, study.verdicts(study.pairs(runs.collect(tmp_path)), 0.95))
