"""The table of finished runs, what is left out of it and why, and histories."""

import dataclasses
import json
import os
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import run_files

from autoaug import recipes, runs, shift
from autoaug.runs import predictions, record
from autoaug.runs.record import RecordError

LABELS = np.arange(200) % 10


def arrays(accuracy=0.7, overlap=(), seed=0):
    return run_files.predictions(np.random.default_rng(seed), LABELS, accuracy, overlap)


def test_the_table_has_the_counts_of_the_predictions_without_overlap(tmp_path):
    tests = {"synthetic10": arrays(), "synthetic10_harder": arrays(0.5, range(50)), "known": arrays(1, range(200))}
    tests |= {"all": arrays(1), "none": arrays(0), "one": arrays(1, range(199))}  # the ends of intervals
    run_id = run_files.write(tmp_path, "synthetic10", tests, seed=3)
    table = runs.collect(tmp_path)
    assert list(table.columns) == list(runs.COLUMNS) and table.attrs["unreadable"] == []
    rows = table.set_index("test_set")
    for name, given in tests.items():
        clean = ~given["overlap"]
        right = given["logits"].argmax(axis=1)[clean] == LABELS[clean]
        expected = {"total": clean.sum(), "correct": right.sum(), "overlap": given["overlap"].sum()}
        assert rows.loc[name, list(expected)].to_dict() == expected
        if clean.any():
            interval = shift.accuracy_interval(int(right.sum()), int(clean.sum()))
            np.testing.assert_allclose(rows.loc[name, ["low", "high"]].astype(float), interval, rtol=1e-9)
            assert rows.loc[name, "accuracy"] == right.mean()
    assert rows.loc["known", ["accuracy", "low", "high"]].isna().all()
    row = rows.loc["synthetic10"]
    assert (row.run_id, row.kind, row.preset, row.model, row.seed) == (run_id, "trained", "quick", "wrn", 3)
    assert (row.family, row.epochs, row.precision) == (recipes.title(recipes.get("wrn")), 10, "float32")
    assert recipes.Recipe(**json.loads(row.recipe)) == recipes.get("wrn")
    pd.testing.assert_frame_equal(runs.accuracies(row.folder), table, check_like=False)


def test_a_run_that_is_there_twice_counts_once_under_its_own_name(tmp_path):
    run_id = run_files.write(tmp_path / "a", "synthetic10", {"synthetic10": arrays()})
    folder = tmp_path / "a" / "runs"
    shutil.copytree(folder / run_id, folder / "z-copy")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert runs.collect(tmp_path / "a", tmp_path / "b")["folder"].tolist() == [str(folder / run_id)]


def test_unfinished_runs_and_folders_without_a_record_are_not_counted_and_a_missing_folder_is_an_error(tmp_path):
    assert runs.collect(tmp_path).empty
    run_files.write(tmp_path, "synthetic10", {"synthetic10": arrays()}, status="unfinished")
    (tmp_path / "runs" / "empty").mkdir()
    assert runs.collect(tmp_path).empty
    with pytest.raises(RecordError, match=re.escape(f"{tmp_path / 'absent'}: Expected a folder of results")):
        runs.collect(tmp_path, tmp_path / "absent")


def lose_record(folder):
    (folder / "record.json").unlink()
    (folder / "record.json").symlink_to("absent")


def change(folder, name, values):
    """Write the predictions again, with one of their arrays computed from what it was."""
    kept = predictions.read(path := folder / "predictions" / "synthetic10.npz")
    predictions.write(path, dataclasses.replace(kept, **{name: values(getattr(kept, name))}))


DAMAGE = {
    "another record": lambda folder: (folder / "record.json").write_text('{"format": 1}'),
    "a link to nothing": lose_record,
    "other predictions": lambda folder: (folder / "predictions" / "synthetic10.npz").write_bytes(b"PK"),
    "no predictions": lambda folder: shutil.rmtree(folder / "predictions"),
    "an eleventh class": lambda folder: change(folder, "answers", lambda answers: answers + np.uint8(100)),
    "other labels": lambda folder: change(folder, "labels", lambda labels: labels[::-1]),
    "another history": lambda folder: (folder / "history.csv").write_text("x,y\n1,2\n"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_one_unreadable_run_stops_nothing_and_is_named_with_its_remedy(damage, tmp_path):
    good = run_files.write(tmp_path, "synthetic10", {"synthetic10": arrays()})
    bad = tmp_path / "runs" / run_files.write(tmp_path, "synthetic10", {"synthetic10": arrays()}, seed=1)
    damage(bad)
    with pytest.warns(UserWarning, match=rf"Left out, since it cannot be read: {re.escape(str(bad))}.*rm -r"):
        table = runs.collect(tmp_path)
    assert table["run_id"].tolist() == [good]
    ((folder, message),) = table.attrs["unreadable"]
    assert folder == str(bad) and str(bad) in message
    (bad / "checkpoints").mkdir()
    with pytest.warns(UserWarning, match="rm -r" if "record.json" in message else "Repeat its command$"):
        runs.collect(tmp_path)


def test_a_history_is_read_as_it_was_written(tmp_path):
    table = pd.DataFrame({"epoch": [1, 2], "loss": [0.1, np.nan], "test_accuracy:cifar10": [0.25, 1 / 3]})
    table.to_csv(tmp_path / "history.csv", index=False)
    pd.testing.assert_frame_equal(runs.history(tmp_path), table, check_exact=True)
    assert runs.history(tmp_path / "absent").empty


BAD = ["loss\n1\n", "epoch,loss\n1,high\n", "epoch,loss\n2,1\n", 'epoch,loss\n1,"1\n', "\x00", ""]
BAD += ["epoch" + ",loss" * 100_000 + "\n1\n"]  # pandas would take minutes


@pytest.mark.parametrize("content", BAD, ids=range(len(BAD)))
def test_another_history_is_refused_by_name(content, tmp_path):
    (tmp_path / "history.csv").write_text(content)
    with pytest.raises(RecordError, match=r"history\.csv: Expected the history of a run\. Received: "):
        runs.history(tmp_path)


READ = {
    "record.json": record.read,
    "history.csv": runs.history,
    "known.npz": lambda folder: predictions.read(folder / "known.npz"),
}
KINDS = {
    "a pipe": (os.mkfifo, "no regular file"),
    "a link to zeros without end": (lambda path: path.symlink_to("/dev/zero"), "no regular file"),
    "a folder": (os.mkdir, "no regular file"),
    "a large file": (lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 2**25), "more than 16,777,216"),
}


@pytest.mark.parametrize(("make", "message"), KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("name", READ)
def test_files_of_other_kinds_are_refused_without_being_read(name, make, message, tmp_path):
    make(tmp_path / name)
    with pytest.raises(RecordError, match=rf"{re.escape(name)}: Expected .* Received: .*{message}"):
        READ[name](tmp_path)
