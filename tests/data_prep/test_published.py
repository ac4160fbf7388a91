"""The published numbers: counted from the predictions, committed as counted."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import scipy.special
import scipy.stats

from autoaug import recipes, shift
from autoaug.files import ROOT
from autoaug.shift.published import read_right
from data_prep import published

PREDICTIONS = ROOT.parent / "shared" / "data" / "cifar10.1-predictions.npz"
FURTHER = PREDICTIONS.with_name("cifar10.1-predictions-84.npz")
PEOPLE = PREDICTIONS.with_name("cifar10h-counts.npy")
COUNTS = ROOT / "results" / "published" / "cifar10.1-counts.csv"
PUBLISHED = {  # accuracy on CIFAR-10 and CIFAR-10.1 v4, in percent: Recht et al. (2018), table of all models
    "shake_shake_26_2x64d_SSI_cutout16": (97.1, 93.0),
    "shake_shake_26_2x96d_SSI": (97.1, 91.9),
    "shake_shake_26_2x64d_SSI": (97.0, 91.4),
    "wrn_28_10_cutout16": (97.0, 92.0),
    "shake_drop": (96.9, 92.3),
    "shake_shake_26_2x32d_SSI": (96.6, 89.8),
    "darc": (96.6, 89.5),
    "resnext_29_4x64d": (96.4, 89.6),
    "pyramidnet_basic_110_270": (96.3, 90.5),
    "resnext_29_8x64d": (96.2, 90.0),
    "wrn_28_10": (95.9, 89.7),
    "pyramidnet_basic_110_84": (95.7, 89.3),
    "densenet_BC_100_12": (95.5, 87.6),
    "nas": (95.4, 88.8),
    "wide_resnet_tf": (95.0, 88.5),
    "resnet_preact_bottleneck_164": (94.2, 85.9),
    "vgg16_keras": (93.6, 85.3),
    "resnet_basic_110": (93.5, 85.2),
    "resnet_preact_basic_110": (93.4, 86.5),
    "resnet_basic_56": (93.3, 85.0),
    "resnet_basic_44": (93.0, 84.2),
    "vgg_15_BN_64": (93.0, 84.9),
    "resnetv2_tf": (92.7, 84.4),
    "resnet_basic_32": (92.5, 84.9),
    "cudaconvnet": (88.5, 77.5),
    "random_features_256k_aug": (85.6, 73.1),
    "random_features_32k_aug": (85.0, 71.9),
    "random_features_256k_no_aug": (84.2, 69.9),
    "random_features_32k_no_aug": (83.3, 67.9),
    "alexnet_tf_ben": (82.0, 68.9),
}
with_predictions = pytest.mark.skipif(
    not (PREDICTIONS.exists() and FURTHER.exists()), reason="../shared/data/cifar10.1-predictions*.npz are absent"
)


def write(path, **changes):
    """Predictions of two models on three images; a change of None leaves an array out."""
    arrays = {"models": np.array(["first", "second"])}
    for name in published.TEST_SETS:
        arrays[f"labels/{name}"] = np.array([0, 1, 2], np.uint8)
        arrays[f"predictions/{name}"] = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
    arrays |= {key.replace("__", "/"): value for key, value in changes.items()}
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return path


def read(path):
    return published.read_right(path, published.read_labels(path), published.TEST_SETS)


def test_counts_what_equals_the_labels(tmp_path):
    counts = published.counts(*read(write(tmp_path / "predictions.npz")))
    assert counts.query("test_set == 'cifar10.1-v6'").to_numpy().tolist() == [
        ["first", "cifar10.1-v6", 3, 3],
        ["second", "cifar10.1-v6", 3, 1],
    ]
    assert len(counts) == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels__cifar10": None}, r"predictions.npz: Expected the arrays .* Missing: labels/cifar10"),
        ({"models": None}, r"predictions.npz: Expected the arrays .* Missing: models"),
        ({"predictions__cifar10": np.zeros((2, 2), np.uint8)}, r"predictions/cifar10 of shape \(2, 3\).*\(2, 2\)"),
        ({"models": np.array(["first", object()], object)}, "allow_pickle=False"),
    ],
)
def test_refuses_other_files(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        read(write(tmp_path / "predictions.npz", **changes))


@with_predictions
def test_the_committed_files_are_those_of_the_predictions(tmp_path):
    command = [sys.executable, "-m", "data_prep.published", PREDICTIONS, FURTHER, PEOPLE, "--out", tmp_path]
    subprocess.run(command, check=True, cwd=ROOT)
    for name in (COUNTS.name, "cifar10.1-counts-84.csv", "disputed-labels.csv"):
        assert (tmp_path / name).read_bytes() == (COUNTS.parent / name).read_bytes()
    written, committed = (read_right(folder / "cifar10.1-right.npz") for folder in (tmp_path, COUNTS.parent))
    assert written.models == committed.models
    np.testing.assert_equal(written.right, committed.right)


def test_the_right_answers_are_those_counted():
    found, counts = read_right(COUNTS.parent / "cifar10.1-right.npz"), pd.read_csv(COUNTS)
    pd.testing.assert_frame_equal(published.counts(found.models, found.right), counts)


def test_bits_of_right_answers_come_back(tmp_path):
    right = {"cifar10": np.random.default_rng(0).random((3, 21)) < 0.5, "other": np.ones((3, 8), bool)}
    published.write_right(tmp_path / "right.npz", ["a", "b", "c"], right)
    found = read_right(tmp_path / "right.npz")
    assert found.models == ("a", "b", "c")
    np.testing.assert_equal(found.right, right)


def test_damaged_right_answers_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", other=np.zeros(3))
    with pytest.raises(ValueError, match=r"a.npz: Expected models and right/<test set>. Received: other"):
        read_right(tmp_path / "a.npz")
    arrays = {"models": np.array(["a"]), "images/set": np.array(17), "right/set": np.zeros((1, 2), np.uint8)}
    np.savez(tmp_path / "b.npz", **arrays)
    with pytest.raises(ValueError, match=r"b.npz: Expected right/set for 1 models and 17 images. Received: \(1, 2\)"):
        read_right(tmp_path / "b.npz")


def test_further_models_are_counted_on_the_same_images():
    """31 to 96 % right, and on a line of their own: slope .89 where the 30 have .95."""
    counts = pd.read_csv(COUNTS.parent / "cifar10.1-counts-84.csv")
    assert counts.groupby("test_set")["total"].agg(["size", "min", "max"]).to_dict("index") == {
        "cifar10": {"size": 84, "min": 10_000, "max": 10_000},
        "cifar10.1-v6": {"size": 84, "min": 2_000, "max": 2_000},
    }
    accuracies = counts.assign(accuracy=counts["correct"] / counts["total"])
    wide = accuracies.pivot(index="model", columns="test_set", values="accuracy")
    assert (wide["cifar10"].min(), wide["cifar10"].max()) == pytest.approx((0.309, 0.958), abs=0.001)
    assert (wide["cifar10"] > wide["cifar10.1-v6"]).all()
    line = scipy.stats.linregress(*(scipy.special.ndtri(wide[name]) for name in wide))
    assert (line.slope, line.rvalue**2) == pytest.approx((0.887, 0.987), abs=0.001)


def test_accuracies_on_cifar102_are_fractions_with_sources():
    table = pd.read_csv(COUNTS.parent / "cifar10.2-accuracies.csv")
    assert len(table) == 320 and table["source"].notna().all()
    both = table.dropna(subset=["cifar10", "cifar10.2"])
    assert both.query("model == 'CLIP, fine-tuned'")[["cifar10", "cifar10.2"]].to_numpy().tolist() == [[0.986, 0.913]]
    assert both[["cifar10", "cifar10.2"]].stack().between(0.08, 1).all()


def test_the_published_table_is_reproduced_to_a_tenth_of_a_point():
    counts = pd.read_csv(COUNTS)
    assert counts.groupby("test_set")["total"].agg(["size", "min", "max"]).to_dict("index") == {
        "cifar10": {"size": 30, "min": 10_000, "max": 10_000},
        "cifar10.1-v4": {"size": 30, "min": 2_021, "max": 2_021},
        "cifar10.1-v6": {"size": 30, "min": 2_000, "max": 2_000},
    }
    table = shift.accuracy_table(counts).set_index(["model", "test_set"])[["accuracy", "low", "high"]]
    percent = (100 * table).round(1)
    assert percent["accuracy"].unstack()[["cifar10", "cifar10.1-v4"]].apply(tuple, axis=1).to_dict() == PUBLISHED
    best = percent.loc["shake_shake_26_2x64d_SSI_cutout16"]
    assert best.loc["cifar10"].tolist() == [97.1, 96.8, 97.4]
    assert best.loc["cifar10.1-v4"].tolist() == [93.0, 91.8, 94.0]


@with_predictions
def test_intervals_of_all_published_models_are_the_exact_test_inverted():
    with np.load(PREDICTIONS, allow_pickle=False) as arrays:
        for name in published.TEST_SETS:
            right = (arrays[f"predictions/{name}"] == arrays[f"labels/{name}"]).sum(axis=1)
            total = len(arrays[f"labels/{name}"])
            expected = [scipy.stats.binomtest(int(count), total).proportion_ci(0.95, "exact") for count in right]
            low, high = shift.accuracy_interval(right, np.full(30, total))
            np.testing.assert_allclose(np.stack([low, high], axis=1), expected, atol=1e-12)


def test_the_reported_accuracies_are_of_the_five_models():
    reported = pd.read_csv(ROOT / "results" / "published" / "autoaugment-accuracies.csv")
    assert set(reported["model"]) == set(recipes.SHORT_NAMES)
    assert reported.set_index("model")["accuracy"].to_dict() == {
        "pyramid_net": 0.984,
        "shake_shake_112": 0.981,
        "shake_shake_96": 0.980,
        "wrn": 0.975,
        "shake_shake_32": 0.973,
    }
