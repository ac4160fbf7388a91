"""Answers image by image, by class, and the images that runs get wrong."""

import pathlib
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from autoaug import datasets, plots, shift
from autoaug.report.tables import title
from autoaug.runs import predictions
from autoaug.shift import study


def of(run: pd.Series) -> pd.DataFrame:
    """A run's answer to each image of a test set, images that are among its training images left out.

    Args:
        run: a row of `runs`.

    Returns:
        Index: the image's number in the test set. `label` and `answer`, names of classes; `right`.
    """
    kept = predictions.read(pathlib.Path(run["folder"]) / "predictions" / f"{run['test_set']}.npz")
    names = _class_names(run["test_set"], int(max(kept.labels.max(), kept.answers.max())) + 1)
    frame = pd.DataFrame({name: names[getattr(kept, name + "s")] for name in ("label", "answer")})
    frame = frame.assign(right=kept.answers == kept.labels)[~kept.overlap]
    return frame.astype({name: pd.CategoricalDtype(names) for name in ("label", "answer")}).rename_axis("image")


def by_class(run: pd.Series, confidence: float = 0.95) -> pd.DataFrame:
    """A run's accuracy on each class of a test set, with exact intervals; the worst first."""
    right = of(run).groupby("label", observed=True)["right"].agg(["sum", "count"])
    low, high = shift.accuracy_interval(right["sum"].to_numpy(), right["count"].to_numpy(), confidence)
    frame = pd.DataFrame({"images": right["count"], "accuracy": right["sum"] / right["count"]})
    return frame.assign(accuracy_low=low, accuracy_high=high).sort_values("accuracy")


def class_losses(runs: pd.DataFrame, train_data: Sequence[str], old: str, new: str, confidence: float) -> pd.DataFrame:
    """What each class loses from one test set to another, for the models of each training set.

    Args:
        runs: rows of any families; a class's accuracies are means over the runs.
        train_data: names of the training sets.
        old, new: names of the test sets.
        confidence: of Newcombe's intervals, those of a single model of these accuracies.

    Returns:
        Index: class. `train_data`, `old` and `new` accuracies, and `lost`, `lost_low`, `lost_high`.
    """
    frames = []
    runs, _ = study.of_newest_data(runs)
    for name in train_data:
        rows = runs[(runs["train_data"] == name) & (runs["total"] > 0)]
        sides = [_by_class(part) for tested in (old, new) if len(part := rows[rows["test_set"] == tested])]
        if len(sides) < 2:
            continue
        (first, total), (second, other) = ((side["mean"], side["count"]) for side in sides)
        sizes = total.to_numpy(int), other.to_numpy(int)
        right = [np.rint(mean * size).to_numpy(int) for mean, size in zip((first, second), sizes, strict=True)]
        _, low, high = shift.gap(right[0], sizes[0], right[1], sizes[1], confidence)
        frame = pd.DataFrame({"train_data": title(name), "old": first, "new": second, "lost": first - second})
        frames.append(frame.assign(lost_low=low, lost_high=high).rename_axis("class"))
    return pd.concat(frames) if frames else pd.DataFrame()


def _by_class(rows: pd.DataFrame) -> pd.DataFrame:
    """`mean` accuracy of each class over the runs of some rows, and its `count` of images."""
    every = [of(run).groupby("label", observed=False)["right"].agg(["mean", "count"]) for _, run in rows.iterrows()]
    return pd.concat(every).groupby(level=0, observed=False).agg({"mean": "mean", "count": "min"})


def most_lost(runs: pd.DataFrame, test_set: str, count: int = 24) -> pd.DataFrame:
    """The images of a test set that most runs get wrong, runs trained on the same data set left out.

    Returns:
        Index: the image's number. `label`, the most frequent `answer`, how many runs are `wrong`, `of` how many.
    """
    runs, _ = study.of_newest_data(runs)
    rows = runs[(runs["test_set"] == test_set) & (runs["train_data"] != test_set) & (runs["total"] > 0)]
    if rows.empty:
        return pd.DataFrame()
    every = pd.concat([of(run).assign(wrong=lambda frame: ~frame["right"]) for _, run in rows.iterrows()])
    by_image = every.groupby(level=0)
    found = by_image["wrong"].agg(wrong="sum", of="count").sort_values("wrong", ascending=False, kind="stable")
    found = found[found["of"] == found["of"].max()].head(count)
    found.insert(0, "label", by_image["label"].first().astype(str))
    common = [every.loc[[image], "answer"].astype(str).mode()[0] for image in found.index]
    found.attrs["sha256"] = rows["test_sha256"].iloc[0]
    return found.assign(answer=common)


def pictures(frame: pd.DataFrame, test_set: str, data_dir: str | pathlib.Path) -> Axes | None:
    """Images of a test set: class, answer, and how many runs are wrong; None, with a warning, if it is not on disk.

    Args:
        frame: of `most_lost`, or rows of `of`.
        test_set: its name.
        data_dir: folder of the data sets.
    """
    if frame.empty:
        return None
    try:
        test = datasets.load_test(test_set, data_dir)
        if test.sha256 != frame.attrs.get("sha256", test.sha256):
            raise datasets.DatasetError(f"{data_dir}: Expected {test_set} as these runs read it. Received: others")
    except datasets.DatasetError as error:
        warnings.warn(str(error), stacklevel=2)
        return None
    texts = frame["label"].astype(str) + "\n→ " + frame["answer"].astype(str)
    if "wrong" in frame:
        texts += "\n" + frame["wrong"].astype(str) + " of " + frame["of"].astype(str)
    return plots.image_grid(test.images[frame.index], texts.tolist(), columns=8)


def _class_names(test_set: str, least: int) -> np.ndarray:
    """Names of a data set's classes; numbers for one that is not known here."""
    known = datasets.DATASETS.get(test_set)
    names = datasets.CLASS_NAMES.get(known.family if known else test_set)
    return np.array(names if names and len(names) >= least else [str(label) for label in range(least)])
