"""The embedded data sets: `synthetic10` and two reproductions of it whose shift is known by construction.

Ten classes of shapes in cluttered scenes (`data_prep.rendering`). Every image has a latent difficulty and a latent
appearance. `synthetic10_harder` has the same generator and the same range of difficulty, but more images at the harder
end: nothing in it is new. In its hardest images, nothing is left of the shape. If models could learn such images, the
set would be different too. `synthetic10_different` has the difficulties of `synthetic10` and another appearance. The
class is the shape alone, so no appearance contradicts a class.

The expected answers are in `autoaug.datasets.KNOWN_TRUTH`.
"""

import dataclasses
import json
import os
import pathlib
from collections.abc import Iterable
from typing import Any

import filelock
import numpy as np
from jaxtyping import Float, Int64, Shaped, UInt8

from autoaug.datasets import DATASETS, DatasetError, training_folder
from data_prep import folders
from data_prep.rendering import LATENTS, SHAPES, render

GENERATOR_VERSION = 2  # raise it with every change of pixels: sets of another version are built again


@dataclasses.dataclass(frozen=True)
class Distribution:
    """The distribution of the latents of one set.

    Args:
        difficulty: the two parameters of a Beta distribution.
        light_share: the share of light shapes on dark ground.
        orientation: range in degrees, uniform.
        hue: range in degrees, uniform.
        stripes: range in 0…1, uniform.
    """

    difficulty: tuple[float, float]
    light_share: float
    orientation: tuple[float, float]
    hue: tuple[float, float]
    stripes: tuple[float, float]

    def sample(self, size: int, rng: np.random.Generator) -> Shaped[np.ndarray, " size"]:
        """Draws the latents of `size` images, of type LATENTS."""
        latents = np.empty(size, LATENTS)
        latents["difficulty"] = rng.beta(*self.difficulty, size)
        latents["polarity"] = np.where(rng.random(size) < self.light_share, 1, -1)
        latents["orientation"] = np.radians(rng.uniform(*self.orientation, size))
        latents["hue"] = np.radians(rng.uniform(*self.hue, size))
        latents["stripes"] = rng.uniform(*self.stripes, size)
        return latents


_BASE = Distribution(difficulty=(1, 3), light_share=0.8, orientation=(-20, 20), hue=(0, 150), stripes=(0, 0.4))
SETS = {
    "synthetic10": _BASE,
    "synthetic10_harder": dataclasses.replace(_BASE, difficulty=(2, 1)),
    "synthetic10_different": dataclasses.replace(
        _BASE, light_share=0.2, orientation=(160, 200), hue=(75, 225), stripes=(0.6, 1)
    ),
}


def generate(
    distribution: Distribution, size: int, rng: np.random.Generator
) -> tuple[UInt8[np.ndarray, "n 32 32 3"], Int64[np.ndarray, " n"], Shaped[np.ndarray, " n"]]:
    """Returns `size` images, their labels (balanced, in random order), and their latents, of type LATENTS."""
    labels, latents = _drawn(distribution, size, rng)
    blocks = [slice(start, start + 128) for start in range(0, size, 128)]  # small enough for the processor's cache
    images = [render(labels[block], latents[block], rng) for block in blocks]
    return np.concatenate(images), labels, latents


def difficulties(name: str, part: str, seed: int = 0) -> tuple[Int64[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Labels and latent difficulties of a part of an embedded set, drawn again, without its images."""
    size = {"training": DATASETS[name].train_size, "test": DATASETS[name].test_size}[part]
    labels, latents = _drawn(SETS[name], size, _stream(name, part, seed))
    return labels, latents["difficulty"]


def _stream(name: str, part: str, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, *name.encode(), *folders.part_file(name, part).encode()])


def _drawn(
    distribution: Distribution, size: int, rng: np.random.Generator
) -> tuple[Int64[np.ndarray, " n"], Shaped[np.ndarray, " n"]]:
    return rng.permutation(np.arange(size) % len(SHAPES)), distribution.sample(size, rng)


def build(data_dir: str | os.PathLike[str], names: Iterable[str] = tuple(SETS), seed: int = 0) -> list[str]:
    """Writes `data_dir/<name>/training/` for each name: training and test batch, their latents, manifest.json.

    A folder that already holds these files is left as it is. An older or damaged folder is replaced if this function
    wrote it. Several processes may build at the same time: one writes to a temporary folder, and the others wait.

    Returns:
        The names of the sets that were written.

    Raises:
        DatasetError: a name is unknown, or a folder holds files that this function did not write.
    """
    names = list(names)
    if unknown := [name for name in names if name not in SETS]:
        raise DatasetError(f"Unknown embedded data set. Expected any of {', '.join(SETS)}. Received: {unknown}")
    return [name for name in names if _build(name, training_folder(name, data_dir), seed)]


def _build(name: str, folder: pathlib.Path, seed: int) -> bool:
    """Whether the set had to be written."""
    recipe: dict[str, Any] = {
        "name": name,
        "source": "embedded images",
        "generator_version": GENERATOR_VERSION,
        "seed": seed,
        "distribution": dataclasses.asdict(SETS[name]),
    }
    recipe = json.loads(json.dumps(recipe))  # tuples become lists, as when it is read back
    with filelock.FileLock(folder.parent / ".lock"):
        folders.require_writable(name, folder, rebuild=True)
        if folders.condition(folder, recipe) == "whole":
            return False
        folders.write(folder, recipe, lambda partial: _write_parts(name, partial, seed))
    return True


def _write_parts(name: str, folder: pathlib.Path, seed: int) -> dict[str, Any]:
    """Writes both batches and their latents; returns their description for the manifest."""
    spec = DATASETS[name]
    parts: dict[str, dict[str, Any]] = {}
    for part, size in (("training", spec.train_size), ("test", spec.test_size)):
        file = folders.part_file(name, part)
        images, labels, latents = generate(SETS[name], size, _stream(name, part, seed))
        np.save(folder / f"{file}_latents.npy", latents)
        parts |= folders.write_parts(name, folder, {part: (images, labels)})
    return {"parts": parts}
