"""The command that makes the report: what it refuses, how it fails."""

import re
import signal

import filelock
import pytest
import yaml
from notebook_files import write_notebook

from autoaug.report import __main__ as report


@pytest.fixture
def folder(tmp_path):
    """A folder with two notebooks, of which the second fails."""
    write_notebook(tmp_path / "first.ipynb", 'title: str = "x"', "print(title)")
    write_notebook(tmp_path / "second.ipynb", "a: int = 1", 'raise ValueError("no such thing")')
    return tmp_path


def write_study(folder, *stages):
    """A study in the folder; a stage is a list of runs."""
    (folder / "runs.yml").write_text(yaml.safe_dump([{"stage": "some", "runs": stage} for stage in stages]))
    return folder / "runs.yml"


SHOWN = {"notebook": "first", "render": True}


@pytest.mark.parametrize(
    ("run", "results", "status", "message"),
    [
        ({"notebook": "second"}, "results", 2, "Expected one run with render: true. Received: 0"),
        (SHOWN, "first.ipynb/results", 1, "Expected files that can be read and written. Received: .*first.ipynb"),
    ],
)
def test_no_page_and_a_folder_that_cannot_be_written_are_named(folder, capsys, run, results, status, message):
    path = write_study(folder, [run])
    assert report.main(["--runs", str(path), "--results", str(folder / results)]) == status
    assert re.search(message, capsys.readouterr().err) and not (folder / results).exists()


def test_a_failing_notebook_stops_the_report_with_its_error_and_names_the_copy(folder, capsys):
    path = write_study(folder, [{"notebook": "second"}], [SHOWN])
    assert report.main(["--runs", str(path), "--results", str(folder / "results")]) == 1
    out, err = capsys.readouterr()
    assert err.startswith("Error: ValueError: no such thing\n") and "01-second.ipynb" in err
    assert "first: " not in out and not (folder / "results" / "report" / "index.html").exists()


def test_an_empty_path_is_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        report.main(["--results", "", "--runs", "no.yml"])
    assert "error: argument --results: Expected a path. Received: ''" in capsys.readouterr().err


def test_of_two_reports_in_one_folder_the_second_does_not_start(folder, capsys):
    path, results = write_study(folder, [SHOWN]), folder / "results"
    (results / "report").mkdir(parents=True)
    with filelock.FileLock(results / "report" / ".lock"):
        assert report.main(["--runs", str(path), "--results", str(results)]) == 2
    assert "another report is being made there" in capsys.readouterr().err
    assert not (results / "report" / "notebooks").exists()


@pytest.mark.parametrize("ignored", [False, True])
def test_a_lost_terminal_ends_a_study_unless_it_was_started_by_nohup(folder, monkeypatch, ignored):
    monkeypatch.setattr(report.study, "run", lambda *_: signal.raise_signal(signal.SIGHUP))
    earlier = signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
    try:
        status = report.main(["--runs", str(write_study(folder, [SHOWN])), "--results", str(folder / "results")])
        assert status == (0 if ignored else 128 + signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, earlier)
