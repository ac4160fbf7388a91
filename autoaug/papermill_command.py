"""The command `papermill` of this project's environment: papermill's own, where one notebook's name is enough.

A call with one notebook writes its copy to `results/notebooks/<name>-<date>-<time>.ipynb`, runs the project's notebooks
in its root, and shows what they print. Other calls are papermill's. A signal lets a training write a checkpoint.
"""

import datetime
import pathlib
import shlex
import signal
import sys
from typing import Any

import click
import psutil

from autoaug.files import ROOT, check_yaml

_ENDED = {"DeadKernelError": "killed, as when memory runs out", "KeyboardInterrupt": "interrupted: --execution-timeout"}
_QUIET = [  # else an interrupted kernel may print a traceback of its own
    "--IPKernelApp.log_level=CRITICAL",
    "--IPKernelApp.exec_lines=__import__('logging').getLogger('tornado').setLevel('CRITICAL')",
]


class Execution:
    """papermill's `execute_notebook`, which passes signals on, and ends with a line or two that say what to do."""

    command, signal, shows, begun, stopped = "", 0, False, False, "Stopped. The same command goes on:"
    flush = staticmethod(lambda: None)  # papermill takes it for a file

    def __call__(self, **options: Any) -> None:
        from papermill import execute_notebook

        options |= {name: options[name] or (self if self.shows else None) for name in ("stdout_file", "stderr_file")}
        hooks = {"on_cell_start": self.stop, "on_cell_executed": self.after_cell, "extra_arguments": _QUIET}
        try:
            execute_notebook(**options, **hooks, interrupt_on_timeout=True)
        except Exception as error:
            self.stop()
            name, said = getattr(error, "ename", type(error).__name__), getattr(error, "evalue", error)
            kept = f"\nThe traceback is in {options['output_path']}" if hasattr(error, "ename") else ""
            again = f"The notebook was {_ENDED.get(name)}. The same command goes on:{self.command}"
            raise click.ClickException(again if name in _ENDED else f"{name}: {said}{kept}") from error

    def on_signal(self, number: int, _: object) -> None:
        """Interrupt the kernel, in a session of its own, for a checkpoint; a second time or before any cell, end."""
        kernels, self.signal = psutil.Process().children() if self.begun and not self.signal else [], number
        for kernel in kernels:
            kernel.send_signal(signal.SIGINT)
        if not kernels:
            self.stop()

    def stop(self, cell: Any = None, **_: Any) -> None:
        """End, if a signal has come; before the first cell and between two, a kernel does not listen to signals."""
        self.begun = self.begun or cell is not None
        if self.signal:
            print(f"{self.stopped}{self.command}", file=sys.stderr, flush=True)
            sys.exit(128 + self.signal)

    def after_cell(self, cell: Any, **_: Any) -> None:
        for output in cell.outputs:
            lines, data = output.get("text", "").splitlines(), output.get("data", {})
            self.stopped = next((line for line in lines if line.startswith("Stopped after")), self.stopped)
            if self.shows and "image/png" not in data and not data.get("text/plain", "<").startswith("<"):
                self.write(f"{data['text/plain']}\n")  # a table

    def write(self, text: str) -> None:
        if not self.signal:  # else the reader may be gone: Ctrl-C ends `tee` too, a lost connection its terminal
            print(text, end="", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Execute a notebook, or do what papermill does with these arguments; returns the exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    (execution := Execution()).command = f"\n    {shlex.join(['papermill', *given])}"
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as under `nohup`
            signal.signal(number, execution.on_signal)
    try:
        from papermill import cli  # in the second that this takes, a signal may come

        cli.execute_notebook = execution
        if notebook := _only_notebook(cli.papermill, given):
            (executed := ROOT / "results" / "notebooks").mkdir(parents=True, exist_ok=True)
            copy = executed / f"{notebook.stem}-{datetime.datetime.now():%Y-%m-%d-%H%M%S.%f}.ipynb"
            print(f"Executed copy: {copy}", flush=True)
            execution.shows, where = True, ["--cwd", str(ROOT)] if notebook.resolve().is_relative_to(ROOT) else []
            given = ["--no-progress-bar", "--log-level", "CRITICAL", *where, *given, str(copy)]
        return cli.papermill.main(given, prog_name="papermill", standalone_mode=False) or 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (OSError, ValueError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1


def _only_notebook(command: click.Command, arguments: list[str]) -> pathlib.Path | None:
    """The notebook of a call that names one notebook and no executed copy; else None."""
    context = click.Context(command, info_name="papermill", **command.context_settings)
    given, _, order = command.make_parser(context).parse_args(list(arguments))
    for text in given.get("parameters_yaml") or ():
        check_yaml(text, "-y")
    for path in (path for path in given.get("parameters_file") or () if "://" not in path):
        check_yaml(pathlib.Path(path).read_text("utf-8"), path)
    name, asks_for_help = given.get("notebook_path"), {"version", "help", "help_notebook"} & {o.name for o in order}
    if asks_for_help or not isinstance(name, str) or isinstance(given.get("output_path"), str) or "://" in name:
        return None
    if (notebook := pathlib.Path(name)).is_file():
        return notebook
    if name != "-" and not pathlib.Path("/dev/stdin").is_fifo():
        raise click.ClickException(f"No such notebook: {notebook.absolute()}")
    return None  # the notebook is piped in, and this is the name of its executed copy


if __name__ == "__main__":
    sys.exit(main())
