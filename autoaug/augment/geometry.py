"""The source of each pixel in geometric operations: Pillow 13.0.0's affine transform, in its 16-bit fixed point."""

import functools
import math

import numpy as np
from jaxtyping import Int16

from autoaug.augment.kernel import AREA, SIDE
from autoaug.augment.policies import LEVELS


def _affine_sources(a: float, b: float, c: float, d: float, e: float, f: float) -> Int16[np.ndarray, "1024"]:
    """Source index of each output pixel, by nearest neighbour; 1024 if it lies outside the image.

    `(a … f)` map output to input coordinates as in `Image.transform(size, AFFINE, (a, b, c, d, e, f))`.
    """
    row, column = np.divmod(np.arange(AREA), SIDE)

    def fixed(value: float) -> int:
        return math.floor(value * 65536 + 0.5)

    source_column = (fixed(c + a * 0.5 + b * 0.5) + column * fixed(a) + row * fixed(b)) >> 16
    source_row = (fixed(f + d * 0.5 + e * 0.5) + column * fixed(d) + row * fixed(e)) >> 16
    inside = (source_column >= 0) & (source_column < SIDE) & (source_row >= 0) & (source_row < SIDE)
    return np.where(inside, source_row * SIDE + source_column, AREA).astype(np.int16)


def _rotation(degrees: float) -> tuple[float, float, float, float, float, float]:
    """The six numbers of `Image.rotate(degrees)` about the image's centre."""
    angle = -math.radians(degrees % 360.0)
    cos, sin = round(math.cos(angle), 15), round(math.sin(angle), 15)
    half = SIDE / 2
    return cos, sin, (cos * -half + sin * -half) + half, -sin, cos, (-sin * -half + cos * -half) + half


@functools.cache
def geometric_sources() -> Int16[np.ndarray, "5 10 2 1024"]:
    """Source indices by operation, in the order of `policies.Operation`, level, and whether negated."""
    sources = np.empty((5, LEVELS, 2, AREA), np.int16)
    for level in range(LEVELS):
        for negate, sign in enumerate((1, -1)):
            shear, pixels, degrees = sign * (level * 0.3 / 10), sign * level, sign * int(level * 30 / 10)
            maps = (
                (1, shear, 0, 0, 1, 0),
                (1, 0, 0, shear, 1, 0),
                (1, 0, pixels, 0, 1, 0),
                (1, 0, 0, 0, 1, pixels),
                _rotation(degrees),
            )
            sources[:, level, negate] = [_affine_sources(*numbers) for numbers in maps]
    return sources
