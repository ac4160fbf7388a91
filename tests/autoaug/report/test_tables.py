"""The rows of the report's tables."""

import numpy as np
import pandas as pd
import pytest
from run_files import tables

from autoaug import shift
from autoaug.report import tables as report_tables
from autoaug.shift import study
from autoaug.shift.decomposition import decompose

PUBLISHED = pd.DataFrame({"model": ["wrn"], "train_data": ["cifar10"], "test_set": ["cifar10"], "accuracy": [0.975]})


def headline(accuracies):
    return report_tables.headline_rows(shift.accuracy_table(study.mean_over_seeds(accuracies)), PUBLISHED)


def test_the_headline_table_keeps_published_apart_and_marks_overlap_and_kind():
    accuracies, _ = tables(("r", "paper", "cifar10", "cifar10", 900), ("r", "paper", "cifar10", "new", 500))
    accuracies.loc[1, ["overlap", "total"]] = [3, 997]
    first, second = headline(accuracies).to_dict("records")
    assert first["Accuracy, % [95 %]"] == "90.0 [88.0, 91.8]"
    assert (first["Published, %"], first["Difference"]) == ("97.5", "−7.5")
    assert (second["Published, %"], second["Difference"]) == ("", "")
    assert (first["Tested on"], second["Tested on"]) == ("cifar10", "new* (3 of 1,000 left out)")
    assert (first["Seeds"], first["Runs"]) == ('<a href="#r">0</a>', "paper")
    assert headline(accuracies.assign(sort="quick"))["Published, %"].tolist() == ["", ""]


def test_several_seeds_are_one_row_with_their_mean_and_range():
    rows = tables(("a", "quick", "x", "x", 900), ("b", "quick", "x", "x", 800))[0].assign(seed=[0, 1])
    (row,) = headline(rows).to_dict("records")
    assert row["Accuracy, % [95 %]"].startswith("85.0 [")
    assert row["Seeds"] == '<a href="#a">0</a>, <a href="#b">1</a>' and row["Range, %"] == "80.0 to 90.0"


@pytest.mark.parametrize(
    ("source", "label"),
    [
        ("CIFAR-10", "cifar10"),
        ("CIFAR-10 (JPEG copy)", "cifar10 (JPEG copy)"),
        ("unverified files", "cifar10 (unverified files)"),
        ("embedded images", "cifar10"),
    ],
)
def test_a_data_set_is_labelled_with_what_its_source_is_not(source, label):
    assert report_tables.data_label("cifar10", source) == label


def test_accuracy_and_gap_rows_name_the_run_alike():
    accuracies, gaps = tables(("r", "quick", "a", "a", 500), ("r", "quick", "a", "b", 700))
    rows, gap_rows = report_tables.accuracy_rows(accuracies), report_tables.gap_rows(gaps)
    assert list(rows.columns[:5]) == list(gap_rows.columns[:5]) == ["Model", "Run", "Seed", "Trained on", "Tested on"]
    assert rows["Run"].tolist() == ['<a href="#r">quick</a>'] * 2
    assert rows["Right"].tolist() == ["500 of 1,000", "700 of 1,000"] and set(rows["Overlap"]) == {"none"}
    assert gap_rows["Gap, points [95 %]"].tolist() == ["−20.0 [−24.1, −15.8]"]


def test_a_decomposition_is_a_row_of_accuracies_and_parts():
    cells = [np.arange(100)[None] < count for count in (90, 50, 80, 60)]
    part = decompose([cells], 0.95, np.random.default_rng(0))
    (row,) = report_tables.decomposition_rows([("new", "wrn", part)]).to_dict("records")
    assert [row[f"{cell}, %"] for cell in ("AA", "AB", "BA", "BB")] == ["90.0", "50.0", "80.0", "60.0"]
    assert row["Hardness"].startswith("30.0 [") and row["Hardness, % of gap"].startswith("75.0 [")
    assert (row["Reproduction"], row["Models"]) == ("new", "wrn (1 + 1 runs)")
    numbers = report_tables.decomposition_numbers([("new", "wrn", part)]).iloc[0]
    assert (numbers["aa"], numbers["hardness"], numbers["share_low"]) == (0.9, part.hardness.value, part.share.low)


def test_families_are_paired_with_all_their_runs():
    right = np.array([[1, 1, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0]], bool)
    panel = study.Panel(("b", "b", "a"), (0, 1, 0), right.astype(int), right, np.ones(4, int), np.arange(4), None, 0)
    (row,) = report_tables.pair_rows(panel, 0.95).to_dict("records")
    assert (row["Model"], row["Against"]) == ("a", "b")
    assert row["Difference, points [95 %]"].startswith("−12.5 [")
    assert 0 < float(row["p, after Holm"]) <= 1
    rows = report_tables.agreement_rows(panel)
    assert rows["b, seed 0"].tolist() == ["100.0", "25.0", "50.0"]


def test_published_rows_are_ordered_by_accuracy_on_cifar10():
    rows = [("low", "cifar10", 80), ("low", "new", 70), ("high", "cifar10", 90), ("high", "new", 60)]
    counts = pd.DataFrame(rows, columns=["model", "test_set", "correct"]).assign(total=100, train_data="cifar10")
    robustness = pd.Series({"low": -0.01, "high": 0.02})
    table = report_tables.published_rows(shift.accuracy_table(counts), shift.gap_table(counts, "model"), robustness)
    assert table["Model"].tolist() == ["high", "low"]
    assert [text[:4] for text in table["new, %"]] == ["60.0", "70.0"]
    assert [text[:4] for text in table["Gap to new"]] == ["30.0", "10.0"]
    assert table["Above the line"].tolist() == ["2.0", "−1.0"]


def test_runs_are_in_the_order_of_the_data_sets():
    runs = tables(*[("r" + train, "quick", train, test, 1) for train in "ab" for test in "abz"])[0]
    ordered = report_tables.in_order(runs, ["b", "a"])
    assert (ordered["train_data"] + ordered["test_set"]).tolist() == ["bb", "ba", "bz", "ab", "aa", "az"]
    assert ordered.index.tolist() == list(range(6))
