"""Tables of the data sets on disk: their parts, where the images come from, and what is known about them."""

import os
from typing import Any

import pandas as pd

from autoaug import datasets
from autoaug.datasets import manifest as manifests
from data_prep import folders

CHANNELS = ("red", "green", "blue")


def parts(data_dir: str | os.PathLike[str]) -> pd.DataFrame:
    """Every data set on disk, read and checked against its manifest; holds one set at a time.

    Returns:
        A row per data set and part, with the columns source; images; fewest and most, the sizes of the smallest and the
        largest class; mean and std of each channel (fractions of 255); and sha256, of pixels and labels.

    Raises:
        DatasetError: a set is damaged.
    """
    rows = {}
    for name in datasets.available(data_dir):
        spec, contents = datasets.DATASETS[name], {}
        if spec.training_files:
            dataset = datasets.load(name, data_dir)
            contents["training"] = (dataset.train_images, dataset.train_labels, dataset.source)
        if spec.test_file:
            test = datasets.load_test(name, data_dir)
            contents["test"] = (test.images, test.labels, test.source)
        for part, (images, labels, source) in contents.items():
            rows[name, part] = _row(folders.describe(images, labels, spec.num_classes), source)
    columns = ["source", "images", "fewest", "most", *_channel_columns("mean"), *_channel_columns("std"), "sha256"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    table.index = pd.MultiIndex.from_tuples(rows, names=["data set", "part"])
    return table


def origins(data_dir: str | os.PathLike[str]) -> pd.DataFrame:
    """For sets drawn from other sets: how many images come from which part, and what was done to them.

    Returns:
        A row per data set and part; a column for each part that images come from, and new_look, wrong_labels and
        mean_margin for the designs of known truth.
    """
    rows = {}
    for name, manifest in _manifests(data_dir).items():
        for part, said in manifest["parts"].items():
            if "origins" in said:
                done = {key: said[key] for key in ("new_look", "wrong_labels", "mean_margin") if key in said}
                rows[name, part] = said["origins"] | done
    table = pd.DataFrame.from_dict(rows, orient="index")
    counts = table.columns.drop("mean_margin", errors="ignore")
    return table.fillna(dict.fromkeys(counts, 0)).astype(dict.fromkeys(counts, int))


def known_truth(data_dir: str | os.PathLike[str]) -> pd.DataFrame:
    """For reproductions on disk whose truth is known: original, expected answer, and the checks of hardness."""
    read, rows = _manifests(data_dir), {}
    checks = read.get("known_harder", {}).get("checks", {})
    for name in read:
        if name in datasets.KNOWN_TRUTH:
            truth = datasets.KNOWN_TRUTH[name]
            expected = {"harder": truth.harder, "different": truth.different, "expected": truth.sentence}
            checked = {check: values[name] for check, values in checks.items() if name in values}
            rows[name] = {"original": datasets.ORIGINALS[name]} | expected | checked
    return pd.DataFrame.from_dict(rows, orient="index")


def notes(data_dir: str | os.PathLike[str]) -> pd.Series:
    """The notes in manifests, by data set: what was not as expected in the published files."""
    texts = [(name, note) for name, manifest in _manifests(data_dir).items() for note in manifest.get("notes", [])]
    return pd.Series([note for _, note in texts], [name for name, _ in texts], dtype=str, name="note")


def _row(described: dict[str, Any], source: str) -> list[Any]:
    counts = described["images_per_class"]
    return [
        *(source, described["images"], min(counts), max(counts)),
        *(*described["mean"], *described["std"], described["sha256"]),
    ]


def _channel_columns(what: str) -> list[str]:
    return [f"{what}, {channel}" for channel in CHANNELS]


def _manifests(data_dir: str | os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """Manifests of the sets on disk that have one, by name."""
    read = {name: manifests.read(datasets.training_folder(name, data_dir)) for name in datasets.available(data_dir)}
    return {name: manifest for name, manifest in read.items() if manifest}
