"""The embedded data: balanced, reproducible, shifted as stated, not linearly separable, and built safely."""

import numpy as np
import pytest

from autoaug import datasets
from data_prep import rendering, synthetic


def sample(name, size, seed=0):
    return synthetic.generate(synthetic.SETS[name], size, np.random.default_rng(seed))


@pytest.fixture
def small(monkeypatch):
    """Sets of 40 training and 20 test images, so that building takes no time."""
    spec = datasets.Spec(("train_batch",), "test_batch", 40, 20, family="synthetic10")
    for name in synthetic.SETS:
        monkeypatch.setitem(datasets.DATASETS, name, spec)


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_classes_are_those_of_the_family():
    assert tuple(rendering.SHAPES) == datasets.CLASS_NAMES["synthetic10"]
    assert all(datasets.DATASETS[name].family == "synthetic10" for name in synthetic.SETS)


def test_shifts_are_those_stated():
    base, harder, different = (sample(name, 2_000)[2] for name in synthetic.SETS)
    appearance = [field for field in rendering.LATENTS.names if field != "difficulty"]
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
    latents = np.zeros(50, rendering.LATENTS)
    latents["polarity"], latents["difficulty"] = 1, difficulty
    discs, rings = (rendering.render(np.full(50, label), latents, np.random.default_rng(0)) for label in (0, 1))
    assert np.array_equal(discs, rings) == same


def test_no_linear_classifier_solves_it():
    """Ridge regression on the pixels stays below 60 %, and above chance: there is something to see."""

    def features(images):
        return np.c_[images.reshape(len(images), -1) / 255 - 0.5, np.ones(len(images))]

    for name in ("synthetic10", "synthetic10_different"):
        images, labels, _ = sample(name, 3_000)
        inputs, targets = features(images[:2_000]), np.eye(10)[labels[:2_000]]
        weights = inputs.T @ np.linalg.solve(inputs @ inputs.T + 300 * np.eye(2_000), targets)
        accuracy = np.mean(np.argmax(features(images[2_000:]) @ weights, axis=1) == labels[2_000:])
        assert 0.15 < accuracy < 0.6


def test_the_sets_stay_as_they_were_to_the_pixel_and_load(tmp_path):
    hashes = dict(zip(synthetic.SETS, ("a79dd9457fa0", "dbf054b1d75f", "52e92435c5bf"), strict=True))
    assert synthetic.build(tmp_path) == dict.fromkeys(synthetic.SETS, "written")
    for name in synthetic.SETS:
        dataset = datasets.load(name, tmp_path)
        assert dataset.sha256.startswith(hashes[name])
        assert np.bincount(dataset.train_labels).tolist() == [512] * 10
        latents = np.load(tmp_path / name / "training" / "test_batch_latents.npy")
        assert (latents.dtype, latents.shape) == (rendering.LATENTS, (2_000,))
        assert not datasets.overlap(dataset.test_images, dataset.train_images).any()


def test_build_is_reproducible_and_keeps_what_is_there(small, tmp_path):
    synthetic.build(tmp_path / "a")
    (tmp_path / "b" / "synthetic10" / "training.partial").mkdir(parents=True)  # of a builder that was killed
    synthetic.build(tmp_path / "b", names=reversed(list(synthetic.SETS)))
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert synthetic.build(tmp_path / "a") == dict.fromkeys(synthetic.SETS, "there already")
    assert synthetic.build(tmp_path / "a", names=["synthetic10"], seed=1) == {"synthetic10": "written"}
    assert contents(tmp_path / "a") != contents(tmp_path / "b")
