"""Which images a subset takes: class-balanced, its parts disjoint, fixed by the seed."""

import numpy as np

from autoaug.datasets.batch_file import DatasetError

POOLS = ("cifar10 training", "cifar105 training", "cifar105 test", "cifar10 test")  # CIFAR-10.2 is the set cifar105
ORIGIN = np.dtype([("pool", "u1"), ("index", "<i4")])  # of one image: index in POOLS, index in that part


def draw(labels, sizes, new_fraction, num_classes, rng):
    """Draws the images of a subset.

    Of each class, the share `new_fraction` of both parts comes from CIFAR-10.2 and the rest from CIFAR-10. New test
    images come from CIFAR-10.2's test part as far as it goes, new training images never, so that it remains a test set.

    Args:
        labels: for each of the first three of POOLS int [n]; images labelled -1 are not drawn.
        sizes: "training" and "test" → number of images, multiples of num_classes.
        new_fraction: 0…1.
        rng: np.random.Generator.

    Returns:
        dict: part → ORIGIN [size], in random order.

    Raises:
        DatasetError: a pool has too few images of a class.
    """
    drawn = {part: [] for part in sizes}
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
            new, old = new[new_count:], old[old_count:]  # what the test part may still take
    return {part: rng.permutation(np.concatenate(pieces)) for part, pieces in drawn.items()}


def halves(labels, num_classes, rng):
    """Splits CIFAR-10 at random into two halves with as many images of each class and part.

    Args:
        labels: of the training and of the test part, int [n] each.
        num_classes: int.
        rng: np.random.Generator.

    Returns:
        Two of ORIGIN [half of all images], in random order.
    """
    first, second = [], []
    for pool, part in zip(("cifar10 training", "cifar10 test"), labels, strict=True):
        for label in range(num_classes):
            members = origins(POOLS.index(pool), rng.permutation(np.flatnonzero(part == label)))
            first.append(members[: len(members) // 2])
            second.append(members[len(members) // 2 :])
    return [rng.permutation(np.concatenate(half)) for half in (first, second)]


def generator(seed, key):
    """A random stream of its own for each key, a text: np.random.Generator."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, *key.encode()])))


def origins(pool, indices):
    """ORIGIN [n] of images of one pool, given by its place in POOLS."""
    found = np.empty(len(indices), ORIGIN)
    found["pool"], found["index"] = pool, indices
    return found
