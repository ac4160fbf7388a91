"""The embedded data sets: `synthetic10` and two reproductions of it whose shift is known by construction.

Ten classes of shapes in cluttered scenes (`data_prep.rendering`). Every image has a latent difficulty and a latent
appearance. `synthetic10_harder` has the same generator and the same range of difficulty, but more images at the harder
end: nothing in it is new. In its hardest images, nothing is left of the shape. If models could learn such images, the
set would be different too. `synthetic10_different` has the difficulties of `synthetic10` and another appearance. The
class is the shape alone, so no appearance contradicts a class.

The expected answers are in `autoaug.datasets.KNOWN_TRUTH`.
"""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
from jaxtyping import Int64, Shaped, UInt8

from autoaug.datasets import DATASETS, training_folder
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


def latents(name: str, part: str, seed: int = 0) -> tuple[Int64[np.ndarray, " n"], Shaped[np.ndarray, " n"]]:
    """Labels and LATENTS of a part of an embedded set, drawn again, without its images."""
    return _drawn(SETS[name], DATASETS[name].sizes[part], _stream(name, part, seed))


def _stream(name: str, part: str, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, *name.encode(), *DATASETS[name].files(part)[0].encode()])


def _drawn(
    distribution: Distribution, size: int, rng: np.random.Generator
) -> tuple[Int64[np.ndarray, " n"], Shaped[np.ndarray, " n"]]:
    return rng.permutation(np.arange(size) % len(SHAPES)), distribution.sample(size, rng)


def build(
    data_dir: str | os.PathLike[str], names: Iterable[str] = tuple(SETS), seed: int = 0, rebuild: bool = False
) -> dict[str, str]:
    """Writes `data_dir/<name>/training/` for each name: training and test batch, manifest.json.

    Returns:
        Name → "written" or "there already"; raises what `folders.update` does.
    """

    def write_files(name: str, folder: pathlib.Path) -> dict[str, Any]:
        sizes = DATASETS[name].sizes.items()
        parts = {part: generate(SETS[name], size, _stream(name, part, seed))[:2] for part, size in sizes}
        return folders.write_parts(DATASETS[name], folder, parts)

    done = {}
    for name in names:
        recipe = {
            "name": name,
            "source": "embedded images",
            "generator_version": GENERATOR_VERSION,
            "seed": seed,
            "distribution": msgspec.json.decode(msgspec.json.encode(SETS[name])),  # as it is read back
        }
        files = functools.partial(write_files, name)
        done[name] = folders.update(training_folder(name, data_dir), recipe, files, rebuild)
    return done
