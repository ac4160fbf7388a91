"""Runs the notebooks of `notebooks/runs.yml` and renders the report: `make report`.

    python -m autoaug.report [--runs notebooks/runs.yml] [--results results] [--data data] [--jobs 2]
    python -m autoaug.report [--yes] --runs notebooks/cifar10.2.yml      # make study

Executed notebooks are kept under `<results>/report/notebooks/`. The one marked `render: true` becomes
`<results>/report/index.html`, a single file that needs no network.
"""

import argparse
import contextlib
import copy
import importlib.resources
import os
import pathlib
import signal
import sys
import time
from collections.abc import Iterator, Sequence

import filelock
import nbformat
from nbconvert import HTMLExporter
from nbconvert.preprocessors import ClearOutputPreprocessor

from autoaug import study
from autoaug.files import ROOT, remove_left_over, write_atomically
from autoaug.report.page import data_url
from autoaug.study import NotebookError, StudyError

_RUNS = ROOT / "notebooks" / "runs.yml"
_INTERRUPTED = "Interrupted. Run again to go on from the newest checkpoint."
_NEXT = """\
What to try next:
    {bin}papermill notebooks/train.ipynb -p model ss96    # train another model
    make report                                           # a second time: your own runs are in it
    make lab                                              # the notebooks in Jupyter, such as explore_augmentation"""


def render(notebook: pathlib.Path, page: pathlib.Path) -> None:
    """Render an executed notebook to one HTML file, without its code; the file is written whole or not at all."""
    exporter = HTMLExporter(
        template_name="basic",
        extra_template_paths=[str(pathlib.Path(__file__).parent)],
        template_file="report.html.j2",
        exclude_input=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        config={"TagRemovePreprocessor": {"enabled": True, "remove_cell_tags": {"interactive"}}},
    )
    bundle = importlib.resources.files("itables") / "html"
    executed = nbformat.read(notebook, as_version=4)
    bare, _ = ClearOutputPreprocessor(enabled=True).preprocess(copy.deepcopy(executed), {})
    resources = {
        "tables_script": (bundle / "dt_bundle.js").read_text("utf-8"),
        "tables_style": (bundle / "dt_bundle.css").read_text("utf-8"),
        "notebook": data_url("application/x-ipynb+json", nbformat.writes(bare).encode()),
        "notebook_name": pathlib.Path(notebook).name,
    }
    html, _ = exporter.from_notebook_node(executed, resources)
    write_atomically(page, html.encode())


def require_page(path: pathlib.Path) -> None:
    """Raise StudyError, as for `study.read`, or because the number of runs with `render: true` is not 1."""
    rendered = sum(run.render for stage in study.read(path) for run in stage.runs)
    if rendered != 1:
        raise StudyError(f"{path}: Expected one run with render: true. Received: {rendered}")


@contextlib.contextmanager
def _locked(folder: pathlib.Path) -> Iterator[None]:
    """Lock the folder of a report; a crash releases the lock.

    Raises:
        NotebookError: another process makes a report in this folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(folder / ".lock", timeout=0):
            remove_left_over(folder)
            yield
    except filelock.Timeout as error:
        raise NotebookError(
            f"{folder}: Expected no other report in progress. Received: another process makes one in this folder. "
            "Wait for it, or name another folder with --results."
        ) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0; 1 if a notebook failed; 2 if the study is wrong; 128 + a signal's number."""
    parser = argparse.ArgumentParser(prog="python -m autoaug.report", description="Run the study, render the report.")
    parser.add_argument("--runs", type=pathlib.Path, default=_RUNS, help="what to run")
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / "results", help="folder of runs and report")
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "data", help="folder of the data sets")
    parser.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1), help="number of trainings at a time")
    parser.add_argument("--yes", action="store_true", help="train published recipes without asking")
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error(f"Expected --jobs of at least 1. Received: {options.jobs}")
    page = options.results.resolve() / "report" / "index.html"
    ending = (signal.SIGTERM, signal.SIGHUP)
    earlier = {number: signal.signal(number, lambda number, _: sys.exit(128 + number)) for number in ending}
    try:
        require_page(options.runs)
        with _locked(page.parent):
            started = time.perf_counter()
            executed = study.run(options.runs, options.results, options.data, options.jobs, options.yes)
            if executed is None:
                return 0
            render(executed, page)
            print(f"Report after {time.perf_counter() - started:.0f} s: {page}")
    except StudyError as error:
        print(error, file=sys.stderr)
        return 2
    except NotebookError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"Expected files and folders that can be read and written. Received: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(_INTERRUPTED, file=sys.stderr)
        return 128 + signal.SIGINT
    except SystemExit as stop:
        print(_INTERRUPTED, file=sys.stderr)
        return int(stop.code or 0)
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
    print(f"Open it: {page.as_uri()}")
    if options.runs == _RUNS:
        commands = pathlib.Path(sys.executable).parent
        on_path = str(commands) in os.environ.get("PATH", "").split(os.pathsep)
        print(_NEXT.format(bin="" if on_path else f"{commands}/"))
    return 0
