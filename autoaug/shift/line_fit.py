"""The line through models: new accuracy against old, on the probit scale, where such models lie near a line.

Recht, Roelofs, Schmidt & Shankar, Do ImageNet Classifiers Generalize to ImageNet?, 2019, section 4; Taori et al., 2020,
arXiv:2007.00644. Its band says where a further model may lie, not only where the line may: it comes from the residuals.
"""

import dataclasses

import numpy as np
import scipy.special
from jaxtyping import Float
from numpy.typing import ArrayLike

NEAREST = 100  # models, whose residuals tell how far a model of a given accuracy lies from the line


@dataclasses.dataclass(frozen=True)
class Line:
    """probit(new) = intercept + slope · probit(old), by least squares; the methods take and return fractions.

    `at` and `residuals` are the models' old accuracies and their distances from the line, on the probit scale.
    """

    slope: float
    intercept: float
    confidence: float
    at: Float[np.ndarray, " models"]
    residuals: Float[np.ndarray, " models"]

    def predict(self, old: ArrayLike) -> Float[np.ndarray, " n"]:
        """The line's accuracy on the new test set, for an accuracy on the old one."""
        return scipy.special.ndtr(self._height(scipy.special.ndtri(np.asarray(old, float))))

    def band(self, old: ArrayLike) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        """Prediction interval (low, high) of a further model of this accuracy on the old test set."""
        place = scipy.special.ndtri(np.atleast_1d(np.asarray(old, float)))
        count, away = len(self.at), self.at - self.at.mean()
        leverage = 1 / count + (place - self.at.mean()) ** 2 / (away**2).sum()
        half = scipy.special.stdtrit(min(count, NEAREST) - 2, (1 + self.confidence) / 2)
        nearest = np.argsort(np.abs(place[:, None] - self.at), axis=1, kind="stable")[:, :NEAREST]
        half = half * np.sqrt((self.residuals[nearest] ** 2).mean(axis=1) * (1 + leverage))
        return scipy.special.ndtr(self._height(place) - half), scipy.special.ndtr(self._height(place) + half)

    def _height(self, place: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        return self.intercept + self.slope * place


def fit(old: ArrayLike, new: ArrayLike, confidence: float = 0.95) -> Line:
    """The line of new against old accuracies.

    Args:
        old, new: float [models], fractions inside (0, 1); at least 3 models with different old accuracies.
        confidence: of the band, in (0, 1).
    """
    x, y = (scipy.special.ndtri(np.asarray(side, float)) for side in (old, new))
    slope, intercept = np.polyfit(x, y, 1).tolist()
    return Line(slope, intercept, confidence, at=x, residuals=y - intercept - slope * x)
