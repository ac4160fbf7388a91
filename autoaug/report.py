"""Runs the notebooks of `notebooks/runs.yml` one after another and renders the report: `make report`.

    python -m autoaug.report [--runs notebooks/runs.yml] [--results results] [--data data]

Executed notebooks are kept under `<results>/report/notebooks/`; the one marked `render: true` becomes
`<results>/report/index.html`, one file without scripts that reads nothing from the network.
"""

import argparse
import pathlib
import sys
import time

import nbformat
import papermill
import yaml
from nbclient.exceptions import DeadKernelError
from nbconvert import HTMLExporter

from autoaug import records

ROOT = pathlib.Path(__file__).resolve().parents[1]
_KEYS = {"notebook", "parameters", "render"}


class RunsError(ValueError):
    """The list of notebooks to run is not what it should be."""


def read_runs(path):
    """The notebooks to run, in order, from a YAML list of `{notebook, parameters, render}`.

    `notebook` is the name of a notebook in the folder of the list, `parameters` the values that differ from its own,
    and `render: true` marks the one to render. The folders of data and results are the caller's, not the list's.

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
    runs = [_read_entry(entry, f"{path}, entry {number}", path.parent) for number, entry in enumerate(entries, 1)]
    if (rendered := sum(run["render"] for run in runs)) != 1:
        raise RunsError(f"{path}: Expected one entry with render: true. Received: {rendered}")
    return runs


def _read_entry(entry, where, folder):
    if not isinstance(entry, dict) or "notebook" not in entry or set(entry) - _KEYS:
        raise RunsError(
            f"{where}: Expected the key notebook, and of {', '.join(sorted(_KEYS))} only. Received: {entry!r}"
        )
    notebooks = {path.stem: path for path in sorted(folder.glob("*.ipynb"))}
    if entry["notebook"] not in notebooks:
        raise RunsError(f"{where}: Expected notebook, one of {', '.join(notebooks)}. Received: {entry['notebook']!r}")
    parameters, render = entry.get("parameters", {}), entry.get("render", False)
    if not isinstance(parameters, dict) or not isinstance(render, bool):
        raise RunsError(
            f"{where}: Expected parameters, names with values, and render, true or false. Received: {entry!r}"
        )
    known = set(papermill.inspect_notebook(notebooks[entry["notebook"]]))
    if unknown := set(parameters) - (known - {"data_dir", "results_dir"}):
        known_text = ", ".join(sorted(known - {"data_dir", "results_dir"}))
        raise RunsError(f"{where}: Expected parameters of {known_text}. Received: {', '.join(sorted(unknown))}")
    return {"notebook": notebooks[entry["notebook"]], "parameters": parameters, "known": known, "render": render}


def execute(runs, results_dir, data_dir):
    """Execute the notebooks in order, in the repository's root, showing what they print.

    Args:
        runs: from `read_runs`.
        results_dir, data_dir: passed, as absolute paths, to every notebook that has such a parameter.

    Returns:
        Path of the executed copy of the notebook to render.

    Raises:
        papermill.PapermillExecutionError, DeadKernelError: of the first notebook that fails.
    """
    folders = {"results_dir": pathlib.Path(results_dir).resolve(), "data_dir": pathlib.Path(data_dir).resolve()}
    copies = folders["results_dir"] / "report" / "notebooks"
    copies.mkdir(parents=True, exist_ok=True)
    rendered = None
    for number, run in enumerate(runs, 1):
        name, copy = run["notebook"].stem, copies / f"{number:02}-{run['notebook'].name}"
        values = (f"{key}={value}" for key, value in run["parameters"].items())
        print(f"[{number}/{len(runs)}] {name}", *values, flush=True)
        passed = {key: str(folder) for key, folder in folders.items() if key in run["known"]}
        started = time.perf_counter()
        try:
            papermill.execute_notebook(
                run["notebook"].resolve(),
                copy,
                passed | run["parameters"],
                cwd=ROOT,
                progress_bar=False,
                stdout_file=sys.stdout,
                extra_arguments=["--log-level=CRITICAL"],  # of the kernel itself, not of what runs in it
            )
        except (papermill.PapermillExecutionError, DeadKernelError):
            print(f"Failed: {name}. The executed copy: {copy}", file=sys.stderr)
            raise
        print(f"[{number}/{len(runs)}] {name}: {time.perf_counter() - started:.0f} s", flush=True)
        rendered = copy if run["render"] else rendered
    return rendered


def render(notebook, page):
    """Render an executed notebook, narrative and outputs without the code, to one HTML file, whole or not at all."""
    exporter = HTMLExporter(
        template_name="basic",
        extra_template_paths=[str(pathlib.Path(__file__).parent)],
        template_file="report.html.j2",
        exclude_input=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    html, _ = exporter.from_notebook_node(nbformat.read(notebook, as_version=4))
    records.write_atomically(page, html.encode())


def main(arguments=None):
    """Returns the exit status: 0, 1 where a notebook failed, 2 for a wrong list of notebooks, 130 if interrupted."""
    parser = argparse.ArgumentParser(prog="python -m autoaug.report", description="Run the study, render the report.")
    parser.add_argument("--runs", type=pathlib.Path, default=ROOT / "notebooks" / "runs.yml", help="what to run")
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / "results", help="folder of runs and report")
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "data", help="folder of the data sets")
    options = parser.parse_args(arguments)
    started, page = time.perf_counter(), options.results.resolve() / "report" / "index.html"
    try:
        render(execute(read_runs(options.runs), options.results, options.data), page)
    except RunsError as error:
        print(error, file=sys.stderr)
        return 2
    except (papermill.PapermillExecutionError, DeadKernelError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. Run again to go on from the newest checkpoint.", file=sys.stderr)
        return 130
    print(f"Report after {time.perf_counter() - started:.0f} s: {page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
