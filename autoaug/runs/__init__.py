"""Runs: a folder each, `results/runs/<run id>/`, and the table of those that are finished.

    record.json                 what was trained, on what, by which code (`record`)
    history.csv                 a row per epoch
    checkpoints/                of the training
    predictions/<test set>.npz  an answer for each image (`predictions`)
    model.keras                 the trained model, normalisation inside (`autoaug.load`)

Files are written under a temporary name and then renamed.
"""

import collections
import io
import os
import pathlib
import shlex
import warnings
from collections.abc import Sequence
from typing import Any

import msgspec
import pandas as pd

from autoaug import datasets
from autoaug.datasets import Dataset, LabelledImages
from autoaug.files import is_whole_zip, read_text
from autoaug.runs import predictions
from autoaug.runs.record import CHECKPOINTS, HISTORY, MODEL, PREDICTIONS, Record, RecordError, Test, name, read, reading

__all__ = ["COLUMNS", "Record", "RecordError", "accuracies", "collect", "history", "is_finished", "name"]

COLUMNS = (
    *("run_id", "folder", "started", "kind", "preset", "model", "family", "epochs", "precision", "recipe", "seed"),
    *("train_data", "train_size", "train_source", "train_sha256", "test_set", "test_source", "test_sha256"),
    *("total", "correct", "overlap", "accuracy", "low", "high"),
)


def collect(results_dir: str | os.PathLike[str], *others: str | os.PathLike[str]) -> pd.DataFrame:
    """Table of the finished runs under `results_dir/runs`: a row per run and test set, columns COLUMNS.

    `total` and `correct` leave out the test images that are among the run's training images; `overlap` counts these.
    `accuracy` and its exact 95 % interval (Clopper–Pearson) are fractions; NaN if no image is left. `recipe` is JSON.
    Models that were trained elsewhere have the preset "imported", and no recipe unless it is known. `train_sha256` and
    `test_sha256` are hashes of pixels and labels.

    A run with an unreadable file is left out, with a warning that names the file and the remedy; `attrs["unreadable"]`
    lists (folder, message) of each. If a run is there several times, only the first one counts. A folder of results
    that does not exist is a RecordError.
    """
    rows: dict[str, list[dict[str, Any]]] = {}
    labels: dict[tuple[str, str], bytes] = {}
    unreadable = []
    for results in map(pathlib.Path, (results_dir, *others)):
        if not results.is_dir():
            raise RecordError(f"{results.absolute()}: Expected a folder of results. Received: none")
        for folder in sorted((results / "runs").glob("*")):
            if not os.path.lexists(folder / "record.json"):
                continue
            try:
                record = read(folder)
                if record.status == "finished" and record.run_id not in rows:
                    history(folder)  # the report reads it later
                    rows[record.run_id] = _rows(folder, record, labels)
            except RecordError as error:
                remedy = f"or remove it, and repeat its command: rm -r {shlex.quote(str(folder))}"
                can_go_on = (folder / CHECKPOINTS).exists() and "record.json" not in str(error) and not is_whole(folder)
                message = f"{error}. {'Repeat its command' if can_go_on else f'Restore it from a copy; {remedy}'}"
                unreadable.append((str(folder), message))
                warnings.warn(f"Left out, since it cannot be read: {message}", stacklevel=2)
    table = _table([row for run in rows.values() for row in run])
    table.attrs["unreadable"] = unreadable
    return table


def accuracies(run_dir: str | os.PathLike[str]) -> pd.DataFrame:
    """The rows of one run, finished or not, as in `collect`'s table; RecordError if a file of it is unreadable."""
    return _table(_rows(pathlib.Path(run_dir), read(run_dir), {}))


def is_finished(run_dir: str | os.PathLike[str], dataset: Dataset, test_sets: Sequence[LabelledImages]) -> bool:
    """Whether nothing is left to do: the run was trained on this data, tested on these sets, and no file is missing."""
    if not is_whole(run_dir):
        return False
    kept, tests = read(run_dir), {test.name: Test(test.source, test.sha256) for test in test_sets}
    return kept.train_data.sha256 == dataset.sha256 and tests.items() <= kept.tests.items()


def is_up_to_date(run_dir: pathlib.Path, train_data: str, data_dir: pathlib.Path) -> bool:
    """Whether nothing is left to do on the data sets as their manifests are now, with every test set that is there.

    A run without checkpoints, such as one that was collected from S3, cannot be tested again, and is finished.
    """
    try:
        kept, family = read(run_dir), datasets.spec(train_data, data_dir).family
        tests = datasets.available(data_dir, family, part="test")
        parts = [(train_data, "training", kept.train_data), *((test, "test", kept.tests.get(test)) for test in tests)]
        same = [of and datasets.stated_hash(data, part, data_dir) in (None, of.sha256) for data, part, of in parts]
    except ValueError:
        return False  # the notebook says what is wrong
    if (run_dir / CHECKPOINTS).exists():
        return is_whole(run_dir) and all(same)
    return kept.status == "finished" and bool(same[0])


def is_whole(run_dir: str | os.PathLike[str]) -> bool:
    """Whether a training is finished, and none of its run's files is missing or damaged."""
    try:
        kept, _, epochs = read(run_dir), accuracies(run_dir), history(run_dir)  # all predictions are read
    except RecordError:
        return False
    is_trained = kept.status == "finished" and kept.recipe and len(epochs) == kept.recipe.epochs
    return bool(is_trained) and is_whole_zip(pathlib.Path(run_dir) / MODEL)


def _rows(folder: pathlib.Path, record: Record, labels: dict[tuple[str, str], bytes]) -> list[dict[str, Any]]:
    """The run's rows of `collect`'s table; RecordError if its predictions are unreadable, or other than `labels` say.

    `labels` are those that earlier runs have for a test set, by its name and hash; it grows.
    """
    data, recipe, rows = record.train_data, record.recipe, []
    run = {name: getattr(record, name) for name in ("run_id", "started", "kind", "seed")} | {
        "folder": str(folder),
        "preset": recipe.preset if recipe and record.kind == "trained" else "imported",
        "model": recipe.model if recipe else record.family,
        "family": record.family,
        "epochs": recipe.epochs if recipe else None,
        "precision": recipe.precision if recipe else "",
        "recipe": msgspec.json.encode(recipe, order="sorted").decode() if recipe else "",
        "train_data": data.name,
        "train_size": data.train_size or 0,
        "train_source": data.source,
        "train_sha256": data.sha256 or "",
    }
    for test_set, test in record.tests.items():
        path = folder / PREDICTIONS / f"{test_set}.npz"
        found = predictions.read(path)
        if max(found.answers.max(), found.labels.max()) >= data.num_classes:
            raise RecordError(f"{path}: Expected answers and labels of {data.num_classes} classes. Received: others")
        if labels.setdefault((test_set, test.sha256), found.labels.tobytes()) != found.labels.tobytes():
            raise RecordError(f"{path}: Expected the labels that other runs have for this test set. Received: others")
        counts = {"correct": (found.right & ~found.overlap).sum(), "overlap": found.overlap.sum()}
        row = run | {"test_set": test_set, "test_source": test.source, "test_sha256": test.sha256}
        rows.append(row | counts | {"total": len(found.labels) - counts["overlap"]})
    return rows


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The table of rows of counts, with accuracies and their exact 95 % intervals."""
    from scipy.special import betaincinv  # slow to import; NaN for none and for all correct

    table = pd.DataFrame(rows, columns=list(COLUMNS[:-3]))
    table = table.astype({"total": int, "correct": int, "overlap": int, "epochs": "Int64"})
    correct, wrong, some = table["correct"], table["total"] - table["correct"], table["total"] > 0
    low = betaincinv(correct, wrong + 1, 0.025).fillna(0.0).where(some)
    high = betaincinv(correct + 1, wrong, 0.975).fillna(1.0).where(some)
    return table.assign(accuracy=correct / table["total"], low=low, high=high)


def history(run_dir: str | os.PathLike[str]) -> pd.DataFrame:
    """A row for each epoch from 1 on, NaN for no value; empty without a file, a RecordError if it is something else."""
    path = pathlib.Path(run_dir) / HISTORY
    if not path.exists():
        return pd.DataFrame()
    with reading(path, "the history of a run"):
        types: Any = collections.defaultdict(lambda: float, epoch=int)
        if len((text := read_text(path)).partition("\n")[0]) > 2**12:  # pandas takes minutes for its columns
            raise ValueError("a line of more than 4,096 characters")
        table = pd.read_csv(io.StringIO(text), index_col=False, dtype=types)
        if list(table.get("epoch", [0])) != list(range(1, len(table) + 1)):
            raise ValueError("epochs that do not count from 1")
    return table
