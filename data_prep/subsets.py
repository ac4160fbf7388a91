"""Builds the data sets of the study from the published files: CIFAR-10 and -100, its subsamples, CIFAR-10.1 and 10.2.

CIFAR-10, CIFAR-100, CIFAR-10.1 and CIFAR-10.2 (`cifar105`, and its test part `cifar10.2`) are rewritten unchanged. The
other sets are drawn, class by class, from the training part of `cifar10` on disk; `cifar102` and `cifar102_30k` also
from `cifar105`. The research published neither which images it drew nor the proportion of old and new images. Here, the
share `new_fraction` of each class is new, the same for both sets, so that they differ only in size. If the research's
own files lie in place of a built set, they are recognised and left untouched.
"""

import dataclasses
import functools
import os
import pathlib
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any

import filelock
import numpy as np
from jaxtyping import Shaped

from autoaug import datasets
from autoaug.datasets import Dataset, DatasetError
from autoaug.datasets import manifest as manifests
from data_prep import cinic, download, drawing, folders, known_truth, recognition
from data_prep.download import Obtained
from data_prep.folders import Part
from data_prep.reading import read_published
from data_prep.sources import CINIC10_SHEETS, FILES

GENERATOR_VERSION = 1  # raise it with every change of the written files: sets of another version are built again
DRAWN_FROM: dict[str, tuple[str, ...]] = {
    "cifar10_10k": ("cifar10",),
    "cifar10_30k": ("cifar10",),
    "cifar10_12k": ("cifar10",),
    "cifar102": ("cifar10", "cifar105"),
    "cifar102_30k": ("cifar10", "cifar105"),
    **dict.fromkeys(datasets.HALVES, ("cifar10",)),
    **dict.fromkeys(datasets.JUDGES, ("cifar10", "cifar10_12k")),
    "cifar10_5k": ("cifar10", "cifar10_12k"),
    "cinic10_5k": ("cifar10",),
    **dict.fromkeys((known_truth.ORIGINAL_TEST, *known_truth.DESIGNS), ("cifar10", "cifar10_12k")),
}

SETS = (*FILES, *DRAWN_FROM)  # in the order of building
_MIXED = [name for name, inputs in DRAWN_FROM.items() if "cifar105" in inputs]


def build(
    data_dir: str | os.PathLike[str],
    names: Collection[str],
    source_dir: str | os.PathLike[str],
    seed: int = 0,
    new_fraction: float = 0.4,
    unverified: str = "",
    rebuild: bool = False,
) -> dict[str, str]:
    """Writes `data_dir/<name>/training/` for each name, and for the sets that it is drawn from.

    An existing set is kept if it is undamaged and has the same seed and proportion. Several processes may build at the
    same time: one writes, and the others wait.

    Args:
        data_dir: folder of the data sets.
        names: some of SETS.
        source_dir: folder of the published files; missing files are downloaded into it (`download.obtain`).
        seed: of the random choices.
        new_fraction: share of CIFAR-10.2 in `cifar102` and `cifar102_30k`, 0…1.
        unverified: a label such as "JPEG copy", which allows files that are not the published data; every set built
            from them is marked with it.
        rebuild: whether to write the named sets again; files that were not built here are never replaced.

    Returns:
        Name → "written", "there already" or "recognised" (original files), for the names and what they are drawn from.

    Raises:
        DatasetError: an argument is wrong, a source is missing or differs, a folder is damaged or holds other files.
    """
    _check_arguments(names, seed, new_fraction, unverified)
    data_dir = pathlib.Path(data_dir)
    wanted = with_inputs(names)
    again = set(names) if rebuild else set()
    with filelock.FileLock(data_dir / ".lock"):
        done = recognition.examine(data_dir, wanted, again, unverified)

        def must_be_written(name: str) -> bool:
            recipe = _recipe(name, data_dir, seed, new_fraction)
            return name in again or not _is_current(datasets.training_folder(name, data_dir), recipe)

        published = [name for name in wanted if name in FILES and must_be_written(name)]
        files = {source.file: source for name in published for source in FILES[name]}
        if "cinic10_5k" in wanted and must_be_written("cinic10_5k"):
            files |= {source.file: source for source in CINIC10_SHEETS}
        obtained = download.obtain(list(files.values()), source_dir, unverified)
        load = functools.cache(lambda name: datasets.load(name, data_dir))
        for name in wanted:
            if not must_be_written(name):
                done.setdefault(name, "there already")
                continue
            recipe = _recipe(name, data_dir, seed, new_fraction)
            if name in FILES:
                write_files = functools.partial(_write_published, name, obtained, unverified)
            elif name in (known_truth.ORIGINAL_TEST, *known_truth.DESIGNS):
                old, original = load("cifar10"), load("cifar10_12k")
                write_files = functools.partial(known_truth.write, name, old=old, original=original, seed=seed)
            elif name == "cinic10_5k":
                sheets = [obtained[source.file].path for source in CINIC10_SHEETS]
                write_files = functools.partial(cinic.write, paths=sheets, old=load("cifar10"), seed=seed)
            else:
                write_files = functools.partial(_write_drawn, name, recipe, load)
            folders.write(datasets.training_folder(name, data_dir), recipe, write_files)
            done[name] = "written"
    return done


def with_inputs(names: Collection[str]) -> list[str]:
    """The sets and those that they are drawn from, in the order in which they are built."""
    return [name for name in SETS if name in names or any(name in DRAWN_FROM.get(other, ()) for other in names)]


def _check_arguments(names: Collection[str], seed: Any, new_fraction: Any, unverified: str) -> None:
    if unknown := [name for name in names if name not in SETS]:
        raise DatasetError(f"Unknown data set. Expected any of {', '.join(SETS)}. Received: {unknown}")
    if type(seed) is not int or seed < 0:
        raise DatasetError(f"Expected seed, a whole number from 0 up. Received: {seed!r}")
    if type(new_fraction) not in (int, float) or not 0 <= new_fraction <= 1:
        raise DatasetError(f"Expected new_fraction, 0…1. Received: {new_fraction!r}")
    if unverified and not (manifests.is_label(unverified) and len(unverified) <= 100):
        raise DatasetError(
            f"Expected unverified, a label of at most 100 characters without <, > and &. Received: {unverified!r}"
        )
    new = datasets.DATASETS["cifar105"]
    for name in names:
        spec = datasets.DATASETS[name]
        limit = (new.train_size + new.test_size) / (spec.train_size + spec.test_size)
        if name in _MIXED and new_fraction > limit:
            raise DatasetError(f"{name}: Expected new_fraction of at most {limit:g}. Received: {new_fraction}")


def _is_current(folder: pathlib.Path, recipe: Mapping[str, Any]) -> bool:
    """Whether the folder's manifest has this recipe, or is that of original files."""
    manifest = manifests.read(folder) or {}
    return "recognised" in manifest or all(manifest.get(key) == value for key, value in recipe.items())


def _recipe(name: str, data_dir: pathlib.Path, seed: int, new_fraction: float) -> dict[str, Any]:
    """Everything that determines the content of a set, as entries of its manifest."""
    recipe: dict[str, Any] = {"name": name, "generator_version": GENERATOR_VERSION}
    if name in FILES:
        return recipe
    inputs = {}
    for source in DRAWN_FROM[name]:
        manifest = manifests.read(datasets.training_folder(source, data_dir)) or {"source": None, "parts": {}}
        hashes = {part: described["sha256"] for part, described in manifest["parts"].items()}
        inputs[source] = {"source": manifest["source"], "sha256": hashes}
    named = dict.fromkeys(str(values["source"]) for values in inputs.values())
    recipe |= {"source": "CINIC-10" if name == "cinic10_5k" else " and ".join(named), "seed": seed}
    if name in known_truth.DESIGNS:
        recipe["design"] = dataclasses.asdict(known_truth.DESIGNS[name])
    return recipe | ({"new_fraction": new_fraction} if name in _MIXED else {}) | {"inputs": inputs}


def _write_published(
    name: str, obtained: Mapping[str, Obtained], unverified: str, folder: pathlib.Path
) -> dict[str, Any]:
    """Writes a published set; returns entries for its manifest."""
    inputs = {source.file: obtained[source.file] for source in FILES[name]}
    parts, notes = read_published(name, [item.path for item in inputs.values()])
    verified = all(item.verified for item in inputs.values())
    described = folders.write_parts(name, folder, parts)
    return {
        "source": recognition.title(name) if verified else f"{recognition.title(name)} ({unverified})",
        "inputs": {file: {"verified": item.verified, "hashes": item.hashes} for file, item in inputs.items()},
        "notes": notes + (_content_notes(name, inputs, described) if verified else []),
        "parts": described,
    }


def _content_notes(name: str, inputs: Mapping[str, Obtained], described: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Notes on a verified set whose content hash is known, if the hashes of its files and of its content disagree.

    Published files with another content would mean that the content hash in data_prep/sources.py is wrong: a warning.
    """
    source, notes = FILES[name][0], []
    if not source.content:
        return []
    if inputs[source.file].hashes != {file: {"md5": value} for file, value in source.members.items()}:
        notes.append("other files than the published ones, with the same images and labels in their order")
    if (content := recognition.content(described)) != source.content:
        notes.append(f"the published files hold the content {content}; data_prep/sources.py says {source.content}")
        warnings.warn(
            f"{name}: the files are the published ones, but their content hash differs from the one in "
            f"data_prep/sources.py, which is wrong; please report it. Expected {source.content}. Received: {content}",
            stacklevel=2,
        )
    return notes


def _write_drawn(
    name: str, recipe: Mapping[str, Any], load: Callable[[str], Dataset], folder: pathlib.Path
) -> dict[str, Any]:
    """Writes a subset and, for each file, where the images come from; returns the parts for its manifest."""
    pools = _pools(name, load)
    drawn = _draw(name, recipe, pools)
    described = folders.write_parts(name, folder, {part: _gather(pools, origins) for part, origins in drawn.items()})
    for part, origins in drawn.items():
        np.save(folder / f"{folders.part_file(name, part)}_origins.npy", origins)
        counts = np.bincount(origins["pool"], minlength=len(drawing.POOLS))
        described[part]["origins"] = {pool: int(counts[drawing.POOLS.index(pool)]) for pool in pools}
    return {"parts": described}


def _pools(name: str, load: Callable[[str], Dataset]) -> dict[str, Part]:
    """The pools that a subset is drawn from: names of drawing.POOLS → images, labels."""
    old = load("cifar10")
    pools: dict[str, Part] = {"cifar10 training": (old.train_images, old.train_labels)}
    if name in (*datasets.JUDGES, "cifar10_5k"):
        original = load("cifar10_12k")
        taken = datasets.overlap(old.train_images, np.concatenate([original.train_images, original.test_images]))
        inside = taken if name == "cifar10_5k" else ~taken
        pools["cifar10 training"] = old.train_images, np.where(inside, old.train_labels, -1)
    elif name in datasets.HALVES:
        pools["cifar10 test"] = old.test_images, old.test_labels
    elif name in _MIXED:
        new = load("cifar105")
        pools["cifar105 training"] = new.train_images, new.train_labels
        pools["cifar105 test"] = new.test_images, new.test_labels
    return pools


def _draw(name: str, recipe: Mapping[str, Any], pools: Mapping[str, Part]) -> dict[str, Shaped[np.ndarray, " _"]]:
    """Part → drawing.ORIGIN of each image of a subset."""
    spec = datasets.DATASETS[name]
    if name in datasets.HALVES:
        rng = drawing.generator(recipe["seed"], "cifar10_half")  # the same for both
        halves = drawing.halves([labels for _, labels in pools.values()], spec.num_classes, rng)
        first = datasets.HALVES.index(name)
        return {"training": halves[first], "test": halves[1 - first]}
    (old, old_labels), *new = pools.values()
    if name in datasets.JUDGES:
        sizes = [spec.train_size // spec.num_classes] * len(datasets.JUDGES)
        chosen = drawing.per_class(
            old_labels, sizes, spec.num_classes, drawing.generator(recipe["seed"], "cifar10_rest")
        )
        return {"training": drawing.origins(0, chosen[datasets.JUDGES.index(name)])}
    old_labels = np.where(datasets.repeated(old), -1, old_labels)
    for images, _ in new:
        old_labels[datasets.overlap(old, images)] = -1
    labels = [old_labels, *(labels for _, labels in new)] if new else [old_labels, np.empty(0, int), np.empty(0, int)]
    sizes = {"training": spec.train_size, "test": spec.test_size}
    rng = drawing.generator(recipe["seed"], name)
    return drawing.draw(labels, sizes, recipe.get("new_fraction", 0), spec.num_classes, rng)


def _gather(pools: Mapping[str, Part], origins: Shaped[np.ndarray, " n"]) -> Part:
    """The images of these origins, and their labels."""
    chosen, chosen_labels = np.empty((len(origins), 32, 32, 3), np.uint8), np.empty(len(origins), np.int64)
    for number in np.unique(origins["pool"]):
        images, labels = pools[drawing.POOLS[number]]
        rows = origins["pool"] == number
        chosen[rows], chosen_labels[rows] = images[origins["index"][rows]], labels[origins["index"][rows]]
    return chosen, chosen_labels
