"""The command `papermill` of this project's environment: like papermill's own, but one notebook's name is enough.

    papermill notebooks/train.ipynb -p model wrn

Papermill itself asks for the name of the executed copy in a terminal. Elsewhere it writes the copy to standard output,
and takes its standard input for the notebook. Here, a call with exactly one notebook writes the executed copy to
`results/notebooks/<name>-<date>-<time>.ipynb`, runs the project's notebooks in the repository's root, and shows what
the notebook prints. All other calls go to papermill unchanged; `python -m papermill` is papermill itself.
"""

import contextlib
import datetime
import os
import pathlib
import shlex
import stat
import sys
from collections.abc import Iterator
from typing import Any

from autoaug.files import ROOT
from autoaug.recipes import did_you_mean

EXECUTED = ROOT / "results" / "notebooks"
_GRAMMAR = "rfc3987_syntax"
"""A package that jsonschema uses to check addresses, if it is installed; its import takes longer than papermill's."""


def main(arguments: list[str] | None = None) -> int:
    """Execute a notebook, or do what papermill does with these arguments.

    Returns:
        The exit status: papermill's; 1 where the notebook failed, 130 or 143 where a signal ended it.
    """
    _open_standard_streams()  # papermill looks at standard input when it is imported
    sys.modules.setdefault(_GRAMMAR, None)  # type: ignore[arg-type]  # its import fails; jsonschema can do without
    import click
    from papermill import cli
    from papermill.exceptions import PapermillExecutionError

    from autoaug import papermill_engine

    given = sys.argv[1:] if arguments is None else arguments
    try:
        notebook = _only_notebook(given)
        with _reserved(notebook) as copy, papermill_engine.registered() as execution:
            try:
                full = _completed(given, notebook, copy) if notebook and copy else given
                return cli.papermill.main(full, prog_name="papermill", standalone_mode=False) or 0
            except (click.Abort, KeyboardInterrupt):
                return _say_stopped(given, execution)
            except PapermillExecutionError as error:
                if execution.signal:
                    return _say_stopped(given, execution)
                kept = f"The traceback is in {shown(copy)}" if copy else "The traceback is in the executed copy"
                print(f"{error.ename}: {error.evalue}\n{kept}", file=sys.stderr)
                return 1
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except OSError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1


def _open_standard_streams() -> None:
    """Open closed standard streams on the null device; else the next file to be opened would become one of them."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            os.set_inheritable(number, True)  # by the kernel, which does not start without its streams
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


def _only_notebook(arguments: list[str]) -> str | None:
    """The notebook of a call that names one notebook and no executed copy; else None.

    Raises:
        click.ClickException: there is no such file.
    """
    import click
    from papermill import cli

    try:
        context = click.Context(cli.papermill, **cli.papermill.context_settings)
        given, _, order = cli.papermill.make_parser(context).parse_args(list(arguments))
    except click.UsageError:
        return None  # papermill says what is wrong
    asks_for_help = any(parameter.is_eager or parameter.name == "help_notebook" for parameter in order)
    notebook = given.get("notebook_path")
    if asks_for_help or not isinstance(notebook, str) or isinstance(given.get("output_path"), str) or "://" in notebook:
        return None
    if not pathlib.Path(notebook).is_file():
        if notebook == "-" or stat.S_ISFIFO(os.fstat(0).st_mode):
            return None  # the notebook is piped in, and this is the name of its executed copy
        known = [shown(path) for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
        raise click.ClickException(f"No such notebook: {notebook}{did_you_mean(notebook, known)}")
    return notebook


@contextlib.contextmanager
def _reserved(notebook: str | None) -> Iterator[pathlib.Path | None]:
    """A new file for the executed copy; removed if nothing is written to it. None without a notebook."""
    if notebook is None:
        yield None
        return
    EXECUTED.mkdir(parents=True, exist_ok=True)
    name = f"{pathlib.Path(notebook).stem}-{datetime.datetime.now():%Y-%m-%d-%H%M%S}"
    copy = EXECUTED / f"{name}.ipynb"
    try:
        copy.touch(exist_ok=False)
    except FileExistsError:  # of another command, in the same second
        copy = EXECUTED / f"{name}-{os.getpid()}.ipynb"
        copy.touch(exist_ok=False)
    print(f"Executed copy: {shown(copy)}", flush=True)
    try:
        yield copy
    finally:
        if not copy.stat().st_size:
            copy.unlink()


def _completed(arguments: list[str], notebook: str, copy: pathlib.Path) -> list[str]:
    """The arguments for papermill; the user's options come last, so they win."""
    ours = ["--engine", "shown", "--no-progress-bar", "--log-level", "ERROR"]
    if pathlib.Path(notebook).resolve().is_relative_to(ROOT):
        ours += ["--cwd", str(ROOT)]
    return [*ours, *arguments, str(copy)]


def _say_stopped(arguments: list[str], execution: Any) -> int:
    """Say where the notebook stopped and how to continue it; returns the exit status.

    If standard error leads to `tee`, which the same Ctrl-C has ended, the message goes straight to the terminal.
    """
    from autoaug.papermill_engine import lead_nowhere

    said = f"{execution.stopped_at}\n    {shlex.join(['papermill', *arguments])}\n"
    try:
        sys.stderr.write(said)
    except BrokenPipeError:
        lead_nowhere(sys.stderr)
        with contextlib.suppress(OSError):
            pathlib.Path("/dev/tty").write_text(said, "utf-8")
    return 128 + (execution.signal or 2)


def shown(path: pathlib.Path) -> str:
    """The path as the user would type it."""
    folder = pathlib.Path.cwd()
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


if __name__ == "__main__":
    sys.exit(main())
