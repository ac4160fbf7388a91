"""Carries out a study and renders its report: `python -m autoaug.report [--runs FILE] [--results FOLDER]`.

The notebook marked `render: true` becomes `<results>/report/index.html`, one file that needs no network; its tables
become `<results>/report/tables/*.csv`. Executed notebooks lie in `<results>/report/notebooks/`.
"""

import argparse
import os
import pathlib
import signal
import sys
import time
from collections.abc import Sequence

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) == signal.default_int_handler:
    signal.signal(signal.SIGINT, lambda *_: sys.exit(128 + signal.SIGINT))  # no traceback of the imports below

import filelock

from autoaug import study
from autoaug.files import ROOT, absolute
from autoaug.study import NotebookError, StudyError

RUNS = ROOT / "notebooks" / "runs.yml"


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0; 1 if a notebook failed; 2 if the study is wrong; 128 + a signal's number."""
    parser = argparse.ArgumentParser(prog="python -m autoaug.report", description="Run the study, render the report.")
    parser.add_argument("--runs", type=_path, default=RUNS, help="the study, a YAML file")
    parser.add_argument("--results", type=_path, default=ROOT / "results", help="folder of runs and report")
    parser.add_argument("--data", type=_path, default=ROOT / "data", help="folder of the data sets")
    jobs = min(4, 1 + (os.cpu_count() or 1))  # with one more than cores, fewer are idle at starts and at the end
    parser.add_argument("--jobs", type=int, default=jobs, help="number of trainings at a time")
    parser.add_argument("--yes", action="store_true", help="train published recipes without asking")
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error(f"Expected --jobs of at least 1. Received: {options.jobs}")
    ending = [one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) != signal.SIG_IGN]  # nohup's
    earlier = {number: signal.signal(number, lambda number, _: sys.exit(128 + number)) for number in ending}
    try:
        _make(options)
    except (StudyError, NotebookError, OSError) as error:
        is_ours = not isinstance(error, OSError)
        print(error if is_ours else f"Expected files that can be read and written. Received: {error}", file=sys.stderr)
        return 2 if isinstance(error, StudyError) else 1
    except (KeyboardInterrupt, SystemExit) as stop:
        print("Interrupted. Run again to go on from the newest checkpoint.", file=sys.stderr)
        return int(getattr(stop, "code", None) or 128 + signal.SIGINT)
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
    return 0


def _path(text: str) -> pathlib.Path:
    if not text:
        raise argparse.ArgumentTypeError("Expected a path. Received: ''")
    return pathlib.Path(text)


def _make(options: argparse.Namespace) -> None:
    """Carry out the study and render its page."""
    page, started = absolute(options.results) / "report" / "index.html", time.perf_counter()
    rendered = sum(run.render for stage in study.read(options.runs, options.data) for run in stage.runs)
    if rendered != 1:
        raise StudyError(f"{options.runs}: Expected one run with render: true. Received: {rendered}")
    page.parent.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(page.parent / ".lock", timeout=0):
            executed = study.run(options.runs, options.results, options.data, options.jobs, options.yes)
            if executed is None:
                return
            from autoaug.report import render  # slow

            render.render(executed, page)
    except filelock.Timeout as error:
        raise StudyError(f"{page.parent}: another report is being made there. Wait for it or stop it.") from error
    print(f"Report after {time.perf_counter() - started:.0f} s: {page}\nOpen it: {page.as_uri()}")


if __name__ == "__main__":
    sys.exit(main())
