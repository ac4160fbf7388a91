"""Run folders as training leaves them, without the training, for tests of what reads them."""

import dataclasses
import io
import json

import numpy as np
import pandas as pd

from autoaug import recipes, records, shift
from autoaug.files import write_atomically


def predictions(rng, labels, accuracy, overlap=()):
    """Logits that are right with the given probability, and the images named as overlapping."""
    answers = np.where(rng.random(len(labels)) < accuracy, labels, (labels + 1) % 10)
    logits = rng.normal(size=(len(labels), 10)).astype(np.float32)
    logits[np.arange(len(labels)), answers] += 8
    return {"logits": logits, "labels": labels, "overlap": np.isin(np.arange(len(labels)), overlap)}


def counts(logits, labels, overlap):
    """As `evaluation.count_correct`, whose module imports TensorFlow."""
    correct = logits.argmax(axis=1) == labels
    clean = {"clean_total": int((~overlap).sum()), "clean_correct": int(correct[~overlap].sum())}
    return {"total": len(labels), "correct": int(correct.sum()), "overlap": int(overlap.sum()), **clean}


def write(
    results, train_data, tests, seed=0, recipe=None, kind="trained", status="finished", workers=1,
    train_sha256="ab" * 32, test_sha256="cd" * 32, started="2026-01-01T00:00:00Z",
):  # fmt: skip
    """Write a run with its predictions, test set → arrays; returns its row-to-be's run id."""
    recipe = recipe or recipes.get("wrn")
    run_id = f"{recipe.model}-{train_data}-{recipe.preset}-{recipe.epochs}-{kind}-seed{seed}"
    folder = results / "runs" / run_id
    record = {
        "format": 1,
        "status": status,
        "kind": kind,
        "run_id": run_id,
        "recipe": json.loads(json.dumps(dataclasses.asdict(recipe))),
        "seed": seed,
        "workers": workers,
        **({"update": "async"} if workers > 1 else {}),
        "train_data": {
            "name": train_data,
            "train_size": 5120,
            "num_classes": 10,
            "mean": [0.5] * 3,
            "std": [0.2] * 3,
            "source": "embedded images",
            "sha256": train_sha256,
        },
        "code": {"version": "0.1.0", "commit": "f" * 40, "dirty": False},
        "packages": {"numpy": "2.4.0"},
        "machine": {},
        "parameters": 174_058,
        "started": started,
        "wall_seconds": 61.2,
        "tests": {
            name: counts(**arrays) | {"source": "embedded images", "sha256": test_sha256}
            for name, arrays in tests.items()
        },
    }
    records.write(folder, record)
    for name, arrays in tests.items():
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        write_atomically(folder / "predictions" / f"{name}.npz", buffer.getvalue())
    epochs = np.arange(1, 4)
    history = pd.DataFrame({"epoch": epochs, "loss": 1 / epochs, "accuracy": 1 - 1 / (1 + epochs)})
    history.to_csv(folder / "history.csv", index=False)
    return run_id


def tables(*rows):
    """Accuracies and gaps of runs given as (run id, kind, training set, test set, correct of 1,000)."""
    counts = pd.DataFrame(rows, columns=["run_id", "preset", "train_data", "test_set", "correct"])
    counts = counts.assign(model="wrn", family="wrn", train_source="CIFAR-10", seed=0)
    counts = counts.assign(test_source="CIFAR-10", total=1000, overlap=0, clean_total=1000)
    counts = shift.clean_counts(counts.assign(clean_correct=counts["correct"]))
    return shift.accuracy_table(counts), shift.gap_table(counts)
