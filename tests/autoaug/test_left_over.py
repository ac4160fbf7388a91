"""What a killed process has left half written is removed at the next start; what a living one writes is not."""

import os
import pathlib
import signal
import subprocess
import sys

from autoaug import files, recipes
from autoaug.report import build
from autoaug.runs import record as records

WRITE_AND_DIE = """
import os, signal, sys
from autoaug import files
files.os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
files.write_atomically(sys.argv[1], b"half a file")
"""


def kill_while_writing(path):
    """Let a process be killed while it writes the file; returns what it leaves."""
    assert subprocess.run([sys.executable, "-c", WRITE_AND_DIE, str(path)], check=False).returncode == -signal.SIGKILL
    (left,) = pathlib.Path(path).parent.glob(".*.tmp")
    return left


def test_only_what_dead_processes_left_is_removed(tmp_path):
    left = kill_while_writing(tmp_path / "record.json")
    folder = tmp_path / left.name.replace("record", "folder")
    (folder / "inside").mkdir(parents=True)
    others = [f".record.json.{os.getpid()}.tmp", "record.json.1.tmp", ".record.json.tmp", ".record.json.x.tmp"]
    for name in others:
        (tmp_path / name).touch()
    files.remove_left_over(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)
    files.remove_left_over(tmp_path / "absent")


def test_a_run_that_is_started_again_clears_its_folder(tmp_path, tiny_dataset):
    recipe = recipes.get("wrn")
    record = records.start(tmp_path, recipe, tiny_dataset, seed=0, parameters=1)
    left = [kill_while_writing(tmp_path / name) for name in ("record.json", "predictions/synthetic10.npz")]
    assert records.start(tmp_path, recipe, tiny_dataset, seed=0, parameters=1) == record
    assert not any(path.exists() for path in left)


def test_a_report_that_is_made_again_clears_its_folder(tmp_path):
    left = [kill_while_writing(tmp_path / "report" / name) for name in ("index.html", "tables/accuracy.csv")]
    with build._locked(tmp_path / "report"):
        assert not any(path.exists() for path in left)
