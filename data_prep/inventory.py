"""Tables of the data sets on disk: what their manifests say, and which images they share."""

import os
from typing import Any

import numpy as np
import pandas as pd

from autoaug import datasets
from autoaug.datasets import manifest as manifests


def parts(data_dir: str | os.PathLike[str]) -> pd.DataFrame:
    """The data sets on disk.

    Returns:
        A row per data set and part, with the columns title; source; images; fewest and most, the sizes of the smallest
        and the largest class; sha256, of pixels and labels; and mean and std of each channel (fractions of 255). Of a
        set without a manifest, only its size is known.
    """
    rows = []
    for name in datasets.available(data_dir):
        spec = datasets.spec(name, data_dir)
        manifest = manifests.read(datasets.training_folder(name, data_dir)) or {"parts": {}}
        for part, size in spec.sizes.items():
            said = manifest["parts"].get(part, {})
            counts = said.get("images_per_class", [np.nan])
            source = manifest.get("source", manifests.UNVERIFIED)
            row: dict[str, Any] = {"data set": name, "part": part, "title": spec.title, "source": source}
            row |= {"images": size, "fewest": min(counts), "most": max(counts), "sha256": said.get("sha256", "")}
            for what in ("mean", "std"):
                values = zip(("red", "green", "blue"), said.get(what, [np.nan] * 3), strict=True)
                row |= {f"{what}, {channel}": value for channel, value in values}
            rows.append(row)
    columns = ["data set", "part", "title", "source", "images", "fewest", "most", "sha256"]
    return pd.DataFrame(rows, columns=None if rows else columns).set_index(["data set", "part"])


def overlaps(data_dir: str | os.PathLike[str]) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Counts images with the same pixels, for all data sets on disk; holds the images of one set at a time.

    Returns:
        DataFrames of int. First, two by the names "test" and "training": how many images of each set's part (columns)
        are among the images of each training set (rows). Second, a row per data set and the columns `training` and
        `test`: how many images of this part repeat an earlier image of the part.
    """
    hashes: dict[str, dict[str, list[bytes]]] = {"training": {}, "test": {}}
    for name in datasets.available(data_dir):
        spec = datasets.spec(name, data_dir)
        if spec.training_files:
            hashes["training"][name] = datasets.image_hashes(datasets.load(name, data_dir).train_images)
        if spec.test_file:
            hashes["test"][name] = datasets.image_hashes(datasets.load_test(name, data_dir).images)
    known = {name: set(images) for name, images in hashes["training"].items()}
    tables = {}
    for part, sets in hashes.items():
        counts = {name: [sum(one in images for one in of) for images in known.values()] for name, of in sets.items()}
        tables[part] = pd.DataFrame(counts, index=list(known), dtype=int)
    repeats = {part: {name: len(of) - len(set(of)) for name, of in sets.items()} for part, sets in hashes.items()}
    return tables, pd.DataFrame(repeats, index=datasets.available(data_dir)).fillna(0).astype(int)
