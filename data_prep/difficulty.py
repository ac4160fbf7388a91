"""How hard each image of CIFAR-10 is for models that were not trained on it: `difficulty.npz`, made once and kept.

    python -m data_prep.difficulty DATA_DIR RUN [RUN …]

CIFAR-10 is divided into two halves. Models trained on one half are tested on the other, so each of the 60,000 images
has answers of models that were not trained on it: their entropy (in nats), and minus the margin of its label (a
difference of probabilities), averaged over the runs: Wide-ResNets of the small preset, four epochs, seed 0.
"""

import pathlib
import sys
from typing import Any

import numpy as np
import scipy.special

from autoaug import datasets
from data_prep import drawing, folders
from data_prep.known_truth import DIFFICULTY


def from_logits(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Entropy, and minus the margin, of each image."""
    probabilities = scipy.special.softmax(logits.astype(np.float64), axis=1)
    entropy = scipy.special.entr(probabilities).sum(axis=1)
    every = np.arange(len(labels))
    of_label = probabilities[every, labels]
    probabilities[every, labels] = -1
    return entropy, probabilities.max(axis=1) - of_label


def main(data_dir: str, *runs: str) -> None:
    """Writes the file from the predictions of runs on the halves."""
    sums = {
        f"{score} {part}": np.zeros(n)
        for score in ("entropy", "margin")
        for part, n in (("training", 50_000), ("test", 10_000))
    }
    for half in datasets.HALVES:
        other = datasets.HALVES[1 - datasets.HALVES.index(half)]
        folder = datasets.training_folder(half, data_dir)
        origins = np.load(folder / f"{folders.part_file(half, 'test')}_origins.npy")
        chosen = [run for run in runs if f"-{half.replace('_', '-')}-" in run]
        for run in chosen:
            with np.load(pathlib.Path(run) / "predictions" / f"{half}.npz") as file:
                scores = dict(zip(("entropy", "margin"), from_logits(file["logits"], file["labels"]), strict=True))
            for part in ("training", "test"):
                rows = origins["pool"] == drawing.POOLS.index(f"cifar10 {part}")
                for score, values in scores.items():
                    sums[f"{score} {part}"][origins["index"][rows]] += values[rows] / len(chosen)
        print(half, "tested by", chosen, "; the other half is", other)
    arrays: dict[str, Any] = {name: values.astype(np.float16) for name, values in sums.items()}
    np.savez_compressed(DIFFICULTY, **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
