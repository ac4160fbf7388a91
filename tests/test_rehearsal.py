"""The way to the answer on CIFAR-10.2, from nothing to the page, as `make study` goes it.

The published files are served on this machine, in miniature and in their own formats.
"""

import functools
import html
import http.server
import os
import shlex
import signal
import subprocess
import sys
import threading

import pytest
import rehearsal
import stand_ins
import yaml

from autoaug import datasets, records
from autoaug.files import ROOT

SETS = ("cifar105", "cifar10_12k", "cifar10.1-v4", "cifar10.1-v6")
FILES = 7  # CIFAR-10's archive, two of CIFAR-10.2, four of CIFAR-10.1
TINY = {"model": "pyramid_net", "preset": "paper", "size": {"depth": 11, "alpha": 12}, "epochs": 4}


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, and lists what it was asked for."""

    asked: list[str] = []  # noqa: RUF012

    def do_GET(self):
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serves the stand-ins; every Python process that is started finds it in the place of the published addresses."""
    (folder := tmp_path / "published").mkdir()
    small = stand_ins.small(datasets.DATASETS, part=25)
    for name, spec in small.items():
        monkeypatch.setitem(datasets.DATASETS, name, spec)
    files = stand_ins.write(folder)
    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=functools.partial(server.serve_forever, poll_interval=0.05))
        thread.start()
        described = tmp_path / "described.json"
        rehearsal.describe(described, small, files, f"http://127.0.0.1:{server.server_port}")
        (tmp_path / "site").mkdir()
        start = f"import rehearsal\n\nrehearsal.install({str(described)!r})\n"
        (tmp_path / "site" / "sitecustomize.py").write_text(start)
        path = [str(tmp_path / "site"), str(ROOT / "tests" / "helpers"), str(ROOT)]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
        monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
        Handler.asked = []
        yield
        server.shutdown()
        thread.join()


@pytest.fixture
def command(tmp_path):
    """What `make study YES=1` runs, on tiny runs of CIFAR-10.2 and its partner, in folders of the test's."""
    stages = yaml.safe_load((ROOT / "notebooks" / "cifar10.2.yml").read_text())
    data, trainings, _ = (stage["runs"][0] for stage in stages)
    assert set(data["parameters"]["sets"]) == set(SETS)
    data["parameters"]["source_dir"] = str(tmp_path / "sources")
    trainings["parameters"], trainings["each"]["seed"] = TINY, [0]
    (study := tmp_path / "study").mkdir()
    (study / "study.yml").write_text(yaml.safe_dump(stages))
    for name in ("build_datasets", "train", "distribution_shift"):
        (study / f"{name}.ipynb").symlink_to(ROOT / "notebooks" / f"{name}.ipynb")
    make = ["make", "-n", "study", "YES=1", f"STUDY={study / 'study.yml'}"]
    said = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    python, *arguments = shlex.split(said.splitlines()[-1])
    assert python == ".venv/bin/python"
    return [sys.executable, *arguments, "--jobs", "1", "--data", tmp_path / "data", "--results", tmp_path / "results"]


def run(command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def interrupted_in_the_second_training(command):
    """What the command prints until it is interrupted, and then."""
    lines, training = [], False
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as process:
        for line in process.stdout:
            lines.append(line)
            training += "[3/4] train" in line
            if training and line.startswith("step "):
                process.send_signal(signal.SIGINT)
                training = False
    assert process.returncode == 128 + signal.SIGINT, "".join(lines)
    return "".join(lines)


def test_make_study_from_nothing_to_the_answer_interrupted_once(server, command, tmp_path):
    runs, page = tmp_path / "results" / "runs", tmp_path / "results" / "report" / "index.html"

    first = interrupted_in_the_second_training(command)
    assert "pyramid_net paper cifar10_12k seed 0" in first and "To train: 2 of 2 runs" in first and "GB needed" in first
    assert "CPU: as asked for" in first or "GPU: " in first
    assert len(Handler.asked) == len(set(Handler.asked)) == FILES
    assert (
        datasets.load("cifar105", tmp_path / "data").source == "CIFAR-10.2"
    )  # verified, by the hashes of the stand-ins
    assert sorted(records.read(folder)["status"] for folder in runs.iterdir()) == ["finished", "unfinished"]
    assert "Interrupted. Run again to go on" in first and not page.exists()

    second = run(command)
    assert "To train: 1 of 2 runs" in second and "trainings: 1 of 2 runs are finished already" in second
    assert "going on after step" in second
    answer = html.unescape(page.read_text())
    assert "CIFAR-10.2 (12,000 images) against CIFAR-10 (12,000 images) (paper models, 1 + 1 runs)" in answer
    kept = {folder: (folder / "record.json").read_bytes() for folder in runs.iterdir()}
    for folder in kept:
        assert set(records.read(folder)["tests"]) == {"cifar10", *SETS}

    third = run(command)
    assert "Nothing is left to train." in third and "trainings: 2 of 2 runs are finished already" in third
    assert kept == {folder: (folder / "record.json").read_bytes() for folder in runs.iterdir()}
    assert len(Handler.asked) == FILES
