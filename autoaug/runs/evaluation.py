"""A trained model's answers on every test set that fits it, and the model in `model.keras`; models from elsewhere, too.

The file takes uint8 images and gives logits, normalisation inside. After `import autoaug`, plain
`keras.saving.load_model` opens it, in any process and folder.
"""

import contextlib
import dataclasses
import itertools
import json
import math
import os
import pathlib
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence

import keras
import msgspec
import numpy as np
import pandas as pd
import tensorflow as tf
import tqdm
from jaxtyping import Shaped

from autoaug import checkpoints, datasets, models, recipes, runs
from autoaug.datasets import Dataset, LabelledImages
from autoaug.files import absolute, is_whole_zip, require_regular
from autoaug.models.layers import Normalize
from autoaug.runs import predictions, record
from autoaug.runs.record import MODEL, PREDICTIONS, RecordError, Test, reading

INPUTS = ("uint8", "0-1", "normalised")
BATCH_SIZE = 250  # of predictions, in memory
_LONGEST_LINE, _LONGEST_CONFIG, _MOST_BYTES = 2**16, 2**24, 2**32

_Said = Iterator[tuple[LabelledImages, Shaped[np.ndarray, "..."], pathlib.Path]]
"""Test sets, what a model says of their images, and the file that it is from."""


def whole(model: keras.Model, dataset: Dataset, inputs: str = "normalised") -> keras.Model:
    """A model from uint8 images, around another one; they share their weights.

    Args:
        model: from images in the form that `inputs` names, one of `INPUTS`; "uint8" is 0 to 255.
        dataset: its training set, whose statistics normalise the images.
    """
    images = keras.Input((32, 32, 3), dtype="uint8", name="pixels")
    scaled = {"uint8": 1.0, "0-1": 1 / 255}
    prepare = keras.layers.Rescaling(scaled[inputs]) if inputs in scaled else Normalize(dataset.mean, dataset.std)
    return keras.Model(images, model(prepare(images), training=False), name=model.name)


def write_model(model: keras.Model, run_dir: str | os.PathLike[str]) -> None:
    """Write a whole model to `model.keras`; no reader sees half of it."""
    with tempfile.TemporaryDirectory(dir=run_dir, prefix=".", suffix=".tmp") as folder:
        keras.saving.save_model(model, pathlib.Path(folder) / MODEL)
        (pathlib.Path(folder) / MODEL).replace(pathlib.Path(run_dir) / MODEL)


def load(run_dir: str | os.PathLike[str]) -> keras.Model:
    """The trained model of a run: uint8 [n, 32, 32, 3] → logits [n, classes]. RecordError without its `model.keras`."""
    return read_model(pathlib.Path(run_dir) / MODEL)


def read_model(path: str | os.PathLike[str]) -> keras.Model:
    """The model in a .keras file; RecordError for any other file, and for code in it: a Lambda, an unknown class."""
    with reading(path, "a .keras file without code of its own"):
        tf.config.experimental.enable_tensor_float_32_execution(False)  # see `autoaug.devices`
        require_regular(path, _MOST_BYTES)
        with zipfile.ZipFile(path) as archive:
            stored = archive.getinfo("model.weights.h5").file_size
            text = archive.open("config.json").read(_LONGEST_CONFIG)
        config = json.loads(text) | {"compile_config": None}  # an optimizer would make variables at once
        policy = keras.config.dtype_policy()
        try:
            with keras.StatelessScope(initialize_variables=False):  # weights without memory: any number may be declared
                weights = keras.saving.deserialize_keras_object(config, safe_mode=True).weights
        finally:
            keras.utils.clear_session()  # else Keras makes the weights later
            keras.config.set_dtype_policy(policy)
        needed = sum(math.prod(weight.shape) * tf.as_dtype(weight.dtype).size for weight in weights)
        if needed > min(stored, _MOST_BYTES):
            raise ValueError(f"weights of {needed:,} bytes, of which the file has {stored:,}")
        return keras.saving.load_model(path, compile=False, safe_mode=True)


def evaluate_run(
    model: keras.Model, dataset: Dataset, run_dir: str | os.PathLike[str], test_sets: Sequence[LabelledImages]
) -> None:
    """Evaluate a trained model, and finish its run: predictions, `model.keras`, record.

    A test set with the same pixels and labels is not evaluated again, unless its predictions are missing or damaged.

    Args:
        model: the trained model, from normalised images.
        dataset: the data set that it was trained on; its statistics normalise every test set.
        run_dir: the run's folder, with the record that was begun by the training.
        test_sets: from `datasets.load_test_sets`.
    """
    run_dir, begun = pathlib.Path(run_dir), time.perf_counter()
    started, history = record.read(run_dir), runs.history(run_dir)
    model, tests = whole(model, dataset), dict(started.tests)
    for test in tqdm.tqdm(test_sets, desc="test sets", disable=None):
        path, described = run_dir / PREDICTIONS / f"{test.name}.npz", Test(test.source, test.sha256)
        if tests.get(test.name) == described:
            with contextlib.suppress(RecordError):
                kept = predictions.read(path)
                if np.array_equal(kept.labels, test.labels) and kept.answers.max() < dataset.num_classes:
                    continue
        logits = model.predict(test.images, BATCH_SIZE, verbose=0)
        predictions.write(path, _predictions(logits, test, dataset.num_classes, dataset, path))
        tests[test.name] = described
    if not is_whole_zip(run_dir / MODEL):
        write_model(model, run_dir)
    seconds = started.wall_seconds or math.fsum(history["seconds"]) + time.perf_counter() - begun
    record.write(run_dir, msgspec.structs.replace(started, status="finished", tests=tests, wall_seconds=seconds))


def evaluate_given(
    family: str,
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
    """Leave a finished run of a model from elsewhere, after all checks; return its folder, `results_dir/runs/<run id>`.

    Earlier answers of the same run are replaced, and those of another seed refused. Errors name the file or parameter.

    Args:
        family: name of the model; its runs of several seeds are a family.
        train_data, seed: of its training. If no data set here has nearly this name, no overlap is known.
        data_dir: folder of the data sets.
        model_file: a `.keras` file, or its `https://` address with `sha256`; or a TensorFlow 1 checkpoint of one of
            our models, `architecture` with `size`.
        predictions_dir: or a folder with `<test set>.npy`, `.npz` or `.csv`: float [n, classes], logits or
            probabilities, or int [n], classes.
        inputs: what the `.keras` file's model takes, one of `INPUTS`.
    """
    given = [family, train_data, model_file, predictions_dir]
    if not (family and train_data) or bool(model_file) == bool(predictions_dir):
        raise RecordError(f"Expected name, train_data, and model_file or predictions. Received: {given}")
    run_dir = absolute(results_dir) / "runs" / record.name(family, train_data, seed)
    dataset = _training_set(train_data, data_dir, needed=bool(model_file))
    recipe, model = None, None
    found = _read_folder(absolute(predictions_dir), data_dir, dataset)  # read when it is asked for
    if dataset and model_file:
        path = _download(model_file, sha256) if "://" in model_file else absolute(model_file)
        recipe, model = _model(path, dataset, inputs, architecture, dict(size or {}))
        tests = datasets.load_test_sets(dataset, data_dir)
        logits = (model.predict(test.images, BATCH_SIZE, verbose=0).astype(np.float32) for test in tests)  # no bfloat16
        found = zip(tests, logits, itertools.repeat(path))
    described, kept, classes = {}, {}, 0
    for test, values, path in found:
        classes = datasets.spec(test.name, data_dir).num_classes
        kept[test.name] = _predictions(values, test, classes, dataset, path)
        described[test.name] = Test(test.source, test.sha256)
    for other in sorted({*run_dir.parent.glob(f"{run_dir.name.rpartition('-seed')[0]}-seed*")} - {run_dir}):
        with contextlib.suppress(RecordError):  # it has other test sets, or is damaged
            both = [(predictions.read(other / PREDICTIONS / f"{name}.npz"), of) for name, of in kept.items()]
            if both and all(np.array_equal(one.answers, of.answers) and not of.right.all() for one, of in both):
                expected = f"other answers than those of another seed, {other}"
                raise ValueError(f"{predictions_dir or model_file}: Expected {expected}. Received: the same")
    trained_on = dataset or record.TrainData(train_data, classes)
    kind: record.Kind = "checkpoint" if recipe else "predictions"
    parameters = model.count_params() if model else None
    with record.lock(run_dir):
        begun = record.start(run_dir, recipe, trained_on, seed, parameters, kind, family=family)
        record.write(run_dir, msgspec.structs.replace(begun, status="unfinished"))  # earlier answers are replaced
        for test_set, answered in kept.items():
            predictions.write(run_dir / PREDICTIONS / f"{test_set}.npz", answered)
        (run_dir / MODEL).unlink(missing_ok=True)  # of earlier answers
        if model:
            write_model(model, run_dir)
        record.write(run_dir, msgspec.structs.replace(begun, status="finished", tests=described))
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
        expected = "model_file, a file or an https:// address with sha256, 64 digits"
        raise RecordError(f"Expected {expected}. Received: {address}, sha256={sha256!r}")
    with reading(address, "a file with this sha256"):
        return pathlib.Path(pooch.retrieve(address, f"sha256:{sha256}", progressbar=False))


def _model(
    path: pathlib.Path, dataset: Dataset, inputs: str, architecture: str, size: dict[str, int]
) -> tuple[recipes.Recipe | None, keras.Model]:
    """The whole model in a file, and its recipe if it is one of ours."""
    recipes.require_known("inputs", inputs, INPUTS)
    if path.suffix != ".keras":
        recipe = dataclasses.replace(recipes.get(architecture, "paper"), size=size)
        ours = models.build_model(architecture, dataset.num_classes, **size)
        checkpoints.load_tf1(ours, path)
        return recipe, whole(ours, dataset)
    model = read_model(path)
    shapes = [getattr(model, name, None) for name in ("input_shape", "output_shape")]
    has_dicts = shapes[0] is not None and any(isinstance(end, dict) for end in (model.input, model.output))
    if has_dicts or shapes != [(None, 32, 32, 3), (None, dataset.num_classes)]:
        expected = f"a model [n, 32, 32, 3] → [n, {dataset.num_classes}], without dicts"
        raise RecordError(f"{path}: Expected {expected}. Received: {shapes[0]} → {shapes[1]}{', dicts' * has_dicts}")
    return None, whole(model, dataset, inputs)


def _read_folder(folder: pathlib.Path, data_dir: str | os.PathLike[str], dataset: Dataset | None) -> _Said:
    """The arrays in a folder of predictions, in the order of the test sets' names; all have the same classes."""
    family = datasets.spec(dataset.name, data_dir).family if dataset else None
    files = sorted(path for path in folder.glob("[!.]*") if path.suffix in (".npy", ".npz", ".csv"))
    if not files or len({path.stem for path in files}) < len(files):
        expected = "Expected one file <test set>.npy, .npz or .csv a test set"
        nothing = "none" if folder.is_dir() else "no such folder"
        raise RecordError(f"{folder}: {expected}. Received: {', '.join(path.name for path in files) or nothing}")
    for path in files:
        known, here = datasets.DATASETS.get(path.stem), datasets.available(data_dir, family, part="test")
        remedy = datasets.manifests.build_command(path.stem, data_dir)
        with reading(path, "predictions for a test set with the model's classes"):
            if known and family in (None, known.family) and known.test_file and path.stem not in here:
                raise ValueError(f"{path.stem}, which is not here. {remedy}")
            recipes.require_known("its name", path.stem, here)
            array = _read(path)
        family = datasets.spec(path.stem, data_dir).family
        yield datasets.load_test(path.stem, data_dir), array, path


def _read(path: pathlib.Path) -> Shaped[np.ndarray, "..."]:
    """The one array in a file. A .csv has a column of classes, or as many columns as classes, and no line of names."""
    if path.suffix == ".csv":
        require_regular(path, _MOST_BYTES)
        with path.open("rb") as file:
            if len(file.readline(_LONGEST_LINE)) == _LONGEST_LINE:  # pandas takes minutes for its columns
                raise ValueError(f"a line of more than {_LONGEST_LINE:,} bytes")
        values = pd.read_csv(path, header=None, dtype=np.float64).to_numpy()
        is_classes = values.shape[1] == 1 and (values % 1 == 0).all()
        return values[:, 0].astype(np.int64) if is_classes else values
    arrays = list(predictions.arrays(path, _MOST_BYTES).values())
    if len(arrays) != 1:
        raise ValueError(f"{len(arrays)} arrays, expected one")
    return arrays[0]


def _predictions(
    values: Shaped[np.ndarray, "..."], test: LabelledImages, classes: int, dataset: Dataset | None, path: pathlib.Path
) -> predictions.Predictions:
    """The predictions in an array of classes, logits or probabilities; a RecordError if it is something else."""
    images, labels = len(test.labels), test.labels.astype(np.uint8)
    form, margins = (values.dtype.kind, values.shape), None
    overlap = dataset.trained_on(test.images) if dataset else np.zeros(images, bool)
    if form in (("i", (images,)), ("u", (images,))) and values.min() >= 0 and values.max() < classes:
        return predictions.Predictions(values.astype(np.uint8), labels, overlap)
    if form != ("f", (images, classes)) or not np.isfinite(values).all():
        expected = f"int [{images}], classes from 0 to {classes - 1}, or float [{images}, {classes}], finite"
        extremes = f", from {values.min()} to {values.max()}" if values.size and form[0] in "iuf" else ""
        raise RecordError(f"{path}: Expected {expected}. Received: {values.dtype} {list(values.shape)}{extremes}")
    if dataset and not len(dataset.test_labels):  # its models judge difficulty
        if values.min() >= 0 and np.allclose(values.sum(axis=1), 1, atol=1e-3):
            values = np.log(np.maximum(values, np.finfo(np.float32).tiny))  # with the margins of their logits
        margins = predictions.margins(values, labels)
    return predictions.Predictions(values.argmax(axis=1).astype(np.uint8), labels, overlap, margins)
