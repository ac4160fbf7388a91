"""The embedded data: balanced, reproducible, shifted as stated, not linearly separable, and built safely."""

import json

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
    names = tuple(shape.__name__.strip("_") for shape in rendering.SHAPES)
    assert names == datasets.CLASS_NAMES["synthetic10"]
    assert all(datasets.DATASETS[name].family == "synthetic10" for name in synthetic.SETS)


@pytest.mark.parametrize("name", synthetic.SETS)
def test_images_are_balanced_varied_and_fixed_by_the_seed(name):
    images, labels, latents = sample(name, 300)
    assert (images.shape, images.dtype, labels.dtype) == ((300, 32, 32, 3), np.uint8, np.int64)
    np.testing.assert_array_equal(np.bincount(labels), [30] * 10)
    assert len(np.unique(images.reshape(300, -1), axis=0)) == 300
    assert images.min() == 0
    assert images.max() == 255
    again = sample(name, 300)
    np.testing.assert_array_equal(images, again[0])
    np.testing.assert_array_equal(latents, again[2])
    assert (sample(name, 300, seed=1)[0] != images).mean() > 0.9


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


def test_difficulty_hides_the_shape_and_leaves_its_appearance():
    """Over the same scenes, the shape stands out less with difficulty, down to nothing."""
    size = 400
    latents = np.zeros(size, rendering.LATENTS)
    latents["polarity"] = 1
    labels = np.zeros(size, int)  # discs
    inside = rendering.shape_coverage(
        labels, np.zeros((2, size, 1, 1), np.float32), np.full((size, 1, 1), 4, np.float32), np.zeros((size, 1, 1))
    )[0].astype(bool)  # covered by every disc, wherever it lies
    contrasts, spreads = [], []
    for difficulty in (0, 0.7, 1):
        latents["difficulty"] = difficulty
        images = rendering.render(labels, latents, np.random.default_rng(0)).astype(float)
        contrasts.append(images[:, inside].mean() - images[:, [0, 0, -1, -1], [0, -1, 0, -1]].mean())
        spreads.append(images[:, 0, 0].std())
    assert contrasts[0] > 90 > contrasts[1] > 30 > 2 > abs(contrasts[2])
    assert spreads[0] < spreads[1] < spreads[2]


@pytest.mark.parametrize("difficulty, same", [(0.8, False), (0.85, True), (1, True)])
def test_the_hardest_images_tell_nothing_of_their_class(difficulty, same):
    latents = np.zeros(50, rendering.LATENTS)
    latents["polarity"], latents["difficulty"] = 1, difficulty
    discs, rings = (rendering.render(np.full(50, label), latents, np.random.default_rng(0)) for label in (0, 1))
    assert np.array_equal(discs, rings) == same


def test_the_sets_stay_as_they_were_to_the_pixel(tmp_path):
    hashes = dict(zip(synthetic.SETS, ("a79dd9457fa0", "dbf054b1d75f", "52e92435c5bf"), strict=True))
    synthetic.build(tmp_path)
    for name in synthetic.SETS:
        manifest = json.loads((tmp_path / name / "training" / "manifest.json").read_text())
        assert manifest["parts"]["training"]["sha256"].startswith(hashes[name])


@pytest.mark.parametrize("turn", [0.3, 1.0, 2.0])
def test_shapes_turn_about_their_centre_and_stay_themselves(turn):
    labels = np.arange(10)
    center = np.zeros((2, 10, 1, 1), np.float32)
    radius = np.full((10, 1, 1), 10, np.float32)
    upright, turned = (
        rendering.shape_coverage(labels, center, radius, np.full((10, 1, 1), angle, np.float32)) for angle in (0, turn)
    )
    assert upright.min() == 0
    assert upright.max() == 1
    np.testing.assert_allclose(turned.sum(axis=(1, 2)), upright.sum(axis=(1, 2)), rtol=0.03)
    moved = rendering.shape_coverage(labels, center + np.float32([2, 3]).reshape(2, 1, 1, 1), radius, 0 * radius)
    np.testing.assert_allclose(moved[:, 3:, 2:], upright[:, :-3, :-2], atol=1e-5)  # two to the right, three down
    common = np.einsum("ayx,byx->ab", upright, upright)
    areas = np.diag(common).copy()
    np.fill_diagonal(common, 0)
    assert (common / (areas[:, None] + areas - common)).max() < 0.95  # of the union of any two shapes


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


def test_build_writes_sets_that_load(small, tmp_path):
    assert synthetic.build(tmp_path, seed=3) == list(synthetic.SETS)
    assert datasets.available(tmp_path, family="synthetic10") == list(synthetic.SETS)
    for name in synthetic.SETS:
        dataset = datasets.load(name, tmp_path)
        manifest = json.loads((tmp_path / name / "training" / "manifest.json").read_text())
        assert (manifest["seed"], manifest["name"]) == (3, name)
        described = manifest["parts"]["training"]
        assert described["sha256"] == dataset.sha256
        assert described["images_per_class"] == [4] * 10
        assert (described["mean"], described["std"]) == (dataset.mean.tolist(), dataset.std.tolist())
        assert manifest["parts"]["test"]["sha256"] == dataset.test_sha256
        latents = np.load(tmp_path / name / "training" / "test_batch_latents.npy")
        assert (latents.dtype, latents.shape) == (rendering.LATENTS, (20,))
        assert not datasets.overlap(dataset.test_images, dataset.train_images).any()


def test_build_is_reproducible_and_skips_what_is_there(small, tmp_path):
    synthetic.build(tmp_path / "a")
    synthetic.build(tmp_path / "b", names=reversed(list(synthetic.SETS)))
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*_batch")}
    assert synthetic.build(tmp_path / "a") == []
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*_batch")} == before
    assert synthetic.build(tmp_path / "a", names=["synthetic10"], seed=1) == ["synthetic10"]
    assert contents(tmp_path / "a") != contents(tmp_path / "b")


@pytest.mark.parametrize("damage", [
    lambda folder: (folder / "train_batch").unlink(),
    lambda folder: (folder / "train_batch").write_bytes((folder / "test_batch").read_bytes()),
    lambda folder: (folder / "test_batch").write_bytes((folder / "test_batch").read_bytes().replace(b"\x40", b"\x41")),
    lambda folder: (folder / "train_batch_latents.npy").write_bytes(b""),
    lambda folder: (folder / "manifest.json").write_text('{"name": "synthetic10", "generator_version": 0}'),
])  # fmt: skip
def test_build_replaces_what_is_damaged_or_old(small, damage, tmp_path):
    folder = tmp_path / "synthetic10" / "training"
    synthetic.build(tmp_path, ["synthetic10"])
    good = contents(folder)
    damage(folder)
    (tmp_path / "synthetic10" / "training.partial").mkdir()  # of a builder that was killed
    assert synthetic.build(tmp_path, ["synthetic10"]) == ["synthetic10"]
    assert contents(folder) == good
    assert sorted(path.name for path in folder.parent.iterdir()) == [".lock", "training"]


def test_build_leaves_the_files_of_others(small, tmp_path):
    folder = tmp_path / "synthetic10" / "training"
    folder.mkdir(parents=True)
    (folder / "train_batch").write_bytes(b"mine")
    with pytest.raises(
        datasets.DatasetError, match=rf"{folder}: Expected nothing, or what was built here. Received: other files"
    ):
        synthetic.build(tmp_path)
    assert (folder / "train_batch").read_bytes() == b"mine"


@pytest.mark.usefixtures("wrong_types")
def test_build_refuses_bad_arguments_before_writing(tmp_path):
    with pytest.raises(datasets.DatasetError, match=r"Expected any of synthetic10, .*Received: \['cifar10'\]"):
        synthetic.build(tmp_path, ["synthetic10", "cifar10"])
    for seed in (-1, 1.5, None):
        with pytest.raises(ValueError, match=f"Expected seed, a whole number from 0 up. Received: {seed}"):
            synthetic.build(tmp_path, seed=seed)
    assert list(tmp_path.iterdir()) == []
