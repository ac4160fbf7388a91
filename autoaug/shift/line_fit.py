"""The line through models: new accuracy against old, on a linear, logit or probit scale (Recht, Roelofs, Schmidt &
Shankar, Do ImageNet Classifiers Generalize to ImageNet?, 2019, section 4; Taori et al., 2020, arXiv:2007.00644).
"""

import dataclasses

import numpy as np
import scipy.special

from autoaug.shift.intervals import Estimate, ends, estimate, require_confidence

SCALES = {  # accuracy → where the line is fitted, and back
    "linear": (np.array, np.array),
    "logit": (scipy.special.logit, scipy.special.expit),
    "probit": (scipy.special.ndtri, scipy.special.ndtr),
}


@dataclasses.dataclass(frozen=True)
class Line:
    """scale(new) = intercept + slope · scale(old), by least squares; `draws` [replicates, 2] are those of intercept
    and slope. With its methods, accuracies are fractions."""

    scale: str
    slope: Estimate
    intercept: Estimate
    r_squared: float
    confidence: float
    draws: np.ndarray

    def predict(self, old):
        """Accuracy on the new test set that the line gives for an accuracy on the old one: float [n]."""
        to, back = SCALES[self.scale]
        return back(self.intercept.value + self.slope.value * to(np.asarray(old, float)))

    def band(self, old):
        """Pointwise interval (low, high) of `predict`, each float [n]: where the line may lie, not the next model."""
        to, back = SCALES[self.scale]
        lines = self.draws @ np.stack([np.ones(len(old)), to(np.asarray(old, float))])
        return tuple(back(np.nanquantile(lines, ends(self.confidence), axis=0)))

    def effective_robustness(self, old, new):
        """How far above the line models are: new accuracy − `predict(old)` (Taori et al., 2020, section 2)."""
        return np.asarray(new, float) - self.predict(old)


def fit(old, new, scale, confidence, rng, replicates=10_000):
    """The line of new against old accuracies, and its bootstrap over models.

    Models are drawn anew; the chance in which images a test set holds is common to all models, shifts the whole line,
    and is not in the band.

    Args:
        old, new: float [models], fractions, inside (0, 1) on the logit and probit scales; of at least 3 models with
            different old accuracies.
        scale: "linear", "logit" or "probit".
        confidence: in (0, 1).
        rng: numpy.random.Generator.
        replicates: of the bootstrap.

    Raises:
        ValueError: an argument is not as said above.
    """
    if scale not in SCALES:
        raise ValueError(f"Expected scale, one of {', '.join(SCALES)}. Received: {scale!r}")
    require_confidence(confidence)
    old, new = np.asarray(old, float), np.asarray(new, float)
    if old.shape != new.shape or old.ndim != 1 or len(np.unique(old)) < 3:
        raise ValueError(f"Expected old and new of at least 3 different models. Received: {old=}, {new=}")
    x, y = SCALES[scale][0](old), SCALES[scale][0](new)
    if not np.isfinite([x, y]).all():
        raise ValueError(f"Expected accuracies above 0 and below 1 on the {scale} scale. Received: {old=}, {new=}")
    slope, intercept = _least_squares(x, y, np.ones((1, len(x))))
    weights = rng.multinomial(len(x), np.full(len(x), 1 / len(x)), replicates)
    slopes, intercepts = _least_squares(x, y, weights)
    return Line(
        scale,
        estimate(slope[0], slopes, confidence),
        estimate(intercept[0], intercepts, confidence),
        float(np.corrcoef(x, y)[0, 1] ** 2),
        confidence,
        np.stack([intercepts, slopes], axis=1),
    )


def _least_squares(x, y, weights):
    """Slope and intercept for each row of weights [replicates, models]; NaN where a row holds a single x."""
    total = weights.sum(axis=1)
    x_mean, y_mean = weights @ x / total, weights @ y / total
    spread = (weights * (x - x_mean[:, None]) ** 2).sum(axis=1)
    product = (weights * (x - x_mean[:, None]) * (y - y_mean[:, None])).sum(axis=1)
    slope = product / np.where(spread > 1e-12, spread, np.nan)
    return slope, y_mean - slope * x_mean
