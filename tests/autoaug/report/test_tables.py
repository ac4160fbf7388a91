"""The rows of the report's tables."""

import dataclasses

import pandas as pd
import pytest

from autoaug import shift
from autoaug.report import names, page, tables

PUBLISHED = pd.DataFrame({"model": ["wrn"], "train_data": ["cifar10"], "test_set": ["cifar10"], "accuracy": [0.975]})
FAMILIES = {"wrn": "WRN-10-1, 10 epochs", "ss32": "Shake-Shake-8 2×16d, 4 epochs"}


def of_family(loaded, name):
    return loaded.means[loaded.means["family"] == FAMILIES[name]]


def test_the_matrix_has_training_sets_in_rows_and_test_sets_in_columns(loaded):
    means = of_family(loaded, "wrn")
    rows = tables.matrix_rows(means, loaded)
    assert list(rows.columns) == ["Trained on", "shapes", "shapes, harder", "Seeds"]
    assert rows["Trained on"].tolist() == ["shapes", "shapes, harder"]
    cell = means[(means["train_data"] == "synthetic10") & (means["test_set"] == "synthetic10_harder")].iloc[0]
    assert rows["shapes, harder"][0].value == cell["accuracy"] == pytest.approx(0.5, abs=0.03)
    assert [rows[column][row].strong for row, column in ((0, "shapes"), (0, "shapes, harder"), (1, "shapes"))] == [
        True, False, False,
    ]  # fmt: skip
    assert rows["Seeds"][0].count("<a href=") == 3


def test_the_matrix_has_no_empty_columns_and_marks_what_is_left_out(loaded):
    means = of_family(loaded, "wrn")
    means = means[means["test_set"] == "synthetic10"].assign(overlap=3)
    rows = tables.matrix_rows(means, loaded)
    assert list(rows.columns) == ["Trained on", "shapes", "Seeds"] and "* [" in rows["shapes"][0]


def test_published_accuracies_stand_beside_paper_runs_only(loaded):
    means = of_family(loaded, "wrn").assign(train_data="cifar10", test_set="cifar10").iloc[:1]
    assert tables.published_beside(means, PUBLISHED, loaded).empty
    (row,) = tables.published_beside(means.assign(preset="paper"), PUBLISHED, loaded).to_dict("records")
    assert (row["Trained and tested on"], row["Published, %"]) == ("CIFAR-10", "97.5")
    assert row["Difference, points"].value == pytest.approx(row["Measured, %"].value - 0.975)


@pytest.mark.parametrize(
    ("name", "source", "label"),
    [
        ("cifar10", "CIFAR-10", "CIFAR-10"),
        ("cifar10", "CIFAR-10 (JPEG copy)", "CIFAR-10 (JPEG copy)"),
        ("cifar10_12k", "CIFAR-10 (JPEG copy)", "CIFAR-10 (12,000 images, JPEG copy)"),
        ("cifar10", "unverified files", "CIFAR-10 (unverified files)"),
        ("synthetic10", "embedded images", "shapes"),
        ("<mine>", "CIFAR-10", "<mine>"),
    ],
)
def test_a_data_set_is_labelled_with_its_title_and_with_what_its_source_is_not(name, source, label):
    assert names.data_label(name, source) == label


def test_accuracy_and_gap_rows_name_the_run_alike(loaded):
    rows = tables.accuracy_rows(loaded)
    gaps = shift.gap_table(loaded.accuracies)
    gap_rows = tables.gap_rows(gaps, loaded)
    columns = ["Model", "Run", "Seed", "Trained on", "Tested on"]
    assert list(rows.columns[:5]) == list(gap_rows.columns[:5]) == columns
    assert len(rows) == 16 and len(gap_rows) == 8 and set(rows["Left out"]) == {0}
    first = loaded.accuracies.iloc[0]
    assert rows["Right"][0] == f"{first.correct:,} of {first.total:,}" and rows["Right"][0].value == first.correct
    assert gap_rows["Gap, points"][0].value == gaps["gap"][0]


def test_statements_are_numbers_in_the_file(loaded):
    numbers = tables.statement_numbers(loaded.pairs)
    assert numbers["models"].tolist()[0] == "all families with enough seeds"
    assert numbers["enough_seeds"].tolist() == [True, False, True]  # all, Shake-Shake with one seed, Wide-ResNet
    said = loaded.pairs[0].verdict
    assert (numbers["gap_a"][0], numbers["home_b_low"][0]) == (said.gap_a.value, said.home_b.low)
    assert numbers["harder"].tolist() == [True, False, True]


def test_published_rows_are_ordered_by_accuracy_on_cifar10():
    rows = [("low", "CIFAR-10", 80), ("low", "new", 70), ("high", "CIFAR-10", 90), ("high", "new", 60)]
    counts = pd.DataFrame(rows, columns=["model", "test_set", "correct"]).assign(total=100, train_data="CIFAR-10")
    robustness = {"low": page.percent(-0.01), "high": page.percent(0.02)}
    table = tables.published_rows(shift.accuracy_table(counts), shift.gap_table(counts, "model"), robustness)
    assert table["Model"].tolist() == ["high", "low"]
    assert [text[:4] for text in table["new, %"]] == ["60.0", "70.0"]
    assert [text[:4] for text in table["Lost on new"]] == ["30.0", "10.0"]
    assert table["Above the line"].tolist() == ["2.0", "−1.0"]


def test_another_statement_changes_no_number(loaded):
    again = dataclasses.replace(loaded)
    again.rng("something", "else").random(1_000)
    assert again.pairs[0].verdict == loaded.pairs[0].verdict and again.pairs[0].cells == loaded.pairs[0].cells
