"""Reproductions of a known truth: what is drawn, what is done to it, margins of models that did not see the image."""

import dataclasses
import json

import numpy as np
import pytest
import run_files

from autoaug import datasets, predictions, recipes, studies
from autoaug import known_images as kept_images
from autoaug.datasets.batch_file import DatasetError
from autoaug.files import ROOT
from data_prep import drawing, folders, known_images, known_truth, margins, sources, subsets
from data_prep.known_truth import DESIGNS, choose

LABELS = np.random.default_rng(0).permutation(np.arange(4_000) % 10)
MARGINS = np.random.default_rng(1).uniform(-1, 1, 4_000)
SHARED = ROOT.parent / "shared" / "data"
SMALL = recipes.variant("wrn", "small", epochs=4)


def chosen(name, size=1_000, seed=0, labels=LABELS):
    return choose(DESIGNS[name], labels, size, 10, MARGINS, seed, "training")


def files(data_dir, name, part):
    """What lies beside a part: images, labels, and the small arrays by name."""
    dataset, folder = datasets.load(name, data_dir), datasets.training_folder(name, data_dir)
    prefix = f"{folders.part_file(name, part)}_"
    arrays = {path.stem.removeprefix(prefix): np.load(path) for path in folder.glob(f"{prefix}*.npy")}
    if part == "training":
        return dataset.train_images, dataset.train_labels, arrays
    return dataset.test_images, dataset.test_labels, arrays


def read_manifest(data_dir, name):
    return json.loads((datasets.training_folder(name, data_dir) / "manifest.json").read_text())


def test_every_design_is_a_set_whose_outcome_was_written_down():
    assert tuple(DESIGNS) == datasets.DESIGNS
    truth = {name: (datasets.KNOWN_TRUTH[name].harder, datasets.KNOWN_TRUTH[name].different) for name in DESIGNS}
    assert truth == {
        "known_same": (False, False), "known_harder": (True, False), "known_different": (False, True),
        "known_diluted": (False, True), "known_both": (None, True), "known_half": (None, True),
        "known_noisy": (True, False),
    }  # fmt: skip


def test_the_study_builds_what_it_trains_on_before_it_does():
    """Halves, their models, the designs that these choose, and trainings with three seeds."""
    halves, judges, designs, trainings, page = studies.read(ROOT / "notebooks" / "known_truth.yml")
    assert halves.runs[0].parameters["sets"] == [*datasets.HALVES, "cifar10_12k"]
    assert [run.parameters["train_data"] for run in judges.runs] == list(datasets.HALVES)
    assert designs.runs[0].parameters["sets"] == list(DESIGNS)
    trained = [(run.parameters["seed"], run.parameters["train_data"]) for run in trainings.runs]
    assert trained == [(seed, name) for seed in range(3) for name in ("cifar10_12k", *DESIGNS)]
    assert page.runs[0].render


@pytest.mark.parametrize("name", DESIGNS)
def test_as_many_images_of_each_class_none_twice_fixed_by_the_seed(name):
    images = chosen(name)
    assert len(np.unique(images.indices)) == 1_000
    np.testing.assert_array_equal(np.bincount(LABELS[images.indices]), [100] * 10)
    np.testing.assert_array_equal(images.indices, chosen(name).indices)
    assert (images.indices != chosen(name, seed=1).indices).mean() > 0.9
    left_out = np.where(np.arange(4_000) % 2, LABELS, -1)
    assert (chosen(name, labels=left_out).indices % 2 == 1).all()


def test_what_is_done_to_the_images():
    shares = {name: (chosen(name).new_look.mean(), chosen(name).wrong_label.mean()) for name in DESIGNS}
    assert shares == {
        "known_same": (0, 0), "known_harder": (0, 0), "known_different": (1, 0), "known_diluted": (0.4, 0),
        "known_both": (1, 0), "known_half": (0.5, 0), "known_noisy": (0, 0.1),
    }  # fmt: skip
    for name in ("known_different", "known_diluted", "known_noisy"):
        np.testing.assert_array_equal(chosen(name).indices, chosen("known_same").indices)
    np.testing.assert_array_equal(chosen("known_both").indices, chosen("known_harder").indices)
    diluted = chosen("known_diluted")
    np.testing.assert_array_equal(np.bincount(diluted.labels[diluted.new_look]), [40] * 10)


def test_wrong_labels_are_of_another_class_and_all_others_are_right():
    noisy = chosen("known_noisy")
    np.testing.assert_array_equal(noisy.labels != LABELS[noisy.indices], noisy.wrong_label)
    turns = (noisy.labels - LABELS[noisy.indices])[noisy.wrong_label] % 10
    assert set(turns) == set(range(1, 10))
    assert (chosen("known_half").labels == LABELS[chosen("known_half").indices]).all()


def test_hard_images_are_drawn_with_the_stated_weights():
    """Of two images that compete for one place, the one with a margin less by .2 is drawn e times as often."""
    labels, two = np.array([0, 0, 1, 1]), np.array([0.3, 0.5, 0.3, 0.5])
    wins = [choose(DESIGNS["known_harder"], labels, 2, 2, two, seed, "test").indices % 2 == 0 for seed in range(1_000)]
    assert np.mean(wins) == pytest.approx(np.e / (1 + np.e), abs=0.03)  # three standard errors
    half = chosen("known_half")
    assert MARGINS[half.indices[~half.new_look]].mean() < -0.4 < MARGINS[half.indices[half.new_look]].mean()
    assert set(half.indices[~half.new_look]) <= set(chosen("known_harder").indices)


def test_the_new_look():
    image = np.zeros((1, 32, 32, 3), np.uint8)
    image[..., :] = 10, 20, 30
    assert known_truth.in_new_look(image)[0, 0, 0].tolist() == [235, 225, 245]


@pytest.fixture
def halves(published, tmp_path):
    """A data folder with the halves; a function that leaves a run on one of them and returns its margins."""
    data_dir, results = tmp_path / "data", tmp_path / "results"
    subsets.build(data_dir, list(datasets.HALVES), published)

    def write_run(name, seed=0, **options):
        dataset = datasets.load(name, data_dir)
        rng = np.random.default_rng([seed, *name.encode()])
        arrays = run_files.predictions(rng, dataset.test_labels, 0.7)
        arrays["logits"] *= rng.uniform(0, 0.5, (len(dataset.test_labels), 1)).astype(np.float32)
        hashes = {"train_sha256": dataset.sha256, "test_sha256": dataset.test_sha256}
        run_files.write(results, name, {name: arrays}, seed=seed, **{"recipe": SMALL} | hashes | options)
        return predictions.from_logits(**arrays).margin

    return published, data_dir, results, write_run


def test_margins_are_means_over_the_runs_that_did_not_see_the_image(halves):
    _, data_dir, results, write_run = halves
    of_runs = {(name, seed): write_run(name, seed) for name in datasets.HALVES for seed in (0, 1)}
    write_run("cifar10_half_a", seed=2)  # which the other half does not have
    found = margins.cross_fitted(data_dir, results)
    assert [len(ids) for ids in found.runs.values()] == [2, 2]
    assert (found.training.shape, found.test.shape) == ((500,), (100,))
    old = datasets.load("cifar10", data_dir)
    for name in datasets.HALVES:
        _, labels, arrays = files(data_dir, name, "test")
        expected = np.mean([of_runs[name, seed] for seed in (0, 1)], axis=0)
        for pool, values, pool_labels in ((0, found.training, old.train_labels), (3, found.test, old.test_labels)):
            rows = arrays["origins"]["pool"] == pool
            np.testing.assert_allclose(values[arrays["origins"]["index"][rows]], expected[rows])
            np.testing.assert_array_equal(pool_labels[arrays["origins"]["index"][rows]], labels[rows])


def test_missing_runs_are_named_with_the_command_that_makes_them(halves):
    published, data_dir, results, write_run = halves
    write_run("cifar10_half_a")
    write_run("cifar10_half_b", train_sha256="00" * 32)  # on another version of the half
    with pytest.raises(DatasetError, match=r"Received: cifar10_half_a: wrn\S+; cifar10_half_b: none\.") as raised:
        subsets.build(data_dir, ["known_harder"], published, results_dir=results)
    command = f"papermill notebooks/train.ipynb -p model wrn -p preset small -p epochs 4 -p data_dir {data_dir}"
    assert f"  {command} -p results_dir {results} -p train_data cifar10_half_b" in str(raised.value).splitlines()
    assert not (data_dir / "known_harder" / "training").exists()
    done = subsets.build(data_dir, ["known_same", "known_different", "known_diluted", "known_noisy"], published)
    assert set(done) == {"cifar10", "cifar10_12k", "known_same", "known_different", "known_diluted", "known_noisy"}


def test_designs_are_built_and_described(halves):
    published, data_dir, results, write_run = halves
    for name in datasets.HALVES:
        write_run(name)
    done = subsets.build(data_dir, list(DESIGNS), published, results_dir=results)
    assert all(done[name] == "written" for name in DESIGNS)
    old, original = datasets.load("cifar10", data_dir), datasets.load("cifar10_12k", data_dir)
    pools = {"training": (old.train_images, 0), "test": (old.test_images, 3)}
    values = margins.cross_fitted(data_dir, results)
    for name in DESIGNS:
        described = read_manifest(data_dir, name)
        assert described["expected"]["different"] is datasets.KNOWN_TRUTH[name].different
        assert described["source"] == "CIFAR-10"
        assert ("margins" in described) == (name in known_truth.NEED_MARGINS)
        for part, (pool, number) in pools.items():
            images, labels, arrays = files(data_dir, name, part)
            said = described["parts"][part]
            assert (arrays["origins"]["pool"] == number).all()
            assert said["origins"] == {drawing.POOLS[number]: len(labels)}
            new_look = arrays.get("new_look", np.zeros(len(labels), bool))
            expected = pool[arrays["origins"]["index"]]
            np.testing.assert_array_equal(images[~new_look], expected[~new_look])
            np.testing.assert_array_equal(images[new_look], known_truth.in_new_look(expected[new_look]))
            assert said.get("new_look", 0) == new_look.sum()
            if "margins" in described:
                drawn = getattr(values, part)[arrays["origins"]["index"]]
                np.testing.assert_allclose(arrays["margins"], drawn, rtol=1e-6)
                np.testing.assert_array_equal(margins.of_images(values, name, part, data_dir), drawn)
                assert said["mean_margin"] == pytest.approx(drawn.mean())
            everything = np.concatenate([original.train_images, original.test_images])
            assert not datasets.overlap(expected, everything).any()
    assert read_manifest(data_dir, "known_harder")["margins"]["runs"] == values.runs
    assert np.isfinite(margins.of_images(values, "cifar10_12k", "test", data_dir)).all()
    subsets.build(data_dir, ["cifar102"], published)
    mixed = margins.of_images(values, "cifar102", "test", data_dir)
    assert np.isnan(mixed).sum() == 10  # of 2 images of each class, one is CIFAR-10.2's
    with pytest.raises(FileNotFoundError):
        margins.of_images(values, "cifar10", "test", data_dir)
    noisy = read_manifest(data_dir, "known_noisy")["parts"]
    assert (noisy["training"]["wrong_labels"], "wrong_labels" in noisy["test"]) == (10, False)  # of 2 images a class


def test_what_is_known_of_each_image_is_kept(halves, monkeypatch):
    published, data_dir, results, write_run = halves
    for name in datasets.HALVES:
        write_run(name)
    subsets.build(data_dir, list(DESIGNS), published, results_dir=results)
    right = np.eye(10, dtype=int)[datasets.load("cifar10", data_dir).test_labels]  # people say what is right
    monkeypatch.setattr(known_images, "peoples_labels", lambda folder: right)
    table = known_images.write(data_dir, results, "folder of people's labels")
    assert list(table.index) == ["cifar10_12k", *DESIGNS]
    values, original = margins.cross_fitted(data_dir, results), kept_images.read(results, "cifar10_12k")
    assert original.new is None and original.disputed is None  # of the training part; nobody was asked
    for name in DESIGNS:
        test, known = datasets.load_test(name, data_dir), kept_images.read(results, name)
        _, _, arrays = files(data_dir, name, "test")
        difficulty = -margins.of_images(values, name, "test", data_dir)
        np.testing.assert_allclose(known.difficulty, difficulty, atol=0.0006)
        assert known.test_sha256 == test.sha256
        assert (0 if known.new is None else known.new.sum()) == arrays.get("new_look", np.zeros(1)).sum()
        assert known.disputed == arrays.get("wrong_labels", np.zeros(1)).sum()


def test_more_runs_change_nothing_until_the_sets_are_built_anew_together(halves):
    published, data_dir, results, write_run = halves
    for name in datasets.HALVES:
        write_run(name)
    subsets.build(data_dir, ["known_harder"], published, results_dir=results)
    for name in datasets.HALVES:
        write_run(name, seed=1)
    assert subsets.build(data_dir, ["known_harder"], published, results_dir=results)["known_harder"] == "there already"
    with pytest.raises(DatasetError, match=r"known_harder: Expected margins of the runs .*Build them together"):
        subsets.build(data_dir, ["known_both"], published, results_dir=results)
    subsets.build(data_dir, list(known_truth.NEED_MARGINS), published, rebuild=True, results_dir=results)
    runs = [read_manifest(data_dir, name)["margins"]["runs"]["cifar10_half_a"] for name in known_truth.NEED_MARGINS]
    assert [len(ids) for ids in runs] == [2, 2, 2]


def test_compact_predictions_give_the_same_margins(halves):
    _, data_dir, results, write_run = halves
    for name in datasets.HALVES:
        write_run(name)
    whole = margins.cross_fitted(data_dir, results)
    for path in results.glob("runs/*/predictions/*.npz"):
        predictions.write(path, predictions.read(path)._replace(logits=None))
    compact = margins.cross_fitted(data_dir, results)
    np.testing.assert_array_equal(compact.training, whole.training)
    np.testing.assert_array_equal(compact.test, whole.test)


def test_hardness_is_checked_with_published_answers_and_peoples_labels(tmp_path, monkeypatch):
    answers = np.array([[0, 1, 2, 3], [0, 1, 0, 0]], np.uint8)
    arrays = {"predictions/cifar10": answers, "labels/cifar10": np.arange(4, dtype=np.uint8)}
    np.savez(tmp_path / "cifar10.1-predictions.npz", **arrays)
    path = tmp_path / "cifar10h-counts.npy"
    np.save(path, np.array([[50, 0], [50, 0], [25, 25], [25, 25]]))
    drawn = {"known_same": np.array([0, 1]), "known_harder": np.array([2, 3])}
    with pytest.raises(DatasetError, match=r"cifar10h-counts\.npy: Expected git-blob-sha1 497e9331"):
        known_truth.hardness_checks(drawn, tmp_path)
    hashes = {"git-blob-sha1": folders.file_hash(path, "git-blob-sha1")}
    monkeypatch.setattr(sources, "CIFAR10H", dataclasses.replace(sources.CIFAR10H, hashes=hashes))
    checks = known_truth.hardness_checks(drawn, tmp_path)
    assert checks["mean accuracy of published models"] == {"known_same": 1.0, "known_harder": 0.5}
    assert checks["mean entropy of people's labels, nats"] == {
        "known_same": 0.0, "known_harder": pytest.approx(np.log(2)),
    }  # fmt: skip
    (tmp_path / "cifar10.1-predictions.npz").unlink()
    with pytest.raises(DatasetError, match=r"cifar10\.1-predictions\.npz: Expected NumPy arrays"):
        known_truth.hardness_checks(drawn, tmp_path)


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/data, people's labels of CIFAR-10's test part")
def test_peoples_labels_are_the_published_file():
    counts = known_truth.peoples_labels(SHARED)
    assert counts.shape == (10_000, 10)
    assert 50 < counts.sum(axis=1).mean() < 52
