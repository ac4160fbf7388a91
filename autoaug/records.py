"""The record of a run: what was trained, on what, by which code, and what it got right on every test set.

A run is a folder `results/runs/<run id>/` with

    record.json                this record (record_schema.json)
    history.csv                one row per epoch
    checkpoints/               the newest two, and the newest at an epoch's end
    tensorboard/               the history again, in TensorBoard's format
    predictions/<test set>.npz logits float32 [n, classes], labels int64 [n], overlap bool [n]

The record is written when training starts, with the status "unfinished", and again when the last test set has been
evaluated, with the status "finished". Only finished runs are counted. Files are written under a temporary name and
then renamed.
"""

import contextlib
import dataclasses
import datetime
import hashlib
import itertools
import json
import os
import pathlib
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import fastjsonschema  # jsonschema compiles a grammar at its import, for three seconds
import filelock
import numpy as np
import pandas as pd
from jaxtyping import Shaped

from autoaug import provenance, recipes
from autoaug.datasets import Dataset
from autoaug.files import read_json, remove_left_over, write_atomically

_check_schema = fastjsonschema.compile(json.loads((pathlib.Path(__file__).parent / "record_schema.json").read_text()))
CHECKPOINTS, HISTORY = "checkpoints", "history.csv"  # names in a run's folder
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_TEST_COLUMNS = ("total", "correct", "overlap", "clean_total", "clean_correct")
COLUMNS = (
    *("run_id", "folder", "started", "kind", "preset", "model", "recipe", "seed"),
    *("train_data", "train_source", "train_sha256", "test_set", "test_source", "test_sha256", *_TEST_COLUMNS),
)


class RecordError(ValueError):
    """A record is unreadable, does not fit the schema, or belongs to another run."""


@contextlib.contextmanager
def lock(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Lock a run's folder for this process; the folder is made if it does not exist. A crash releases the lock.

    Raises:
        RecordError: another process holds it.
    """
    path = pathlib.Path(folder) / ".lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(path, timeout=0):
            yield
    except filelock.Timeout as error:
        raise RecordError(f"{folder}: another process is training this run. Wait for it or stop it.") from error


def run_id(recipe: recipes.Recipe, dataset: Dataset, seed: int, workers: int = 1, update: str = "async") -> str:
    """Name of the run: `wrn-synthetic10-quick-seed0-1a2b3c4d`; the last part is a hash of everything that defines it.

    Raises:
        ValueError: the seed is out of range.
    """
    recipes.check_seed(seed)
    several = [workers, update] if workers > 1 else []
    identity = json.dumps([dataclasses.asdict(recipe), dataset.sha256, seed, *several], sort_keys=True)
    digest = hashlib.sha256(identity.encode()).hexdigest()[:8]
    data_name = dataset.name.replace("_", "-")
    return f"{recipes.SHORT_NAMES[recipe.model]}-{data_name}-{recipe.preset}-seed{seed}-{digest}"


def imported_run_id(recipe: recipes.Recipe, data_name: str, weights: Iterable[Shaped[np.ndarray, "..."]]) -> str:
    """Name of an imported model's run: `imported-wrn-cifar10-1a2b3c4d`; the last part is a hash of its weights."""
    digest = hashlib.sha256(b"".join(array.tobytes() for array in weights)).hexdigest()[:8]
    return f"imported-{recipes.SHORT_NAMES[recipe.model]}-{data_name.replace('_', '-')}-{digest}"


def start(
    folder: str | os.PathLike[str],
    recipe: recipes.Recipe,
    dataset: Dataset,
    seed: int,
    parameters: int,
    kind: str = "trained",
    workers: int = 1,
    update: str = "async",
    computing: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write the unfinished record of a new run, or return the existing record of the same run.

    Half-written files of a killed process are removed.

    Args:
        folder: the run's folder; it is made if it does not exist.
        recipe: the recipe to train.
        dataset: the training set (for an imported model, the set that normalises its input).
        seed: of all random choices.
        parameters: number of the model's trainable parameters.
        kind: "trained" here, or "imported" from a checkpoint.
        workers, update: number of workers, and how they update the model ("async" or "sync").
        computing: `devices.recorded()`, if TensorFlow computes the model.

    Raises:
        RecordError: the folder holds the record of another recipe, data set, seed, workers or update; the message says
            which.
    """
    folder = pathlib.Path(folder)
    remove_left_over(folder)
    record: dict[str, Any] = {
        "format": 1,
        "status": "unfinished",
        "kind": kind,
        "run_id": folder.name,
        "recipe": dataclasses.asdict(recipe),
        "seed": seed,
        "workers": workers,
        "train_data": {
            "name": dataset.name,
            "train_size": len(dataset.train_labels),
            "num_classes": dataset.num_classes,
            "mean": [float(value) for value in dataset.mean],
            "std": [float(value) for value in dataset.std],
            "source": dataset.source,
            "sha256": dataset.sha256,
        },
        "code": provenance.code_version(),
        "packages": provenance.package_versions(),
        "machine": provenance.machine() | dict(computing or {}),
        "parameters": parameters,
        "started": datetime.datetime.now(datetime.UTC).strftime(_TIME),
        "wall_seconds": 0.0,
        "tests": {},
    }
    if workers > 1:
        record["update"] = update
    if (folder / "record.json").exists():
        earlier = read(folder)
        _require_same_run(folder, earlier, record)
        return earlier
    write(folder, record)
    return record


def _require_same_run(folder: pathlib.Path, earlier: dict[str, Any], record: dict[str, Any]) -> None:
    """Raise unless both records have the same recipe, data set, seed, workers and update."""
    differences: list[str] = []
    for key in ("kind", "recipe", "seed", "train_data", "workers", "update"):
        old, new = earlier.get(key), json.loads(json.dumps(record.get(key)))
        if not isinstance(old, dict):
            old, new = {key: old}, {key: new}
        differences += [f"{k}: {old.get(k)} there, {new.get(k)} now" for k in new if old.get(k) != new.get(k)]
    if differences:
        raise RecordError(f"{folder} belongs to another run. " + "; ".join(differences) + ". Use another folder.")


def write(folder: str | os.PathLike[str], record: dict[str, Any]) -> None:
    """Validate the record and write it to `folder/record.json`, whole or not at all.

    Raises:
        RecordError: it does not fit the schema, or its counts contradict each other.
    """
    _validate(record, pathlib.Path(folder) / "record.json")
    write_atomically(pathlib.Path(folder) / "record.json", (json.dumps(record, indent=2) + "\n").encode())


def read(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The record in a run's folder, checked against the schema and its own sums.

    Raises:
        RecordError: the message names the file and what is wrong with it.
    """
    path = pathlib.Path(folder) / "record.json"
    try:
        record = read_json(path)
    except (OSError, ValueError) as error:
        raise RecordError(f"{path}: expected a run's record. Received: {error}") from error
    _validate(record, path)
    return record


def _validate(record: Any, path: pathlib.Path) -> None:
    """Raise RecordError unless a record fits the schema and its counts are consistent."""
    try:
        _check_schema(record)
    except fastjsonschema.JsonSchemaValueException as error:
        message = error.message.replace(error.name or "", ".".join(["$", *error.path[1:]]), 1)
        raise RecordError(f"{path}: {message}. Received: {textwrap.shorten(repr(error.value), 80)}") from error
    try:
        datetime.datetime.strptime(record["started"], _TIME)
    except ValueError as error:
        raise RecordError(f"{path}: $.started: expected a time. Received: {record['started']}") from error
    for name, test in record["tests"].items():
        consistent = (
            test["clean_total"] == test["total"] - test["overlap"]
            and test["clean_correct"] <= test["clean_total"]
            and 0 <= test["correct"] - test["clean_correct"] <= test["overlap"]
        )
        if not consistent:
            raise RecordError(f"{path}: $.tests.{name}: the counts contradict each other: {test}")


def collect(results_dir: str | os.PathLike[str], *others: str | os.PathLike[str]) -> pd.DataFrame:
    """Table of the finished runs under `results_dir/runs`: one row per run and test set, columns COLUMNS.

    `recipe` is the whole recipe as JSON; with several workers, their number and kind of update are in it. So runs with
    the same recipe and training set differ only in their seed. `train_source` and `test_source` say where the images
    come from, such as "CIFAR-10 (JPEG copy)". `train_sha256` and `test_sha256` are hashes of their pixels and labels.

    Counts are integers. `overlap` counts the test images that are among the run's training images; the accuracy to
    report is `clean_correct / clean_total`. Unfinished runs are left out; `unfinished` lists them.
    An address such as `s3://bucket/jobs` stands for the results of the SageMaker jobs there (`s3.fetch`).

    Args:
        results_dir, others: folders. If a run is there several times, only the first one counts.
    """
    rows: dict[str, list[tuple]] = {}
    for folder, record in itertools.chain.from_iterable(_runs(directory) for directory in (results_dir, *others)):
        if record is not None and _is_finished(record) and record["run_id"] not in rows:
            rows[record["run_id"]] = _rows(folder, record)
    return pd.DataFrame(list(itertools.chain.from_iterable(rows.values())), columns=list(COLUMNS))


def _rows(folder: pathlib.Path, record: dict[str, Any]) -> list[tuple]:
    """The run's rows of `collect`'s table."""
    recipe, train_data = record["recipe"], record["train_data"]
    several = {key: record[key] for key in ("workers", "update") if record["workers"] > 1}
    run = (
        *(record["run_id"], str(folder), record["started"], record["kind"], recipe["preset"], recipe["model"]),
        *(json.dumps(recipe | several, sort_keys=True), record["seed"]),
        *(train_data[key] for key in ("name", "source", "sha256")),
    )
    return [
        (*run, name, *(test[key] for key in ("source", "sha256", *_TEST_COLUMNS)))
        for name, test in record["tests"].items()
    ]


def unfinished(results_dir: str | os.PathLike[str]) -> list[pathlib.Path]:
    """Folders of unfinished runs under `results_dir/runs` that can be continued, sorted.

    A run without a checkpoint and without a history cannot be continued, and is not listed.
    """
    return [
        folder
        for folder, record in _runs(results_dir)
        if not _is_finished(record) and (checkpoint_steps(folder / CHECKPOINTS) or (folder / HISTORY).exists())
    ]


def _runs(results_dir: str | os.PathLike[str]) -> Iterator[tuple[pathlib.Path, dict[str, Any] | None]]:
    """Each run's folder with its record, or None if it has none; an unreadable record is an error.

    A folder that bears the run's name comes before folders with copies of the run.
    """
    if str(results_dir).startswith("s3://"):  # results of SageMaker jobs
        from autoaug import s3

        results_dir = s3.fetch(str(results_dir))
    folders = sorted(path for path in (pathlib.Path(results_dir) / "runs").glob("*") if path.is_dir())
    runs = [(folder, read(folder) if (folder / "record.json").exists() else None) for folder in folders]
    yield from sorted(runs, key=lambda run: run[1] is not None and run[1]["run_id"] != run[0].name)


def _is_finished(record: dict[str, Any] | None) -> bool:
    return record is not None and record["status"] == "finished"


def checkpoint_steps(folder: str | os.PathLike[str]) -> list[int]:
    """Steps after which there is a checkpoint in `checkpoints/`, whole or damaged, in ascending order."""
    names = [re.fullmatch(r"step-(\d{9,18})\.index", path.name) for path in pathlib.Path(folder).glob("step-*.index")]
    return sorted(int(name[1]) for name in names if name)


def checkpoint_prefix(folder: str | os.PathLike[str], step: int) -> pathlib.Path:
    """The path of a checkpoint's files without their endings, `.index` and `.data-…`: `step-000000390`."""
    return pathlib.Path(folder) / f"step-{step:09d}"
