"""The history of a run: `history.csv`, a row per epoch, which `training` writes and the analysis reads."""

import csv
import os
import pathlib
import re

import pandas as pd

from autoaug import records
from autoaug.files import read_text

_COLUMN = re.compile(r"[A-Za-z0-9][\w:.+-]{0,299}")


def read(run_dir: str | os.PathLike[str]) -> pd.DataFrame:
    """The history of a run: a row for each epoch from 1 on, floats, NaN for no value, accuracies in [0, 1].

    If there is no file, the table is empty.

    Raises:
        records.RecordError: the file holds something else; the message names it.
    """
    path = pathlib.Path(run_dir) / records.HISTORY
    try:
        names, *lines = list(csv.reader(read_text(path).splitlines(), strict=True)) or [[]]
        return _table(names, lines)
    except FileNotFoundError:
        return pd.DataFrame()
    except (OSError, ValueError, csv.Error) as error:
        raise records.RecordError(f"{path}: Expected the history of a run. Received: {error}") from error


def _table(names: list[str], lines: list[list[str]]) -> pd.DataFrame:
    """The rows as numbers; ValueError if they are not those of a history."""
    if "epoch" not in names or len(set(names)) < len(names) or not all(map(_COLUMN.fullmatch, names)):
        raise ValueError(f"the columns {', '.join(names)[:200]!r}")
    columns = list(zip(*lines, strict=True)) or [()] * len(names)
    table = pd.DataFrame(
        {name: [float(cell or "nan") for cell in column] for name, column in zip(names, columns, strict=True)}
    )
    if table["epoch"].tolist() != list(range(1, len(table) + 1)):
        raise ValueError("epochs that do not count from 1")
    accuracies = table.filter(like="accuracy")
    if ((accuracies < 0) | (accuracies > 1)).any(axis=None):
        raise ValueError("accuracies outside of 0 to 1")
    return table.astype({"epoch": int})
