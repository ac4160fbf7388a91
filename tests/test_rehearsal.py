"""The way to the answer on CIFAR-10.2, from nothing to the page, as `make study` goes it.

The published files are served on this machine, in miniature and in their own formats.
"""

import dataclasses
import html
import os
import pickle
import shlex
import signal
import subprocess
import sys
import time

import file_server
import pytest
import stand_ins
import yaml

from autoaug import datasets
from autoaug.files import ROOT
from autoaug.report import __main__ as build
from autoaug.runs import record as records

SETS = ("cifar105", "cifar10_12k", "cifar10.1-v6")
FILES = 5  # CIFAR-10's archive, two of CIFAR-10.2, two of CIFAR-10.1
SITE = """
import pickle
from autoaug import datasets
from data_prep import sources

specs, files = pickle.loads({pickled})
datasets.DATASETS.update(specs)
sources.FILES.update(files)
"""  # which Python imports when it starts, so that the code under test needs no switch for a rehearsal
TINY = {"model": "wrn", "preset": "paper", "size": {"depth": 10, "widen_factor": 1}, "device": "cpu"}
TINY |= {"epochs": 2, "batch_size": 32}


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serves the stand-ins; every Python process that is started finds it in the place of the published addresses."""
    (folder := tmp_path / "published").mkdir()
    small = stand_ins.small(datasets.DATASETS, part=25)
    for name, spec in small.items():
        monkeypatch.setitem(datasets.DATASETS, name, spec)
    files = stand_ins.write(folder)
    with file_server.serving(folder) as (address, asked):
        served = {
            name: tuple(dataclasses.replace(source, url=f"{address}/{source.file}") for source in of_set)
            for name, of_set in files.items()
        }
        (tmp_path / "site").mkdir()
        (tmp_path / "site" / "sitecustomize.py").write_text(SITE.format(pickled=pickle.dumps((small, served))))
        monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}{os.pathsep}{ROOT}")
        monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
        yield asked


@pytest.fixture
def arguments(tmp_path):
    """What `make study YES=1` gives `python -m autoaug.report`, on tiny runs of CIFAR-10.2 and its partner."""
    stages = yaml.safe_load((ROOT / "notebooks" / "cifar10.2.yml").read_text())
    data, trainings, page = (stage["runs"][0] for stage in stages)
    assert set(SETS) <= set(data["parameters"]["sets"])
    data["parameters"]["sets"], stages[1]["runs"] = list(SETS), [trainings]  # without judges
    data["parameters"]["source_dir"] = str(tmp_path / "sources")
    trainings["parameters"], trainings["each"]["seed"] = TINY, [0]
    page["parameters"] = {"measured_dir": ""}  # the runs that are kept take long to show
    (tmp_path / "study.yml").write_text(yaml.safe_dump(stages))
    make = ["make", "--no-print-directory", "-n", "study", "YES=1", f"STUDY={tmp_path / 'study.yml'}"]
    said = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    python, module, name, *given = shlex.split(said.splitlines()[-1])
    assert (python, module, name) == (".venv/bin/python", "-m", "autoaug.report")
    return [*given, "--jobs", "1", "--data", str(tmp_path / "data"), "--results", str(tmp_path / "results")]


def test_ctrl_c_at_the_start_shows_no_traceback(tmp_path):
    (tmp_path / "filelock.py").write_text("import signal\nsignal.raise_signal(signal.SIGINT)")  # an early import
    command, env = [sys.executable, "-m", "autoaug.report"], os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (128 + signal.SIGINT, b"")


def test_make_study_from_nothing_to_the_answer_interrupted_once(server, arguments, tmp_path, capfd):
    runs, page = tmp_path / "results" / "runs", tmp_path / "results" / "report" / "index.html"

    command = [sys.executable, "-m", "autoaug.report", *arguments]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as process:
        while not any("\nstep " in log.read_text() for log in page.parent.glob("notebooks/03-train*.log")):
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        first = process.communicate()[0]
    assert process.returncode == 128 + signal.SIGINT, first
    assert "0 notebooks are done, 4 are due." in first and "train_data=cifar105" in first
    assert len(server) == len(set(server)) == FILES
    dataset = datasets.load("cifar105", tmp_path / "data")
    assert dataset.source == "CIFAR-10.2"  # verified, by the hashes of the stand-ins
    assert sorted(records.read(folder).status for folder in runs.iterdir()) == ["finished", "unfinished"]
    assert "Interrupted. Run again to go on" in first and not page.exists()

    assert build.main(arguments) == 0
    assert "1 notebooks are done, 3 are due." in capfd.readouterr().out
    (log,) = (page.parent / "notebooks").glob("03-train*.log")
    assert "going on after step" in log.read_text()
    answer, said = html.unescape(page.read_text()), (page.parent / "tables" / "statements.csv").read_text()
    assert "CIFAR-10.2 (10,000 images), measured here" in answer and "1 + 1" in said
    for folder in runs.iterdir():
        assert set(records.read(folder).tests) == {"cifar10", *SETS}

    assert len(server) == FILES
