"""The drawn data sets: `synthetic10` and two reproductions of it whose shift is known by construction.

Ten classes of coloured shapes in cluttered 32×32 scenes. Every image has a latent difficulty and a latent appearance.
`synthetic10_harder` has the same generator and the same range of difficulty, but more images at the harder end: nothing
in it is new. In its hardest images, nothing is left of the shape. If models could learn such images, the set would be
different too. `synthetic10_different` has the difficulties of `synthetic10` and another appearance. The class is the
shape alone, so no appearance contradicts a class.

The expected answers are in `autoaug.datasets.KNOWN_TRUTH`.

In arrays of images, lengths are pixels, angles radians, colours and luminances fractions of 255. A shape is a function
of coordinates (right, down) in units of its radius: about the signed distance to the outline, negative inside. All is
float64: the last bits of a sine differ between processors, and in float32 that would change pixels.
"""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
from jaxtyping import Float, Float64, Int, Int64, Shaped, UInt8

from autoaug.datasets import DATASETS, training_folder
from data_prep import folders

GENERATOR_VERSION = 3  # raise it with every change of pixels: sets of another version are built again
SIZE = 32
LATENTS = np.dtype(
    [
        ("difficulty", "f4"),  # 0…1
        ("polarity", "f4"),  # 1: light on dark, -1: dark on light
        ("orientation", "f4"),  # of the shape, radians
        ("hue", "f4"),  # of the scene, radians on the colour circle
        ("stripes", "f4"),  # 0…1: from a cloudy to a striped background
    ]
)
Pixels = Float[np.ndarray, "n 32 32"]
"""A number for each pixel."""

_LOST = 0.85  # from this difficulty on, nothing is left of the shape
_X = np.arange(SIZE) - (SIZE - 1) / 2
_Y = _X[:, None]


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


def generate(name: str, part: str, seed: int) -> folders.Part:
    """The images of a part of a drawn set, and their labels (balanced, in random order)."""
    labels, latents, rng = _drawn(name, part, seed)
    blocks = [slice(start, start + 128) for start in range(0, len(labels), 128)]  # fit in the processor's cache
    images = [render(labels[block], latents[block], rng) for block in blocks]
    return np.concatenate(images), labels


def latents(name: str, part: str, seed: int = 0) -> tuple[Int64[np.ndarray, " n"], Shaped[np.ndarray, " n"]]:
    """Labels and LATENTS of a part of a drawn set, drawn again, without its images."""
    return _drawn(name, part, seed)[:2]


def _drawn(name: str, part: str, seed: int) -> tuple[Any, Any, np.random.Generator]:
    """The same, and the random stream, which goes on with what the images need."""
    size, file = DATASETS[name].sizes[part], DATASETS[name].files(part)[0]
    rng = np.random.default_rng([seed, *name.encode(), *file.encode()])
    return rng.permutation(np.arange(size) % len(SHAPES)), SETS[name].sample(size, rng), rng


def build(
    data_dir: str | os.PathLike[str], names: Iterable[str] = tuple(SETS), seed: int = 0, rebuild: bool = False
) -> dict[str, str]:
    """Writes `data_dir/<name>/training/` for each name: training and test batch, manifest.json.

    Returns:
        Name → "written", "replaced" or "there already"; raises what `folders.update` does.
    """

    def write_files(name: str, folder: pathlib.Path) -> dict[str, Any]:
        parts = {part: generate(name, part, seed) for part in DATASETS[name].sizes}
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


def _box(x: Pixels, y: Pixels, half_width: float, half_height: float) -> Pixels:
    return np.maximum(np.abs(x) - half_width, np.abs(y) - half_height)


def _polygon(x: Pixels, y: Pixels, corners: int, inner: float) -> Pixels:
    """A regular polygon (`inner` = 1), or a star; a smaller `inner` makes deeper notches."""
    sector = 2 * np.pi / corners
    angle = np.abs((np.arctan2(x, -y) + sector / 2) % sector - sector / 2)  # 0 at a corner, sector / 2 at a notch
    notch = inner * np.cos(sector / 2)
    edge_x, edge_y = notch * np.cos(sector / 2) - 1, notch * np.sin(sector / 2)
    radius = np.hypot(x, y)
    u, v = radius * np.cos(angle) - 1, radius * np.sin(angle)
    return (v * -edge_x + u * edge_y) / np.hypot(edge_x, edge_y)


SHAPES = {
    "disc": lambda x, y: np.hypot(x, y) - 0.85,
    "ring": lambda x, y: np.abs(np.hypot(x, y) - 0.72) - 0.22,
    "square": lambda x, y: _box(x, y, 0.76, 0.76),
    "triangle": lambda x, y: _polygon(x, y - 0.2, 3, 1),
    "cross": lambda x, y: np.minimum(_box(x, y, 0.95, 0.26), _box(x, y, 0.26, 0.95)),
    "star": lambda x, y: _polygon(x, y, 5, 0.5),
    "crescent": lambda x, y: np.maximum(np.hypot(x + 0.1, y) - 0.9, 0.72 - np.hypot(x - 0.4, y)),
    "bar": lambda x, y: _box(x, y, 0.24, 1.1),
    "chevron": lambda x, y: np.maximum(np.abs(y - 0.9 * np.abs(x) + 0.25) / 1.35 - 0.24, np.abs(x) - 0.9),
    "dumbbell": lambda x, y: np.minimum(np.hypot(x, np.abs(y) - 0.62) - 0.42, _box(x, y, 0.13, 0.6)),
}
"""Classes in the order of the labels → shape."""


def shape_coverage(
    labels: Int[np.ndarray, " n"],
    center: Float[np.ndarray, "2 n 1 1"],
    radius: Float[np.ndarray, "n 1 1"],
    angle: Float[np.ndarray, "n 1 1"],
) -> Pixels:
    """Antialiased coverage, 0…1, of each image's shape.

    Args:
        labels: places in SHAPES.
        center: to the right of and below the image's centre.
        radius: of the shape.
        angle: clockwise.
    """
    coverage = np.empty((len(labels), SIZE, SIZE))
    for label, shape in enumerate(SHAPES.values()):
        rows = np.flatnonzero(labels == label)
        x, y = _X - center[0, rows], _Y - center[1, rows]
        cosine, sine, size = np.cos(angle[rows]), np.sin(angle[rows]), radius[rows]
        distance = size * shape((x * cosine + y * sine) / size, (y * cosine - x * sine) / size)
        coverage[rows] = np.clip(0.5 - distance, 0, 1)
    return coverage


def render(
    labels: Int[np.ndarray, " n"], latents: Shaped[np.ndarray, " n"], rng: np.random.Generator
) -> UInt8[np.ndarray, "n 32 32 3"]:
    """Renders images.

    Args:
        labels: the shapes.
        latents: of type LATENTS. Difficulty makes the shape transparent (from 0.85 on nothing is left of it), adds
            noise, and widens the strip that hides a part of the shape. The other latents are the image's appearance.
        rng: draws everything that is neither class nor latent.
    """
    n = len(labels)
    columns = (latents[field].astype(float)[:, None, None] for field in LATENTS.names or ())  # to broadcast with images
    difficulty, polarity, orientation, hue, stripes = columns
    center = rng.uniform(-4, 4, (2, n, 1, 1))
    radius = _uniform(rng, 8, 10.5, n)
    shape = shape_coverage(labels, center, radius, orientation)
    shape *= np.maximum(0, 1 - (difficulty / _LOST) ** 6)  # steep: only the hardest shapes become invisible
    luminance = _spots(_background(stripes, rng), rng)
    luminance = _over(luminance, 0.5, shape)
    strip = _strip(center, 6 * difficulty**2, rng)
    luminance = _over(luminance, _uniform(rng, -0.1, 0.1, n), strip)
    luminance += (0.02 + 0.07 * difficulty) * rng.standard_normal(luminance.shape)
    images = np.empty((n, SIZE, SIZE, 3), np.uint8)
    for channel in range(3):
        colour = luminance + 0.11 * np.cos(hue + channel * (2 * np.pi / 3)) * (2 * shape - 1)
        images[..., channel] = np.round(255 * np.clip(0.5 + polarity * (colour - 0.2), 0, 1))
    return images


def _uniform(rng: np.random.Generator, low: float, high: float, n: int) -> Float64[np.ndarray, "n 1 1"]:
    return rng.uniform(low, high, (n, 1, 1))


def _over(background: np.ndarray, colour: Any, coverage: np.ndarray) -> np.ndarray:
    return background + (colour - background) * coverage


def _background(stripes: Float64[np.ndarray, "n 1 1"], rng: np.random.Generator) -> Pixels:
    """Luminance around 0: clouds, stripes, or a mixture of both."""
    n = len(stripes)
    knots = np.linspace(0, 4, SIZE)[:, None] - np.arange(5)
    weights = np.maximum(0, 1 - np.abs(knots))  # linear interpolation between 5 × 5 knots
    clouds = weights @ rng.normal(0, 0.1, (n, 5, 5)) @ weights.T
    angle, phase = _uniform(rng, 0, np.pi, n), _uniform(rng, 0, 2 * np.pi, n)
    frequency = 2 * np.pi / _uniform(rng, 4, 8, n)
    waves = 0.1 * np.sin((_X * np.cos(angle) + _Y * np.sin(angle)) * frequency + phase)
    return _over(clouds, waves, stripes)


def _spots(background: Pixels, rng: np.random.Generator) -> Pixels:
    """Four small discs on the background, so that brightness alone does not give the shape away."""
    n = len(background)
    for _ in range(4):
        x, y, radius = _uniform(rng, -16, 16, n), _uniform(rng, -16, 16, n), _uniform(rng, 1, 2.5, n)
        distance = np.sqrt((_X - x) ** 2 + (_Y - y) ** 2)  # np.hypot takes longer
        coverage = np.clip(radius + 0.5 - distance, 0, 1)
        background = _over(background, _uniform(rng, -0.3, 0.4, n), coverage)
    return background


def _strip(
    center: Float64[np.ndarray, "2 n 1 1"], half_width: Float64[np.ndarray, "n 1 1"], rng: np.random.Generator
) -> Pixels:
    """Coverage of a strip in any direction across the shape; none where the half width is 0."""
    n = len(half_width)
    angle, offset = _uniform(rng, 0, np.pi, n), _uniform(rng, -6, 6, n)
    distance = np.abs((_X - center[0]) * np.cos(angle) + (_Y - center[1]) * np.sin(angle) - offset)
    return np.clip(half_width - distance + 0.5, 0, 1) * np.minimum(1, half_width)
