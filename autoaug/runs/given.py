"""A model that was trained elsewhere, or its predictions, as a run like any other."""

import contextlib
import dataclasses
import io
import os
import pathlib
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
from jaxtyping import Shaped, UInt8

from autoaug import datasets, recipes
from autoaug.datasets import Dataset, LabelledImages
from autoaug.files import read_text, require_regular
from autoaug.runs import predictions, record
from autoaug.runs.record import PREDICTIONS, RecordError

if TYPE_CHECKING:
    import keras

INPUTS = ("uint8", "0-1", "normalised")
_MOST_BYTES = 2**31


class _Given(NamedTuple):
    """Answers for each image of each test set, whose they are, and the whole model if there is one."""

    answers: list[tuple[LabelledImages, UInt8[np.ndarray, " n"]]]
    classes: int
    kind: record.Kind
    recipe: recipes.Recipe | None
    model: "keras.Model | None"


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

    Args:
        name: of the model; its runs of several seeds are a family.
        train_data: the data set that it was trained on. If it is none of those here, no overlap is known.
        seed: of the training.
        data_dir: folder of the data sets.
        results_dir: the run's folder is `results_dir/runs/<run id>`, which is returned.
        model_file: a `.keras` file, or its `https://` address with `sha256`; or a TensorFlow 1 checkpoint of one of
            our models, `architecture` with `size`.
        predictions_dir: or a folder with `<test set>.npy`, `.npz` or `.csv`: float [n, classes], logits or
            probabilities, or int [n], classes.
        inputs: one of `INPUTS`, what the `.keras` file's model takes.

    Raises:
        RecordError, and what loading data sets and checkpoints raises: the message names the file or parameter.
    """
    try:
        msgspec.convert(name, record.Name)
        msgspec.convert(train_data, record.Name)
    except msgspec.ValidationError:
        expected = "Expected name and train_data of letters, digits, dots, plus and minus signs"
        raise RecordError(f"{expected}. Received: name={name!r}, train_data={train_data!r}") from None
    if bool(model_file) == bool(predictions_dir):
        raise RecordError(f"Expected model_file or predictions. Received: {model_file!r} and {predictions_dir!r}")
    run_id = record.name(name, train_data, seed)
    dataset = _training_set(train_data, data_dir, needed=bool(model_file))
    if predictions_dir:
        given = _read_folder(_path(predictions_dir), data_dir, dataset)
    else:
        assert dataset is not None
        given = _ask(dataset, data_dir, model_file, inputs, sha256, (architecture, dict(size or {})))
    run_dir = _path(results_dir) / "runs" / run_id
    _keep(given, run_dir, name, train_data, seed, dataset)
    return run_dir


def _path(path: str | os.PathLike[str]) -> pathlib.Path:
    return pathlib.Path(path).expanduser().absolute()


def _training_set(train_data: str, data_dir: str | os.PathLike[str], needed: bool) -> Dataset | None:
    """The training set, if it is one of those here; None if it is a stranger's, and not needed."""
    known = {*datasets.DATASETS, *datasets.available(data_dir)}
    if train_data in known or needed or recipes.did_you_mean(train_data, known):
        return datasets.load(train_data, data_dir)
    print(f"{train_data} is none of the data sets here: whether it holds test images is not known.")
    return None


def _keep(given: _Given, run_dir: pathlib.Path, name: str, train_data: str, seed: int, dataset: Dataset | None) -> None:
    """Write the run; earlier answers of the same name and seed are replaced."""
    stranger = record.TrainData(train_data, given.classes, None, "not known here", None, None, None)
    parameters = given.model.count_params() if given.model is not None else None
    begun = record.start(run_dir, given.recipe, dataset or stranger, seed, parameters, given.kind, family=name)
    for test, answers in given.answers:
        overlap = dataset.trained_on(test.images) if dataset else np.zeros(len(answers), bool)
        kept = predictions.Predictions(answers, test.labels.astype(np.uint8), overlap)
        predictions.write(run_dir / PREDICTIONS / f"{test.name}.npz", kept)
    if given.model is not None:
        from autoaug.runs import export

        export.write(given.model, run_dir)
    tests = {test.name: record.Test(test.source, test.sha256) for test, _ in given.answers}
    record.write(run_dir, msgspec.structs.replace(begun, status="finished", tests=tests))


def _ask(
    dataset: Dataset,
    data_dir: str | os.PathLike[str],
    model_file: str,
    inputs: str,
    sha256: str,
    built: tuple[str, dict[str, int]],
) -> _Given:
    """The answers of the model in a file on every test set that fits."""
    from autoaug.runs import evaluation, export

    if inputs not in INPUTS:
        raise RecordError(f"Expected inputs, one of {', '.join(INPUTS)}. Received: {inputs!r}")
    path = _download(model_file, sha256) if "://" in model_file else _path(model_file)
    recipe = None
    if path.suffix == ".keras":
        model = export.read(path)
        shapes = [getattr(model, name, None) for name in ("input_shape", "output_shape")]
        if shapes != [(None, 32, 32, 3), (None, dataset.num_classes)]:
            expected = f"a model [n, 32, 32, 3] → [n, {dataset.num_classes}]"
            raise RecordError(f"{path}: Expected {expected}. Received: {shapes[0]} → {shapes[1]}")
        model = export.whole(model, dataset, inputs)
    else:
        from autoaug import checkpoints, models

        recipe = dataclasses.replace(recipes.get(built[0], "paper"), size=built[1])
        inner = models.build_model(built[0], dataset.num_classes, **built[1])
        checkpoints.load_tf1(inner, path)
        model = export.whole(inner, dataset)
    predict, answers = evaluation.Predictor(model), []
    for test in evaluation.load_test_sets(dataset, data_dir):
        answers.append((test, _answers(predict(test.images), len(test.labels), dataset.num_classes, path)))
    return _Given(answers, dataset.num_classes, "checkpoint" if recipe else "predictions", recipe, model)


def _download(address: str, sha256: str) -> pathlib.Path:
    """The file at an https:// address, in pooch's cache."""
    import pooch

    if not address.startswith("https://") or len(sha256) != 64:
        raise RecordError(f"{address}: Expected https:// and sha256, 64 digits. Received: sha256={sha256!r}")
    try:
        return pathlib.Path(pooch.retrieve(address, f"sha256:{sha256}", progressbar=False))
    except (OSError, ValueError) as error:
        line = " ".join(str(error).split())[:300]
        raise RecordError(f"{address}: Expected a file with this sha256. Received: {line}") from error


def _read_folder(folder: pathlib.Path, data_dir: str | os.PathLike[str], dataset: Dataset | None) -> _Given:
    """The answers in a folder of predictions, in the order of the test sets' names; all have the same classes."""
    family = datasets.spec(dataset.name, data_dir).family if dataset else None
    here = datasets.available(data_dir, family, part="test")
    files = sorted(path for path in folder.glob("[!.]*") if path.suffix in _READERS)
    names = [path.stem for path in files]
    if not files or len(set(names)) < len(names):
        expected = "Expected one file <test set>.npy, .npz or .csv a test set"
        raise RecordError(f"{folder}: {expected}. Received: {', '.join(path.name for path in files) or 'none'}")
    read: list[tuple[LabelledImages, UInt8[np.ndarray, " n"]]] = []
    for path in files:
        if path.stem not in here:
            expected = f"Expected the name of a test set with models' classes: {', '.join(here) or 'none is built'}"
            raise RecordError(f"{path}: {expected}. Received: {path.stem}{recipes.did_you_mean(path.stem, here)}")
        here = datasets.available(data_dir, datasets.spec(path.stem, data_dir).family, part="test")  # from now on
        test, classes = datasets.load_test(path.stem, data_dir), datasets.spec(path.stem, data_dir).num_classes
        try:
            require_regular(path, _MOST_BYTES)
            values = _READERS[path.suffix](path)
        except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile, RecursionError, SyntaxError) as error:
            line = " ".join(str(error).split())[:200]
            raise RecordError(f"{path}: Expected an array of predictions. Received: {line}") from error
        read.append((test, _answers(values, len(test.labels), classes, path)))
    return _Given(read, classes, "predictions", None, None)


def _answers(
    values: Shaped[np.ndarray, "..."], images: int, classes: int, path: pathlib.Path
) -> UInt8[np.ndarray, " n"]:
    """The answers in an array of classes, logits or probabilities."""
    received = f"{values.dtype} {list(values.shape)}"
    if values.dtype.kind in "iu" and values.shape == (images,):
        if values.min() >= 0 and values.max() < classes:
            return values.astype(np.uint8)
        received = f"classes from {values.min()} to {values.max()}"
    elif values.dtype.kind == "f" and values.shape == (images, classes):
        if np.isfinite(values).all():
            return values.argmax(axis=1).astype(np.uint8)
        received = f"{np.count_nonzero(~np.isfinite(values))} numbers that are not finite"
    expected = f"int [{images}], classes from 0 to {classes - 1}, or float [{images}, {classes}], finite"
    raise RecordError(f"{path}: Expected {expected}. Received: {received}")


def _read_npz(path: pathlib.Path) -> Shaped[np.ndarray, "..."]:
    with zipfile.ZipFile(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > _MOST_BYTES:
            raise ValueError(f"more than {_MOST_BYTES:,} bytes")
    with contextlib.closing(np.load(path, allow_pickle=False)) as file:
        if len(file.files) != 1:
            raise ValueError(f"{len(file.files)} arrays, expected one")
        return file[file.files[0]]


def _read_csv(path: pathlib.Path) -> Shaped[np.ndarray, "..."]:
    """A column of classes, or as many columns of numbers as classes, without a line of names."""
    if not (text := read_text(path, 2**28)).strip():
        raise ValueError("an empty file")
    values: Any = np.loadtxt(io.StringIO(text), delimiter=",", ndmin=2)
    is_classes = values.shape[1:] == (1,) and (values % 1 == 0).all()
    return values[:, 0].astype(np.int64) if is_classes else values


_READERS = {".npy": lambda path: np.load(path, allow_pickle=False), ".npz": _read_npz, ".csv": _read_csv}
