"""What the report says in words."""

import re

import numpy as np
import pytest
from run_files import tables

from autoaug.report import sentences
from autoaug.shift.decomposition import Decomposition
from autoaug.shift.intervals import Estimate


def test_headline_of_nothing_says_what_to_run():
    text = sentences.headline(*tables())
    assert "papermill notebooks/train.ipynb -p model wrn" in text and "make report" in text
    assert sentences.sorts_of_runs(tables()[0]) == ""


def test_headline_states_accuracy_and_gaps_with_their_intervals():
    text = sentences.headline(*tables(("r", "quick", "a", "a", 900), ("r", "quick", "a", "b", 500)))
    assert text == (
        "wrn, trained on a (quick), gets 90.0 % (95 % interval 88.0 to 91.8) of the a test images right, "
        "40.0 points (36.3 to 43.5) fewer on b."
    )


def test_headline_does_not_call_chance_a_gap_and_names_gains_as_such():
    rows = [("r", "quick", "a", name, correct) for name, correct in (("a", 500), ("b", 495), ("c", 700))]
    text = sentences.headline(*tables(*rows))
    assert "about as many on b (−4.9 to 3.9 points)" in text
    assert "20.0 points (15.8 to 24.1) more on c" in text


def test_headline_is_of_the_paper_run_even_if_a_quick_one_is_better():
    text = sentences.headline(*tables(("q", "quick", "a", "a", 990), ("p", "paper", "b", "b", 900)))
    assert text.startswith("wrn, trained on b (paper), gets 90.0 %")
    assert text.endswith("no second test set to compare with yet.")


def test_sorts_of_runs_counts_runs_not_rows():
    runs = tables(("r", "quick", "a", "a", 1), ("r", "quick", "a", "b", 1), ("s", "paper", "a", "a", 1))[0]
    assert re.search(r"1 paper run \(.*1 quick run \(.*not comparable", sentences.sorts_of_runs(runs))


def part(gap, share):
    """A decomposition with this gap and share of hardness, each with its interval."""
    hardness = Estimate(*[gap[0] * share[0]] * 3)
    difference = Estimate(*[gap[0] * (1 - share[0])] * 3)
    return Decomposition(hardness, difference, Estimate(*gap), Estimate(*share), (0,) * 4, (1, 1), (1, 1))


HARDER, DIFFERENT = part((0.3, 0.28, 0.32), (0.8, 0.7, 0.9)), part((0.4, 0.38, 0.42), (0.1, 0.05, 0.15))
NO_GAP = part((0.0, -0.01, 0.01), (np.nan,) * 3)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (HARDER, "of the 30.0 points (28.0 to 32.0) that paper models lose on x, 80.0 % (70.0 to 90.0) is hardness."),
        (
            DIFFERENT,
            "of the 40.0 points (38.0 to 42.0) that paper models lose on x, 90.0 % (85.0 to 95.0) is difference.",
        ),
        (part((0.1, 0.08, 0.12), (0.6, 0.4, 0.8)), "60.0 % is hardness, but with 40.0 to 80.0 either may prevail."),
        (part((-0.1, -0.12, -0.08), (0.8, 0.7, 0.9)), "of the 10.0 points (8.0 to 12.0) that paper models gain on x"),
        (NO_GAP, "On x paper models lose nothing that chance would not explain (−1.0 to 1.0 points)."),
    ],
)
def test_a_finding_states_share_and_intervals(found, text):
    assert text in sentences.finding("x", "paper", found)


def test_the_answer_says_whether_the_method_finds_the_known_truth():
    known = [("synthetic10_harder", "quick", HARDER), ("synthetic10_different", "quick", DIFFERENT)]
    text = sentences.answer(known, *tables(), 0.95)
    assert text.startswith(
        "No reproduction of CIFAR-10 has been compared yet. Where the truth is known by construction, "
    )
    assert "the method finds it: of the 30.0 points" in text and text.endswith("95.0) is difference.")
    swapped = [("synthetic10_harder", "quick", DIFFERENT), known[1]]
    assert "the method does not find it" in sentences.answer(swapped, *tables(), 0.95)
    undecided = [("synthetic10_harder", "quick", NO_GAP)]
    assert "the method does not find it" in sentences.answer(undecided, *tables(), 0.95)


def test_the_answer_begins_with_real_reproductions():
    found = [("cifar102", "paper", HARDER), ("synthetic10_harder", "quick", HARDER)]
    text = sentences.answer(found, *tables(), 0.95)
    assert text.startswith("Of the 30.0 points (28.0 to 32.0) that paper models lose on cifar102, 80.0 %")
    assert "No reproduction" not in text and "Where the truth is known" in text


def test_without_a_comparison_the_answer_is_what_one_run_loses():
    text = sentences.answer([], *tables(("r", "quick", "a", "a", 900)), 0.95)
    assert text.startswith("wrn, trained on a (quick), gets 90.0 %")
