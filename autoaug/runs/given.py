"""A model that was trained elsewhere, or its predictions, as a run like any other."""

import dataclasses
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pandas as pd
from jaxtyping import Shaped, UInt8

from autoaug import datasets, recipes
from autoaug.datasets import Dataset, LabelledImages
from autoaug.files import absolute, require_regular
from autoaug.runs import predictions, record
from autoaug.runs.record import PREDICTIONS, RecordError

if TYPE_CHECKING:
    import keras

_SUFFIXES = (".npy", ".npz", ".csv")
_MOST_BYTES = 2**31

_Said = Iterator[tuple[LabelledImages, Shaped[np.ndarray, "..."], pathlib.Path]]
"""Test sets, what a model says of their images, and the file that it is from."""


def evaluate(
    name: str,
    train_data: str,
    seed: int,
    data_dir: str | os.PathLike[str],
    results_dir: str | os.PathLike[str],
    model_file: str = "",
    predictions_dir: str = "",
    inputs: str = "uint8",
    sha256: str = "",
    architecture: str = "wrn",
    size: Mapping[str, int] | None = None,
) -> pathlib.Path:
    """Leave a finished run of a model or of predictions from elsewhere; nothing is written before all is checked.

    Earlier answers of the same name, training set and seed are replaced.

    Args:
        name: of the model; its runs of several seeds are a family.
        train_data, seed: of its training. If the data set is none of those here, no overlap is known.
        data_dir: folder of the data sets.
        results_dir: the run's folder is `results_dir/runs/<run id>`, which is returned.
        model_file: a `.keras` file, or its `https://` address with `sha256`; or a TensorFlow 1 checkpoint of one of
            our models, `architecture` with `size`.
        predictions_dir: or a folder with `<test set>.npy`, `.npz` or `.csv`: float [n, classes], logits or
            probabilities, or int [n], classes.
        inputs: what the `.keras` file's model takes, one of `evaluation.INPUTS`.

    Raises:
        RecordError, and what loading data sets and checkpoints raises: the message names the file or parameter.
    """
    if bool(model_file) == bool(predictions_dir):
        raise RecordError(f"Expected model_file or predictions. Received: {model_file!r} and {predictions_dir!r}")
    run_dir = absolute(results_dir) / "runs" / record.name(name, train_data, seed)
    dataset = _training_set(train_data, data_dir, needed=bool(model_file))
    recipe, model = None, None
    found: _Said = _read_folder(absolute(predictions_dir), data_dir, dataset)  # read when it is asked for
    if dataset and model_file:
        from autoaug.runs import evaluation  # with TensorFlow

        path = _download(model_file, sha256) if "://" in model_file else absolute(model_file)
        recipe, model = _model(path, dataset, inputs, architecture, dict(size or {}))
        predict = evaluation.Predictor(model)
        found = ((test, predict(test.images), path) for test in evaluation.load_test_sets(dataset, data_dir))
    tests, kept, classes = {}, {}, 0
    for test, values, path in found:
        classes = datasets.spec(test.name, data_dir).num_classes
        overlap = dataset.trained_on(test.images) if dataset else np.zeros(len(test.labels), bool)
        answers = _answers(values, len(test.labels), classes, path)
        kept[test.name] = predictions.Predictions(answers, test.labels.astype(np.uint8), overlap)
        tests[test.name] = record.Test(test.source, test.sha256)

    trained_on = dataset or record.TrainData(train_data, classes)
    kind: record.Kind = "checkpoint" if recipe else "predictions"
    parameters = model.count_params() if model else None
    begun = record.start(run_dir, recipe, trained_on, seed, parameters, kind, family=name)
    for test_set, answered in kept.items():
        predictions.write(run_dir / PREDICTIONS / f"{test_set}.npz", answered)
    if model:
        evaluation.write_model(model, run_dir)
    record.write(run_dir, msgspec.structs.replace(begun, status="finished", tests=tests))
    return run_dir


def _training_set(train_data: str, data_dir: str | os.PathLike[str], needed: bool) -> Dataset | None:
    """The training set, if it is one of those here; None if it is a stranger's, and not needed."""
    known = {*datasets.DATASETS, *datasets.available(data_dir)}
    if train_data in known or needed or recipes.did_you_mean(train_data, known):
        return datasets.load(train_data, data_dir)
    print(f"{train_data} is none of the data sets here: whether it holds test images is not known.")
    return None


def _download(address: str, sha256: str) -> pathlib.Path:
    """The file at an https:// address, in pooch's cache."""
    import pooch

    if not address.startswith("https://") or len(sha256) != 64:
        raise RecordError(f"{address}: Expected https:// and sha256, 64 digits. Received: sha256={sha256!r}")
    with record.reading(address, "a file with this sha256"):
        return pathlib.Path(pooch.retrieve(address, f"sha256:{sha256}", progressbar=False))


def _model(
    path: pathlib.Path, dataset: Dataset, inputs: str, architecture: str, size: dict[str, int]
) -> tuple[recipes.Recipe | None, "keras.Model"]:
    """The whole model in a file, and its recipe if it is one of ours."""
    from autoaug import checkpoints, models
    from autoaug.runs import evaluation

    if inputs not in evaluation.INPUTS:
        raise RecordError(f"Expected inputs, one of {', '.join(evaluation.INPUTS)}. Received: {inputs!r}")
    if path.suffix != ".keras":
        recipe = dataclasses.replace(recipes.get(architecture, "paper"), size=size)
        ours = models.build_model(architecture, dataset.num_classes, **size)
        checkpoints.load_tf1(ours, path)
        return recipe, evaluation.whole(ours, dataset)
    model = evaluation.read_model(path)
    shapes = [getattr(model, name, None) for name in ("input_shape", "output_shape")]
    if shapes != [(None, 32, 32, 3), (None, dataset.num_classes)]:
        expected = f"a model [n, 32, 32, 3] → [n, {dataset.num_classes}]"
        raise RecordError(f"{path}: Expected {expected}. Received: {shapes[0]} → {shapes[1]}")
    return None, evaluation.whole(model, dataset, inputs)


def _read_folder(folder: pathlib.Path, data_dir: str | os.PathLike[str], dataset: Dataset | None) -> _Said:
    """The arrays in a folder of predictions, in the order of the test sets' names; all have the same classes."""
    family = datasets.spec(dataset.name, data_dir).family if dataset else None
    files = sorted(path for path in folder.glob("[!.]*") if path.suffix in _SUFFIXES)
    if not files or len({path.stem for path in files}) < len(files):
        expected = "Expected one file <test set>.npy, .npz or .csv a test set"
        raise RecordError(f"{folder}: {expected}. Received: {', '.join(path.name for path in files) or 'none'}")
    for path in files:
        here = datasets.available(data_dir, family, part="test")
        if path.stem not in here:
            expected = f"Expected the name of a test set with models' classes: {', '.join(here) or 'none is built'}"
            raise RecordError(f"{path}: {expected}. Received: {path.stem}{recipes.did_you_mean(path.stem, here)}")
        family = datasets.spec(path.stem, data_dir).family
        with record.reading(path, "an array of predictions"):
            array = _read(path)
        yield datasets.load_test(path.stem, data_dir), array, path


def _read(path: pathlib.Path) -> Shaped[np.ndarray, "..."]:
    """The one array in a file. A .csv has a column of classes, or as many columns as classes, and no line of names."""
    if path.suffix == ".npz":
        arrays = list(predictions.arrays(path, _MOST_BYTES).values())
        if len(arrays) != 1:
            raise ValueError(f"{len(arrays)} arrays, expected one")
        return arrays[0]
    require_regular(path, _MOST_BYTES)
    if path.suffix == ".npy":
        with path.open("rb") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    values = pd.read_csv(path, header=None, dtype=np.float64).to_numpy()
    is_classes = values.shape[1] == 1 and (values % 1 == 0).all()
    return values[:, 0].astype(np.int64) if is_classes else values


def _answers(
    values: Shaped[np.ndarray, "..."], images: int, classes: int, path: pathlib.Path
) -> UInt8[np.ndarray, " n"]:
    """The answers in an array of classes, logits or probabilities."""
    form = values.dtype.kind, values.shape
    if form in (("i", (images,)), ("u", (images,))) and values.min() >= 0 and values.max() < classes:
        return values.astype(np.uint8)
    if form == ("f", (images, classes)) and np.isfinite(values).all():
        return values.argmax(axis=1).astype(np.uint8)
    expected = f"int [{images}], classes from 0 to {classes - 1}, or float [{images}, {classes}], finite"
    extremes = f", from {values.min()} to {values.max()}" if values.size and form[0] in "iuf" else ""
    raise RecordError(f"{path}: Expected {expected}. Received: {values.dtype} {list(values.shape)}{extremes}")
