"""The report's engine: what it refuses, what it runs and passes over, how it fails."""

import dataclasses
import os
import signal
import subprocess
import sys
import time

import nbformat
import numpy as np
import psutil
import pytest
import run_files
import yaml

from autoaug import datasets, predictions, recipes, records
from autoaug.files import ROOT
from autoaug.report import build as report
from autoaug.report import execution
from data_prep import synthetic


def write_notebook(path, *sources):
    """A notebook whose first code cell is the parameters'."""
    cells = [nbformat.v4.new_markdown_cell("# Title"), *(nbformat.v4.new_code_cell(source) for source in sources)]
    cells[1].metadata["tags"] = ["parameters"]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


@pytest.fixture
def folder(tmp_path):
    """A folder with two notebooks."""
    write_notebook(tmp_path / "first.ipynb", 'results_dir: str = "r"\ncount: int = 1', "print(count, results_dir)")
    write_notebook(tmp_path / "second.ipynb", 'title: str = "x"', "import os\nprint(title, os.getcwd())")
    return tmp_path


def write_study(folder, *stages):
    """A study in the folder; a stage is a list of runs, or whatever else is to be read."""
    listed = [{"stage": "some", "runs": stage} if isinstance(stage, list) else stage for stage in stages]
    (folder / "runs.yml").write_text(yaml.safe_dump(listed))
    return folder / "runs.yml"


SHOWN = {"notebook": "second", "render": True}


@pytest.mark.parametrize("rendered", [0, 2])
def test_a_study_without_one_page_is_refused_before_anything_runs(folder, rendered, capsys):
    path = write_study(folder, [{"notebook": "first"}, *(dict(SHOWN) for _ in range(rendered))])
    assert report.main(["--runs", str(path), "--results", str(folder / "results")]) == 2
    assert f"Expected one run with render: true. Received: {rendered}" in capsys.readouterr().err
    assert not (folder / "results").exists()


def test_the_committed_study_is_right():
    data, trainings, page = report.read_study(ROOT / "notebooks" / "runs.yml")
    assert len(trainings.runs) == 12 and trainings.side_by_side
    assert not data.side_by_side and [run.notebook.stem for run in page.runs] == ["distribution_shift"]


def test_notebooks_run_in_order_with_parameters_in_the_root_and_show_what_they_print(folder, capfd, monkeypatch):
    path = write_study(folder, [{"notebook": "first", "parameters": {"count": 7}}], [SHOWN])
    monkeypatch.setattr(report, "_RUNS", path)  # of `make report`, which says what to try next
    results, page = folder / "results", folder / "results" / "report" / "index.html"
    assert report.main(["--runs", str(path), "--results", str(results)]) == 0
    out = capfd.readouterr().out
    expected = [
        "[1/2] first count=7",
        f"7 {results}",
        "[1/2] first count=7: ",
        "[2/2] second",
        f"x {ROOT}",
        f": {page}",
        page.as_uri(),
        "papermill notebooks/train.ipynb -p model ss96",
        "make report  ",
        "make lab  ",
    ]
    positions = [out.index(text) for text in expected]
    assert positions == sorted(positions)
    assert f"x {ROOT}" in page.read_text()
    assert sorted(path.name for path in (page.parent / "notebooks").iterdir()) == [
        "01-first-count=7.ipynb",
        "02-second.ipynb",
    ]


def test_a_parameter_with_braces_is_no_place_holder_in_the_copys_name(folder):
    """papermill fills in `{…}` of the name of an executed copy."""
    write_notebook(folder / "third.ipynb", "size: dict = {}", "print(size)")
    entry = {"notebook": "third", "parameters": {"size": {"depth": 10}}, "render": True}
    assert report.main(["--runs", str(write_study(folder, [entry])), "--results", str(folder / "results")]) == 0
    (copy,) = (folder / "results" / "report" / "notebooks").iterdir()
    assert copy.name == "01-third-size=-depth-10-.ipynb"


def test_a_failing_notebook_stops_the_report_with_its_error_and_names_the_copy(folder, capsys):
    write_notebook(folder / "third.ipynb", "a: int = 1", 'raise ValueError("no such thing")')
    path = write_study(folder, [{"notebook": "third"}], [SHOWN])
    with subprocess.Popen(["sleep", "60"]) as bystander:
        assert report.main(["--runs", str(path), "--results", str(folder / "results")]) == 1
        assert bystander.poll() is None
        bystander.kill()
    out, err = capsys.readouterr()
    assert err.startswith("ValueError: no such thing\n") and "01-third.ipynb" in err and len(err.splitlines()) <= 3
    assert "[2/2]" not in out and not (folder / "results" / "report" / "index.html").exists()


def test_of_two_reports_in_one_folder_the_second_is_refused(folder, capsys):
    path, results = write_study(folder, [SHOWN]), folder / "results"
    with report._locked(results / "report"):
        assert report.main(["--runs", str(path), "--results", str(results)]) == 1
    assert "Expected no other report in progress" in capsys.readouterr().err
    assert not (results / "report" / "notebooks").exists()


def test_a_folder_that_cannot_be_written_is_named(folder, capsys):
    path, results = write_study(folder, [SHOWN]), folder / "first.ipynb" / "results"
    assert report.main(["--runs", str(path), "--results", str(results)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("Expected files and folders that can be read and written. Received: ")
    assert str(folder / "first.ipynb") in error and len(error.splitlines()) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_notebook_too_and_says_a_line(folder, number):
    sleep = 'import time\ntry:\n    print("asleep", flush=True)\n    time.sleep(60)\nfinally:\n    open('
    write_notebook(folder / "third.ipynb", "a: int = 1", f"{sleep}{str(folder / 'woken')!r}, 'x')")
    path = write_study(folder, [{"notebook": "third", "render": True}])
    command = [sys.executable, "-m", "autoaug.report", "--runs", path, "--results", folder / "results"]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert any("asleep" in line for line in process.stdout), process.stderr.read()
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number and (folder / "woken").exists()
    assert err == "Interrupted. Run again to go on from the newest checkpoint.\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has ended")
def test_notebooks_end_with_a_report_that_is_killed(folder):
    source = "import os, pathlib, time\npathlib.Path(results_dir, 'pid').write_text(str(os.getpid()))\ntime.sleep(300)"
    write_notebook(folder / "third.ipynb", 'results_dir: str = "r"', source)
    path, pid = write_study(folder, [{"notebook": "third", "render": True}]), folder / "results" / "pid"
    command = [sys.executable, "-m", "autoaug.report", "--runs", path, "--results", folder / "results"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not pid.exists() or not pid.read_text():
            assert process.poll() is None
            time.sleep(0.1)
        kernel = psutil.Process(int(pid.read_text()))
        process.kill()
    kernel.wait(timeout=60)


def test_notebooks_side_by_side_share_the_cores_and_one_failure_stops_them(folder, capfd):
    """Each of two waits for the other's file, so they pass only if they run at the same time."""
    wait = "import os, pathlib, time\nmine, other = (pathlib.Path(results_dir) / f'{n}' for n in (count, 3 - count))\n"
    wait += "mine.write_text(os.environ['TF_NUM_INTRAOP_THREADS'])\nwhile not other.exists():\n    time.sleep(0.1)"
    write_notebook(folder / "first.ipynb", 'results_dir: str = "r"\ncount: int = 1', wait)
    entry = {"notebook": "first", "each": {"count": [1, 2]}}
    path = write_study(folder, {"stage": "pair", "side_by_side": True, "runs": [entry]}, [SHOWN])
    arguments = ["--runs", str(path), "--results", str(folder / "results"), "--jobs", "2"]
    assert report.main(arguments) == 0
    out = capfd.readouterr().out
    assert "pair: 2 runs, 2 at a time" in out and out.count("min left") == 1
    assert (folder / "results" / "1").read_text() == str(max(1, os.cpu_count() // 2))

    sleep = "import time\nif count == 1:\n    raise ValueError('first of two')\ntime.sleep(300)"
    write_notebook(folder / "first.ipynb", 'results_dir: str = "r"\ncount: int = 1', sleep)
    started = time.monotonic()
    assert report.main(arguments) == 1
    assert time.monotonic() - started < 120
    assert "ValueError: first of two" in capfd.readouterr().err


def test_a_finished_run_is_passed_over_until_there_is_a_new_test_set(tmp_path):
    results, data = tmp_path / "results", tmp_path / "data"
    synthetic.build(data, ["synthetic10"])
    parameters = {"model": "ss32", "epochs": 2, "size": {"depth": 14}, "seed": 3}
    assert not execution.is_finished(parameters, results, data)
    dataset = datasets.load("synthetic10", data)
    recipe = recipes.get("ss32")
    recipe = dataclasses.replace(recipe, epochs=2, size=recipe.size | {"depth": 14})
    folder = results / "runs" / records.run_id(recipe, dataset, 3)
    assert execution.run_folder(parameters, dataset, results) == folder
    record = records.start(folder, recipe, dataset, seed=3, parameters=1)
    assert not execution.is_finished(parameters, results, data)
    arrays = run_files.predictions(np.random.default_rng(0), dataset.test_labels, 0.5)
    answers, path = predictions.from_logits(**arrays), folder / "predictions" / "synthetic10.npz"
    tests = {"synthetic10": answers.counts() | {"source": "embedded images", "sha256": dataset.test_sha256}}
    records.write(folder, record | {"status": "finished", "tests": tests})
    assert not execution.is_finished(parameters, results, data)  # its predictions are missing
    path.parent.mkdir()
    path.write_bytes(b"damaged")
    assert not execution.is_finished(parameters, results, data)
    predictions.write(path, answers)
    assert execution.is_finished(parameters, results, data)
    assert execution.is_finished(parameters | {"device": "cpu", "evaluate_every": 3}, results, data)
    assert not execution.is_finished(parameters | {"seed": 4}, results, data)
    assert not execution.is_finished(parameters | {"workers": 2}, results, data)
    assert not execution.is_finished(parameters | {"train_data": "cifar10"}, results, data)
    synthetic.build(data, ["synthetic10_harder"])
    assert not execution.is_finished(parameters, results, data)
