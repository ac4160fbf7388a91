"""The runs in the form that the analysis needs: families of models, their predictions, and the comparisons."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from autoaug import recipes
from autoaug.datasets import ORIGINALS
from autoaug.runs import predictions
from autoaug.shift.contrasts import Cells, Sides

PRESETS = ("imported", *reversed(recipes.PRESETS))
"""Runs are compared within a preset. The presets closest to the published models come first."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Families of models trained on an original (A) and on its reproduction (B) and tested on both.

    Only clean test images count: those that are not, pixel for pixel, among the training images of any of these models.
    `families` maps a family's name to its Cells, bool [runs, clean images]. `labels`, int [clean images], are the
    classes. `clean`, bool [n], marks the clean images among all images of the test set.
    """

    original: str
    reproduction: str
    preset: str
    families: dict[str, Cells]
    labels: Sides
    clean: Sides

    @property
    def left_out(self) -> Sides:
        """How many images of each test set are not clean."""
        return Sides(*(int((~side).sum()) for side in self.clean))


@dataclasses.dataclass(frozen=True)
class Panel:
    """Runs trained on one set, on the clean images of one test set.

    `indices` are the places of the clean images in the test set. `logits` are those of the first run, None if only its
    compact predictions were kept. Each run has a family and a seed. `left_out` is the number of images that are not
    clean.
    """

    families: tuple[str, ...]
    seeds: tuple[int, ...]
    answers: Int[np.ndarray, "runs images"]
    right: Bool[np.ndarray, "runs images"]
    labels: Int[np.ndarray, " images"]
    indices: Int[np.ndarray, " images"]
    logits: Float[np.ndarray, "images classes"] | None
    left_out: int


def of_newest_data(runs: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The runs on the newest version of every data set, that is, with the pixels and labels of the newest run.

    Args:
        runs: `runs.collect`'s table.

    Returns:
        The rows on these versions; and the ids of the runs that the other rows belong to, sorted.
    """
    kept = pd.Series(True, runs.index)
    for name, version in (("train_data", "train_sha256"), ("test_set", "test_sha256")):
        newest = runs.sort_values("started", kind="stable").groupby(name)[version].last()
        kept &= runs[version] == runs[name].map(newest)
    return runs[kept], sorted(runs["run_id"][~kept].unique())


def named(runs: pd.DataFrame) -> pd.DataFrame:
    """`runs.collect`'s table: its columns `preset` and `family` name what is compared."""
    return runs


def read_predictions(run: Any) -> predictions.Predictions:
    """Predictions of a row of `runs.collect`'s table.

    Raises:
        runs.RecordError: the file is damaged.
    """
    return predictions.read(pathlib.Path(run.folder) / "predictions" / f"{run.test_set}.npz")


def comparisons(runs: pd.DataFrame) -> list[Comparison]:
    """All possible comparisons: of each original with each of its reproductions, for each preset.

    Args:
        runs: `named` table of runs `of_newest_data`.

    Returns:
        The comparisons, with families that have a run on each side and all predictions.
    """
    candidates = [
        _compare(runs[runs["preset"] == preset], original, reproduction, preset)
        for reproduction, original in ORIGINALS.items()
        for preset in PRESETS
    ]
    return [comparison for comparison in candidates if comparison]


def _compare(runs: pd.DataFrame, original: str, reproduction: str, preset: str) -> Comparison | None:
    """The Comparison of two data sets, or None."""
    runs = runs[runs["test_set"].isin([original, reproduction])]
    runs = runs[runs.groupby("run_id")["test_set"].transform("nunique") == 2]
    answers = {
        name: cells
        for name, family in runs.groupby("family", sort=False)
        if (cells := _answers(family, Sides(original, reproduction)))
    }
    if not answers:
        return None
    on_test_set = Sides(
        [run for cells in answers.values() for run in cells.aa + cells.ba],
        [run for cells in answers.values() for run in cells.ab + cells.bb],
    )
    clean = Sides(*(~np.any([run.overlap for run in side], axis=0) for side in on_test_set))
    clean_of = Cells(aa=clean.a, ab=clean.b, ba=clean.a, bb=clean.b)
    families = {
        name: Cells(*(np.array([run.right[kept] for run in cell]) for cell, kept in zip(cells, clean_of, strict=True)))
        for name, cells in answers.items()
    }
    labels = Sides(*(side[0].labels[kept] for side, kept in zip(on_test_set, clean, strict=True)))
    return Comparison(original, reproduction, preset, families, labels, clean)


def _answers(family: pd.DataFrame, names: Sides) -> Cells | None:
    """Cells of lists of Predictions; None if a cell is empty or a file is missing."""
    cells = []
    for trained in names:
        for tested in names:
            rows = family[(family["train_data"] == trained) & (family["test_set"] == tested)]
            cells.append([read_predictions(row) for row in rows.itertuples()])
    whole = all(cell and all(answers is not None for answers in cell) for cell in cells)
    return Cells(*cells) if whole else None


def pairs(runs: pd.DataFrame) -> list[tuple[str, str]]:
    """(original, other test set) for every original that has runs, in the order of the table.

    A test set is left out if all of its images are among the training images.
    """
    rows = runs[~runs["train_data"].isin(ORIGINALS) & ~runs["test_set"].isin(ORIGINALS.values())]
    rows = rows[(rows["test_set"] != rows["train_data"]) & (rows["total"] > 0)]
    return list(dict.fromkeys(zip(rows["train_data"], rows["test_set"], strict=True)))


def panel(runs: pd.DataFrame, train_data: str, test_set: str) -> Panel | None:
    """The Panel of the runs trained on one set, for the first of PRESETS that has runs with predictions; else None.

    Runs that were trained on all of the test images are left out.
    """
    rows = runs[(runs["train_data"] == train_data) & (runs["test_set"] == test_set) & (runs["total"] > 0)]
    for preset in PRESETS:
        rows_read = [(row, read_predictions(row)) for row in rows[rows["preset"] == preset].itertuples()]
        read = [(row, answers) for row, answers in rows_read if answers is not None]
        if read and not np.any([answers.overlap for _, answers in read], axis=0).all():
            return _panel(*zip(*read, strict=True))
    return None


def _panel(rows: Sequence[Any], runs: Sequence[predictions.Predictions]) -> Panel:
    """The Panel of rows of the table and their Predictions."""
    clean = ~np.any([run.overlap for run in runs], axis=0)
    answers, labels = np.array([run.answers for run in runs])[:, clean], runs[0].labels[clean]
    return Panel(
        families=tuple(row.family for row in rows),
        seeds=tuple(row.seed for row in rows),
        answers=answers,
        right=answers == labels,
        labels=labels,
        indices=np.flatnonzero(clean),
        logits=None,
        left_out=int((~clean).sum()),
    )


def mean_over_seeds(runs: pd.DataFrame) -> pd.DataFrame:
    """A row per preset, family, training set and test set: mean counts, and the range over the seeds.

    Args:
        runs: table of counts (`shift.clean_counts`) with the column `family`.

    Returns:
        DataFrame with the row of each group's first run, in which `correct` is the rounded mean. Further columns:
        `seeds`, a dict from seed to run id; `lowest` and `highest`, accuracies as fractions.
    """
    keys = ["preset", "family", "train_data", "test_set", "train_source", "test_source", "total"]
    rows = []
    for _, group in runs.groupby(keys, sort=False):
        accuracies = group["correct"] / group["total"]
        spread = {
            "seeds": dict(zip(group["seed"], group["run_id"], strict=True)),
            "lowest": accuracies.min(),
            "highest": accuracies.max(),
        }
        rows.append(group.iloc[0].to_dict() | {"correct": round(group["correct"].mean())} | spread)
    return pd.DataFrame(rows, columns=[*runs.columns, "seeds", "lowest", "highest"])
