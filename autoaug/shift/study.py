"""The runs as the analysis needs them: families of models, their predictions, and what is compared with what.

A family is the runs of one recipe; on one training set they differ in their seed only.
"""

import dataclasses
import json
import pathlib
import zipfile
from typing import NamedTuple

import numpy as np
import pandas as pd

from autoaug import records
from autoaug.datasets import ORIGINALS


class Predictions(NamedTuple):
    """Of one run on one test set: logits float32 [n, classes], labels int64 [n], overlap bool [n]."""

    logits: np.ndarray
    labels: np.ndarray
    overlap: np.ndarray


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Families of models trained on an original and on its reproduction and tested on both, on clean test images.

    `families` maps a family's name to bool arrays (aa, ab, ba, bb), [runs, images] each, as for
    `decomposition.decompose`; `labels` and `other_labels`, int [images], are the classes of the original's and of the
    reproduction's test images. `left_out` of each test set were among the training images of some model here.
    """

    original: str
    reproduction: str
    kind: str
    families: dict
    labels: np.ndarray
    other_labels: np.ndarray
    left_out: tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Panel:
    """Runs trained on one set, on the clean images of one test set: `answers` int and `right` bool [runs, images],
    `labels` int [images], `indices` int [images] into the test set, `logits` float [images, classes] of the first run;
    a family and a seed for each run, and how many images were left out."""

    families: tuple[str, ...]
    seeds: tuple[int, ...]
    answers: np.ndarray
    right: np.ndarray
    labels: np.ndarray
    indices: np.ndarray
    logits: np.ndarray
    left_out: int


def of_newest_data(runs):
    """The runs that can be compared: on one version of every data set, its pixels and labels in the newest run.

    Args:
        runs: `records.collect`'s table.

    Returns:
        The rows of these runs and test sets; and the ids of the runs that other rows are of, a sorted list.
    """
    kept = pd.Series(True, runs.index)
    for name, version in (("train_data", "train_sha256"), ("test_set", "test_sha256")):
        newest = runs.sort_values("started", kind="stable").groupby(name)[version].last()
        kept &= runs[version] == runs[name].map(newest)
    return runs[kept], sorted(runs["run_id"][~kept].unique())


def named(runs):
    """`records.collect`'s table with the columns `sort` (quick, paper or imported) and `family`."""
    sorts = runs["preset"].mask(runs["kind"] == "imported", "imported")
    return runs.assign(sort=sorts, family=_family_names(runs))


def _family_names(runs):
    """Name of each row's family in `records.collect`'s table: its model and, where several recipes share one, what
    tells them apart, as in `wrn, epochs 6`."""
    recipes = {text: json.loads(text) for text in runs["recipe"].unique()}
    names = {}
    for text, recipe in recipes.items():
        kin = [
            other
            for other in recipes.values()
            if (other["model"], other["preset"]) == (recipe["model"], recipe["preset"])
        ]
        fields = [name for name in recipe if any(other.get(name) != recipe[name] for other in kin)]
        names[text] = ", ".join([recipe["model"], *(f"{name.replace('_', ' ')} {recipe[name]}" for name in fields)])
    return runs["recipe"].map(names).astype(object)


def read_predictions(run):
    """Predictions of a row of `records.collect`'s table; None where the run was fetched without them.

    Raises:
        records.RecordError: the file is damaged, or does not hold what the record says.
    """
    path = pathlib.Path(run.folder) / "predictions" / f"{run.test_set}.npz"
    if not path.exists():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            found = Predictions(arrays["logits"], arrays["labels"], arrays["overlap"])
        correct = right(found)
        counts = len(correct), int(correct.sum()), int(found.overlap.sum()), int(correct[~found.overlap].sum())
    except (OSError, ValueError, LookupError, zipfile.BadZipFile) as error:
        raise records.RecordError(f"{path}: expected logits, labels and overlap. Received: {error}") from error
    expected = run.total, run.correct, run.overlap, run.clean_correct
    if counts != expected:
        names = "images, right, overlapping and right of the others"
        raise records.RecordError(f"{path}: expected {names} as in record.json, {expected}. Received: {counts}")
    return found


def right(predictions):
    """Whether each image's answer is right, bool [n]."""
    return predictions.logits.argmax(axis=1) == predictions.labels


def comparisons(runs):
    """What can be decomposed: each original with each of its reproductions, for each kind of runs.

    Args:
        runs: `records.collect`'s table, `of_newest_data`, with the columns `sort` ("quick", "paper" or "imported") and
            `family` too.

    Returns:
        List of Comparison; only families with a run on either side, and with all predictions, are in it.
    """
    return [
        found
        for reproduction, original in ORIGINALS.items()
        for sort in ("paper", "imported", "quick")
        if (found := _compare(runs[runs["sort"] == sort], original, reproduction, sort))
    ]


def _compare(runs, original, reproduction, sort):
    """The Comparison of two data sets, or None."""
    runs = runs[runs["test_set"].isin([original, reproduction])]
    runs = runs[runs.groupby("run_id")["test_set"].transform("nunique") == 2]
    answers = {}
    for name, family in runs.groupby("family", sort=False):
        if found := _answers(family, original, reproduction):
            answers[name] = found
    if not answers:
        return None
    clean = [~np.any([p.overlap for p in side], axis=0) for side in _by_test_set(answers.values())] * 2
    families = {
        name: tuple(np.array([right(p)[here] for p in cell]) for cell, here in zip(found, clean, strict=True))
        for name, found in answers.items()
    }
    labels = [side[0].labels[here] for side, here in zip(_by_test_set(answers.values()), clean, strict=False)]
    return Comparison(original, reproduction, sort, families, *labels, tuple(int((~here).sum()) for here in clean[:2]))


def _answers(family, original, reproduction):
    """Lists of Predictions for the cells AA, AB, BA, BB; None where one is empty or a file is missing."""
    cells = []
    for trained in (original, reproduction):
        for tested in (original, reproduction):
            rows = family[(family["train_data"] == trained) & (family["test_set"] == tested)]
            cells.append([read_predictions(row) for row in rows.itertuples()])
    return cells if all(cells) and all(found is not None for cell in cells for found in cell) else None


def _by_test_set(answers):
    """All Predictions on the original's and on the reproduction's test images."""
    return [[p for cells in answers for cell in cells[test_set::2] for p in cell] for test_set in (0, 1)]


def pairs(runs):
    """(original, other test set) for every original that has runs, in the order of the table."""
    rows = runs[~runs["train_data"].isin(ORIGINALS) & ~runs["test_set"].isin(ORIGINALS.values())]
    rows = rows[rows["test_set"] != rows["train_data"]]
    return list(dict.fromkeys(zip(rows["train_data"], rows["test_set"], strict=True)))


def panel(runs, train_data, test_set):
    """The Panel of the runs trained on one set, of paper runs where there are any, then imported, then quick ones.

    None where no run has its predictions.
    """
    rows = runs[(runs["train_data"] == train_data) & (runs["test_set"] == test_set)]
    for sort in ("paper", "imported", "quick"):
        found = [(row, read_predictions(row)) for row in rows[rows["sort"] == sort].itertuples()]
        found = [(row, p) for row, p in found if p is not None]
        if found:
            clean = ~np.any([p.overlap for _, p in found], axis=0)
            answers = np.array([p.logits.argmax(axis=1) for _, p in found])[:, clean]
            first, labels = found[0][1], found[0][1].labels[clean]
            names = tuple(zip(*((row.family, row.seed) for row, _ in found), strict=True))
            return Panel(
                *names,
                answers,
                answers == labels,
                labels,
                np.flatnonzero(clean),
                first.logits[clean],
                int((~clean).sum()),
            )
    return None


def histories(runs):
    """`family (kind), trained on …` → the mean of the seeds' history.csv, a DataFrame with a row per epoch."""
    found = {}
    for row in runs.drop_duplicates("run_id").itertuples():
        path = pathlib.Path(row.folder) / "history.csv"
        if path.exists():
            found.setdefault(f"{row.family} ({row.sort}), trained on {row.train_data}", []).append(pd.read_csv(path))
    return {label: pd.concat(parts).groupby("epoch", as_index=False).mean() for label, parts in found.items()}


def mean_over_seeds(runs):
    """A row per kind, family, training set and test set: counts of the mean model, and the spread over its seeds.

    Args:
        runs: table of counts (`shift.clean_counts`) with the columns `sort` and `family`.

    Returns:
        DataFrame of the first run's row each, with `correct` the rounded mean, and the columns `seeds`, a dict from
        seed to run id, `lowest` and `highest`, accuracies as fractions.
    """
    keys = ["sort", "family", "train_data", "test_set", "train_source", "test_source", "total"]
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
