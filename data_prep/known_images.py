"""Saves what is known about each image of the compared test sets, for reports on machines without the data."""

import os
import pathlib

import numpy as np
import pandas as pd

from autoaug import datasets, known_images
from autoaug.datasets import manifest as manifests
from autoaug.known_images import KnownImages
from data_prep import drawing, folders, margins
from data_prep.known_truth import peoples_labels

_NEW_POOLS = [number for number, pool in enumerate(drawing.POOLS) if pool.startswith("cifar105")]


def write(data_dir: str | os.PathLike[str], results_dir: str | os.PathLike[str], people_dir: str = "") -> pd.DataFrame:
    """Writes `known_images/<test set>.json` for the originals and reproductions on disk that were drawn from others.

    Args:
        data_dir: folder of the data sets.
        results_dir: folder for the files. Difficulties come from the runs on the halves of CIFAR-10 in this folder and
            in results/measured, if there are any.
        people_dir: folder of CIFAR-10H, which is downloaded if it is missing; empty: do without people's labels.

    Returns:
        A row per test set with the number of new images, the mean difficulty and the number of disputed labels.

    Raises:
        DatasetError, records.RecordError: a data set or a run is damaged, or CIFAR-10H is not the published file.
    """
    try:
        values = margins.cross_fitted(data_dir, results_dir)
    except (FileNotFoundError, datasets.DatasetError):  # no halves, or no runs on them
        values = None
    people = peoples_labels(people_dir) if people_dir else None
    rows = {}
    for name in datasets.available(data_dir):
        compared = name in datasets.ORIGINALS or name in datasets.ORIGINALS.values()
        if compared and _file(name, data_dir, "origins").exists():
            known = _known(name, data_dir, values, people)
            known_images.write(results_dir, name, known)
            new = None if known.new is None else int(known.new.sum())
            difficulty = None if known.difficulty is None else float(known.difficulty.mean())
            rows[name] = {"new images": new, "mean difficulty": difficulty, "disputed labels": known.disputed}
    return pd.DataFrame.from_dict(rows, orient="index")


def _file(name: str, data_dir: str | os.PathLike[str], what: str) -> pathlib.Path:
    return datasets.training_folder(name, data_dir) / f"{folders.part_file(name, 'test')}_{what}.npy"


def _known(
    name: str, data_dir: str | os.PathLike[str], values: margins.Margins | None, people: np.ndarray | None
) -> KnownImages:
    """What is known about the images of one test set."""
    origins = np.load(_file(name, data_dir, "origins"))
    look = _file(name, data_dir, "new_look")
    new = np.load(look) if look.exists() else np.isin(origins["pool"], _NEW_POOLS)
    difficulty = None if values is None else -margins.of_images(values, name, "test", data_dir)
    if difficulty is not None and np.isnan(difficulty).any():
        difficulty = None
    disputed = None
    if people is not None and (origins["pool"] == drawing.POOLS.index("cifar10 test")).all():
        labels = datasets.load_test(name, data_dir).labels
        disputed = int((people[origins["index"]].argmax(axis=1) != labels).sum())
    manifest = manifests.read(datasets.training_folder(name, data_dir)) or {}
    return KnownImages(manifest["parts"]["test"]["sha256"], new if new.any() else None, difficulty, disputed)
