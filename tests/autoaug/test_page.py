"""The words and tables of the report."""

import base64
import re

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from markupsafe import Markup

from autoaug import page, provenance, shift

COUNTS = ["total", "correct", "overlap", "clean_total", "clean_correct"]
COLUMNS = ["run_id", "kind", "preset", "model", "train_data", "seed", "test_set", *COUNTS]


def tables(*rows):
    """Accuracies and gaps of runs given as (run id, preset, training set, test set, correct of 1,000)."""
    full = [
        (run_id, "trained", preset, "wrn", train_data, 0, test_set, 1000, correct, 0, 1000, correct)
        for run_id, preset, train_data, test_set, correct in rows
    ]
    counts = shift.clean_counts(pd.DataFrame(full, columns=COLUMNS))
    return shift.accuracy_table(counts), shift.gap_table(counts)


def test_headline_of_nothing_says_what_to_run():
    text = page.headline(*tables())
    assert "papermill notebooks/train.ipynb -p model wrn" in text and "make report" in text
    assert page.sorts_of_runs(tables()[0]) == ""


def test_headline_states_accuracy_and_gaps_with_their_intervals():
    text = page.headline(*tables(("r", "quick", "a", "a", 900), ("r", "quick", "a", "b", 500)))
    assert text == (
        "wrn, trained on a (quick), gets 90.0 % (95 % interval 88.0 to 91.8) of the a test images right, "
        "40.0 points (36.3 to 43.5) fewer on b."
    )


def test_headline_does_not_call_chance_a_gap_and_names_gains_as_such():
    rows = [("r", "quick", "a", name, correct) for name, correct in (("a", 500), ("b", 495), ("c", 700))]
    text = page.headline(*tables(*rows))
    assert "about as many on b (−4.9 to 3.9 points)" in text
    assert "20.0 points (15.8 to 24.1) more on c" in text


def test_headline_is_of_the_paper_run_even_if_a_quick_one_is_better():
    text = page.headline(*tables(("q", "quick", "a", "a", 990), ("p", "paper", "b", "b", 900)))
    assert text.startswith("wrn, trained on b (paper), gets 90.0 %")
    assert text.endswith("no second test set to compare with yet.")


def test_sorts_of_runs_counts_runs_not_rows():
    runs = tables(("r", "quick", "a", "a", 1), ("r", "quick", "a", "b", 1), ("s", "paper", "a", "a", 1))[0]
    assert re.search(r"1 paper run \(.*1 quick run \(.*not comparable", page.sorts_of_runs(runs))


def test_accuracy_rows_keep_published_apart_and_mark_overlap_and_kind():
    accuracies, _ = tables(("r", "paper", "cifar10", "cifar10", 900), ("r", "paper", "cifar10", "new", 500))
    accuracies.loc[1, ["overlap", "total"]] = [3, 997]
    published = pd.DataFrame(
        {"model": ["wrn"], "train_data": ["cifar10"], "test_set": ["cifar10"], "accuracy": [0.975]}
    )
    first, second = page.accuracy_rows(accuracies, published).to_dict("records")
    assert first["Accuracy, % [95 %]"] == "90.0 [88.0, 91.8]"
    assert (first["Published, %"], second["Published, %"]) == ("97.5", "")
    assert (first["Overlap"], second["Overlap"]) == ("none", "3 of 1,000 left out")
    assert first["Run"] == '<a href="../runs/r/">paper</a>'
    quick = page.accuracy_rows(accuracies.assign(preset="quick"), published)
    assert quick["Published, %"].tolist() == ["", ""]


def test_gap_rows_show_a_proper_minus():
    gaps = tables(("r", "quick", "a", "a", 500), ("r", "quick", "a", "b", 700))[1]
    assert page.gap_rows(gaps)["Gap, points [95 %]"].tolist() == ["−20.0 [−24.1, −15.8]"]


def test_published_rows_are_ordered_by_accuracy_on_cifar10():
    rows = [("low", "cifar10", 80), ("low", "new", 70), ("high", "cifar10", 90), ("high", "new", 60)]
    counts = pd.DataFrame(rows, columns=["model", "test_set", "correct"]).assign(total=100, train_data="cifar10")
    table = page.published_rows(shift.accuracy_table(counts), shift.gap_table(counts, "model"))
    assert table["Model"].tolist() == ["high", "low"]
    assert [text[:4] for text in table["new, %"]] == ["60.0", "70.0"]
    assert [text[:4] for text in table["Gap to new"]] == ["30.0", "10.0"]


def test_runs_are_in_the_order_of_the_data_sets():
    runs = tables(*[("r" + train, "quick", train, test, 1) for train in "ab" for test in "abz"])[0]
    ordered = page.in_order(runs, ["b", "a"])
    assert (ordered["train_data"] + ordered["test_set"]).tolist() == ["bb", "ba", "bz", "ab", "aa", "az"]
    assert ordered.index.tolist() == list(range(6))


def test_run_labels_tell_runs_apart():
    runs = tables(*[(run, "quick", "a", test, 1) for run in ("run-1", "run-2") for test in "ab"])[0]
    labels = page.run_labels(runs)
    assert labels.groupby(runs["run_id"]).nunique().tolist() == [1, 1] and labels.nunique() == 2
    assert page.run_labels(runs[:2]).unique().tolist() == ["wrn, quick, seed 0\ntrained on a"]


def test_table_escapes_text_keeps_links_and_marks_numbers():
    frame = pd.DataFrame({"<b>": ["<script>", Markup("<a>x</a>")], "n": ["1.5 [1, 2]", "−3"]})
    html = page.table(frame, "A & B").data
    assert "<caption>A &amp; B</caption>" in html and '<th scope="col">&lt;b&gt;</th>' in html
    assert "<td>&lt;script&gt;</td>" in html and "<td><a>x</a></td>" in html
    assert html.count('class="number"') == 2


def test_figure_holds_the_picture_its_caption_and_its_description_and_closes_it():
    ax = plt.subplots()[1]
    html = page.figure(ax, "Caption <1>", 'A "described" picture').data
    source, alt = re.search(r'<img src="data:image/svg\+xml;base64,([^"]+)" alt="([^"]*)">', html).groups()
    assert base64.b64decode(source).startswith(b"<?xml") and alt == "A &#34;described&#34; picture"
    assert "<figcaption>Caption &lt;1&gt;</figcaption>" in html
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    ("commit", "dirty", "text"),
    [
        ("0123456789abcdef", True, "1.0, commit 0123456789 with changes"),
        ("0" * 40, False, "1.0, commit 0000000000"),
        (None, None, "1.0"),
    ],
)
def test_code_text_names_version_commit_and_changes(commit, dirty, text):
    assert provenance.code_text({"version": "1.0", "commit": commit, "dirty": dirty}) == text
