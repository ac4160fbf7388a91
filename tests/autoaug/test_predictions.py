"""Predictions: both forms hold the same answers, damage names the file, finished runs are kept compactly."""

import io
import os
import pathlib
import random
import zipfile

import numpy as np
import pytest
import run_files

from autoaug import predictions, records


@pytest.fixture
def whole():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 200)
    return predictions.from_logits(**run_files.predictions(rng, labels, 0.7, overlap=(3, 5)))


def test_the_compact_form_keeps_answers_counts_and_probabilities(whole, tmp_path):
    predictions.write(tmp_path / "whole.npz", whole)
    predictions.write(tmp_path / "compact.npz", whole._replace(logits=None))
    read, compact = (predictions.read(tmp_path / f"{form}.npz") for form in ("whole", "compact"))
    np.testing.assert_array_equal(read.logits, whole.logits)
    assert compact.logits is None and compact.counts() == read.counts() == whole.counts()
    assert whole.counts()["overlap"] == 2 and 100 < whole.counts()["correct"] < 180
    np.testing.assert_array_equal(compact.answers, whole.answers)
    np.testing.assert_array_equal(compact.margin, whole.margin)
    np.testing.assert_allclose(compact.confidence, whole.confidence, rtol=0, atol=1e-3)
    np.testing.assert_allclose(compact.log_likelihood, whole.log_likelihood, rtol=1e-3, atol=1e-6)
    assert (tmp_path / "compact.npz").stat().st_size < 0.3 * (tmp_path / "whole.npz").stat().st_size


def test_probabilities_are_those_of_the_softmax(whole):
    exponentials = np.exp(whole.logits.astype(float))
    softmax = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(whole.confidence, softmax.max(axis=1))
    of_labels = softmax[np.arange(200), whole.labels]
    np.testing.assert_allclose(np.exp(whole.log_likelihood), of_labels)
    softmax[np.arange(200), whole.labels] = 0
    np.testing.assert_allclose(whole.margin, of_labels - softmax.max(axis=1), atol=1e-3)


def saved(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


LOGITS, LABELS, OVERLAP = np.zeros((4, 10), np.float32), np.arange(4), np.zeros(4, bool)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "File is not a zip file"),
        (b"garbage", "File is not a zip file"),
        (saved(logits=LOGITS, labels=LABELS), "the arrays logits, labels"),
        (saved(logits=LOGITS[:3], labels=LABELS, overlap=OVERLAP), r"logits float32 \(3, 10\), labels \(4,\)"),
        (saved(logits=LOGITS, labels=LABELS + 96, overlap=OVERLAP), "labels from 96 to 99, of 10 classes"),
        (saved(logits=LOGITS, labels=LABELS - 5, overlap=OVERLAP), "labels from -5 to -2"),
        (saved(logits=LOGITS * np.nan, labels=LABELS, overlap=OVERLAP), "logits that are not finite"),
        (saved(logits=LOGITS.astype(object), labels=LABELS, overlap=OVERLAP), "logits object"),
        (saved(logits=LOGITS, labels=LABELS, overlap=OVERLAP.astype(int)), "overlap int64"),
    ],
)
def test_damage_names_the_file(content, message, tmp_path):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(records.RecordError, match=rf"a\.npz: Expected the predictions of a run\. .*{message}"):
        predictions.read(tmp_path / "a.npz")


def test_a_file_that_declares_more_than_memory_holds_is_refused_before_it_is_read(tmp_path):
    header = io.BytesIO()
    declared = {"descr": "<f4", "fortran_order": False, "shape": (900_000, 10_000_000)}
    np.lib.format.write_array_header_1_0(header, declared)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("logits.npy", header.getvalue())
        for name, array in (("labels", LABELS), ("overlap", OVERLAP)):
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array)
    with pytest.raises(records.RecordError, match=r"a\.npz.*logits float32 \(900000, 10000000\)"):
        predictions.read(tmp_path / "a.npz")


@pytest.mark.parametrize("kind", ["whole", "compact"])
def test_any_change_of_bytes_ends_in_predictions_or_a_named_error(kind, whole, tmp_path):
    predictions.write(tmp_path / "a.npz", whole if kind == "whole" else whole._replace(logits=None))
    content, chance = (tmp_path / "a.npz").read_bytes(), random.Random(0)
    refused = 0
    for _ in range(400):
        changed = bytearray(content)
        for _ in range(chance.choice((1, 1, 3, 20))):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        (tmp_path / "a.npz").write_bytes(changed[: chance.choice((len(changed), chance.randrange(len(changed))))])
        try:
            assert len(predictions.read(tmp_path / "a.npz").labels) == 200
        except records.RecordError as error:
            assert "a.npz" in str(error)
            refused += 1
    assert refused > 300


def test_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "a.npz")
    with pytest.raises(records.RecordError, match="no regular file"):
        predictions.read(tmp_path / "a.npz")


def test_finished_runs_are_kept_in_compact_form(tmp_path, capsys):
    rng = np.random.default_rng(0)
    arrays = run_files.predictions(rng, rng.integers(0, 10, 50), 0.5)
    name = run_files.write(tmp_path, "synthetic10", {"synthetic10": arrays})
    run_files.write(tmp_path, "synthetic10", {"synthetic10": arrays}, seed=1, status="unfinished")
    run, measured = tmp_path / "runs" / name, tmp_path / "measured"
    assert predictions.main([str(run), "--into", str(measured)]) == 0
    assert pathlib.Path(capsys.readouterr().out.strip()) == measured / "runs" / name
    table, kept = records.collect(tmp_path), records.collect(measured)
    assert kept.drop(columns="folder").equals(table.drop(columns="folder"))
    assert (measured / "runs" / name / "history.csv").read_bytes() == (run / "history.csv").read_bytes()
    assert predictions.read(measured / "runs" / name / "predictions" / "synthetic10.npz").logits is None
    unfinished = str(tmp_path / "runs" / name.replace("seed0", "seed1"))
    assert predictions.main([unfinished, "--into", str(measured)]) == 2
    assert "Expected a finished run" in capsys.readouterr().err
