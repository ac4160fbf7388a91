"""The sets of photographs: published ones, rewritten unchanged, and sets drawn from these class by class.

The research published neither which images it drew for `cifar102` and `cifar102_30k` nor the proportion of old and new
images. Here, the share `new_fraction` of each class is new, the same for both sets, so that they differ only in size.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
from jaxtyping import Shaped

from autoaug import datasets
from autoaug.datasets import Dataset
from autoaug.datasets import manifest as manifests
from data_prep import cinic, drawing, folders, known_truth, pictures
from data_prep.fetch import Obtained
from data_prep.folders import Part
from data_prep.reading import read_published
from data_prep.sources import CINIC10_SHEETS, FILES, Source

GENERATOR_VERSION = 1  # raise it with every change of the written files: sets of another version are built again
_TRUTHS = (known_truth.ORIGINAL_TEST, *known_truth.DESIGNS)
DRAWN_FROM: dict[str, tuple[str, ...]] = {
    "cifar10_10k": ("cifar10",),
    "cifar10_30k": ("cifar10",),
    "cifar10_12k": ("cifar10",),
    "cifar102": ("cifar10", "cifar105"),
    "cifar102_30k": ("cifar10", "cifar105"),
    **dict.fromkeys(datasets.JUDGES, ("cifar10", "cifar10_12k")),
    "cifar10_5k": ("cifar10", "cifar10_12k"),
    "cinic10_5k": ("cifar10",),
    **dict.fromkeys(_TRUTHS, ("cifar10", "cifar10_12k")),
}
SETS = (*FILES, *DRAWN_FROM)  # in the order of building
MIXED = [name for name, inputs in DRAWN_FROM.items() if "cifar105" in inputs]


def with_inputs(names: Collection[str]) -> list[str]:
    """The sets and those that they are drawn from, in the order in which they are built."""
    return [name for name in SETS if name in names or any(name in DRAWN_FROM.get(other, ()) for other in names)]


def sources_of(name: str) -> tuple[Source, ...]:
    """The published files that a set is made of, apart from the sets that it is drawn from."""
    return CINIC10_SHEETS if name == "cinic10_5k" else FILES.get(name, ())


def recipe(name: str, data_dir: pathlib.Path, seed: int, new_fraction: float) -> dict[str, Any]:
    """Everything that determines the content of a set, as entries of its manifest."""
    said: dict[str, Any] = {"name": name, "generator_version": GENERATOR_VERSION}
    if name in FILES:
        return said
    inputs = {}
    for source in DRAWN_FROM[name]:
        manifest = manifests.read(datasets.training_folder(source, data_dir)) or {"source": None, "parts": {}}
        hashes = {part: described["sha256"] for part, described in manifest["parts"].items()}
        inputs[source] = {"source": manifest["source"], "sha256": hashes}
    named = dict.fromkeys(str(values["source"]) for values in inputs.values())
    said |= {"source": "CINIC-10" if name == "cinic10_5k" else " and ".join(named), "seed": seed}
    if name in known_truth.DESIGNS:
        said["design"] = dataclasses.asdict(known_truth.DESIGNS[name])
    return said | ({"new_fraction": new_fraction} if name in MIXED else {}) | {"inputs": inputs}


def write(
    name: str,
    recipe: Mapping[str, Any],
    obtained: Mapping[str, Obtained],
    load: Callable[[str], Dataset],
    unverified: str,
    folder: pathlib.Path,
) -> dict[str, Any]:
    """Writes the files of a set; returns the second part of its manifest.

    Args:
        name: of the set.
        recipe: its `recipe`.
        obtained: file name → what was obtained, of its `sources_of`.
        load: loads a set that it is drawn from.
        unverified: the label of sources that are not the published files.
        folder: where the files go.
    """
    if name in FILES:
        return _write_published(name, obtained, unverified, folder)
    if name in _TRUTHS:
        return known_truth.write(name, folder, load("cifar10"), load("cifar10_12k"), recipe["seed"])
    if name == "cinic10_5k":
        sheets = [obtained[source.file].path for source in CINIC10_SHEETS]
        return cinic.write(folder, sheets, load("cifar10"), recipe["seed"])
    pools = _pools(name, load)
    drawn = _draw(name, recipe, pools)
    described = folders.write_parts(name, folder, {part: _gather(pools, origins) for part, origins in drawn.items()})
    for part, origins in drawn.items():
        np.save(folder / f"{folders.part_file(name, part)}_origins.npy", origins)
        counts = np.bincount(origins["pool"], minlength=len(drawing.POOLS))
        described[part]["origins"] = {pool: int(counts[drawing.POOLS.index(pool)]) for pool in pools}
    return {"parts": described}


def _write_published(
    name: str, obtained: Mapping[str, Obtained], unverified: str, folder: pathlib.Path
) -> dict[str, Any]:
    """Writes a published set; returns entries for its manifest."""
    inputs = {source.file: obtained[source.file] for source in FILES[name]}
    paths = [item.path for item in inputs.values()]
    if name == "cinic10":  # the archive's images from ImageNet, in its own splits
        parts = pictures.read_archive(
            paths[0], datasets.DATASETS[name].class_names, {"train": "training", "test": "test"}, leave_out="cifar10-"
        )
    else:
        parts = read_published(name, paths)
    described, source = folders.write_parts(name, folder, parts), FILES[name][0]
    verified = all(item.verified for item in inputs.values())
    copied = verified and source.content and paths[0].is_dir()
    return {
        "source": source.title if verified else f"{source.title} ({unverified})",
        "inputs": {file: {"verified": item.verified, "hashes": item.hashes} for file, item in inputs.items()},
        "notes": ["an unpacked copy, with the published images and labels"] if copied else [],
        "parts": described,
    }


def _pools(name: str, load: Callable[[str], Dataset]) -> dict[str, Part]:
    """The pools that a subset is drawn from: names of drawing.POOLS → images, labels."""
    old = load("cifar10")
    pools: dict[str, Part] = {"cifar10 training": (old.train_images, old.train_labels)}
    if name in (*datasets.JUDGES, "cifar10_5k"):
        original = load("cifar10_12k")
        taken = datasets.overlap(old.train_images, np.concatenate([original.train_images, original.test_images]))
        inside = taken if name == "cifar10_5k" else ~taken
        pools["cifar10 training"] = old.train_images, np.where(inside, old.train_labels, -1)
    elif name in MIXED:
        new = load("cifar105")
        pools["cifar105 training"] = new.train_images, new.train_labels
        pools["cifar105 test"] = new.test_images, new.test_labels
    return pools


def _draw(name: str, recipe: Mapping[str, Any], pools: Mapping[str, Part]) -> dict[str, Shaped[np.ndarray, " _"]]:
    """Part → drawing.ORIGIN of each image of a subset."""
    spec = datasets.DATASETS[name]
    (old, old_labels), *new = pools.values()
    if name in datasets.JUDGES:
        rng, per_class = drawing.generator(recipe["seed"], "cifar10_rest"), spec.train_size // spec.num_classes
        chosen = drawing.per_class(old_labels, [per_class, per_class], spec.num_classes, rng)
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
