"""A run's answer for each image of a test set: written, read, and kept in compact form.

`predictions/<test set>.npz` of a run holds one of two forms:

    whole     logits float32 [n, classes], labels int64 [n], overlap bool [n]
    compact   answers uint8 [n], log_likelihood and margin float16 [n], labels uint8 [n], overlap bool [n]

log_likelihood is the logarithm of the label's probability. The margin is the label's probability minus the largest
probability of another class. The confidence, the probability of the answer, follows from both, to within 0.0005. A
compact file takes about 5 bytes an image; the runs in `results/measured/` are compact.

    python -m autoaug.predictions results/runs/RUN…     # keeps these runs in results/measured/, compact
"""

import argparse
import io
import lzma
import math
import os
import pathlib
import sys
import tokenize
import zipfile
import zlib
from typing import Any, NamedTuple

import numpy as np
import numpy.lib.format
import scipy.special
from jaxtyping import Bool, Float, Int

from autoaug import records
from autoaug.files import ROOT, require_regular, write_atomically

_MOST_IMAGES = 1_000_000
_MOST_CLASSES = 256  # the answers of a compact file are bytes
_MOST_BYTES = 2**30
_DAMAGE = (
    *(OSError, ValueError, LookupError, TypeError, EOFError, MemoryError, RuntimeError, SyntaxError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, tokenize.TokenError),
)  # errors that damaged npz files have raised
_WHOLE = {"logits": ("f", 2), "labels": ("iu", 1), "overlap": ("b", 1)}  # name → kinds of type, dimensions
_COMPACT = {"answers": ("iu", 1), "log_likelihood": ("f", 1), "margin": ("f", 1)} | {
    name: _WHOLE[name] for name in ("labels", "overlap")
}


class Predictions(NamedTuple):
    """A run's answers for the images of a test set; `logits` is None if only the compact form was kept.

    `overlap` marks the images that are, pixel for pixel, among the run's training images. Margins, from −1 to 1, are
    rounded to float16 in both forms, so that images drawn by their margin are the same with either form.
    """

    answers: Int[np.ndarray, " n"]
    confidence: Float[np.ndarray, " n"]
    log_likelihood: Float[np.ndarray, " n"]
    margin: Float[np.ndarray, " n"]
    labels: Int[np.ndarray, " n"]
    overlap: Bool[np.ndarray, " n"]
    logits: Float[np.ndarray, "n classes"] | None = None

    @property
    def right(self) -> Bool[np.ndarray, " n"]:
        """Whether each image's answer is its label."""
        return self.answers == self.labels

    def counts(self) -> dict[str, int]:
        """Counts for the record: of all images, and of those (`clean`) that are not among the training images."""
        return {
            "total": len(self.labels),
            "correct": int(self.right.sum()),
            "overlap": int(self.overlap.sum()),
            "clean_total": int((~self.overlap).sum()),
            "clean_correct": int(self.right[~self.overlap].sum()),
        }


def from_logits(
    logits: Float[np.ndarray, "n classes"], labels: Int[np.ndarray, " n"], overlap: Bool[np.ndarray, " n"]
) -> Predictions:
    """The predictions that follow from logits."""
    logarithms = scipy.special.log_softmax(logits.astype(np.float64), axis=1)
    every = np.arange(len(labels))
    of_labels, others = logarithms[every, labels], logarithms.copy()
    others[every, labels] = -np.inf
    margin = (np.exp(of_labels) - np.exp(others.max(axis=1))).astype(np.float16).astype(np.float64)
    confidence = np.exp(logarithms.max(axis=1))
    return Predictions(logits.argmax(axis=1), confidence, of_labels, margin, labels, overlap, logits)


def write(path: str | os.PathLike[str], predictions: Predictions) -> None:
    """Write the whole form if there are logits, else the compact form; no reader sees half a file."""
    labels, overlap = predictions.labels, predictions.overlap
    if predictions.logits is not None:
        arrays: dict[str, Any] = {"logits": predictions.logits, "labels": labels, "overlap": overlap}
    else:
        arrays = {
            "answers": predictions.answers.astype(np.uint8),
            "log_likelihood": predictions.log_likelihood.astype(np.float16),
            "margin": predictions.margin.astype(np.float16),
            "labels": labels.astype(np.uint8),
            "overlap": overlap,
        }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_atomically(path, buffer.getvalue())


def read(path: str | os.PathLike[str]) -> Predictions:
    """The predictions in a file of either form. Shapes and types are checked before anything is unpacked.

    Raises:
        records.RecordError: the message names the file, what was expected and what was received.
    """
    try:
        require_regular(path, most_bytes=_MOST_BYTES)
        with zipfile.ZipFile(path) as archive:
            arrays = _read_arrays(archive)
        return _interpret(arrays)
    except _DAMAGE as error:
        raise records.RecordError(f"{path}: Expected the predictions of a run. Received: {error}") from error


def _read_arrays(archive: zipfile.ZipFile) -> dict[str, np.ndarray]:
    """The arrays of an npz file, all of whose headers are checked before the first array is read."""
    headers = {}
    for member in archive.namelist():
        with archive.open(member) as file:
            headers[member.removesuffix(".npy")] = _read_header(file)
    _require_form(headers)
    arrays = {}
    for name, (shape, dtype) in headers.items():
        size = math.prod(shape) * dtype.itemsize
        with archive.open(f"{name}.npy") as file:
            _read_header(file)
            content = file.read(size + 1)
        if len(content) != size:
            raise ValueError(f"{name}: {len(content)} bytes, expected {size}")
        arrays[name] = np.frombuffer(content, dtype).reshape(shape)
    return arrays


def _read_header(file: Any) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of the array that follows."""
    if numpy.lib.format.read_magic(file) != (1, 0):
        raise ValueError("an array in another version of NumPy's format than 1.0")
    shape, column_major, dtype = numpy.lib.format.read_array_header_1_0(file)
    if column_major and len(shape) > 1:
        raise ValueError("an array in column-major order")
    return shape, dtype


def _require_form(headers: dict[str, tuple[tuple[int, ...], np.dtype]]) -> None:
    """Raise ValueError unless names, shapes and types are those of one of the two forms."""
    form = next((form for form in (_WHOLE, _COMPACT) if headers.keys() == form.keys()), None)
    if form is None:
        raise ValueError(f"the arrays {', '.join(headers) or 'none'}")
    images = headers["labels"][0][:1]
    for name, (kinds, dimensions) in form.items():
        shape, dtype = headers[name]
        if dtype.kind not in kinds or len(shape) != dimensions or shape[:1] != images:
            raise ValueError(f"{name} {dtype} {shape}, labels {headers['labels'][0]}")
        if not 1 <= shape[0] <= _MOST_IMAGES or (dimensions == 2 and not 2 <= shape[1] <= _MOST_CLASSES):
            raise ValueError(f"{name} of shape {shape}")


def _interpret(arrays: dict[str, np.ndarray]) -> Predictions:
    """The predictions in the arrays of either form; ValueError if a value is out of range."""
    labels = arrays["labels"].astype(np.int64)
    classes = arrays["logits"].shape[1] if "logits" in arrays else _MOST_CLASSES
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels from {labels.min()} to {labels.max()}, of {classes} classes")
    if "logits" in arrays:
        if not np.isfinite(arrays["logits"]).all():
            raise ValueError("logits that are not finite")
        return from_logits(arrays["logits"], labels, arrays["overlap"])
    log_likelihood, margin = (arrays[name].astype(np.float64) for name in ("log_likelihood", "margin"))
    if not ((log_likelihood <= 0) & (np.abs(margin) <= 1)).all():
        raise ValueError("a log_likelihood above 0 or a margin outside of -1 to 1")
    answers, of_label = arrays["answers"].astype(np.int64), np.exp(log_likelihood)
    confidence = np.where(answers == labels, of_label, of_label - margin).clip(0, 1)
    return Predictions(answers, confidence, log_likelihood, margin, labels, arrays["overlap"])


def are_kept(run_dir: str | os.PathLike[str], record: dict[str, Any], name: str, sha256: str) -> bool:
    """Whether a run holds its predictions on a test set with this hash, undamaged, as its record counts them."""
    test = record["tests"].get(name, {})
    if test.get("sha256") != sha256:
        return False
    try:
        counts = read(pathlib.Path(run_dir) / "predictions" / f"{name}.npz").counts()
    except records.RecordError:
        return False
    return counts.items() <= test.items()


def keep(run_dir: str | os.PathLike[str], results_dir: str | os.PathLike[str]) -> pathlib.Path:
    """Copy a finished run to `results_dir/runs/<run id>/` in compact form: record, history, predictions.

    Returns:
        The folder.

    Raises:
        records.RecordError: the run is not finished, or a file of it is damaged.
    """
    run_dir = pathlib.Path(run_dir)
    record = records.read(run_dir)
    if record["status"] != "finished":
        raise records.RecordError(f"{run_dir}: Expected a finished run. Received: an unfinished one")
    folder = pathlib.Path(results_dir) / "runs" / record["run_id"]
    for name in record["tests"]:
        whole = read(run_dir / "predictions" / f"{name}.npz")
        write(folder / "predictions" / f"{name}.npz", whole._replace(logits=None))
    for name in (records.HISTORY, "record.json"):  # the record last: a folder with one is whole
        if (run_dir / name).exists():
            write_atomically(folder / name, (run_dir / name).read_bytes())
    return folder


def main(arguments: list[str] | None = None) -> int:
    """Keep finished runs in compact form. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m autoaug.predictions", description="Keep finished runs, compact.")
    parser.add_argument("runs", nargs="+", type=pathlib.Path, help="their folders")
    parser.add_argument("--into", type=pathlib.Path, default=ROOT / "results" / "measured", help="results/measured")
    given = parser.parse_args(arguments)
    try:
        for run in given.runs:
            print(keep(run, given.into))
    except records.RecordError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
