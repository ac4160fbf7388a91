"""How numbers are shown: a DataFrame of fractions and counts becomes a styled table and a CSV file.

The fractions of tables become percent here. A column `x` with `x_low` and `x_high` beside it is shown as one column,
`97.1 [96.8, 97.4]`; the CSV file holds the three as they are. Text is escaped.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from autoaug.files import write_atomically
from autoaug.shift.intervals import points

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # spreadsheets execute cells that begin so
_LONG = 18  # characters of a text that may be broken over lines
_TITLES = {
    "train_data": "trained on", "test_set": "tested on", "train_size": "training images", "total": "images",
    "gap_a": "AA − AB", "gap_b": "BA − BB", "home": "θ", "home_within": "θ at like difficulty",
    "judged": "right?", "judged_by": "difficulty judged by", "left_out": "images left out",
}  # fmt: skip
"""Column → its title, where that is not the column's name with spaces."""


def percent(value: float, low: float | None = None, high: float | None = None) -> str:
    """`97.1` or, with its interval, `97.1 [96.8, 97.4]`, by `points`; empty for a value that is not a number."""
    if pd.isna(value):
        return ""
    texts = [points(number) for number in (value, low, high) if number is not None and not pd.isna(number)]
    return f"{texts[0]} [{texts[1]}, {texts[2]}]" if len(texts) == 3 else texts[0]


def table(
    frame: pd.DataFrame, name: str, results_dir: str | pathlib.Path, titles: Mapping[str, str] | None = None
) -> Styler | None:
    """Show a frame, and save it as `results_dir/report/tables/<name>.csv`; None if it has no rows.

    Args:
        frame: floats are fractions or differences of them, integers are counts; a named index is shown. The values of
            `group` head groups of rows.
        name: of the file.
        results_dir: folder of the results.
        titles: column → title, where the default is not to be used.
    """
    if frame.empty:
        return None
    plain = frame.reset_index() if frame.index.names != [None] else frame
    plain = plain.rename(columns={"low": "value_low", "high": "value_high"}) if "value" in plain else plain
    csv = plain.map(_harmless).rename(columns=_harmless).to_csv(index=False)
    write_atomically(pathlib.Path(results_dir) / "report" / "tables" / f"{name}.csv", csv.encode())
    texts, known = _texts(plain.reset_index(drop=True)), _TITLES | dict(titles or {})
    is_wide = len(texts.columns) > 8
    if is_wide:
        texts = texts.map(lambda text: text.replace(" [", "\n["))
    lengths = texts.map(lambda text: max(map(len, text.split("\n"))))
    classes = lengths.map(lambda length: "long" if length > 4 * _LONG else "text" if length > _LONG else "")
    is_grouped = "group" in texts
    if is_grouped:
        texts.index = classes.index = pd.MultiIndex.from_arrays([texts.pop("group"), texts.index], names=[None, None])
        classes = classes[texts.columns]
    shown = texts.rename(columns=lambda column: known.get(column, column.replace("_", " ")))
    styler = shown.style.set_td_classes(classes.set_axis(shown.columns, axis=1))
    styler = styler.format(escape="html").format_index(escape="html").format_index(escape="html", axis=1)
    styler = styler.set_table_attributes(f'class="{"wide" if is_wide else "narrow"}"')
    return styler.hide(axis="index", level=1) if is_grouped else styler.hide(axis="index")


def _texts(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as texts, with the ends of intervals in the columns of their values; empty columns are left out."""
    shown = {}
    for column in frame.columns:
        base, _, end = str(column).rpartition("_")
        if end in ("low", "high") and base in frame.columns:
            continue
        ends = [frame[f"{column}_{end}"] for end in ("low", "high") if f"{column}_{end}" in frame.columns]
        texts = [_text(*values) for values in zip(frame[column], *ends, strict=True)]
        if any(texts):
            shown[column] = texts
    return pd.DataFrame(shown, dtype=object)


def _text(value: Any, *ends: float) -> str:
    """A cell: a fraction in percent, a count with commas, yes or no, or a text."""
    if pd.isna(value):
        return ""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating):
        return percent(float(value), *ends)
    return f"{value:,}" if isinstance(value, int | np.integer) else str(value)


def _harmless(value: Any) -> Any:
    """The value; a text that a spreadsheet would take for a formula gets an apostrophe in front."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
