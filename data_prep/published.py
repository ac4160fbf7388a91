"""Counts of the published predictions: models × test sets → `results/published/cifar10.1-counts.csv`.

    python -m data_prep.published ../shared/data/cifar10.1-predictions.npz

The file holds `models` [m] and, for each test set, `predictions/<set>` uint8 [m, n], class indices, and
`labels/<set>` uint8 [n]. Where it comes from: results/published/README.md.
"""

import argparse
import pathlib

import numpy as np
import pandas as pd

from autoaug.files import ROOT

TEST_SETS = ("cifar10", "cifar10.1-v4", "cifar10.1-v6")


def count(path):
    """DataFrame with the columns model, test_set, total, correct; a row per model and test set.

    Raises:
        ValueError: the file lacks an array, or one does not fit the others.
    """
    with np.load(path, allow_pickle=False) as arrays:
        needed = ["models", *(f"{part}/{name}" for name in TEST_SETS for part in ("predictions", "labels"))]
        if missing := sorted(set(needed) - set(arrays)):
            raise ValueError(f"{path}: Expected the arrays {', '.join(needed)}. Missing: {', '.join(missing)}")
        models, rows = arrays["models"], []
        for name in TEST_SETS:
            predictions, labels = arrays[f"predictions/{name}"], arrays[f"labels/{name}"]
            if predictions.shape != (len(models), len(labels)):
                expected = f"Expected predictions/{name} of shape {(len(models), len(labels))}"
                raise ValueError(f"{path}: {expected}. Received: {predictions.shape}")
            correct = (predictions == labels).sum(axis=1)
            rows += [(str(model), name, len(labels), int(right)) for model, right in zip(models, correct, strict=True)]
    return pd.DataFrame(rows, columns=["model", "test_set", "total", "correct"])


def main():
    parser = argparse.ArgumentParser(description="Count the published predictions on CIFAR-10 and CIFAR-10.1.")
    parser.add_argument("path", type=pathlib.Path, help="cifar10.1-predictions.npz")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "results" / "published" / "cifar10.1-counts.csv")
    arguments = parser.parse_args()
    counts = count(arguments.path)
    counts.to_csv(arguments.out, index=False)
    print(f"{counts['model'].nunique()} models on {', '.join(TEST_SETS)}: {arguments.out}")


if __name__ == "__main__":
    main()
