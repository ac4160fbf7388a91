"""Tables of the data sets on disk, from their manifests: their parts, where the images come from, what is known."""

import os
from typing import Any

import numpy as np
import pandas as pd

from autoaug import datasets
from autoaug.datasets import manifest as manifests

CHANNELS = ("red", "green", "blue")


def manifest_of(name: str, data_dir: str | os.PathLike[str]) -> dict[str, Any]:
    """The manifest of a set on disk; without one, only its sizes are known."""
    spec = datasets.spec(name, data_dir)
    sizes = {"training": spec.train_size, "test": spec.test_size}
    unknown = {"source": manifests.UNVERIFIED, "parts": {part: {"images": n} for part, n in sizes.items() if n}}
    return manifests.read(datasets.training_folder(name, data_dir)) or unknown


def parts(data_dir: str | os.PathLike[str]) -> pd.DataFrame:
    """The data sets on disk.

    Returns:
        A row per data set and part, with the columns title; source; images; fewest and most, the sizes of the smallest
        and the largest class; mean and std of each channel (fractions of 255); and sha256, of pixels and labels. For
        sets that are drawn from others: how many images are from which part, and how many have a new look or a wrong
        label.
    """
    rows = []
    for name in datasets.available(data_dir):
        manifest, title = manifest_of(name, data_dir), datasets.spec(name, data_dir).title
        for part, said in manifest["parts"].items():
            row = {"data set": name, "part": part, "title": title, "source": manifest["source"]}
            counts = said.get("images_per_class", [np.nan])
            row |= {"images": said["images"], "fewest": min(counts), "most": max(counts)}
            for what in ("mean", "std"):
                row |= {
                    f"{what}, {channel}": x for channel, x in zip(CHANNELS, said.get(what, [np.nan] * 3), strict=True)
                }
            row |= {"sha256": said.get("sha256", "")} | {
                f"from {pool}": n for pool, n in said.get("origins", {}).items()
            }
            rows.append(row | {key: said[key] for key in ("new_look", "wrong_labels") if key in said})
    columns = ["data set", "part", "title", "source", "images", "fewest", "most", "sha256"]
    return pd.DataFrame(rows, columns=None if rows else columns).set_index(["data set", "part"])


def notes(data_dir: str | os.PathLike[str]) -> pd.Series:
    """By data set: what was not as expected in the published files, and which images of the user's own sets overlap."""
    texts = []
    for name in datasets.available(data_dir):
        manifest = manifest_of(name, data_dir)
        counts = {**manifest.get("overlap", {}), **manifest.get("left_out", {})}
        texts += [
            (name, note) for note in (*manifest.get("notes", []), *(f"{key}: {n:,}" for key, n in counts.items()))
        ]
    return pd.Series([note for _, note in texts], [name for name, _ in texts], dtype=str, name="note")


def overlaps(data_dir: str | os.PathLike[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Counts images with the same pixels, for all data sets on disk; holds the images of one set at a time.

    Returns:
        Two DataFrames of int. The first has a row per training set and a column per test set: how many of the test
        images are among the training images. The second has a row per data set and the columns `training` and `test`:
        how many images of this part repeat an earlier image of the part.
    """
    hashes: dict[str, dict[str, list[bytes]]] = {"training": {}, "test": {}}
    for name in datasets.available(data_dir):
        spec = datasets.spec(name, data_dir)
        if spec.training_files:
            hashes["training"][name] = datasets.image_hashes(datasets.load(name, data_dir).train_images)
        if spec.test_file:
            hashes["test"][name] = datasets.image_hashes(datasets.load_test(name, data_dir).images)
    known = {name: set(images) for name, images in hashes["training"].items()}
    counts = [[sum(image in images for image in test) for test in hashes["test"].values()] for images in known.values()]
    repeats = {part: {name: len(of) - len(set(of)) for name, of in sets.items()} for part, sets in hashes.items()}
    table = pd.DataFrame(counts, index=list(known), columns=list(hashes["test"]), dtype=int)
    return table, pd.DataFrame(repeats, index=datasets.available(data_dir)).fillna(0).astype(int)
