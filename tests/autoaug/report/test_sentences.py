"""The words of the report that depend on numbers."""

import numpy as np
import pandas as pd
import pytest

from autoaug import runs
from autoaug.datasets import Truth
from autoaug.files import ROOT
from autoaug.report import sentences

NUMBERS = ("aa", "ab", "ba", "bb", "gap_a", "gap_b", "home_a", "home_b", "home", "home_within",
           "home_a_within", "home_b_within")  # fmt: skip


def verdict(reproduction, original, harder, different, said="harder", preset="small"):
    """A row of `shift.study.verdicts`."""
    row = {"reproduction": reproduction, "original": original, "harder": harder, "different": different, "said": said}
    row |= {"few_seeds": False, "families": "WRN", "runs_a": 3, "runs_b": 3, "judged_by": "", "preset": preset}
    row |= {"gap_at_most": 0.005, "train_size_a": 2_460, "train_size_b": 2_460, "chance": 0.04, "comparable": None}
    row |= {"images_a": 10_000, "images_b": 1_990, "left_out_a": 0, "left_out_b": 10}
    for name in NUMBERS:
        row |= {name: 0.1, f"{name}_low": 0.05, f"{name}_high": 0.15}
    return row


VERDICTS = pd.DataFrame([
    verdict("synthetic10_harder", "synthetic10", True, False, "harder; different is undecided"),
    verdict("photo_look_100", "cifar10_12k", True, True),
    verdict("photo_noise_10", "cifar10_12k", True, None),
    verdict("cinic10_5k", "cifar10_5k", True, None, "harder; different is not separated from difficulty"),
])  # fmt: skip
RUNS = runs.collect(ROOT / "results" / "measured")[:0]


@pytest.mark.parametrize(
    ("truth", "harder", "different", "said", "judged"),
    [
        (Truth(True, False, ""), True, False, "", "right"),
        (Truth(True, False, ""), True, True, "", "wrong"),
        (Truth(True, False, ""), False, False, "harder is undecided; different is undecided", "missed"),
        (Truth(True, False, ""), False, False, "not harder by more than 1 point; different is undecided", "wrong"),
        (Truth(False, True, ""), False, False, "not different by more than 1 point, once", "wrong"),
        (Truth(True, False, ""), True, None, "", "open"),
        (Truth(True, None, ""), True, None, "", "right"),
        (Truth(None, True, ""), False, True, "not harder by more than 1 point", "right"),
        (Truth(None, True, ""), np.nan, None, "", "open"),
    ],
)
def test_an_answer_is_judged_by_what_must_come_out(truth, harder, different, said, judged):
    assert sentences.judged(truth, harder, different, said) == judged


def test_real_pairs_come_first_and_headings_say_what_was_expected_and_said():
    stated = sentences.statements(VERDICTS)
    assert list(stated["group"]) == [sentences.REAL, sentences.KNOWN, sentences.KNOWN, sentences.SHAPES]
    assert list(stated["judged"]) == ["", "wrong", "open", "right"]
    assert "expected: harder\nsaid: harder (right)" in stated["heading"].iloc[3]
    assert "drawn shapes, not CIFAR-10" in " ".join(stated["heading"].iloc[3].split())
    assert "expected" not in stated["heading"].iloc[0]
    shown = sentences.table(stated)
    assert list(shown["judged"]) == ["", "wrong", "open", "right"] and set(shown["runs"]) == {"3 + 3"}
    assert set(shown["images"]) == {"10,000 + 1,990"} and set(shown["left_out"]) == {"0 + 10"}


def test_the_first_lines_link_to_their_sections_and_end_with_what_is_missing():
    html = sentences.answer(sentences.statements(VERDICTS), "harder is shown", RUNS).data
    lines = html.split("<dt>")[1:]
    assert len(lines) == 3 and "Harder is shown." in lines[0] and "measured here" in lines[1]
    assert "and its own models 10.0 [5.0, 15.0] (at most 0.5, by the one-sided bound)" in lines[1]
    for text in (
        "CIFAR-10: as expected on 1 of 1, undecided in part on 1.",
        "as expected on 0 of 2, wrong on 1, open on 1.",
    ):
        assert text in lines[2]
    assert "True is different" in lines[2]
    block = html.split("<pre>")[1]
    assert "make study STUDY=notebooks/cifar10.2.yml" in block and "-p train_data cifar10_rest_b -p seed 2" in block
    assert "Part of this may be size" not in html and "is chance" not in html
    apart = verdict("cinic10_5k", "cifar10_5k", True, None) | {"comparable": False}  # there are judges already
    assert "judges" not in sentences.answer(sentences.statements(pd.DataFrame([apart])), "x", RUNS).data
    of_mine = verdict("my10", "synthetic10", True, None) | {"train_size_b": 900, "chance": 0.1}
    of_shapes = sentences.statements(pd.DataFrame([of_mine]))
    html = sentences.answer(of_shapes, "x", RUNS).data
    assert "Part of this may be size: they trained on 2,460 and 900 images." in html
    assert "Models that are right on 10.0 % say little: 10.0 % is chance." in html
    block = html.split("<pre>")[1]
    assert "needs judges" in block and "cifar10_rest_b" not in block  # those are judges of CIFAR-10's images


def test_models_from_elsewhere_are_named_since_their_statement_is_one_of_its_own():
    row = verdict("cinic10_5k", "cifar10_5k", True, True, preset="imported")
    stated = sentences.statements(pd.DataFrame([row, row | {"preset": "small"}]))
    assert [heading.split("said")[0].count("WRN") for heading in stated["heading"]] == [1, 0]
    html = sentences.answer(stated, "x", RUNS).data
    assert html.count("CINIC-10 (2,460 images), WRN, measured here") == 1 and html.count(", measured here") == 2


def test_without_statements_it_says_what_is_missing_and_names_of_unreadable_runs_stay_comments():
    table, none = RUNS.copy(), sentences.statements(pd.DataFrame())
    table.attrs["unreadable"] = [("a", "a/<b>\nrm -r /: Expected a run's record")]
    html = sentences.answer(none, "x", table).data
    assert "&lt;b&gt; rm -r /" in html and "\nrm" not in html
    assert html.count("<dt>") == 1 and "make study" in html
    trained = {"train_data": ["my10", "cinic10_5k"], "test_set": "cifar10", "train_sha256": "a", "test_sha256": "b"}
    table = pd.DataFrame(trained | {"run_id": ["a", "b"], "started": "2026", "train_source": "", "test_source": ""})
    html = sentences.answer(none, "x", table).data
    assert "# my10 is not in data_dir" in html and "trained on it and on cifar10_5k, all tested on both" in html
    assert none.empty and sentences.table(none).empty
