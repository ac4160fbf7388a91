"""Tables: percent, intervals, escaping, and the CSV files beside the page."""

import numpy as np
import pandas as pd
import pytest

from autoaug.report import show

HOSTILE = """=HYPERLINK("x") <img src=x onerror="evil()"> $\\frac{1$ & `a`"""


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((0.97123,), "97.1"),
        ((0.97123, 0.968, 0.974), "97.1 [96.8, 97.4]"),
        ((-0.02, -0.05, -0.0001), "−2.0 [−5.0, −0.01]"),
        ((0.863 - 0.8165,), "4.7"),
        ((np.nan,), ""),
        ((0.5, np.nan, np.nan), "50.0"),
    ],
)
def test_fractions_become_percent(numbers, text):
    assert show.percent(*numbers) == text


def frame():
    return pd.DataFrame(
        {
            "group": ["one", "one", "two"],
            "model": ["a", HOSTILE, "c"],
            "accuracy": [0.5, 0.25, np.nan],
            "accuracy_low": [0.4, 0.2, np.nan],
            "accuracy_high": [0.6, 0.3, np.nan],
            "total": [2_000, 10_000, 1],
            "seeds": pd.array([1, None, 3], "Int64"),
            "nothing": [np.nan, np.nan, np.nan],
            "<i>shown": [True, False, None],
        }
    )


def test_a_table_shows_texts_escaped_and_keeps_numbers_in_its_file(tmp_path):
    styler = show.table(frame(), "a-table", tmp_path, {"model": "<b>"})
    assert list(styler.data["accuracy"]) == ["50.0 [40.0, 60.0]", "25.0 [20.0, 30.0]", ""]
    assert list(styler.data["images"]) == ["2,000", "10,000", "1"]
    assert list(styler.data["<i>shown"]) == ["yes", "no", ""] and list(styler.data["seeds"]) == ["1", "", "3"]
    assert "nothing" not in styler.data and "accuracy_low" not in styler.data
    written = pd.read_csv(tmp_path / "report" / "tables" / "a-table.csv")
    np.testing.assert_array_equal(written["accuracy"], frame()["accuracy"])
    assert list(written.columns) == list(frame().columns)
    assert written["model"][1] == f"'{HOSTILE}"  # no formula for a spreadsheet
    html = styler.to_html()
    assert not any(tag in html for tag in ("<img", "<b>", "<i>")) and "&lt;img" in html
    assert 'rowspan="2"' in html and html.count(">one<") == 1  # the head of its group


def test_without_rows_there_is_no_table_and_no_file(tmp_path):
    assert show.table(frame()[:0], "empty", tmp_path) is None
    assert not (tmp_path / "report" / "tables" / "empty.csv").exists()


def test_a_named_index_is_shown_and_the_ends_of_a_value_are_its_interval(tmp_path):
    values = pd.DataFrame({"value": [0.1], "low": [0.0], "high": [0.2]}, index=pd.Index(["x"], name="class"))
    shown = show.table(pd.concat([values, values]), "table", tmp_path).data.to_dict("list")
    assert shown == {"class": ["x", "x"], "value": 2 * ["10.0 [0.0, 20.0]"]}
