"""The command `papermill` of this project's environment: papermill's own, where one notebook's name is enough.

A call with exactly one notebook writes the executed copy to `results/notebooks/<name>-<date>-<time>.ipynb`, runs the
project's notebooks in the repository's root, and shows what they print. All other calls go to papermill as they are.
A signal interrupts the cell, so that a training writes a checkpoint. `python -m papermill` is papermill without this.
"""

import datetime
import os
import pathlib
import shlex
import signal
import stat
import sys
from typing import Any, NoReturn

import click
import psutil

from autoaug.files import ROOT, check_yaml
from autoaug.recipes import did_you_mean

EXECUTED = ROOT / "results" / "notebooks"
_QUIET = [  # else an interrupted kernel may print a traceback of its own
    "--IPKernelApp.log_level=CRITICAL",
    "--IPKernelApp.exec_lines=__import__('logging').getLogger('tornado').setLevel('CRITICAL')",
]
_AGAIN = {
    "DeadKernelError": "The notebook's process was killed, as happens when memory runs out.",
    "KeyboardInterrupt": "A cell was interrupted, by --execution-timeout or from outside.",
}


class _Execution:
    """papermill's `execute_notebook`, which passes signals on, and ends with a line or two that say what to do."""

    def __init__(self, command: list[str]) -> None:
        self.command, self.signal, self.shows = f"\n    {shlex.join(command)}", 0, False
        self.stopped = "Stopped. The same command goes on:"

    def __call__(self, **options: Any) -> None:
        from papermill import execute_notebook

        if self.shows:
            shown = {"stdout_file": self, "stderr_file": sys.stderr}
            options |= {name: options[name] or stream for name, stream in shown.items()}
        options |= {
            "on_cell_start": self.before_cell,
            "on_cell_executed": self.after_cell,
            "interrupt_on_timeout": True,
        }
        try:
            execute_notebook(**options, extra_arguments=_QUIET)
        except Exception as error:
            if self.signal:
                self.stop()
            name, said = getattr(error, "ename", type(error).__name__), getattr(error, "evalue", error)
            if name in _AGAIN:
                raise click.ClickException(f"{_AGAIN[name]} The same command goes on:{self.command}") from error
            kept = f"\nThe traceback is in {options['output_path']}" if hasattr(error, "ename") else ""
            raise click.ClickException(f"{name}: {said}{kept}") from error

    def on_signal(self, number: int, _frame: object) -> None:
        """Interrupt the kernel, which has a session of its own, and let it write a checkpoint; the second time, end."""
        first, kernels = not self.signal, psutil.Process().children()
        self.signal = self.signal or number
        if not first or not kernels:
            self.stop()
        for kernel in kernels:
            kernel.send_signal(signal.SIGINT)

    def stop(self) -> NoReturn:
        self.write(f"{self.stopped}{self.command}\n", sys.stderr)
        sys.exit(128 + self.signal)

    def before_cell(self, **_: Any) -> None:
        if self.signal:  # it came between two cells, when a kernel does not listen
            self.stop()

    def after_cell(self, cell: Any, **_: Any) -> None:
        for output in cell.outputs:
            lines, data = output.get("text", "").splitlines(), output.get("data", {})
            self.stopped = next((line for line in lines if line.startswith("Stopped after")), self.stopped)
            if self.shows and "image/png" not in data and not data.get("text/plain", "<").startswith("<"):
                self.write(f"{data['text/plain']}\n")  # a table

    def write(self, text: str, stream: Any = None) -> None:
        """Print. The stream may have lost its reader: Ctrl-C ends `tee` too, and a lost connection its terminal."""
        stream = stream or sys.stdout
        try:
            print(text, end="", file=stream, flush=True)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

    def flush(self) -> None: ...


def main(arguments: list[str] | None = None) -> int:
    """Execute a notebook, or do what papermill does with these arguments; returns the exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # slow; jsonschema can do without
    from papermill import cli

    cli.execute_notebook = execution = _Execution(["papermill", *given])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as under `nohup`
            signal.signal(number, execution.on_signal)
    try:
        if notebook := _only_notebook(cli.papermill, given):
            EXECUTED.mkdir(parents=True, exist_ok=True)
            copy = EXECUTED / f"{notebook.stem}-{datetime.datetime.now():%Y-%m-%d-%H%M%S.%f}.ipynb"
            execution.shows = True
            execution.write(f"Executed copy: {copy}\n")
            ours = ["--no-progress-bar", "--log-level", "CRITICAL"]
            ours += ["--cwd", str(ROOT)] if notebook.resolve().is_relative_to(ROOT) else []
            given = [*ours, *given, str(copy)]  # the user's options come last, so they win
        return cli.papermill.main(given, prog_name="papermill", standalone_mode=False) or 0
    except click.ClickException as error:
        error.show()
        return error.exit_code


def _only_notebook(command: click.Command, arguments: list[str]) -> pathlib.Path | None:
    """The notebook of a call that names one notebook and no executed copy; else None."""
    context = click.Context(command, info_name="papermill", **command.context_settings)
    given, _, order = command.make_parser(context).parse_args(list(arguments))
    try:
        for path in given.get("parameters_file") or ():
            check_yaml(pathlib.Path(path).read_text("utf-8"), path)
        for text in given.get("parameters_yaml") or ():
            check_yaml(text, "-y")
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    name, asks_for_help = given.get("notebook_path"), {"version", "help", "help_notebook"} & {o.name for o in order}
    if asks_for_help or not isinstance(name, str) or isinstance(given.get("output_path"), str) or "://" in name:
        return None
    if (notebook := pathlib.Path(name)).is_file():
        return notebook
    if name == "-" or stat.S_ISFIFO(os.fstat(0).st_mode):
        return None  # the notebook is piped in, and this is the name of its executed copy
    known = [os.path.relpath(path) for path in (ROOT / "notebooks").glob("*.ipynb")]
    raise click.ClickException(f"No such notebook: {name}{did_you_mean(name, known)}")


if __name__ == "__main__":
    sys.exit(main())
