"""Which images a subset contains: class-balanced, with disjoint parts, determined by the seed."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int, Shaped

from autoaug.datasets import DatasetError

POOLS = ("cifar10 training", "cifar105 training", "cifar105 test", "cifar10 test")  # CIFAR-10.2 is the set cifar105
ORIGIN = np.dtype([("pool", "u1"), ("index", "<i4")])  # of one image: index in POOLS, index in that part


def draw(
    labels: Sequence[Int[np.ndarray, " _"]],
    sizes: Mapping[str, int],
    new_fraction: float,
    num_classes: int,
    rng: np.random.Generator,
) -> dict[str, Shaped[np.ndarray, " _"]]:
    """Draws the images of a subset.

    In each class of both parts, the share `new_fraction` comes from CIFAR-10.2 and the rest from CIFAR-10. New test
    images come from CIFAR-10.2's test part until it is exhausted. New training images never come from it, so that it
    remains a test set.

    Args:
        labels: of the images of each of the first three of POOLS; images labelled -1 are not drawn.
        sizes: "training" and "test" → number of images, multiples of num_classes.
        new_fraction: 0…1.
        num_classes: how many classes.
        rng: of the choice and the order.

    Returns:
        Part → ORIGIN of each image, in random order.

    Raises:
        DatasetError: a pool has too few images of a class.
    """
    drawn: dict[str, list[np.ndarray]] = {part: [] for part in sizes}
    for label in range(num_classes):
        old, new, new_test = (
            origins(pool, rng.permutation(np.flatnonzero(labels[pool] == label))) for pool in range(3)
        )
        for part in ("training", "test"):
            candidates = new if part == "training" else np.concatenate([new_test, new])
            new_count = round(sizes[part] // num_classes * new_fraction)
            old_count = sizes[part] // num_classes - new_count
            if len(candidates) < new_count or len(old) < old_count:
                raise DatasetError(
                    f"Class {label} of the {part} part: expected {new_count} new and {old_count} old images. "
                    f"Received: {len(candidates)} and {len(old)}"
                )
            drawn[part] += [candidates[:new_count], old[:old_count]]
            new, old = new[new_count:], old[old_count:]  # the test part takes from the rest
    return {part: rng.permutation(np.concatenate(pieces)) for part, pieces in drawn.items()}


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


def generator(seed: int, key: str) -> np.random.Generator:
    """A separate random stream for each key."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, *key.encode()])))


def origins(pool: int, indices: Int[np.ndarray, " n"]) -> Shaped[np.ndarray, " n"]:
    """ORIGIN of images of one pool, given by its place in POOLS."""
    places = np.empty(len(indices), ORIGIN)
    places["pool"], places["index"] = pool, indices
    return places
