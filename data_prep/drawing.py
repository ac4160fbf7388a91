"""Which images a subset takes: class-balanced, its parts disjoint, fixed by the seed."""

import numpy as np

from autoaug.datasets.batch_file import DatasetError

POOLS = ("cifar10 training", "cifar105 training", "cifar105 test")  # CIFAR-10.2 is the set cifar105
ORIGIN = np.dtype([("pool", "u1"), ("index", "<i4")])  # of one image: index in POOLS, index in that part


def draw(labels, sizes, new_fraction, num_classes, rng):
    """Draws the images of a subset.

    Of each class, the share `new_fraction` of both parts comes from CIFAR-10.2 and the rest from CIFAR-10. New test
    images come from CIFAR-10.2's test part as far as it goes, new training images never, so that it remains a test set.

    Args:
        labels: for each of POOLS int [n]; images labelled -1 are not drawn.
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
            _origins(pool, rng.permutation(np.flatnonzero(labels[pool] == label))) for pool in range(len(POOLS))
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
    return {part: rng.permutation(np.concatenate(origins)) for part, origins in drawn.items()}


def _origins(pool, indices):
    origins = np.empty(len(indices), ORIGIN)
    origins["pool"], origins["index"] = pool, indices
    return origins
