"""Runs the notebooks of `notebooks/runs.yml` and renders the report: `make report`.

    python -m autoaug.report [--runs notebooks/runs.yml] [--results results] [--data data] [--jobs 2]

Executed notebooks are kept under `<results>/report/notebooks/`; the one marked `render: true` becomes
`<results>/report/index.html`, one file that reads nothing from the network.
"""

import argparse
import importlib.resources
import itertools
import os
import pathlib
import sys
import time

import nbformat
import papermill
import yaml
from nbconvert import HTMLExporter

from autoaug.files import ROOT, write_atomically
from autoaug.report.execution import NotebookError, execute

_KEYS = {"notebook", "parameters", "each", "render"}


class RunsError(ValueError):
    """The list of notebooks to run is not what it should be."""


def read_runs(path):
    """The notebooks to run, in order, from a YAML list of `{notebook, parameters, each, render}`.

    `notebook` is the name of a notebook in the folder of the list, `parameters` the values that differ from its own,
    `each` parameters with lists of values, every combination of which is a run, and `render: true` marks the one to
    render. The folders of data and results are the caller's, not the list's.

    Returns:
        List of dicts: notebook (path), parameters (dict), known (names of all its parameters), render (bool).

    Raises:
        RunsError: naming the file and the entry, what was expected and what was received.
    """
    path = pathlib.Path(path)
    try:
        entries = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise RunsError(f"{path}: Expected a list of notebooks in YAML. Received: {error}") from error
    if not isinstance(entries, list) or not entries:
        raise RunsError(f"{path}: Expected a list of notebooks. Received: {entries!r}")
    runs = [
        run
        for number, entry in enumerate(entries, 1)
        for run in _read_entry(entry, f"{path}, entry {number}", path.parent)
    ]
    if (rendered := sum(run["render"] for run in runs)) != 1:
        raise RunsError(f"{path}: Expected one entry with render: true. Received: {rendered}")
    return runs


def _read_entry(entry, where, folder):
    """The runs of an entry: one for each combination of what `each` lists."""
    if not isinstance(entry, dict) or "notebook" not in entry or set(entry) - _KEYS:
        raise RunsError(
            f"{where}: Expected the key notebook, and of {', '.join(sorted(_KEYS))} only. Received: {entry!r}"
        )
    notebooks = {path.stem: path for path in sorted(folder.glob("*.ipynb"))}
    if entry["notebook"] not in notebooks:
        raise RunsError(f"{where}: Expected notebook, one of {', '.join(notebooks)}. Received: {entry['notebook']!r}")
    parameters, each, render = entry.get("parameters", {}), entry.get("each", {}), entry.get("render", False)
    if not isinstance(parameters, dict) or not isinstance(render, bool):
        raise RunsError(
            f"{where}: Expected parameters, names with values, and render, true or false. Received: {entry!r}"
        )
    if not isinstance(each, dict) or not all(isinstance(values, list) and values for values in each.values()):
        raise RunsError(f"{where}: Expected each, names with lists of values. Received: {each!r}")
    known = set(papermill.inspect_notebook(notebooks[entry["notebook"]]))
    if unknown := {*parameters, *each} - (known - {"data_dir", "results_dir"}):
        known_text = ", ".join(sorted(known - {"data_dir", "results_dir"}))
        raise RunsError(f"{where}: Expected parameters of {known_text}. Received: {', '.join(sorted(unknown))}")
    run = {"notebook": notebooks[entry["notebook"]], "known": known, "render": render}
    combinations = itertools.product(*each.values())
    return [run | {"parameters": parameters | dict(zip(each, values, strict=True))} for values in combinations]


def render(notebook, page):
    """Render an executed notebook, narrative and outputs without the code, to one HTML file, whole or not at all."""
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
    resources = {
        "tables_script": (bundle / "dt_bundle.js").read_text("utf-8"),
        "tables_style": (bundle / "dt_bundle.css").read_text("utf-8"),
    }
    html, _ = exporter.from_notebook_node(nbformat.read(notebook, as_version=4), resources)
    write_atomically(page, html.encode())


def main(arguments=None):
    """Returns the exit status: 0, 1 where a notebook failed, 2 for a wrong list of notebooks, 130 or 143 if stopped."""
    parser = argparse.ArgumentParser(prog="python -m autoaug.report", description="Run the study, render the report.")
    parser.add_argument("--runs", type=pathlib.Path, default=ROOT / "notebooks" / "runs.yml", help="what to run")
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / "results", help="folder of runs and report")
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "data", help="folder of the data sets")
    parser.add_argument("--jobs", type=int, default=min(4, os.cpu_count()), help="trainings at a time")
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error(f"Expected --jobs of at least 1. Received: {options.jobs}")
    started, page = time.perf_counter(), options.results.resolve() / "report" / "index.html"
    try:
        render(execute(read_runs(options.runs), options.results, options.data, options.jobs), page)
    except RunsError as error:
        print(error, file=sys.stderr)
        return 2
    except NotebookError as error:
        print(error, file=sys.stderr)
        return 1
    except (KeyboardInterrupt, SystemExit) as stop:
        print("Interrupted. Run again to go on from the newest checkpoint.", file=sys.stderr)
        return 130 if isinstance(stop, KeyboardInterrupt) else stop.code
    print(f"Report after {time.perf_counter() - started:.0f} s: {page}")
    return 0
