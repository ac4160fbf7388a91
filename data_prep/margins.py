"""How hard each image of CIFAR-10 is for models that were not trained on it: cross-fitted margins.

The margin is the softmax probability of the image's label minus the largest probability of another class, from -1 to 1.
CIFAR-10 is divided into two halves. Models trained on one half are tested on the other, so that each of the 60,000
images has margins from models that were not trained on it.
"""

import os
import pathlib
import shlex
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from autoaug import predictions, records
from autoaug.datasets import HALVES, training_folder
from autoaug.datasets import manifest as manifests
from autoaug.datasets.batch_file import DatasetError
from autoaug.files import ROOT
from data_prep import drawing, folders


class Margins(NamedTuple):
    """Mean margins over runs, in the order of CIFAR-10's parts, and the ids of the runs by their training half."""

    training: Float[np.ndarray, " n"]
    test: Float[np.ndarray, " m"]
    runs: dict[str, list[str]]


def cross_fitted(data_dir: str | os.PathLike[str], results_dir: str | os.PathLike[str]) -> Margins:
    """The margins of all images of CIFAR-10: means over the finished runs on its halves.

    Runs count only if both halves have a run of the same recipe and seed, so that similar models judge both halves.

    Args:
        data_dir: folder of the data sets, with both halves.
        results_dir: folder of `runs/`; the runs in results/measured count too.

    Raises:
        DatasetError: a half has no such run; the message says which half, and how to train it.
        records.RecordError: a run's files are damaged.
    """
    runs = _runs(data_dir, pathlib.Path(results_dir))
    origins = {name: _origins(name, "test", data_dir) for name in HALVES}
    means = [_mean_margin(runs[name], name, len(origins[name])) for name in HALVES]
    images, values = np.concatenate(list(origins.values())), np.concatenate(means)
    parts: list[np.ndarray] = []
    for pool in ("cifar10 training", "cifar10 test"):
        rows = images["pool"] == drawing.POOLS.index(pool)
        parts.append(np.empty(rows.sum()))
        parts[-1][images["index"][rows]] = values[rows]
    training, test = parts
    return Margins(training, test, {name: sorted(runs[name]["run_id"]) for name in HALVES})


def of_images(margins: Margins, name: str, part: str, data_dir: str | os.PathLike[str]) -> Float[np.ndarray, " n"]:
    """The margins of the images of a set that was drawn from CIFAR-10, in their order; NaN for images from elsewhere.

    The margins are those of CIFAR-10's own photographs and labels, even if a design changed them.

    Args:
        margins: of all images of CIFAR-10.
        name: of the data set.
        part: "training" or "test".
        data_dir: folder of the data sets, where the set has its `…_origins.npy`.

    Raises:
        FileNotFoundError: the set was not drawn from others by data_prep.
    """
    origins = _origins(name, part, data_dir)
    values = np.full(len(origins), np.nan)
    for pool, pool_margins in (("cifar10 training", margins.training), ("cifar10 test", margins.test)):
        rows = origins["pool"] == drawing.POOLS.index(pool)
        values[rows] = pool_margins[origins["index"][rows]]
    return values


def _mean_margin(runs: pd.DataFrame, name: str, size: int) -> Float[np.ndarray, " n"]:
    """Mean over runs of the margins of a half's test images, in their order."""
    margins = []
    for run in runs.itertuples():
        path = pathlib.Path(str(run.folder)) / "predictions" / f"{name}.npz"
        tested = predictions.read(path)
        if len(tested.labels) != size:
            raise records.RecordError(f"{path}: Expected {size} images. Received: {len(tested.labels)}")
        margins.append(tested.margin)
    return np.mean(margins, axis=0)


def _runs(data_dir: str | os.PathLike[str], results_dir: pathlib.Path) -> dict[str, pd.DataFrame]:
    """Half → the rows of `records.collect` for its runs on its own test part, of recipes and seeds that both have."""
    table, runs = records.collect(results_dir, ROOT / "results" / "measured"), {}
    for name in HALVES:
        parts = (manifests.read(training_folder(name, data_dir)) or {"parts": {}})["parts"]
        hashes = [parts.get(part, {}).get("sha256") for part in ("training", "test")]
        is_on_half = (table["train_data"] == name) & (table["test_set"] == name)
        runs[name] = table[is_on_half & (table["train_sha256"] == hashes[0]) & (table["test_sha256"] == hashes[1])]
    keys = [set(zip(rows["recipe"], rows["seed"], strict=True)) for rows in runs.values()]
    common = keys[0] & keys[1]
    if not common:
        raise DatasetError(_missing(runs, data_dir, results_dir))
    return {
        name: rows[[key in common for key in zip(rows["recipe"], rows["seed"], strict=True)]]
        for name, rows in runs.items()
    }


def _missing(runs: dict[str, pd.DataFrame], data_dir: str | os.PathLike[str], results_dir: pathlib.Path) -> str:
    """A message: which runs there are, and how to train those that are missing."""
    received = "; ".join(f"{name}: {', '.join(rows['run_id']) or 'none'}" for name, rows in runs.items())
    command = "papermill notebooks/train.ipynb -p model wrn -p preset small -p epochs 4"
    command += f" -p data_dir {shlex.quote(str(data_dir))} -p results_dir {shlex.quote(str(results_dir))}"
    expected = f"Expected finished runs of one recipe and seed, trained and tested on {' and on '.join(runs)}"
    remedies = "\n".join(f"  {command} -p train_data {name}" for name in runs)
    return f"{results_dir}: {expected} as they are in {data_dir}. Received: {received}. To make them, run:\n{remedies}"


def _origins(name: str, part: str, data_dir: str | os.PathLike[str]) -> np.ndarray:
    """drawing.ORIGIN [n] of a part that was drawn from other sets."""
    return np.load(training_folder(name, data_dir) / f"{folders.part_file(name, part)}_origins.npy")
