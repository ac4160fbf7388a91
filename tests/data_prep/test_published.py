"""The published numbers: counted from the predictions, committed as counted."""

import pathlib
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from autoaug import recipes, shift
from data_prep import published

ROOT = pathlib.Path(__file__).resolve().parents[2]
PREDICTIONS = ROOT.parent / "shared" / "data" / "cifar10.1-predictions.npz"
COUNTS = ROOT / "results" / "published" / "cifar10.1-counts.csv"
with_predictions = pytest.mark.skipif(
    not PREDICTIONS.exists(), reason="../shared/data/cifar10.1-predictions.npz is absent"
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


def test_counts_what_equals_the_labels(tmp_path):
    counts = published.count(write(tmp_path / "predictions.npz"))
    assert counts.query("test_set == 'cifar10.1-v6'").to_numpy().tolist() == [
        ["first", "cifar10.1-v6", 3, 3],
        ["second", "cifar10.1-v6", 3, 1],
    ]
    assert len(counts) == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels__cifar10": None}, r"predictions.npz: Expected the arrays .* Missing: labels/cifar10"),
        ({"predictions__cifar10": np.zeros((2, 2), np.uint8)}, r"predictions/cifar10 of shape \(2, 3\).*\(2, 2\)"),
        ({"models": np.array(["first", object()], object)}, "allow_pickle=False"),
    ],
)
def test_refuses_other_files(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        published.count(write(tmp_path / "predictions.npz", **changes))


@with_predictions
def test_the_committed_counts_are_those_of_the_predictions(tmp_path):
    command = [sys.executable, "-m", "data_prep.published", PREDICTIONS, "--out", tmp_path / "counts.csv"]
    subprocess.run(command, check=True, cwd=ROOT)
    assert (tmp_path / "counts.csv").read_bytes() == COUNTS.read_bytes()


def test_the_published_table_is_reproduced_to_a_tenth_of_a_point():
    counts = pd.read_csv(COUNTS)
    assert counts.groupby("test_set")["total"].agg(["size", "min", "max"]).to_dict("index") == {
        "cifar10": {"size": 30, "min": 10_000, "max": 10_000},
        "cifar10.1-v4": {"size": 30, "min": 2_021, "max": 2_021},
        "cifar10.1-v6": {"size": 30, "min": 2_000, "max": 2_000},
    }
    table = shift.accuracy_table(counts).set_index(["model", "test_set"])[["accuracy", "low", "high"]]
    percent = (100 * table).round(1).loc["shake_shake_26_2x64d_SSI_cutout16"]
    assert percent.loc["cifar10"].tolist() == [97.1, 96.8, 97.4]
    assert percent.loc["cifar10.1-v4", "accuracy"] == 93.0


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
