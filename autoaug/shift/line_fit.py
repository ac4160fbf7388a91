"""The line through models: new accuracy against old, on a linear, logit or probit scale (Recht, Roelofs, Schmidt &
Shankar, Do ImageNet Classifiers Generalize to ImageNet?, 2019, section 4; Taori et al., 2020, arXiv:2007.00644).

Two kinds of chance change the line: which models were tested, and which images the test sets hold. The second kind is
common to all models and shifts the whole line. `fit_images` includes it; `fit` does not.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
import scipy.special
import scipy.stats
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from autoaug.shift.intervals import Estimate, ends, estimate, require_confidence

SCALES: dict[str, tuple[Callable, Callable]] = {  # accuracy → where the line is fitted, and back
    "linear": (np.array, np.array),
    "logit": (scipy.special.logit, scipy.special.expit),
    "probit": (scipy.special.ndtri, scipy.special.ndtr),
}

Chance = Literal["models", "images", "both"]
"""What a bootstrap resamples."""


@dataclasses.dataclass(frozen=True)
class Line:
    """scale(new) = intercept + slope · scale(old), by least squares. `draws` [replicates, 2] are draws of intercept and
    slope. The methods take and return accuracies as fractions."""

    scale: str
    slope: Estimate
    intercept: Estimate
    r_squared: float
    confidence: float
    draws: Float[np.ndarray, "replicates 2"]

    def predict(self, old: ArrayLike) -> Float[np.ndarray, " n"]:
        """The line's accuracy on the new test set, for an accuracy on the old one."""
        to, back = SCALES[self.scale]
        return back(self.intercept.value + self.slope.value * to(np.asarray(old, float)))

    def band(self, old: ArrayLike) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        """Pointwise interval (low, high) of `predict`: where the line may lie, not where the next model may lie."""
        to, back = SCALES[self.scale]
        at = to(np.asarray(old, float))
        lines = self.draws @ np.stack([np.ones(len(at)), at])
        low, high = np.nanquantile(lines, ends(self.confidence), axis=0)
        return back(low), back(high)


def fit(
    old: ArrayLike, new: ArrayLike, scale: str, confidence: float, rng: np.random.Generator, replicates: int = 10_000
) -> Line:
    """The line of new against old accuracies, with t intervals over models like these, for these test images.

    The draws are the line plus √covariance · t(models − 2), as in ordinary least squares (Draper & Smith, Applied
    Regression Analysis, 3rd edition, 1998, chapters 1 and 3). With few models, a bootstrap over models gives intervals
    that are too short.

    Args:
        old, new: float [models], fractions, for the logit and probit scales inside (0, 1); at least 3 models with
            different old accuracies.
        scale: "linear", "logit" or "probit".
        confidence: in (0, 1).
        rng: of the draws.
        replicates: how many to draw.

    Raises:
        ValueError: an argument is not as said above.
    """
    require_confidence(confidence)
    old, new = np.asarray(old, float), np.asarray(new, float)
    x, y = _scaled(old, new, scale)
    slope, intercept = map(float, _least_squares(x, y, np.ones(len(x))))
    degrees = len(x) - 2
    variance = ((y - intercept - slope * x) ** 2).sum() / degrees
    spread, middle = ((x - x.mean()) ** 2).sum(), x.mean()
    at_middle, tilt = rng.standard_normal((2, replicates)) / np.sqrt(rng.chisquare(degrees, replicates) / degrees)
    slopes = slope + tilt * np.sqrt(variance / spread)
    heights = intercept + slope * middle + at_middle * np.sqrt(variance / len(x))  # independent of the slopes
    half = scipy.stats.t.ppf((1 + confidence) / 2, degrees)
    of_slope = half * np.sqrt(variance / spread)
    of_intercept = half * np.sqrt(variance * (1 / len(x) + middle**2 / spread))
    return Line(
        scale,
        Estimate(slope, slope - of_slope, slope + of_slope),
        Estimate(intercept, intercept - of_intercept, intercept + of_intercept),
        float(np.corrcoef(x, y)[0, 1] ** 2),
        confidence,
        np.stack([heights - slopes * middle, slopes], axis=1),
    )


def fit_images(
    old: Bool[np.ndarray, "models old_images"],
    new: Bool[np.ndarray, "models new_images"],
    scale: str,
    confidence: float,
    rng: np.random.Generator,
    chance: Chance = "both",
    replicates: int = 2_000,
) -> Line:
    """The line of new against old accuracies, with a two-way bootstrap over models and over the images of both sets.

    All models' answers to an image are drawn together (Owen, The Pigeonhole Bootstrap, Annals of Applied Statistics 1
    (2007), 386–411). Over models alone, it is a bootstrap of pairs.

    Args:
        old, new: whether each model is right about each image of the two test sets; accuracies as for `fit`.
        scale, confidence, rng: as for `fit`.
        chance: what the bootstrap resamples.
        replicates: of the bootstrap.

    Raises:
        ValueError: an argument is not as said above.
    """
    _check_images(old, new, confidence)
    if chance not in get_args(Chance):
        raise ValueError(f"Expected chance, one of {', '.join(get_args(Chance))}. Received: {chance!r}")
    x, y = _scaled(old.mean(axis=1), new.mean(axis=1), scale)
    slope, intercept = _least_squares(x, y, np.ones(len(x)))
    to, olds, news = SCALES[scale][0], old.mean(axis=1), new.mean(axis=1)
    if chance != "models":
        olds, news = (_image_draws(side, scale, rng, replicates) for side in (old, new))
    weights: np.ndarray = np.ones(len(x))
    if chance != "images":
        weights = rng.multinomial(len(x), weights / len(x), replicates)
    slopes, intercepts = _least_squares(to(olds), to(news), weights)
    return Line(
        scale,
        estimate(slope, slopes, confidence),
        estimate(intercept, intercepts, confidence),
        float(np.corrcoef(x, y)[0, 1] ** 2),
        confidence,
        np.stack([intercepts, slopes], axis=1),
    )


def above_line(
    old: Bool[np.ndarray, "models old_images"],
    new: Bool[np.ndarray, "models new_images"],
    fitted: Bool[np.ndarray, " models"],
    scale: str,
    confidence: float,
    rng: np.random.Generator,
    replicates: int = 2_000,
) -> list[Estimate]:
    """Effective robustness of each model: how far its accuracy lies above the line, with its interval.

    Each replicate resamples the images and the line's models, but not the model itself. The model and the line have the
    same images, so the chance that is common to all models mostly cancels out.

    Args:
        old, new: as for `fit_images`; may include models that the line is not fitted to.
        fitted: which models the line is fitted to.
        scale, confidence, rng, replicates: as for `fit_images`.

    Raises:
        ValueError: an argument is not as said above.
    """
    _check_images(old, new, confidence)
    if fitted.shape != (len(old),) or fitted.dtype != bool:
        raise ValueError(f"Expected fitted: bool [{len(old)}]. Received: {fitted.dtype} {fitted.shape}")
    x, y = _scaled(old[fitted].mean(axis=1), new[fitted].mean(axis=1), scale)
    to, back = SCALES[scale]
    slope, intercept = _least_squares(x, y, np.ones(len(x)))
    olds, news = (_image_draws(side, scale, rng, replicates) for side in (old, new))
    weights = rng.multinomial(len(x), np.ones(len(x)) / len(x), replicates)
    slopes, intercepts = _least_squares(to(olds[:, fitted]), to(news[:, fitted]), weights)
    values = new.mean(axis=1) - back(intercept + slope * to(old.mean(axis=1)))
    draws = news - back(intercepts[:, None] + slopes[:, None] * to(olds))
    return [estimate(value, column, confidence) for value, column in zip(values, draws.T, strict=True)]


def _image_draws(
    right: Bool[np.ndarray, "models images"], scale: str, rng: np.random.Generator, replicates: int
) -> Float[np.ndarray, "_ models"]:
    """Accuracies on resampled images; half an image away from 0 and 1, if the scale needs it.

    Images that the same models get right are interchangeable, so only their counts are drawn.
    """
    kinds, counts = np.unique(right, axis=1, return_counts=True)
    accuracies = rng.multinomial(counts.sum(), counts / counts.sum(), replicates) @ kinds.T / counts.sum()
    margin = 0 if scale == "linear" else 0.5 / counts.sum()
    return accuracies.clip(margin, 1 - margin)


def _scaled(
    old: np.ndarray, new: np.ndarray, scale: str
) -> tuple[Float[np.ndarray, " models"], Float[np.ndarray, " models"]]:
    """The accuracies of models on the scale of the line."""
    if scale not in SCALES:
        raise ValueError(f"Expected scale, one of {', '.join(SCALES)}. Received: {scale!r}")
    if old.shape != new.shape or old.ndim != 1 or len(np.unique(old)) < 3:
        raise ValueError(f"Expected old and new of at least 3 different models. Received: {old=}, {new=}")
    x, y = SCALES[scale][0](old), SCALES[scale][0](new)
    if not np.isfinite([x, y]).all():
        raise ValueError(f"Expected accuracies above 0 and below 1 on the {scale} scale. Received: {old=}, {new=}")
    return x, y


def _check_images(old: np.ndarray, new: np.ndarray, confidence: float) -> None:
    require_confidence(confidence)
    if old.dtype != bool or new.dtype != bool or old.ndim != 2 or new.ndim != 2 or len(old) != len(new):
        raise ValueError(
            "Expected old and new: bool [models, images] of the same models. "
            f"Received: {old.dtype} {old.shape}, {new.dtype} {new.shape}"
        )


def _least_squares(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> tuple[Any, Any]:
    """Slope and intercept, each [...], from x, y and weights that broadcast to [..., models]; NaN for a single x."""
    total = weights.sum(axis=-1)
    x_mean, y_mean = (weights * x).sum(axis=-1) / total, (weights * y).sum(axis=-1) / total
    away = x - x_mean[..., None]
    spread, product = (weights * away**2).sum(axis=-1), (weights * away * (y - y_mean[..., None])).sum(axis=-1)
    slope = product / np.where(spread > 1e-12, spread, np.nan)
    return slope, y_mean - slope * x_mean
