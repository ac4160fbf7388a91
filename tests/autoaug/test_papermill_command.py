"""The command `papermill`: one notebook is enough in a terminal, in a pipe and from cron; how executions end."""

import contextlib
import os
import pathlib
import pty
import re
import signal
import subprocess
import sys
import time

import nbformat
import psutil
import pytest
from notebook_files import write_notebook

from autoaug import papermill_command
from autoaug.files import ROOT

COMMAND = [sys.executable, "-m", "autoaug.papermill_command"]
COUNT = "count: int = 1"


@pytest.fixture
def notebook(tmp_path):
    """A notebook that prints its parameter, shows a table, and writes to standard error."""
    table = "import sys, pandas\nprint('to nobody', file=sys.stderr)\npandas.DataFrame({'column': [count]})"
    return write_notebook(tmp_path / "some.ipynb", COUNT, "print('count', count)", table)


def copies_of(output):
    """The executed copies that the output names; they go again."""
    paths = [pathlib.Path(path) for path in re.findall(r"Executed copy: (\S+)", output)]
    notebooks = [nbformat.read(path, as_version=4) for path in paths]
    for path in paths:
        path.unlink()
    return notebooks


def run(notebook, *arguments, **options):
    command = [*COMMAND, notebook, *arguments]
    return subprocess.run(command, text=True, capture_output=True, timeout=120, **{"cwd": ROOT} | options)


def test_from_cron_with_a_long_folder_for_temporary_files(notebook, tmp_path):
    """A process without a terminal, with few variables; sockets would not fit into this TMPDIR."""
    (long := tmp_path / ("t" * 90)).mkdir()
    few = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "TMPDIR": str(long), "PYTHONPATH": str(ROOT)}
    before = notebook.read_bytes()
    done = run(notebook, "-p", "count", "7", env=few, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert len(copies_of(done.stdout)) == 1 and notebook.read_bytes() == before
    assert done.stdout.endswith("count 7\nto nobody\n   column\n0       7\n") and done.stderr == ""


def in_a_terminal(*arguments, interrupt_when=None):
    """The exit status and what is shown; Ctrl-C is typed once `interrupt_when` is true of the process."""
    process, terminal = pty.fork()
    if not process:
        os.chdir(ROOT)
        os.execv(COMMAND[0], [*COMMAND, *map(str, arguments)])
    while interrupt_when and not interrupt_when(psutil.Process(process)):
        time.sleep(0.01)
    os.write(terminal, b"\x03" if interrupt_when else b"")
    shown = b""
    with contextlib.suppress(OSError):  # at last, the other end is closed
        while read := os.read(terminal, 1024):
            shown += read
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize(
    "interrupt_when",
    [lambda process: any("zmq" in library.path for library in process.memory_maps()), psutil.Process.children],
)
def test_ctrl_c_while_papermill_is_loaded_or_the_kernel_starts_shows_no_traceback(notebook, interrupt_when):
    status, text = in_a_terminal(notebook, interrupt_when=interrupt_when)
    copies_of(text)
    assert status == 130 and text.endswith(f"^CStopped. The same command goes on:\n    papermill {notebook}\n")


def test_in_a_terminal(notebook):
    status, text = in_a_terminal(notebook, "-p", "count", "7")
    assert status == 0, text
    assert len(copies_of(text)) == 1 and "count 7\n" in text and "   column\n0       7\n" in text
    assert "Missing argument" not in text and len(text.splitlines()) == 5


@pytest.mark.parametrize(
    ("source", "options", "said"),
    [
        ("raise ValueError('Expected more')", [], "Error: ValueError: Expected more\nThe traceback is in {copy}\n"),
        ("import os\nos.kill(os.getpid(), 9)", [], "memory runs out. The same .*:\n    papermill {again}\n"),
        ("import time\ntime.sleep(60)", ["--execution-timeout", "1"], "-timeout.*\n    papermill {again}\n"),
    ],
)  # fmt: skip
def test_the_end_is_said_in_two_lines(tmp_path, source, options, said):
    notebook = write_notebook(tmp_path / "wrong.ipynb", COUNT, source)
    done = run(notebook, *options)
    (copy,) = re.findall(r"Executed copy: (\S+)", done.stdout)
    copies_of(done.stdout)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 2
    assert re.search(said.format(copy=copy, again=" ".join([str(notebook), *options])), done.stderr)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_interrupts_the_cell_and_says_how_to_go_on(tmp_path, number):
    """For Ctrl-C, standard output has lost its reader, as in `papermill … | tee log`."""
    begun, woken = tmp_path / "begun", tmp_path / "woken"
    wait = f"import pathlib, time\ntry:\n    pathlib.Path({str(begun)!r}).touch()\n    time.sleep(60)\n"
    wait += "finally:\n    print('Stopped after step 3 of 9.', flush=True)\n    time.sleep(0.5)\n"
    wait += f"    pathlib.Path({str(woken)!r}).touch()"
    notebook = write_notebook(tmp_path / "long.ipynb", COUNT, wait)
    command, pipes = [*COMMAND, notebook, "-p", "count", "7"], {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, cwd=ROOT, text=True, start_new_session=True, **pipes)  # without a terminal
    while not begun.exists():
        assert process.poll() is None
        time.sleep(0.1)
    first = process.stdout.readline()
    if number == signal.SIGINT:
        process.stdout.close()
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + number and woken.exists()
    assert len(copies_of(first)) == 1
    assert said == f"Stopped after step 3 of 9.\n    papermill {notebook} -p count 7\n"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--help"], 0, "Usage: papermill [OPTIONS] NOTEBOOK_PATH"),
        (["--version"], 0, "papermill/cli.py"),
        (["some.ipynb", "--help-notebook"], 0, "Parameters inferred for notebook"),
        (["some.ipynb", "out.ipynb", "-p", "count", "7"], 0, "Executing: "),
        ([], 2, "Missing argument 'NOTEBOOK_PATH'"),
        (["--no-such-option"], 2, "No such option"),
        ([str(ROOT / "notebooks" / "trian.ipynb")], 1, "No such notebook: "),
        (["some.ipynb", "-y", "{count: 1, count: 2}"], 1, "-y, line 1: Expected each name once. Received twice: count"),
        (["some.ipynb", "-f", "given.yml"], 1, "given.yml, line 2: Expected a decimal number"),
    ],
)  # fmt: skip
def test_other_calls_are_papermills_or_refused(notebook, tmp_path, monkeypatch, capfd, arguments, status, said):
    (tmp_path / "given.yml").write_text("some: 1\ncount: 010\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # of the tests' process nothing changes
    with pytest.raises(SystemExit) as ended:  # as a process; papermill's own help ends it too
        sys.exit(papermill_command.main(arguments))
    out, err = capfd.readouterr()
    assert ended.value.code == status and said in out + err
    assert "Executed copy" not in out and "Traceback" not in err
    assert (tmp_path / "out.ipynb").exists() == ("out.ipynb" in arguments)


def test_a_notebook_that_is_piped_in(notebook, tmp_path):
    done = run("out.ipynb", input=notebook.read_text(), cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0 and "Executed copy" not in done.stdout
    assert "count 1" in (tmp_path / "out.ipynb").read_text()
