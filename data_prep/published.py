"""Makes the published predictions compact: counts and bits of right answers for `results/published`.

    python -m data_prep.published cifar10.1-predictions.npz cifar10.1-predictions-84.npz cifar10h-counts.npy

The first file holds `models` [m] and, for each test set, `predictions/<set>` uint8 [m, n], class indices, and
`labels/<set>` uint8 [n]. The second has no labels; its images are in the same order. results/published/README.md says
where the files come from, and why only counts of the second are kept. The third is CIFAR-10H (`sources.CIFAR10H`).
"""

import argparse
import pathlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int, UInt8

from autoaug.files import ROOT

TEST_SETS = ("cifar10", "cifar10.1-v4", "cifar10.1-v6")
FURTHER_TEST_SETS = ("cifar10", "cifar10.1-v6")

Right = dict[str, Bool[np.ndarray, "models images"]]
"""Test set → whether each model is right about each image."""


def read_labels(path: pathlib.Path) -> dict[str, UInt8[np.ndarray, " images"]]:
    """Test set → labels of its images.

    Raises:
        ValueError: the file lacks an array.
    """
    arrays = _read(path, [f"labels/{name}" for name in TEST_SETS])
    return {name: arrays[f"labels/{name}"] for name in TEST_SETS}


def read_right(
    path: pathlib.Path, labels: dict[str, UInt8[np.ndarray, " images"]], test_sets: Sequence[str]
) -> tuple[list[str], Right]:
    """Names of the models in a file of predictions, and their right answers.

    Args:
        path: the file of predictions.
        labels: test set → labels of its images, in the order of the predictions.
        test_sets: which to read.

    Raises:
        ValueError: the file lacks an array, or one does not fit the others.
    """
    arrays = _read(path, ["models", *(f"predictions/{name}" for name in test_sets)])
    models, right = [str(model) for model in arrays["models"]], {}
    for name in test_sets:
        predictions, shape = arrays[f"predictions/{name}"], (len(models), len(labels[name]))
        if predictions.shape != shape:
            raise ValueError(f"{path}: Expected predictions/{name} of shape {shape}. Received: {predictions.shape}")
        right[name] = predictions == labels[name]
    return models, right


def _read(path: pathlib.Path, needed: Sequence[str]) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as arrays:
        if missing := sorted(set(needed) - set(arrays)):
            raise ValueError(f"{path}: Expected the arrays {', '.join(needed)}. Missing: {', '.join(missing)}")
        return {name: arrays[name] for name in needed}


def counts(models: Sequence[str], right: Right) -> pd.DataFrame:
    """Table with the columns model, test_set, total, correct; a row per model and test set."""
    rows = [
        (model, name, answers.shape[1], int(answers[place].sum()))
        for name, answers in right.items()
        for place, model in enumerate(models)
    ]
    return pd.DataFrame(rows, columns=["model", "test_set", "total", "correct"])


def disputed_labels(path: pathlib.Path, people: Int[np.ndarray, "images classes"]) -> pd.DataFrame:
    """Counts of labels disputed by people on CIFAR-10, and of labels disputed by models on CIFAR-10 and CIFAR-10.1 v6.

    Args:
        path: the file of predictions, with labels.
        people: how many chose each class, for each image of CIFAR-10's test part.

    Returns:
        A row per test set and `models_dispute` (whether most models do). Columns: images; and disputed, the number that
        people dispute, empty if nobody was asked. A label is disputed if most chose another class; if classes tie, the
        first one counts.
    """
    rows = []
    for name in ("cifar10", "cifar10.1-v6"):
        arrays = _read(path, [f"predictions/{name}", f"labels/{name}"])
        predictions, labels = arrays[f"predictions/{name}"], arrays[f"labels/{name}"]
        votes = (predictions[..., None] == np.arange(10)).sum(axis=0)
        by_models = votes.argmax(axis=1) != labels
        for disputes in (False, True):
            chosen = by_models == disputes
            asked = name == "cifar10"
            disputed = int((people.argmax(axis=1) != labels)[chosen].sum()) if asked else pd.NA
            rows.append((name, disputes, int(chosen.sum()), disputed))
    table = pd.DataFrame(rows, columns=["test_set", "models_dispute", "images", "disputed"])
    return table.astype({"disputed": "Int64"})


def write_right(path: pathlib.Path, models: Sequence[str], right: Right) -> None:
    """Write the right answers as bits, for `autoaug.shift.published.read_right`.

    The file holds `models` and, for each test set, `images/<set>`, the number of images, and `right/<set>`, uint8
    [models, ⌈images / 8⌉] from `numpy.packbits`.
    """
    arrays: dict[str, np.ndarray] = {"models": np.array(models)}
    for name, answers in right.items():
        arrays[f"images/{name}"] = np.array(answers.shape[1])
        arrays[f"right/{name}"] = np.packbits(answers, axis=1)
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def main() -> None:
    """Make both files compact."""
    parser = argparse.ArgumentParser(description="Make the published predictions on CIFAR-10 and CIFAR-10.1 compact.")
    parser.add_argument("path", type=pathlib.Path, help="cifar10.1-predictions.npz, of 30 models, with labels")
    parser.add_argument("further", type=pathlib.Path, help="cifar10.1-predictions-84.npz, of 84 further models")
    parser.add_argument("people", type=pathlib.Path, help="cifar10h-counts.npy, CIFAR-10H")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "results" / "published", help="folder to write to")
    arguments = parser.parse_args()
    labels = read_labels(arguments.path)
    models, right = read_right(arguments.path, labels, TEST_SETS)
    further, further_right = read_right(arguments.further, labels, FURTHER_TEST_SETS)
    counts(models, right).to_csv(arguments.out / "cifar10.1-counts.csv", index=False)
    counts(further, further_right).to_csv(arguments.out / "cifar10.1-counts-84.csv", index=False)
    people = np.load(arguments.people, allow_pickle=False)
    disputed_labels(arguments.path, people).to_csv(arguments.out / "disputed-labels.csv", index=False)
    write_right(arguments.out / "cifar10.1-right.npz", models, right)
    print(f"{len(models)} models on {', '.join(TEST_SETS)}, {len(further)} further ones: {arguments.out}")


if __name__ == "__main__":
    main()
