"""A model that tells the images of one data set from those of another; `shift.two_sample` evaluates its scores."""

import pathlib

import numpy as np

from autoaug import datasets, evaluation, training
from autoaug.recipes import Recipe
from autoaug.shift.two_sample import Scores


def scores(recipe: Recipe, a: datasets.Dataset, b: datasets.Dataset, run_dir: pathlib.Path, seed: int = 0) -> Scores:
    """Train a model on the training images of A and B, and score their test images; a higher score means B.

    Use few epochs and the augmentation "crop_flip_cutout": AutoAugment inverts and recolours images, which may wipe out
    the difference of A and B. Test images that are among the training images of either set are left out.

    Args:
        recipe: of the model.
        a, b: the data sets.
        run_dir: the run's folder, apart from the runs that the report collects; an interrupted run continues there.
        seed: of the run.

    Raises:
        ValueError: the recipe asks for AutoAugment.
        Others as `training.train`.
    """
    if recipe.augmentation == "autoaugment":
        raise ValueError("Expected a recipe with augmentation='crop_flip_cutout'. Received: 'autoaugment'")
    images = np.concatenate([a.train_images, b.train_images])
    labels = np.repeat([0, 1], [len(a.train_images), len(b.train_images)])
    mean, std = datasets.channel_statistics(images)
    names = (a.name, b.name)
    both = datasets.Dataset(
        "+".join(names), images, labels, images[:0], labels[:0], names, mean, std, f"{a.source} and {b.source}"
    )
    model = training.train(recipe, both, run_dir, seed)
    predict = evaluation.Predictor(model, mean, std)
    new = [~datasets.overlap(side.test_images, images) for side in (a, b)]
    logits = [predict(side.test_images[kept]) for side, kept in zip((a, b), new, strict=True)]
    of_a, of_b = (values[:, 1] - values[:, 0] for values in logits)
    hashes = {side.name: side.test_sha256 for side in (a, b)}
    return Scores(hashes, of_a, a.test_labels[new[0]], of_b, b.test_labels[new[1]])
