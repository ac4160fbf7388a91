"""Simulated studies whose truth is known: families of models on test images, answers drawn from a probit model.

A run is right about an image with probability Φ(level − spread · difficulty + seed): the level belongs to the cell, the
difficulty, standard normal, to the image for all models, and the seed's effect to the run. So the expected accuracy of
a cell is known exactly, and every level is set from it.
"""

import dataclasses

import numpy as np
from scipy.special import ndtr, ndtri

from autoaug.shift import Cells, Sides

SPREAD = 2.0  # of the images' difficulties: answers of two models to an image are as alike as those of real ones


@dataclasses.dataclass(frozen=True)
class World:
    """Expected accuracies of the cells; on a share `new` of B's images, `new_accuracies` of models of A and of B.

    `seeds`: for each family, the standard deviations of the seeds' effects of its runs trained on A and on B, on the
    probit scale. `runs` are those of a side, `images` those of a test set.
    """

    accuracies: Cells
    seeds: tuple[tuple[float, float], ...]
    images: int
    runs: int = 3
    new: float = 0.0
    new_accuracies: Sides | None = None

    def families(self, rng: np.random.Generator) -> list[Cells]:
        """A study: bool [runs, images] for each cell of each family."""
        difficulties = SPREAD * rng.standard_normal((2, self.images))
        is_new = np.arange(self.images) < round(self.new * self.images)
        studies = []
        for deviations in self.seeds:
            cells = []
            for place, accuracy in enumerate(self.accuracies):
                side, test_set = divmod(place, 2)
                if test_set == 0:
                    seeds = deviations[side] * rng.standard_normal((self.runs, 1))
                level = self.level(accuracy, deviations[side])
                if test_set == 1 and self.new_accuracies:
                    level = np.where(is_new, self.level(self.new_accuracies[side], deviations[side]), level)
                cells.append(rng.random((self.runs, self.images)) < ndtr(level - difficulties[test_set] + seeds))
            studies.append(Cells(*cells))
        return studies

    @staticmethod
    def level(accuracy: float, deviation: float) -> float:
        """The level that gives an expected accuracy over images and seeds."""
        return ndtri(accuracy) * np.sqrt(1 + SPREAD**2 + deviation**2)
