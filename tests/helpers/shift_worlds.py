"""Simulated studies whose truth is known: margins of models under test and of judges, drawn from a linear model.

    margin = level − slope · difficulty − penalty of a visitor on images of a new look + affinity + seed + noise

A run is right where its margin is above zero. The affinity belongs to an image and a training set: what this set
happens to teach about this image. Difficulties are standard normal on A and shifted on B, so that B is harder by a
given gap. Models of B may specialise: their slope and level are then solved so that both home advantages have given
sizes, though difficulty is all that differs.
"""

import dataclasses
from typing import NamedTuple

import numpy as np
from scipy.optimize import fsolve
from scipy.special import ndtr, ndtri

from autoaug.shift import Cells, Sides

SLOPE, AFFINITY, SEED = 2.5, 0.6, 0.06


class Study(NamedTuple):
    """What `shift.compare` takes: one family, judges, classes; and the true difficulties."""

    family: Cells
    judges: tuple
    labels: Sides
    difficulty: Sides


def accuracy(level, slope, shift=0.0):
    """The expected accuracy of a model on images whose difficulties have this mean."""
    return ndtr((level - slope * shift) / np.sqrt(1 + slope**2 + AFFINITY**2 + SEED**2))


@dataclasses.dataclass(frozen=True)
class World:
    """A way to draw studies.

    Args:
        aa: expected accuracy AA.
        gap: AA − AB from difficulty alone.
        special: what AA − BA and BB − AB are because models of B specialise in difficulty.
        penalty: of models of A on B's images of a new look; `penalty_a`, of models of B on A's images, is the same
            times `new` if None.
        new: share of B's images with a new look; `half`: only the other images are harder.
        stronger: added to the level of B's models: a stronger or weaker training set.
        noisy: share of B's labels that are wrong.
        classes: spread of the classes' difficulty; B then has more images of the easy classes.
        shared: share of the affinity that judges have in common with B's models.
        tail: difficulty has a long tail of easy images; gap and special are then only about what they say.
        kinds: number of classes.
        images, images_a, runs: numbers of test images of B and of A (None: as many), and of runs on a side.
    """

    aa: float = 0.88
    gap: float = 0.0
    special: tuple[float, float] = (0.0, 0.0)
    penalty: float = 0.0
    penalty_a: float | None = None
    new: float = 1.0
    half: bool = False
    stronger: float = 0.0
    noisy: float = 0.0
    classes: float = 0.0
    shared: float = 0.0
    tail: bool = False
    kinds: int = 10
    images: int = 2_000
    images_a: int | None = None
    runs: int = 3

    @property
    def harder(self) -> bool | None:
        """Whether B is harder; None: this world leaves it open, since look or specialising moves a gap."""
        if not self.gap and not self.noisy and not self.classes:
            return False
        return None if self.penalty or self.gap + 1e-9 < 2 * max(self.special) else True

    @property
    def different(self) -> bool:
        """Whether B is different: whether there is a new look."""
        return self.penalty > 0

    def solved(self):
        """Levels and slopes of A's and B's models, and the mean difficulty of B's images."""
        level = ndtri(self.aa) * np.sqrt(1 + SLOPE**2 + AFFINITY**2 + SEED**2)
        shift = fsolve(lambda at: accuracy(level, SLOPE, at) - (self.aa - self.gap), 0.3)[0] if self.gap else 0.0
        level_b, slope_b = level, SLOPE
        if any(self.special):
            wanted = np.array([self.aa - self.special[0], self.aa - self.gap + self.special[1]])
            level_b, slope_b = fsolve(
                lambda of_b: np.array([accuracy(*of_b), accuracy(*of_b, shift)]) - wanted, [0.9 * level, 0.8 * SLOPE]
            )
        return (level, level_b + self.stronger), (SLOPE, slope_b), shift

    def study(self, rng: np.random.Generator) -> Study:
        """One study."""
        levels, slopes, shift = self.solved()
        numbers = Sides(self.images_a or self.images, self.images)
        new, wrong = rng.random(numbers.b) < self.new, rng.random(numbers.b) < self.noisy
        offsets, chances = np.linspace(-self.classes, self.classes, self.kinds), np.full(self.kinds, 1 / self.kinds)
        favoured = np.exp(1.5 * offsets) if self.classes else chances
        shares = favoured / favoured.sum()
        labels = Sides(rng.choice(self.kinds, numbers.a), rng.choice(self.kinds, numbers.b, p=shares))
        hard = [1 - rng.exponential(1, size) if self.tail else rng.standard_normal(size) for size in numbers]
        hard[1] += shift * (~new if self.half else 1)
        hard = Sides(*(one + offsets[label] for one, label in zip(hard, labels, strict=True)))
        affinity = [[AFFINITY * rng.standard_normal(size) for size in numbers] for _ in range(4)]
        penalty_a = self.penalty * self.new if self.penalty_a is None else self.penalty_a
        prior = np.log(self.kinds * shares)

        def margins(side, runs, level, slope, own):
            """Of runs trained on A (0) or B (1), on both test sets; `own` is their training set's affinity."""
            seeds, found = SEED * rng.standard_normal((runs, 1)), []
            for test, (size, label) in enumerate(zip(numbers, labels, strict=True)):
                base = level - slope * hard[test] + own[test] + side * prior[label]
                base = base - (side != test) * (penalty_a if test == 0 else self.penalty * new)
                margin = base + seeds + rng.standard_normal((runs, size))
                found.append(np.where(wrong, -1 - np.abs(margin), margin) if test == 1 else margin)
            return found

        on_a, on_b = (margins(side, self.runs, levels[side], slopes[side], affinity[side]) for side in (0, 1))
        kept = np.sqrt(1 - self.shared**2)
        tastes = [
            [self.shared * of_b + kept * own for of_b, own in zip(affinity[1], affinity[source], strict=True)]
            for source in (2, 3)
        ]
        judges = tuple(tuple(margins(0, 3, levels[0], SLOPE, taste)) for taste in tastes)
        return Study(Cells(*(margin > 0 for margin in (*on_a, *on_b))), judges, labels, hard)


WORLDS = {
    "same": World(),
    "same; 10,000 images of A": World(images_a=10_000),
    "same; B's training set stronger": World(stronger=0.25),
    "same; B's training set weaker": World(stronger=-0.25),
    "harder by 5": World(gap=0.05),
    "harder by 5; specialised by .5 and .5": World(gap=0.05, special=(0.005, 0.005)),
    "harder by 5; specialised by 1 and 1": World(gap=0.05, special=(0.01, 0.01)),
    "harder by 5; specialised by 2 and 2": World(gap=0.05, special=(0.02, 0.02)),
    "harder by 5; specialised by 2 and 2; 10,000 images of A": World(gap=0.05, special=(0.02, 0.02), images_a=10_000),
    "harder by 5; specialised by 2 and 2; B's training set weaker": World(
        gap=0.05, special=(0.02, 0.02), stronger=-0.2
    ),
    "harder by 5, specialised by 1 and 1; 10,000 images of each": World(
        gap=0.05, special=(0.01, 0.01), images=10_000, images_a=10_000
    ),
    "harder by 15; specialised by 4 and 3": World(gap=0.15, special=(0.04, 0.03)),
    "harder by 48, as `known_harder` was": World(aa=0.706, gap=0.478, special=(0.239, 0.095)),
    "harder by 2 near the ceiling (98 %); specialised by .5": World(aa=0.98, gap=0.02, special=(0.005, 0.005)),
    "10 % wrong labels; B's training set weaker": World(noisy=0.1, stronger=-0.3),
    "other class frequencies": World(classes=0.8),
    "different by .9": World(penalty=0.12),
    "different by 1.9": World(penalty=0.25),
    "different by 3.1": World(penalty=0.4),
    "different by .9; 10,000 images of A": World(penalty=0.12, images_a=10_000),
    "20 % of a new look": World(penalty=1.5, penalty_a=1.2, new=0.2),
    "40 % of a new look": World(penalty=1.5, penalty_a=0.7, new=0.4),
    "half of a new look, the other half hard": World(gap=0.3, penalty=3.0, penalty_a=1.5, new=0.5, half=True),
    "harder by 5, with the look of 3.1": World(gap=0.05, penalty=0.4),
    "harder by 5, with the look of 3.1; specialised by 1 and 1": World(gap=0.05, special=(0.01, 0.01), penalty=0.4),
    # Worlds that were not in the method's specification.
    "judges share part of B's training images; harder by 5, specialised by 1 and 1": World(
        gap=0.05, special=(0.01, 0.01), shared=0.5
    ),
    "500 images of each; harder by 15, specialised by 4 and 3": World(gap=0.15, special=(0.04, 0.03), images=500),
    "weak models (60 %); harder by 10, specialised by 2 and 2": World(aa=0.6, gap=0.1, special=(0.02, 0.02)),
    # Worlds of a referee, in which the method failed with twenty strata of any size and a correction by lines.
    "a tail of easy images; harder by about 5, specialised": World(gap=0.05, special=(0.02, 0.02), tail=True),
    "a tail of easy images; harder by about 15, specialised": World(gap=0.15, special=(0.04, 0.03), tail=True),
    "different by 1 near the ceiling (98 %)": World(aa=0.98, penalty=0.5),
    "500 images of each; different by 5.8": World(images=500, penalty=0.7),
    "100 classes, 5,000 images of each; different by 3.1": World(penalty=0.4, kinds=100, images=5_000),
    "100 classes, 5,000 images of each; harder by 5, specialised by 2 and 2": World(
        gap=0.05, special=(0.02, 0.02), kinds=100, images=5_000
    ),
}
