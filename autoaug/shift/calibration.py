"""Is a model right as often as it is sure? Its calibration, compared with a calibrated model, and scores of its
probabilities.

The expected calibration error of a calibrated model is not 0, since each bin holds few images and chance adds up. A
bootstrap interval of the error misses the true value if this is near 0. So the error is compared with that of a
calibrated model on as many images with the same confidences (Bröcker & Smith, Increasing the Reliability of Reliability
Diagrams, Weather and Forecasting 22 (2007), 651–661): it is compatible with calibration, or it is not.
"""

from typing import NamedTuple

import numpy as np
import scipy.special
from jaxtyping import Float, Int

from autoaug.shift.intervals import Estimate, ends, estimate, require_confidence

_CHUNK = 50  # replicates that are drawn together, to bound the memory


class Reliability(NamedTuple):
    """For each bin of confidence that is not empty: mean confidence, accuracy, number of images, and `low` and `high`,
    between which a calibrated model's accuracy would lie.

    `error` is the expected calibration error. That of a calibrated model is at most `limit`, with the given confidence.
    """

    confidence: Float[np.ndarray, " bins"]
    accuracy: Float[np.ndarray, " bins"]
    images: Int[np.ndarray, " bins"]
    low: Float[np.ndarray, " bins"]
    high: Float[np.ndarray, " bins"]
    error: float
    limit: float

    @property
    def compatible(self) -> bool:
        """Whether chance alone can explain the calibration error."""
        return self.error <= self.limit


class Scores(NamedTuple):
    """Scores of probabilities; lower is better. `nll`: mean negative log-likelihood of the label, in nats, ≥ 0.
    `brier`: mean squared distance of the probabilities from the label, in [0, 2] (Brier, Monthly Weather Review 78
    (1950), 1–3)."""

    nll: Estimate
    brier: Estimate


def reliability(
    logits: Float[np.ndarray, "images classes"],
    labels: Int[np.ndarray, " images"],
    confidence: float,
    rng: np.random.Generator,
    bins: int = 15,
    replicates: int = 1_000,
) -> Reliability:
    """A model's accuracy by its confidence (Guo et al., On Calibration of Modern Neural Networks, 2017).

    The expected calibration error is Σ over bins of |accuracy − confidence| · images / all images (their equation 3).
    For comparison, answers of a calibrated model are drawn, which are right with the probability that the model states.

    Args:
        logits: of one model.
        labels: the images' classes.
        confidence: of `low`, `high` and `limit`, in (0, 1).
        rng: draws the answers.
        bins: number of bins of equal width in [0, 1].
        replicates: how often answers are drawn, a multiple of 50.

    Raises:
        ValueError: the arrays do not fit each other, or confidence is out of range.
    """
    _check(logits, labels, confidence)
    sure = scipy.special.softmax(logits.astype(float), axis=1).max(axis=1)
    order = np.argsort(sure)
    sure, right = sure[order], (logits.argmax(axis=1) == labels)[order]
    place = np.minimum((sure * bins).astype(int), bins - 1)
    _, starts, images = np.unique(place, return_index=True, return_counts=True)
    stated, correct = np.add.reduceat(sure, starts), np.add.reduceat(right, starts, dtype=int)
    chunks = [
        np.add.reduceat(rng.random((_CHUNK, len(sure))) < sure, starts, axis=1, dtype=int)
        for _ in range(replicates // _CHUNK)
    ]
    drawn = np.concatenate(chunks)
    errors = np.abs(drawn - stated).sum(axis=1) / len(labels)
    low, high = np.quantile(drawn / images, ends(confidence), axis=0)
    return Reliability(
        stated / images,
        correct / images,
        images,
        low,
        high,
        float(np.abs(correct - stated).sum() / len(labels)),
        float(np.quantile(errors, confidence)),
    )


def scores(
    logits: Float[np.ndarray, "images classes"],
    labels: Int[np.ndarray, " images"],
    confidence: float,
    rng: np.random.Generator,
    replicates: int = 1_000,
) -> Scores:
    """Negative log-likelihood and Brier score, with intervals from a bootstrap over images.

    Both are proper scores: the true probabilities get the best score (Gneiting & Raftery, Journal of the American
    Statistical Association 102 (2007), 359–378).

    Args:
        logits, labels, confidence, rng: as for `reliability`.
        replicates: of the bootstrap, a multiple of 50.

    Raises:
        ValueError: as for `reliability`.
    """
    _check(logits, labels, confidence)
    log_probabilities = scipy.special.log_softmax(logits.astype(float), axis=1)
    probabilities = np.exp(log_probabilities)
    of_label = probabilities[np.arange(len(labels)), labels]
    terms = np.stack(
        [-log_probabilities[np.arange(len(labels)), labels], (probabilities**2).sum(axis=1) - 2 * of_label + 1], axis=1
    )
    chances = np.full(len(labels), 1 / len(labels))
    chunks = [rng.multinomial(len(labels), chances, _CHUNK) @ terms for _ in range(replicates // _CHUNK)]
    draws = np.concatenate(chunks) / len(labels)
    return Scores(*(estimate(terms[:, place].mean(), draws[:, place], confidence) for place in (0, 1)))


def _check(logits: np.ndarray, labels: np.ndarray, confidence: float) -> None:
    require_confidence(confidence)
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or not len(labels):
        raise ValueError(
            f"Expected logits [images, classes], labels [images]. Received: {logits.shape}, {labels.shape}"
        )
