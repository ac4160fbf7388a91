"""Draws the embedded images: a coloured shape in a cluttered 32×32 scene, from an image's latent variables.

All arrays have one row per image. Lengths are pixels, angles radians, colours and luminances fractions of 255.
"""

import numpy as np

SIZE = 32
_Y, _X = np.meshgrid(np.arange(SIZE) - 15.5, np.arange(SIZE) - 15.5, indexing="ij")
_X, _Y = _X.astype(np.float32), _Y.astype(np.float32)


def _box(x, y, half_width, half_height):
    return np.maximum(np.abs(x) - half_width, np.abs(y) - half_height)


def _polygon(x, y, corners, inner):
    """A regular polygon (`inner` = 1) or a star whose notches lie at `inner` of the distance of its edges."""
    sector = 2 * np.pi / corners
    angle = np.abs((np.arctan2(x, -y) + sector / 2) % sector - sector / 2)  # 0 at a corner, sector / 2 at a notch
    notch = inner * np.cos(sector / 2)
    edge_x, edge_y = notch * np.cos(sector / 2) - 1, notch * np.sin(sector / 2)
    radius = np.hypot(x, y)
    u, v = radius * np.cos(angle) - 1, radius * np.sin(angle)
    return (v * -edge_x + u * edge_y) / np.hypot(edge_x, edge_y)


def _disc(x, y):
    return np.hypot(x, y) - 0.85


def _ring(x, y):
    return np.abs(np.hypot(x, y) - 0.72) - 0.22


def _square(x, y):
    return _box(x, y, 0.76, 0.76)


def _triangle(x, y):
    return _polygon(x, y - 0.2, 3, 1.0) * 1.0


def _cross(x, y):
    return np.minimum(_box(x, y, 0.95, 0.26), _box(x, y, 0.26, 0.95))


def _star(x, y):
    return _polygon(x, y, 5, 0.5)


def _crescent(x, y):
    return np.maximum(np.hypot(x + 0.1, y) - 0.9, 0.72 - np.hypot(x - 0.4, y))


def _bar(x, y):
    return _box(x, y, 0.24, 1.1)


def _chevron(x, y):
    return np.maximum(np.abs(y - 0.9 * np.abs(x) + 0.25) / 1.35 - 0.24, np.abs(x) - 0.9)


def _dumbbell(x, y):
    return np.minimum(np.hypot(x, np.abs(y) - 0.62) - 0.42, _box(x, y, 0.13, 0.6))


SHAPES = (_disc, _ring, _square, _triangle, _cross, _star, _crescent, _bar, _chevron, _dumbbell)


def shape_coverage(labels, center_x, center_y, radius, angle):
    """Antialiased coverage float32 [n, 32, 32] in 0…1 of each image's shape; `labels` index SHAPES."""
    coverage = np.empty((len(labels), SIZE, SIZE), np.float32)
    for label, shape in enumerate(SHAPES):
        rows = np.flatnonzero(labels == label)
        x = _X - center_x[rows, None, None]
        y = _Y - center_y[rows, None, None]
        cosine, sine = (np.float32(f(angle[rows, None, None])) for f in (np.cos, np.sin))
        size = radius[rows, None, None]
        distance = shape((x * cosine + y * sine) / size, (y * cosine - x * sine) / size) * size
        coverage[rows] = np.clip(0.5 - distance, 0, 1)
    return coverage


def render(labels, difficulty, appearance, rng):
    """Renders uint8 images [n, 32, 32, 3].

    Args:
        labels: int [n], the shapes.
        difficulty: float [n] in 0…1: lowers the contrast, adds noise and widens what hides the shape.
        appearance: structured array [n] with `polarity` (1: light on dark, -1: dark on light), `orientation`,
            `hue` (angle on the colour circle) and `stripes` (0…1: from a cloudy to a striped background).
        rng: np.random.Generator for everything that is neither.
    """
    n = len(labels)
    center_x, center_y = rng.uniform(-4, 4, (2, n)).astype(np.float32)
    radius = rng.uniform(8, 10.5, n).astype(np.float32)
    shape = shape_coverage(labels, center_x, center_y, radius, appearance["orientation"])
    hidden = _strip(center_x, center_y, 4.5 * difficulty, rng)
    contrast = (0.5 - 0.38 * difficulty).astype(np.float32)
    luminance = _background(appearance["stripes"], rng)
    luminance = _spots(luminance, rng)
    luminance += (contrast[:, None, None] - luminance) * shape
    luminance += (rng.uniform(-0.1, 0.1, (n, 1, 1)) - luminance) * hidden
    luminance += rng.normal(size=luminance.shape).astype(np.float32) * (0.02 + 0.1 * difficulty)[:, None, None]
    hue = appearance["hue"][:, None] + np.array([0, 2, 4]) * np.pi / 3
    tint = 0.12 * np.cos(hue)[:, None, None, :]
    colour = luminance[..., None] + tint * (2 * shape[..., None] - 1)
    image = 0.5 + appearance["polarity"][:, None, None, None] * (colour - 0.2)
    return np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)


def _background(stripes, rng):
    """Luminance around 0: clouds, stripes, or a mixture of both."""
    n = len(stripes)
    knots = np.linspace(0, 4, SIZE)[:, None] - np.arange(5)
    weights = np.maximum(0, 1 - np.abs(knots)).astype(np.float32)
    clouds = weights @ rng.normal(0, 0.1, (n, 5, 5)).astype(np.float32) @ weights.T
    angle, phase = rng.uniform(0, 2 * np.pi, (2, n, 1, 1)).astype(np.float32)
    frequency = (2 * np.pi / rng.uniform(4, 8, (n, 1, 1))).astype(np.float32)
    waves = 0.1 * np.sin((_X * np.cos(angle) + _Y * np.sin(angle)) * frequency + phase)
    share = stripes[:, None, None].astype(np.float32)
    return clouds * (1 - share) + waves * share


def _spots(luminance, rng, count=4):
    """Small discs in place of the background, so that brightness alone does not give the shape away."""
    n = len(luminance)
    for _ in range(count):
        x, y = rng.uniform(-16, 16, (2, n, 1, 1)).astype(np.float32)
        radius = rng.uniform(1, 2.5, (n, 1, 1)).astype(np.float32)
        spot = np.clip(radius + 0.5 - np.hypot(_X - x, _Y - y), 0, 1)
        luminance = luminance + (rng.uniform(-0.3, 0.4, (n, 1, 1)).astype(np.float32) - luminance) * spot
    return luminance


def _strip(center_x, center_y, half_width, rng):
    """Coverage [n, 32, 32] of a strip of any direction across the shape."""
    n = len(center_x)
    angle = rng.uniform(0, np.pi, (n, 1, 1)).astype(np.float32)
    offset = rng.uniform(-6, 6, (n, 1, 1)).astype(np.float32)
    x, y = _X - center_x[:, None, None], _Y - center_y[:, None, None]
    distance = np.abs(x * np.cos(angle) + y * np.sin(angle) - offset)
    return np.clip(half_width[:, None, None] - distance + 0.5, 0, 1) * np.minimum(1, half_width)[:, None, None]
