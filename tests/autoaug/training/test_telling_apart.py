"""Images of two data sets told apart by a model."""

import dataclasses

import numpy as np
import pytest

from autoaug import datasets
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
    scores = telling_apart.scores(recipe, tiny_dataset, negatives, tmp_path / "run")
    assert (scores.names, len(scores.a), len(scores.b)) == ((tiny_dataset.name, "negatives"), 40, 30)
    trained_on = datasets.overlap(negatives.test_images, negatives.train_images)  # 10 of them
    np.testing.assert_array_equal(scores.labels_b, negatives.test_labels[~trained_on])
    found = two_sample.told_apart(scores.a, scores.b, 0.95, np.random.default_rng(0), 300)
    assert found.auc > 0.75 and found.p_value < 0.01
    two_sample.write_scores(tmp_path, scores)
    kept = two_sample.read_scores(tmp_path, *scores.names)
    np.testing.assert_allclose(kept.a, scores.a, atol=0.0006)
    np.testing.assert_array_equal(kept.labels_b, scores.labels_b)
    assert two_sample.read_scores(tmp_path, "a", "b") is None


def test_autoaugment_would_hide_what_tells_them_apart(tiny_dataset, tiny_recipe, tmp_path):
    with pytest.raises(ValueError, match="augmentation='crop_flip_cutout'"):
        telling_apart.scores(tiny_recipe, tiny_dataset, tiny_dataset, tmp_path)
