"""How many labels of a test set are wrong, and how large its main effect is without them.

Wrong labels lower the accuracy of all models, so they look like hardness. There are two ways to find them: people look
at the images again (CIFAR-10H: Peterson et al., Human Uncertainty Makes Classification More Robust, 2019), or models
that were not trained on the images judge them (confident learning: Northcutt, Jiang & Chuang, Journal of Artificial
Intelligence Research 70 (2021), 1373–1411).
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from autoaug.shift.intervals import Estimate, accuracy_interval, estimate, require_confidence

LOWEST_ACCURACY = 0.8
"""Below this accuracy, a model's errors are mistaken for wrong labels. Votes of eight published models on CIFAR-10's
test set find 9.9 % wrong labels if the vote is right in 68 %, 3.9 at 83, 2.3 at 89, 1.0 at 92 and .4 at 97. With 10 %
of the labels made wrong, they find 22.8 % at 62 % right, 16.0 at 75, 13.1 at 80, 12.4 at 83 and 11.2 at 87."""


class TooWeakError(ValueError):
    """The model is so weak that its confident errors are no evidence against labels."""


def disputed(
    counts: Int[np.ndarray, "images classes"], labels: Int[np.ndarray, " images"], confidence: float
) -> Estimate:
    """Share of images for which most people chose another class than the label, with its exact interval.

    Args:
        counts: how many people chose each class for each image; if classes tie, the first one counts.
        labels: the images' classes.
        confidence: in (0, 1).

    Raises:
        ValueError: the arrays do not fit each other; confidence out of range.
    """
    if counts.ndim != 2 or labels.shape != counts.shape[:1] or not len(labels):
        raise ValueError(
            f"Expected counts [images, classes], labels [images]. Received: {counts.shape}, {labels.shape}"
        )
    number = int((counts.argmax(axis=1) != labels).sum())
    low, high = accuracy_interval(number, len(labels), confidence)
    return Estimate(number / len(labels), float(low), float(high))


def transferred(
    strata: Int[np.ndarray, " images"],
    disputed_images: Bool[np.ndarray, " images"],
    other_strata: Int[np.ndarray, " other_images"],
    confidence: float,
    rng: np.random.Generator,
    replicates: int = 1_000,
) -> Estimate:
    """Share of disputed images in another test set that people did not look at, estimated through models.

    The assumption is that in both test sets people dispute the same share of a stratum's images. The interval comes
    from a bootstrap over the images of both sets. It does not include the uncertainty of the assumption; other strata
    give other numbers.

    Args:
        strata: of each image that people looked at, from 0; such as 1 if most models agree on another class than the
            label.
        disputed_images: whether people dispute the label of each of these images.
        other_strata: of each image of the other set; each stratum must also occur in `strata`.
        confidence: in (0, 1).
        rng: of the bootstrap.
        replicates: of the bootstrap.

    Raises:
        ValueError: the arrays do not fit each other; confidence out of range.
    """
    require_confidence(confidence)
    unknown = np.setdiff1d(other_strata, strata)
    if strata.shape != disputed_images.shape or not len(strata) or not len(other_strata) or len(unknown):
        raise ValueError(
            "Expected strata and disputed_images [images] and other_strata that occur in strata. "
            f"Received: {strata.shape}, {disputed_images.shape}, unknown strata {unknown.tolist()}"
        )
    kinds = int(strata.max()) + 1
    cells = np.bincount(2 * strata + disputed_images, minlength=2 * kinds)
    sizes = np.bincount(other_strata, minlength=kinds)
    drawn = rng.multinomial(cells.sum(), cells / cells.sum(), replicates)
    other = rng.multinomial(sizes.sum(), sizes / sizes.sum(), replicates)

    def share(cells: np.ndarray, sizes: np.ndarray) -> Any:
        undisputed, disputed = cells[..., ::2], cells[..., 1::2]
        rates = disputed / np.maximum(undisputed + disputed, 1)
        return (rates * sizes).sum(axis=-1) / sizes.sum(axis=-1)

    return estimate(float(share(cells, sizes)), share(drawn, other), confidence)


def estimated(
    probabilities: Float[np.ndarray, "images classes"],
    labels: Int[np.ndarray, " images"],
    confidence: float,
    rng: np.random.Generator,
    replicates: int = 200,
) -> Estimate:
    """Share of wrong labels by cleanlab's joint distribution of given and true labels, with a bootstrap over images.

    The estimate is too high, the more so the weaker the model is (see `LOWEST_ACCURACY`). The interval includes the
    chance in the images, but not this bias.

    Args:
        probabilities: of a model that did not learn from these images; rows sum to 1.
        labels: the given labels; every class occurs.
        confidence: in (0, 1).
        rng: of the bootstrap, within classes.
        replicates: of the bootstrap.

    Raises:
        TooWeakError: the model agrees with less than `LOWEST_ACCURACY` of the labels.
        ValueError: the arrays do not fit each other; confidence out of range.
        ImportError: cleanlab is not installed.
    """
    require_confidence(confidence)
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1]:
        raise ValueError(
            "Expected probabilities [images, classes], labels [images]. "
            f"Received: {probabilities.shape}, {labels.shape}"
        )
    classes = probabilities.shape[1]
    if len(np.unique(labels)) < classes or not np.allclose(probabilities.sum(axis=1), 1, atol=1e-3):
        raise ValueError(
            f"Expected rows of probabilities that sum to 1, and labels of all {classes} classes. "
            f"Received: classes {np.unique(labels).tolist()}, sums {probabilities.sum(axis=1).min():.3g} to "
            f"{probabilities.sum(axis=1).max():.3g}"
        )
    accuracy = float((probabilities.argmax(axis=1) == labels).mean())
    if accuracy < LOWEST_ACCURACY:
        raise TooWeakError(
            f"Expected a model that agrees with at least {100 * LOWEST_ACCURACY:g} % of the labels: errors of weaker "
            f"models are mistaken for wrong labels. Received: {100 * accuracy:.1f} %"
        )
    estimate_joint = _cleanlab().estimate_joint
    members = [np.flatnonzero(labels == label) for label in range(classes)]
    draws = []
    for _ in range(replicates):
        chosen = np.concatenate([rng.choice(images, len(images)) for images in members])
        draws.append(1 - np.trace(estimate_joint(labels[chosen], probabilities[chosen])))
    return estimate(1 - np.trace(estimate_joint(labels, probabilities)), np.array(draws), confidence)


def _cleanlab() -> Any:
    try:
        from cleanlab import count
    except ImportError as error:
        raise ImportError("The estimate of label noise needs cleanlab: pip install -e '.[noise]'") from error
    return count


def minus_noise(effect: Estimate, noise_a: Estimate, noise_b: Estimate) -> Estimate:
    """The main effect of B's test set without the part of its additional wrong labels: effect − (noise_b − noise_a).

    A wrong label costs at most one right answer, so this subtracts the most that wrong labels can explain. The interval
    combines those of the three numbers as if they were independent (Zou & Donner, Statistics in Medicine 27 (2008),
    1693–1702).

    Args:
        effect: main effect of the test set, a fraction.
        noise_a, noise_b: shares of wrong labels in A's and in B's test set.
    """
    value = effect.value - (noise_b.value - noise_a.value)
    below = np.linalg.norm([effect.value - effect.low, noise_b.high - noise_b.value, noise_a.value - noise_a.low])
    above = np.linalg.norm([effect.high - effect.value, noise_b.value - noise_b.low, noise_a.high - noise_a.value])
    return Estimate(value, value - float(below), value + float(above))
