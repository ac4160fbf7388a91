"""The embedded data: balanced, reproducible, shifted as stated."""

import shutil

import numpy as np
import pytest

from autoaug import datasets
from data_prep import synthetic


def test_shifts_are_those_stated():
    base, harder, different = (of.sample(2_000, np.random.default_rng(0)) for of in synthetic.SETS.values())
    appearance = [field for field in synthetic.LATENTS.names if field != "difficulty"]
    for field in appearance:
        shift, spread = abs(different[field].mean() - base[field].mean()), base[field].std()
        assert abs(harder[field].mean() - base[field].mean()) < 0.1 * spread < 0.5 * spread < shift
    assert base["difficulty"].mean() == pytest.approx(1 / 4, abs=0.02)
    assert different["difficulty"].mean() == pytest.approx(1 / 4, abs=0.02)
    assert harder["difficulty"].mean() > 0.5
    assert base["difficulty"].max() > 0.8  # so nothing in the harder set is new
    for field in ("orientation", "stripes"):
        assert base[field].max() < different[field].min()


@pytest.mark.parametrize("difficulty, same", [(0.8, False), (0.85, True), (1, True)])
def test_the_hardest_images_tell_nothing_of_their_class(difficulty, same):
    latents = np.zeros(50, synthetic.LATENTS)
    latents["polarity"], latents["difficulty"] = 1, difficulty
    discs, rings = (synthetic.render(np.full(50, label), latents, np.random.default_rng(0)) for label in (0, 1))
    assert np.array_equal(discs, rings) == same


def test_the_sets_stay_as_they_were_to_the_pixel_and_load_and_their_latents_are_drawn_again(drawn_shapes, tmp_path):
    hashes = dict(zip(synthetic.SETS, ("5c2788023526", "f3b7a86f2a15", "1c56010f57c0"), strict=True))
    assert synthetic.build(drawn_shapes, synthetic.SETS) == dict.fromkeys(synthetic.SETS, "there already")
    for name in synthetic.SETS:
        dataset = datasets.load(name, drawn_shapes)
        assert dataset.sha256.startswith(hashes[name])
        assert (dataset.class_names, [*np.bincount(dataset.train_labels)]) == (tuple(synthetic.SHAPES), [512] * 10)
        np.testing.assert_array_equal(synthetic.latents(name, "test")[0], dataset.test_labels)
        assert not datasets.overlap(dataset.test_images, dataset.train_images).any()
    shutil.copytree(drawn_shapes / "synthetic10", tmp_path / "synthetic10")
    (tmp_path / "synthetic10" / "training.partial").mkdir()  # of a builder that was killed
    assert synthetic.build(tmp_path, ["synthetic10"], seed=1) == {"synthetic10": "replaced"}
    labels, _ = synthetic.latents("synthetic10", "training", seed=1)
    np.testing.assert_array_equal(datasets.load("synthetic10", tmp_path).train_labels, labels)
