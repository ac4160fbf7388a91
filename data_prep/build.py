"""Builds data sets into a folder: drawn shapes, published sets, sets drawn from these, and the user's own.

An existing set is kept if it is undamaged and was made in the same way. Files that somebody put into a set's folder
under the right names are left as they are, and marked as unverified.
"""

import functools
import os
import pathlib
from collections.abc import Collection, Mapping
from typing import Annotated, Any

import filelock
import msgspec
import pandas as pd

from autoaug import datasets
from autoaug.datasets import DatasetError
from autoaug.datasets import manifest as manifests
from autoaug.recipes import did_you_mean
from data_prep import fetch, folders, subsets, synthetic, upload
from data_prep import own as own_sets
from data_prep.sources import FILES


def build(
    data_dir: str | os.PathLike[str],
    sets: Collection[str],
    source_dir: str | os.PathLike[str] = "data/sources",
    seed: int = 0,
    new_fraction: float = 0.4,
    unverified: str = "",
    rebuild: bool = False,
    own: Mapping[str, Any] | None = None,
    bucket: str = "",
) -> pd.DataFrame:
    """Writes `data_dir/<name>/training/` for each name, and for the sets that it is drawn from.

    Several processes may build at the same time: one writes, and the others wait.

    Args:
        data_dir: folder of the data sets.
        sets: names of data sets.
        source_dir: folder of the published files; missing files are downloaded into it (`fetch.obtain`).
        seed: of the random choices.
        new_fraction: share of CIFAR-10.2 in `cifar102` and `cifar102_30k`, 0…1.
        unverified: a label such as "JPEG copy", which allows files that are not the published data; every set built
            from them is marked with it.
        rebuild: whether to write the named sets again; files that were not built here are never replaced.
        own: name → description of a set of the user's own (`own.check`).
        bucket: where the sets will be uploaded to; only its name is checked.

    Returns:
        A row for each name, and for what it is drawn from; `this run` is "written", "there already" or "unverified
        files, left as they are".

    Raises:
        DatasetError, upload.UploadError: an argument is wrong (before anything is written), a source is missing or
            differs, a folder is damaged or holds other files.
    """
    data_dir = pathlib.Path(data_dir).expanduser()
    _check(sets, seed, new_fraction, unverified)
    upload.require_bucket(bucket)
    own = own_sets.check(own or {}, data_dir)
    embedded = [name for name in sets if name in datasets.EMBEDDED]
    done = dict.fromkeys(embedded, "there already") | dict.fromkeys(
        synthetic.build(data_dir, embedded, seed), "written"
    )
    photographs = [name for name in sets if name not in datasets.EMBEDDED]
    with filelock.FileLock(data_dir / ".lock"):
        if photographs:
            done |= _build(data_dir, photographs, source_dir, seed, new_fraction, unverified, rebuild)
        for name, said in own.items():
            done[name] = own_sets.build(name, said, data_dir, rebuild)
    return pd.Series(done, name="this run", dtype=str).rename_axis("data set").to_frame()


def _check(sets: Any, seed: Any, new_fraction: Any, unverified: Any) -> None:
    if not isinstance(sets, list | tuple) or not all(isinstance(name, str) for name in sets):
        raise DatasetError(f"sets: Expected a list of names: -y '{{sets: [cifar10]}}'. Received: {sets!r}")
    names = (*datasets.EMBEDDED, *subsets.SETS)
    for name in sets:
        if name not in names:
            meant = did_you_mean(name, names)
            raise DatasetError(f"sets: Expected some of {', '.join(names)}. Received: {name!r}{meant}")
    if type(seed) is not int or seed < 0:
        raise DatasetError(f"seed: Expected a whole number from 0 up. Received: {seed!r}")
    if type(new_fraction) not in (int, float) or not 0 <= new_fraction <= 1:
        raise DatasetError(f"new_fraction: Expected 0…1. Received: {new_fraction!r}")
    try:
        msgspec.convert(unverified or "-", Annotated[datasets.Label, msgspec.Meta(max_length=100)])
    except msgspec.ValidationError as error:
        expected = "a label of at most 100 characters without <, > and &"
        raise DatasetError(f"unverified: Expected {expected}. Received: {unverified!r}") from error
    new = datasets.DATASETS["cifar105"]
    for name in {*sets} & {*subsets.MIXED}:
        spec = datasets.DATASETS[name]
        limit = (new.train_size + new.test_size) / (spec.train_size + spec.test_size)
        if new_fraction > limit:
            raise DatasetError(f"new_fraction: Expected at most {limit:g} for {name}. Received: {new_fraction}")


def _build(
    data_dir: pathlib.Path,
    names: Collection[str],
    source_dir: str | os.PathLike[str],
    seed: int,
    new_fraction: float,
    unverified: str,
    rebuild: bool,
) -> dict[str, str]:
    """Writes sets of photographs; returns what `build` shows."""
    wanted, done = subsets.with_inputs(names), {}
    for name in wanted:
        folder = datasets.training_folder(name, data_dir)
        if _is_users(name, data_dir):
            done[name] = "unverified files, left as they are"
        else:
            folders.require_writable(name, folder, rebuild and name in names)
            if rebuild and name in names and folders.condition(folder, {"name": name, "left": True}) == "whole":
                raise DatasetError(f"{folder}: Expected what was built here. Received: other files; move them")

    def must_be_written(name: str) -> bool:
        anew = rebuild and name in names
        manifest = {} if anew else manifests.read(datasets.training_folder(name, data_dir)) or {}
        recipe = subsets.recipe(name, data_dir, seed, new_fraction)
        return "left" not in manifest and any(manifest.get(key) != recipe[key] for key in recipe)

    for name in done:
        _leave(name, data_dir, unverified)
    needed = [source for name in wanted if must_be_written(name) for source in subsets.sources_of(name)]
    obtained = fetch.obtain(list({source.file: source for source in needed}.values()), source_dir, unverified)
    load = functools.cache(lambda name: datasets.load(name, data_dir))
    for name in wanted:
        if must_be_written(name):
            recipe = subsets.recipe(name, data_dir, seed, new_fraction)
            write_files = functools.partial(subsets.write, name, recipe, obtained, load, unverified)
            folders.write(datasets.training_folder(name, data_dir), recipe, write_files)
            done[name] = "written"
        done.setdefault(name, "there already")
    return {name: done[name] for name in wanted}


def _is_users(name: str, data_dir: pathlib.Path) -> bool:
    """Whether a folder holds a set's files and no manifest."""
    there = name in datasets.available(data_dir)
    return there and not (datasets.training_folder(name, data_dir) / "manifest.json").exists()


def _leave(name: str, data_dir: pathlib.Path, unverified: str) -> None:
    """Leaves a manifest beside files that were not built here; published ones are known by their images and labels."""
    spec, parts = datasets.DATASETS[name], {}
    if spec.training_files:
        dataset = datasets.load(name, data_dir)
        parts["training"] = folders.describe(dataset.train_images, dataset.train_labels, spec.num_classes)
    if spec.test_file:
        test = datasets.load_test(name, data_dir)
        parts["test"] = folders.describe(test.images, test.labels, spec.num_classes)
    title = FILES[name][0].title if name in FILES else name
    content = {part: described["sha256"] for part, described in parts.items()}
    published = name in FILES and FILES[name][0].content == content
    source = title if published else f"{title} ({unverified or manifests.UNVERIFIED})"
    manifest = {"name": name, "source": source, "left": True, "parts": parts}
    folders.write_manifest(datasets.training_folder(name, data_dir), manifest)
