"""Run folders as training leaves them, without the training, for tests of what reads them."""

import msgspec
import numpy as np
import pandas as pd

from autoaug import recipes
from autoaug.runs import predictions as files
from autoaug.runs import record as records

SHAPES = {"synthetic10": 0.9, "synthetic10_harder": 0.5}
"""Chances to be right on drawn shapes of models that find the second set harder, and not different."""


def predictions(rng, labels, accuracy, overlap=()):
    """Logits that are right with the given probability, and the images named as overlapping."""
    answers = np.where(rng.random(len(labels)) < accuracy, labels, (labels + 1) % 10)
    logits = (rng.normal(size=(len(labels), 10)) + 8 * np.eye(10)[answers]).astype(np.float32)
    return {"logits": logits, "labels": labels, "overlap": np.isin(np.arange(len(labels)), overlap)}


def kept(logits, labels, overlap, margins=False):
    """The predictions of these logits, as `evaluate_run` keeps them."""
    judged = files.margins(logits, labels) if margins else None
    return files.Predictions(logits.argmax(axis=1).astype(np.uint8), labels.astype(np.uint8), overlap, judged)


def record(run_id="a-run", train_data="synthetic10", tests=(), recipe=None, **changes):
    """A record of a finished run; `tests` are names of test sets, or a mapping to their hashes."""
    hashes = tests if isinstance(tests, dict) else dict.fromkeys(tests, "cd" * 32)
    recipe = recipe or recipes.get("wrn")
    fields = {
        "format": 2, "status": "finished", "kind": "trained", "run_id": run_id, "family": recipes.title(recipe),
        "recipe": recipe, "seed": 0, "workers": 1,
        "train_data": train(train_data),
        "tests": {name: records.Test("embedded images", sha256) for name, sha256 in hashes.items()},
        "code": records.Code("f" * 40, False), "packages": {"numpy": "2.4.0"}, "machine": {},
        "parameters": 174_058, "started": "2026-01-01T00:00:00Z", "wall_seconds": 61.2,
    }  # fmt: skip
    return records.Record(**fields | changes)


def train(name, sha256="ab" * 32):
    """What a record says of a training set."""
    return records.TrainData(name, 10, 5120, "embedded images", sha256, [0.5] * 3, [0.2] * 3)


def write(
    results, train_data, tests, seed=0, recipe=None, kind="trained", status="finished", workers=1,
    train_sha256="ab" * 32, test_sha256="cd" * 32, started="2026-01-01T00:00:00Z", margins=False,
):  # fmt: skip
    """Write a run with its predictions, test set → arrays; returns its row-to-be's run id."""
    recipe = recipe or recipes.get("wrn")
    run_id = f"{recipe.model}-{train_data}-{recipe.preset}-{recipe.epochs}-{kind}-seed{seed}"
    folder = results / "runs" / run_id
    changes = {"seed": seed, "kind": kind, "status": status, "workers": workers, "started": started}
    hashes = dict.fromkeys(tests, test_sha256)
    made = record(run_id, train_data, hashes, recipe, **changes)
    records.write(folder, msgspec.structs.replace(made, train_data=train(train_data, train_sha256)))
    for name, arrays in tests.items():
        files.write(folder / "predictions" / f"{name}.npz", kept(**arrays, margins=margins))
    epochs = np.arange(1, 4)
    history = pd.DataFrame({"epoch": epochs, "loss": 1 / epochs, "accuracy": 1 - 1 / (1 + epochs)})
    history.to_csv(folder / "history.csv", index=False)
    return run_id


def write_study(folder, chances, seeds=3, preset="quick", images=2_000):
    """Runs of the Wide-ResNet: training set → test set → chance to be right."""
    labels = np.arange(images) % 10
    for train_data, of_tests in chances.items():
        for seed in range(seeds):
            rng = np.random.default_rng([seed, *b"wrn", *train_data.encode()])
            tests = {name: predictions(rng, labels, chance) for name, chance in of_tests.items()}
            write(folder, train_data, tests, seed, recipes.get("wrn", preset))
