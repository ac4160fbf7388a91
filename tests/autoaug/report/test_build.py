"""The command that makes the report: what it refuses, how it fails."""

import subprocess
import sys

import nbformat
import pytest
import yaml

from autoaug.report import build as report


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


def test_a_study_without_a_page_is_refused_before_anything_runs(folder, capsys):
    path = write_study(folder, [{"notebook": "first"}])
    assert report.main(["--runs", str(path), "--results", str(folder / "results")]) == 2
    assert "Expected one run with render: true. Received: 0" in capsys.readouterr().err
    assert not (folder / "results").exists()


def test_a_failing_notebook_stops_the_report_with_its_error_and_names_the_copy(folder, capsys):
    write_notebook(folder / "third.ipynb", "a: int = 1", 'raise ValueError("no such thing")')
    path = write_study(folder, [{"notebook": "third"}], [SHOWN])
    with subprocess.Popen(["sleep", "60"]) as bystander:
        assert report.main(["--runs", str(path), "--results", str(folder / "results")]) == 1
        assert bystander.poll() is None
        bystander.kill()
    out, err = capsys.readouterr()
    assert err.startswith("Error: ValueError: no such thing\n") and "01-third.ipynb" in err
    assert "second: " not in out and not (folder / "results" / "report" / "index.html").exists()


def test_of_two_reports_in_one_folder_the_second_waits(folder, capsys):
    path, results = write_study(folder, [SHOWN]), folder / "results"
    command = [sys.executable, "-m", "autoaug.report", "--runs", str(path), "--results", str(results)]
    with report._locked(results / "report"):
        second = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert second.stdout.readline().startswith("Waiting for another report")
        assert not (results / "report" / "notebooks").exists()
    assert "Open it: file://" in second.communicate()[0] and second.returncode == 0
    assert (results / "report" / "index.html").exists()


def test_a_folder_that_cannot_be_written_is_named(folder, capsys):
    path, results = write_study(folder, [SHOWN]), folder / "first.ipynb" / "results"
    assert report.main(["--runs", str(path), "--results", str(results)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("Expected files that can be read and written. Received: ")
    assert str(folder / "first.ipynb") in error and len(error.splitlines()) == 1
