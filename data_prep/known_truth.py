"""Reproductions of `cifar10_12k` whose truth is known, made of other photographs of CIFAR-10.

The expected answers are in `autoaug.datasets.KNOWN_TRUTH`, written before any run. Training images come from CIFAR-10's
training part, outside of `cifar10_12k`. Test images come from its test part: five hundred of each class, drawn at
random, are `photo_original`, on which the models of `cifar10_12k` are at home; the designs draw from the others.

Each design draws 40 % of a pool of 25,000 training images and of the 5,000 test images, anew for each design. Three
designs prefer images that are hard for outside models (`difficulty.npz`, see `docs/data.md`). How strongly,
`sharpness`, was chosen before any training, so that earlier models of `cifar10_12k` lose about 5 and 15 points.
"""

import dataclasses
import pathlib

import numpy as np
import scipy.stats
from jaxtyping import Bool, Float, Int

from autoaug import datasets
from data_prep import drawing
from data_prep.folders import Part

DIFFICULTY = pathlib.Path(__file__).with_name("difficulty.npz")
ORIGINAL_TEST = "photo_original"
JUDGES = ("photo_judges_a", "photo_judges_b")  # of training images that no design draws from
_POOL = 2.5  # a design draws from so many times its own number of images


@dataclasses.dataclass(frozen=True)
class Design:
    """How the images of a reproduction are made.

    Args:
        score: "entropy" (of outside models, without the label) or "margin" (with it); the images are drawn with weights
            exp(sharpness · z), z the score's normal quantile in its class, harder images first. Empty: at random.
        sharpness: 0 for a random draw.
        new_look: share of images that are shown as colour negatives with exchanged channels, of each class and part.
        wrong_labels: share of images with the label of another class, chosen at random.
    """

    score: str = ""
    sharpness: float = 0.0
    new_look: float = 0.0
    wrong_labels: float = 0.0


DESIGNS = {name: Design(**datasets.DATASETS[name].design) for name in datasets.DESIGNS}


def _pools(old: datasets.Dataset, original: datasets.Dataset, seed: int) -> dict[str, Int[np.ndarray, " _"]]:
    """Places in CIFAR-10's parts: "training" and "test", what designs draw from; by name, what they do not draw from.

    Repeated images and those of `cifar10_12k` (`original`) are left out.
    """
    taken = drawing.in_12k(old, original) | datasets.repeated(old.train_images)
    twice = datasets.overlap(old.test_images, old.train_images) | datasets.repeated(old.test_images)
    spec, classes = datasets.DATASETS["photo_same"], old.num_classes
    training, test = np.where(taken, -1, old.train_labels), np.where(twice, -1, old.test_labels)
    of_training, of_test = (round(_POOL * size / classes) for size in (spec.train_size, spec.test_size))
    of_original = datasets.DATASETS[ORIGINAL_TEST].test_size // classes
    trains = [of_training, *(datasets.DATASETS[name].train_size // classes for name in JUDGES)]
    train, *judging = drawing.per_class(training, trains, classes, drawing.generator(seed, "photo training"))
    drawn, own = drawing.per_class(test, [of_test, of_original], classes, drawing.generator(seed, "photo test"))
    return {"training": train, "test": drawn, ORIGINAL_TEST: own, **dict(zip(JUDGES, judging, strict=True))}


def choose(
    design: Design,
    labels: Int[np.ndarray, " pool"],
    scores: Float[np.ndarray, " pool"] | None,
    size: int,
    num_classes: int,
    rng: np.random.Generator,
) -> tuple[Int[np.ndarray, " n"], Bool[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Chooses images of one part, equally many of each class.

    Args:
        design: the design.
        labels: of the pool's images.
        scores: of the pool's images, larger is harder; None for a random draw.
        size: number of images, a multiple of the number of classes.
        num_classes: how many classes.
        rng: of the choice, the labels and the order.

    Returns:
        Places in the pool; whether each has the new look; and the labels, some of them wrong if the design says so.
    """
    per_class = size // num_classes
    preference = rng.gumbel(size=len(labels))  # the largest sums are a weighted draw without replacement
    rows = []
    for label in range(num_classes):
        members = np.flatnonzero(labels == label)
        if scores is not None:
            ranks = scipy.stats.rankdata(scores[members])
            preference[members] += design.sharpness * scipy.stats.norm.ppf((ranks - 0.5) / len(members))
        rows.append(members[np.argsort(-preference[members], kind="stable")[:per_class]])
    chosen = np.concatenate(rows)
    place = np.concatenate([rng.permutation(per_class) for _ in range(num_classes)])
    new_look, wrong = place < round(design.new_look * per_class), place < round(design.wrong_labels * per_class)
    turn = rng.integers(1, num_classes, size)
    new_labels = np.where(wrong, (labels[chosen] + turn) % num_classes, labels[chosen])
    order = rng.permutation(size)
    return chosen[order], new_look[order], new_labels[order]


def draw(name: str, old: datasets.Dataset, original: datasets.Dataset, seed: int) -> dict[str, Part]:
    """The images of a design, of `photo_original`, or of the designs' judges.

    Args:
        name: of DESIGNS or JUDGES, or ORIGINAL_TEST.
        old: `cifar10`.
        original: `cifar10_12k`, whose images are left out.
        seed: of the random choices.
    """
    places, parts = _pools(old, original, seed), {}
    images = {"training": (old.train_images, old.train_labels), "test": (old.test_images, old.test_labels)}
    for part, size in datasets.DATASETS[name].sizes.items():
        pool = places[name if name in places else part]
        pixels, labels = (values[pool] for values in images[part])
        if design := DESIGNS.get(name):
            scores = None
            if design.score:  # of models that were not trained on these images
                with np.load(DIFFICULTY, allow_pickle=False) as file:
                    scores = file[f"{design.score} {part}"].astype(float)[pool]
            rng = drawing.generator(seed, f"{name} {part}")
            rows, new_look, labels = choose(design, labels, scores, size, old.num_classes, rng)
            pixels = pixels[rows]
            pixels[new_look] = 255 - pixels[new_look][..., [1, 2, 0]]  # 255 - green, 255 - blue, 255 - red
        parts[part] = pixels, labels
    return parts
