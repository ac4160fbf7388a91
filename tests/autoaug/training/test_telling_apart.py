"""Images of two data sets told apart by a model."""

import dataclasses

import numpy as np
import pytest

from autoaug.shift import two_sample
from autoaug.training import telling_apart


def test_colour_negatives_are_told_apart(tiny_dataset, tiny_recipe, tmp_path):
    negatives = dataclasses.replace(
        tiny_dataset,
        name="negatives",
        train_images=255 - tiny_dataset.train_images,
        test_images=255 - tiny_dataset.test_images[:40],
        test_labels=tiny_dataset.test_labels[:40],
    )
    recipe = dataclasses.replace(tiny_recipe, augmentation="crop_flip_cutout")
    scores = telling_apart.scores(recipe, tiny_dataset, negatives, tmp_path)
    assert [side.shape for side in scores] == [(50,), (40,)]
    found = two_sample.told_apart(*scores, 0.95, np.random.default_rng(0), 300)
    assert found.auc > 0.75 and found.p_value < 0.01


def test_autoaugment_would_hide_what_tells_them_apart(tiny_dataset, tiny_recipe, tmp_path):
    with pytest.raises(ValueError, match="augmentation='crop_flip_cutout'"):
        telling_apart.scores(tiny_recipe, tiny_dataset, tiny_dataset, tmp_path)
