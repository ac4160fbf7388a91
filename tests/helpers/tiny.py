"""A data set and a recipe small enough to train in seconds."""

import dataclasses

import numpy as np

from autoaug import datasets, recipes


def dataset(images_to_train=128):
    """At most 128 training images and 50 test images of noise around a colour per class.

    The first ten training images are among the test images.
    """
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 178)
    colours = rng.integers(0, 200, (10, 3))
    images = (colours[labels][:, None, None] + rng.integers(0, 56, (178, 32, 32, 3))).astype(np.uint8)
    images[128:138] = images[:10]
    labels[128:138] = labels[:10]
    train, test = slice(images_to_train), slice(128, None)
    mean, std = datasets.channel_statistics(images[train])
    names = datasets.CLASS_NAMES["synthetic10"]
    return datasets.Dataset("synthetic10", images[train], labels[train], images[test], labels[test], names, mean, std)


def recipe():
    """Twelve steps of the quick Wide-ResNet, four an epoch."""
    return dataclasses.replace(recipes.get("wrn"), epochs=3, batch_size=32)


def recipe_of_half_precision():
    """Eight steps of eight images each, for `dataset(32)`: half precision is slow on a CPU."""
    return dataclasses.replace(recipe(), precision="mixed_bfloat16", epochs=2, batch_size=8)
