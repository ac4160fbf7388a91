"""Which photographs a drawn set contains: as many of each class, in disjoint parts, determined by the seed.

The research published neither which images it drew for `cifar102` and `cifar102_30k` nor the proportion of old and new
images. Here, the share `new_fraction` of each class is new, the same for both sets, so that they differ only in size.

ImageNet and CIFAR-10 share some photographs, scaled down in different ways. `cinic10_near_copies.csv` lists 234 of the
5,232 distinct tiles of CINIC-10's sheets that are not in CIFAR-10: those whose brightness, without its low and highest
frequencies, has a correlation of .70 and more with an image of CIFAR-10, and whose colours have one of .75, mirrored or
shifted by up to two pixels. `near_copies` in data_prep/cinic.py at commit cfc3efc made it. By eye,
nearly all pairs with a correlation of .8 and more are the same photograph; `docs/data.md` has the others.
"""

import csv
import pathlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Int

from autoaug import datasets
from autoaug.datasets import Dataset, DatasetError
from data_prep.folders import Part

MIXED = ("cifar102", "cifar102_30k")
NEAR_COPIES = pathlib.Path(__file__).with_name("cinic10_near_copies.csv")


def generator(seed: int, key: str) -> np.random.Generator:
    """A separate random stream for each key."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, *key.encode()])))


def per_class(
    labels: Int[np.ndarray, " n"], sizes: Sequence[int], num_classes: int, rng: np.random.Generator
) -> list[Int[np.ndarray, " _"]]:
    """Disjoint random choices of images, each with so many of every class; images labelled -1 are not chosen.

    Args:
        labels: of the images.
        sizes: images of each class, for each choice.
        num_classes: how many classes.
        rng: of the choice and the order.

    Raises:
        DatasetError: a class has too few images.
    """
    chosen: list[list[np.ndarray]] = [[] for _ in sizes]
    for label in range(num_classes):
        members = rng.permutation(np.flatnonzero(labels == label))
        if len(members) < sum(sizes):
            raise DatasetError(f"Class {label}: Expected at least {sum(sizes)} images. Received: {len(members)}")
        for part, rows in zip(chosen, np.split(members, np.cumsum(sizes))[:-1], strict=True):
            part.append(rows)
    return [rng.permutation(np.concatenate(part)) for part in chosen]


def mixture(
    labels: Sequence[Int[np.ndarray, " _"]],
    sizes: Mapping[str, int],
    new_fraction: float,
    num_classes: int,
    rng: np.random.Generator,
) -> dict[str, Int[np.ndarray, " _"]]:
    """Draws the images of a subset: part → places in all pools, one after another, in random order.

    In each class of both parts, the share `new_fraction` comes from CIFAR-10.2 and the rest from CIFAR-10. New test
    images come from CIFAR-10.2's test part until it is exhausted. New training images never come from it, so that it
    remains a test set.

    Args:
        labels: of the images of CIFAR-10's training part, and CIFAR-10.2's training and test part (the set cifar105);
            images labelled -1 are not drawn.
        sizes: "training" and "test" → number of images, multiples of num_classes.
        new_fraction: 0…1.
        num_classes: how many classes.
        rng: of the choice and the order.

    Raises:
        DatasetError: a pool has too few images of a class.
    """
    drawn: dict[str, list[np.ndarray]] = {part: [] for part in sizes}
    first = np.cumsum([0, *map(len, labels)])
    for label in range(num_classes):
        old, new, new_test = (
            start + rng.permutation(np.flatnonzero(pool == label)) for start, pool in zip(first, labels, strict=False)
        )
        for part in ("training", "test"):
            candidates = new if part == "training" else np.concatenate([new_test, new])
            new_count = round(sizes[part] // num_classes * new_fraction)
            old_count = sizes[part] // num_classes - new_count
            if len(candidates) < new_count or len(old) < old_count:
                expected = f"Expected {new_count} new and {old_count} old images in class {label} of the {part} part"
                received = f"Received: {len(candidates)} and {len(old)}"
                raise DatasetError(f"new_fraction {new_fraction}: {expected}. {received}")
            drawn[part] += [candidates[:new_count], old[:old_count]]
            new, old = new[new_count:], old[old_count:]  # the test part takes from the rest
    return {part: rng.permutation(np.concatenate(pieces)) for part, pieces in drawn.items()}


def subset(name: str, load: Callable[[str], Dataset], seed: int, new_fraction: float) -> dict[str, Part]:
    """A subsample of CIFAR-10, or a mixture with CIFAR-10.2, without repeated images.

    Args:
        name: of the set.
        load: loads a set that it is drawn from.
        seed: of the draw.
        new_fraction: share of CIFAR-10.2 in MIXED.
    """
    spec, old = datasets.DATASETS[name], load("cifar10")
    pools: list[Part] = [(old.train_images, old.train_labels)]
    drawable = np.where(datasets.repeated(old.train_images), -1, old.train_labels)
    if name == "cifar10_5k":
        drawable[~in_12k(old, load("cifar10_12k"))] = -1
    if name in MIXED:
        new = load("cifar105")
        pools += [(new.train_images, new.train_labels), (new.test_images, new.test_labels)]
        drawable[datasets.overlap(old.train_images, np.concatenate([new.train_images, new.test_images]))] = -1
    labels = [drawable, *(labels for _, labels in pools[1:]), np.empty(0, int), np.empty(0, int)][:3]
    drawn = mixture(labels, spec.sizes, new_fraction * (name in MIXED), spec.num_classes, generator(seed, name))
    images, all_labels = (np.concatenate(arrays) for arrays in zip(*pools, strict=True))
    return {part: (images[rows], all_labels[rows]) for part, rows in drawn.items()}


def of_judges(name: str, load: Callable[[str], Dataset], seed: int) -> dict[str, Part]:
    """The images of one of the JUDGES: CIFAR-10's training images outside of `cifar10_12k`."""
    spec, old = datasets.DATASETS[name], load("cifar10")
    size = spec.train_size // spec.num_classes
    drawable = np.where(in_12k(old, load("cifar10_12k")), -1, old.train_labels)
    both = per_class(drawable, [size, size], spec.num_classes, generator(seed, "cifar10_rest"))
    rows = both[datasets.JUDGES.index(name)]
    return {"training": (old.train_images[rows], old.train_labels[rows])}


def in_12k(old: Dataset, original: Dataset) -> Bool[np.ndarray, " n"]:
    """Whether each training image of CIFAR-10 (`old`) is in `cifar10_12k` (`original`)."""
    return datasets.overlap(old.train_images, np.concatenate([original.train_images, original.test_images]))


def of_cinic10(tiles: Part, old: Dataset, seed: int) -> dict[str, Part]:
    """`cinic10_5k`: tiles of CINIC-10's sheets, none of them in CIFAR-10 (`old`) or a near-copy of an image there."""
    images, labels = tiles
    spec = datasets.DATASETS["cinic10_5k"]
    known = datasets.overlap(images, np.concatenate([old.train_images, old.test_images]))
    with NEAR_COPIES.open(newline="") as file:
        known[[int(row["tile"]) for row in csv.DictReader(file)]] = True
    sizes = [size // spec.num_classes for size in spec.sizes.values()]
    drawn = per_class(np.where(known, -1, labels), sizes, spec.num_classes, generator(seed, "cinic10_5k"))
    return {part: (images[rows], labels[rows]) for part, rows in zip(spec.sizes, drawn, strict=True)}
