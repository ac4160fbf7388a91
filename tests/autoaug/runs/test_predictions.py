"""Predictions: written, read, refused when damaged, without unpacking what a hostile file declares."""

import io
import pickle
import zipfile

import numpy as np
import pytest
import run_files

from autoaug.runs import predictions
from autoaug.runs.record import RecordError


@pytest.fixture(scope="module")
def kept():
    rng = np.random.default_rng(0)
    return run_files.kept(**run_files.predictions(rng, rng.integers(0, 10, 200), 0.7, (3, 5)), margins=True)


@pytest.mark.parametrize("judges", [True, False])
def test_predictions_are_read_as_they_were_written(judges, kept, tmp_path):
    written = kept if judges else predictions.Predictions(kept.answers, kept.labels, kept.overlap)
    predictions.write(tmp_path / "a.npz", written)
    read = predictions.read(tmp_path / "a.npz")
    for name in ("answers", "labels", "overlap", "margins"):
        np.testing.assert_array_equal(getattr(read, name), getattr(written, name), strict=name != "margins")
    assert (read.margins is None) == (not judges)
    assert ((kept.margins > 0) == read.right).all()


def test_the_margin_is_the_labels_logit_minus_the_largest_other_one():
    logits = np.array([[1, 4, 2], [1, 4, 2], [7e4, -7e4, 0]], np.float32)
    assert predictions.margins(logits, np.array([1, 0, 1])).tolist() == [2, -3, -65504]


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def declared(header):
    """An npz file whose first array declares another shape or type than it has."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("answers", "labels", "overlap"):
            content = header.ljust(117).encode() + b"\n"
            archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + len(content).to_bytes(2, "little") + content)
    return buffer.getvalue()


EIGHT, BOOL = np.zeros(4, np.uint8), np.zeros(4, bool)
GOOD = {"answers": EIGHT, "labels": EIGHT, "overlap": BOOL}
BAD = {
    "logits": (npz(logits=np.zeros((4, 10)), labels=EIGHT, overlap=BOOL), "the arrays logits"),
    "one array too few": (npz(answers=EIGHT, labels=EIGHT), "the arrays answers, labels"),
    "one array too many": (npz(**GOOD, seed=EIGHT), "the arrays .*seed"),
    "another type": (npz(**GOOD | {"answers": EIGHT.astype(float)}), "answers float64"),
    "objects": (npz(**GOOD | {"answers": EIGHT.astype(object)}), "Object arrays"),
    "another length": (npz(**GOOD | {"answers": EIGHT[:3]}), r"answers uint8 \(3,\)"),
    "no images": (npz(**{name: array[:0] for name, array in GOOD.items()}), r"\(0,\)"),
    "two dimensions": (npz(**{name: array[None] for name, array in GOOD.items()}), r"\(1, 4\)"),
    "NaN": (npz(**GOOD, margins=np.full(4, np.nan, np.float16)), "margins that are not finite"),
    "neither true nor false": (npz(**GOOD | {"overlap": np.full(4, 2, np.uint8).view(bool)}), "neither true nor false"),
    "a huge array": (declared("{'descr': '|u1', 'fortran_order': False, 'shape': (900000000,), }"), "reading array"),
    "code for a shape": (declared("{'descr': '|u1', 'fortran_order': False, 'shape': (exit(),), }"), "malformed node"),
    "a pickle": (pickle.dumps(GOOD), "the magic string is not correct"),
    "nothing": (b"", "magic string"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_other_files_are_refused_by_name(content, message, tmp_path):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(RecordError, match=rf"a\.npz: Expected the predictions of a run\. Received: .*{message}"):
        predictions.read(tmp_path / "a.npz")
