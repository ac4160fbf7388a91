"""What the report says in words."""

import dataclasses

import pandas as pd
import pytest
from report_runs import CHANCES, load, write_study

from autoaug.files import ROOT
from autoaug.report import names, sentences
from autoaug.shift import Cells, Estimate, Sides, Verdict

PUBLISHED = ROOT / "results" / "published"
UP, DOWN, ZERO = Estimate(0.2, 0.1, 0.3), Estimate(-0.2, -0.21, -0.19), Estimate(0, -0.01, 0.01)
WIDE = Estimate(0.05, -0.05, 0.15)


def verdict(gap_a, gap_b, home_a, home_b, few_seeds=False):
    sides = Sides(3, 3)
    return Verdict(gap_a, gap_b, home_a, home_b, Cells(0.9, 0.5, 0.8, 0.6), sides, sides, 1, 0, few_seeds)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (verdict(UP, UP, ZERO, ZERO), "harder"),
        (verdict(UP, ZERO, UP, UP), "different"),
        (verdict(UP, UP, UP, UP), "harder and different"),
        (verdict(DOWN, DOWN, ZERO, ZERO), "easier"),
        (verdict(ZERO, ZERO, ZERO, ZERO), "neither is shown"),
        (verdict(UP, ZERO, ZERO, UP), "covers more than A"),
        (verdict(UP, UP, UP, UP, few_seeds=True), "too few seeds to say"),
    ],
)
def test_every_outcome_has_its_words(said, text):
    assert sentences.outcome_text(said) == text


def test_what_is_not_shown_says_why():
    text = sentences.in_the_way(verdict(UP, WIDE, DOWN, ZERO))
    assert text == ("BA − BB has too few images or seeds to tell; AA − BA is below zero; BB − AB may be zero")
    assert sentences.in_the_way(verdict(UP, UP, UP, UP)) == ""


def test_the_published_sentence_is_counted_and_computed_from_the_files():
    counts, lines = (pd.read_csv(PUBLISHED / name) for name in ("cifar10.1-counts.csv", "lines.csv"))
    text = sentences.published(counts, lines)
    assert text.startswith("30 published models, all trained on CIFAR-10, lose 4.0 to 14.6 points on CIFAR-10.1 v6 (on")
    assert "(on average 7.8). For CIFAR-10.2, a line through at least 150 models" in text
    assert "models with 90 and 95 % on CIFAR-10 get 75.7 and 83.6 %" in text


def test_the_missing_partner_is_named_with_the_command_that_trains_it(tmp_path):
    chances = {"cifar105": {"cifar105": 0.8, "cifar10_12k": 0.9}, "cifar10": {"cifar105": 0.8, "cifar10_12k": 0.9}}
    write_study(tmp_path, chances, seeds=2, preset="small")
    text = sentences.measured(load(tmp_path))
    command = "papermill notebooks/train.ipynb -p model wrn -p train_data cifar10_12k -p preset small"
    assert text.endswith(f"To compare with cifar105, train cifar10_12k too, with the same seeds (0, 1): {command}.")
    assert text.count("To compare") == 1  # CIFAR-10 itself has no reproduction of its size
    write_study(tmp_path, {"cifar10_12k": {"cifar105": 0.8, "cifar10_12k": 0.9}}, seeds=2, preset="small")
    assert "To compare" not in sentences.measured(load(tmp_path))


def test_several_missing_partners_are_counted_and_one_is_named(tmp_path):
    chances = {name: {name: 0.7} for name in ("cifar10_10k", "cifar10_12k")}
    write_study(tmp_path, chances, seeds=2, preset="small")
    text = sentences.measured(load(tmp_path))
    assert text.count("To compare") == 1 and text.endswith(". Comparisons that lack runs, with this one: 2.")
    assert "To compare with cifar10_12k, train cifar105 too" in text  # CIFAR-10.2 as published, though trained later


def test_a_set_of_known_truth_does_not_take_the_place_of_the_missing_partner(tmp_path):
    chances = {name: {"cifar10_12k": 0.8, "known_same": 0.8} for name in ("cifar10_12k", "known_same")}
    write_study(tmp_path, chances, preset="small")
    assert "To compare with cifar10_12k, train cifar105 too, with the same seeds (0, 1, 2)" in sentences.measured(
        load(tmp_path)
    )


def test_on_known_truth_right_and_wrong_designs_are_counted_and_named(loaded, tmp_path):
    assert sentences.known_truth(loaded).endswith("whose answer is known, the method is right in 1 of 1 cases.")
    different = {"synthetic10": {"synthetic10": 0.9, "synthetic10_harder": 0.5}}
    different["synthetic10_harder"] = {"synthetic10": 0.5, "synthetic10_harder": 0.9}
    write_study(tmp_path, different)
    text = sentences.known_truth(load(tmp_path))
    assert "right in 0 of 1 cases. It is wrong on “shapes, harder” (answer: different; truth: harder)." in text


def test_a_design_without_enough_seeds_is_not_called_right(tmp_path):
    write_study(tmp_path, CHANCES, seeds=1)
    (pair,) = load(tmp_path).pairs
    assert pair.verdict.few_seeds and not sentences.is_right(pair)


def test_what_was_measured_names_reproductions_with_what_their_source_says(loaded, tmp_path):
    assert "No run on CIFAR-10 or a reproduction of it has been measured" in sentences.measured(loaded)
    chances = {"cifar10_12k": {"cifar10_12k": 0.7, "cifar105": 0.5}, "cifar105": {"cifar10_12k": 0.6, "cifar105": 0.4}}
    write_study(tmp_path, chances, preset="small")
    results = load(tmp_path)
    runs = results.runs.assign(train_source="CIFAR-10 (JPEG copy)", test_source="unverified files")
    text = sentences.measured(dataclasses.replace(results, runs=runs))
    assert text.startswith("Measured here: CIFAR-10.2 (12,000 images, ")
    assert text.endswith("(small models, 3 + 3 runs): harder.") and "JPEG copy" in text


def test_photographs_without_a_reproduction_are_said_to_be_that(tmp_path):
    write_study(tmp_path, {"cifar10_12k": {"cifar10_12k": 0.7}}, seeds=2, preset="small")
    results = load(tmp_path)
    text, own = sentences.measured(results), f"{100 * results.means['accuracy'].iloc[0]:.1f}"
    assert "photographs: 2 small runs, trained on CIFAR-10 (12,000 images). " in text
    assert f"Accuracy on their own test sets: {own} %." in text
    assert "No reproduction has been compared yet. To compare with cifar10_12k, train cifar105 too" in text


def test_presets_of_runs_counts_runs_not_rows(loaded):
    assert names.presets_of_runs(loaded.runs).startswith("Measured in 8 quick runs (")
    assert names.presets_of_runs(loaded.runs[:0]) == ""
