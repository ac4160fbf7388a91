"""The README says nothing that `results/measured` does not hold."""

import re

from autoaug import datasets, recipes, shift
from autoaug.files import ROOT
from autoaug.report import page, results
from autoaug.runs import collect
from autoaug.runs import record as records

ROW = re.compile(r"^\| (.*) \| `(\w+)`.* \| .* \| ([\d, ]+) \| (\d+\.\d \[\d+\.\d, \d+\.\d\]) \|$", re.MULTILINE)


def described(folder):
    """The family of a kept run."""
    return recipes.title(records.read(ROOT / folder).recipe)


def test_the_table_of_measurements_is_that_of_the_runs():
    runs = collect(ROOT / "results" / "measured")
    runs = runs[~runs["train_data"].isin(datasets.DESIGNS)]
    halves = runs["train_data"].str.startswith("cifar10_half")
    runs = runs[runs["test_set"] == runs["train_data"].where(halves, "cifar10")]
    measured = {}
    for (model, train_data), chosen in runs.groupby([runs["folder"].map(described), "train_data"]):
        correct, (total,) = round(chosen["correct"].mean()), set(chosen["total"])
        text = page.percent(correct / total, *shift.accuracy_interval(correct, int(total)))
        measured[model, train_data] = (", ".join(map(str, sorted(chosen["seed"]))), text)
    rows = ROW.findall((ROOT / "README.md").read_text())
    assert {(model, train_data): (seeds, text) for model, train_data, seeds, text in rows} == measured


def test_the_table_of_photographs_of_known_truth_is_that_of_the_runs(tmp_path):
    text = (ROOT / "README.md").read_text()
    listed = dict(
        re.findall(r"^\| `(known_\w+)` \| .* \| (?:\*\*wrong: )?([\w ]+?)(?:\*\*)? \| .* \|$", text, re.MULTILINE)
    )
    measured = results.load(
        str(tmp_path), str(tmp_path), str(ROOT / "results" / "published"), 0.95, 0, str(ROOT / "results" / "measured")
    )
    pairs = {pair.name: pair.verdict for pair in measured.pairs}
    assert list(listed) == list(pairs)
    for name, answer in listed.items():
        verdict = pairs[name]
        statements = [word for word in ("harder", "different") if getattr(verdict, word)]
        assert answer == (" and ".join(statements) or "nothing")
        gaps, homes = (
            " and ".join(page.estimate(number) for number in numbers)
            for numbers in ((verdict.gap_a, verdict.gap_b), (verdict.home_a, verdict.home_b))
        )
        assert f" | {gaps} | {homes} |" in text


def test_all_kept_runs_are_of_committed_code_and_have_a_prediction_for_each_image():
    runs = collect(ROOT / "results" / "measured")
    assert len(runs) >= 8
    for folder in {ROOT / folder for folder in runs["folder"]}:
        record = records.read(folder)
        assert record.code.commit and record.code.dirty is False
        assert sorted(path.stem for path in (folder / "predictions").iterdir()) == sorted(record.tests)


def test_the_costs_of_the_studies_are_those_in_their_files():
    text = (ROOT / "README.md").read_text()
    for name in ("cifar10.2", "shake_shake", "full"):
        study = (ROOT / "notebooks" / f"{name}.yml").read_text()
        (cost,) = re.findall(r"# Cost: (\d+ trainings), ([\d.]+ hours)", study)
        assert ": ".join(cost) in text
