"""The command `papermill`: one notebook is enough, however standard input and output are connected."""

import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

import nbformat
import pytest
from jupyter_client.provisioning import LocalProvisioner

from autoaug import papermill_command
from autoaug.files import ROOT
from autoaug.papermill_engine import KERNEL

COMMAND = [sys.executable, "-m", "autoaug.papermill_command"]


def write_notebook(path, *sources, kernel="python3"):
    cells = [nbformat.v4.new_code_cell(source) for source in ("count: int = 1", *sources)]
    cells[0].metadata["tags"] = ["parameters"]
    spec = {"display_name": "Python 3", "language": "python", "name": kernel}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec}), path)
    return path


@pytest.fixture
def notebook(tmp_path):
    """A notebook that prints its parameter, shows a table, and writes to standard error."""
    table = "import sys, pandas\nprint('to nobody', file=sys.stderr)\npandas.DataFrame({'column': [count]})"
    return write_notebook(tmp_path / "some.ipynb", "print('count', count)", table)


@pytest.fixture
def executed(monkeypatch, tmp_path):
    """The folder of executed copies, for commands that are run here or in another process."""
    folder = tmp_path / "executed"
    monkeypatch.setattr(papermill_command, "EXECUTED", folder)
    return folder


def copies_of(output):
    """The executed copies that the output names; they go again."""
    paths = [ROOT / path for path in re.findall(r"Executed copy: (\S+)", output)]
    notebooks = [nbformat.read(path, as_version=4) for path in paths]
    for path in paths:
        path.unlink()
    return notebooks


def run(notebook, shell, cwd=ROOT):
    """The command with a notebook, standard streams connected by a shell: `$@ < /dev/null`."""
    command = ["bash", "-c", shell, "-", *COMMAND, notebook, "-p", "count", "7"]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("shell", ['"$@" < /dev/null > out; cat out', 'echo "not a notebook" | "$@" | cat', '"$@" <&-'])
def test_one_notebook_is_executed_however_it_is_called(notebook, shell, tmp_path):
    before = notebook.read_bytes()
    done = run(notebook, f"cd {tmp_path}; PYTHONPATH={ROOT} {shell}")
    assert done.returncode == 0, done.stderr
    assert len(copies_of(done.stdout)) == 1
    assert "count 7\n   column\n0       7\n" in done.stdout and done.stderr == "to nobody\n"
    assert notebook.read_bytes() == before


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_standard_streams_may_be_closed(closed, tmp_path):
    proof = tmp_path / "proof"
    notebook = write_notebook(tmp_path / f"{tmp_path.name}.ipynb", f"open({str(proof)!r}, 'w').write(str(count))")
    done = run(notebook, f'"$@" {closed}')
    assert done.returncode == 0, done.stderr
    (copy,) = papermill_command.EXECUTED.glob(f"{notebook.stem}-*.ipynb")
    copy.unlink()
    assert proof.read_text() == "7"


@pytest.mark.parametrize("registered", [False, True])
def test_the_projects_kernel_is_this_environments_whoever_has_registered_the_name(registered, tmp_path, monkeypatch):
    notebook = write_notebook(tmp_path / "own.ipynb", "import sys; print(sys.prefix, count)", kernel=KERNEL)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    if registered:  # by another checkout, which is gone
        spec = {"argv": [str(tmp_path / "gone")], "display_name": KERNEL, "language": "python"}
        (tmp_path / "kernels" / KERNEL).mkdir(parents=True)
        (tmp_path / "kernels" / KERNEL / "kernel.json").write_text(json.dumps(spec))
    done = run(notebook, '"$@"')
    assert done.returncode == 0, done.stderr
    copies_of(done.stdout)
    assert f"{sys.prefix} 7\n" in done.stdout


def test_the_set_up_registers_the_kernel_of_the_notebooks_for_every_jupyter_of_the_user(tmp_path):
    """By the Makefile's own line, for a user with another home; a Jupyter that looks there finds this Python."""
    if shutil.which("make") is None:
        pytest.skip("needs make")
    lines = subprocess.run(["make", "-n", "setup"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (command,) = (line for line in lines.splitlines() if "ipykernel install --user" in line)
    home = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "XDG"))}
    home["HOME"] = str(tmp_path)
    subprocess.run([sys.executable, *shlex.split(command)[1:]], env=home, check=True)
    look = "from jupyter_client import kernelspec as k; print(k.KernelSpecManager().get_kernel_spec(%r).to_json())"
    other = home | {"JUPYTER_PREFER_ENV_PATH": "0"}  # as a Jupyter outside of this environment
    found = subprocess.run(
        [sys.executable, "-c", look % KERNEL], env=other, capture_output=True, text=True, check=True
    ).stdout
    assert json.loads(found)["argv"][0] == sys.executable and json.loads(found)["display_name"] == KERNEL


def test_in_a_terminal(notebook):
    process, terminal = pty.fork()
    if not process:
        os.chdir(ROOT)
        os.execv(COMMAND[0], [*COMMAND, str(notebook), "-p", "count", "7"])
    shown = b""
    while True:
        try:
            read = os.read(terminal, 1024)
        except OSError:  # the other end is closed
            break
        shown += read
        if not read:
            break
    text = shown.decode().replace("\r\n", "\n")
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0, text
    assert len(copies_of(text)) == 1 and "count 7\n" in text and "   column\n0       7\n" in text
    assert "Kernel is running" not in text and "Missing argument" not in text and len(text.splitlines()) == 5


def test_an_error_is_its_message_and_where_the_traceback_is(tmp_path):
    """Also where the kernel's own machinery has something to say at that moment, as it may when it is ended."""
    noise = "import logging\nlogging.getLogger('tornado.general').error('Uncaught exception in ZMQStream callback')\n"
    notebook = write_notebook(tmp_path / "wrong.ipynb", f"{noise}raise ValueError('Expected more. Received: less')")
    done = run(notebook, '"$@"')
    (copy,) = copies_of(done.stdout)
    (output,) = copy.cells[-1].outputs  # no noise here either
    assert done.returncode == 1 and len(output.traceback) > 2
    first, second = done.stderr.splitlines()
    assert first == "ValueError: Expected more. Received: less" and second.startswith("The traceback is in ")


LATE = """
def delay():  # the notebook's own names are gone by then
    import sys, threading, time

    printing = sys.stdout.pub_thread.io_loop
    flush, close = sys.stdout.flush, printing.close

    def late():
        if threading.current_thread().name == "Control":
            time.sleep(0.5)
        flush()

    def slow(**options):
        time.sleep(1)
        close(**options)

    sys.stdout.flush, sys.stdout.flush_timeout, printing.close = late, 60, slow

delay()
"""


def test_a_kernel_ends_by_itself_though_its_control_thread_is_late(executed, tmp_path, monkeypatch):
    """While the thread that prints comes to its end, the control thread would still have it print."""
    terminated, terminate = [], LocalProvisioner.terminate
    monkeypatch.setattr(
        LocalProvisioner, "terminate", lambda *given, **how: terminated.append(given) or terminate(*given, **how)
    )
    assert papermill_command.main([str(write_notebook(tmp_path / "late.ipynb", LATE))]) == 0
    assert not terminated


@pytest.fixture
def long(tmp_path):
    """A notebook that an interrupt ends; the file that it makes when it begins, and the one when it has ended."""
    begun, woken = tmp_path / "begun", tmp_path / "woken"
    wait = f"import pathlib, time\ntry:\n    pathlib.Path({str(begun)!r}).touch()\n    time.sleep(60)\n"
    wait += "finally:\n    print('Stopped after step 3 of 9.', flush=True)\n    time.sleep(0.5)\n"
    wait += f"    pathlib.Path({str(woken)!r}).touch()"
    return write_notebook(tmp_path / f"{tmp_path.name}.ipynb", wait), begun, woken


def start(notebook, begun, **streams):
    """A process of the command that has begun to execute the notebook; it has no terminal."""
    command = [*COMMAND, notebook, "-p", "count", "7"]
    process = subprocess.Popen(command, cwd=ROOT, text=True, start_new_session=True, **streams)
    while not begun.exists():
        assert process.poll() is None
        time.sleep(0.1)
    return process


@pytest.mark.parametrize(("number", "redirected"), [(signal.SIGINT, False), (signal.SIGTERM, True)])
def test_a_signal_interrupts_the_cell_and_says_how_to_go_on(tmp_path, long, number, redirected):
    (notebook, begun, woken), out = long, tmp_path / "out"
    with out.open("w") as file:
        streams = {"stdout": file if redirected else subprocess.PIPE, "stderr": subprocess.PIPE}
        process = start(notebook, begun, **streams)
        process.send_signal(number)
        shown, said = process.communicate(timeout=60)
    assert len(copies_of(out.read_text() if redirected else shown)) == 1
    assert process.returncode == 128 + number and woken.exists()
    assert said == f"Stopped after step 3 of 9.\n    papermill {notebook} -p count 7\n"


@pytest.mark.parametrize("stderr", [subprocess.PIPE, subprocess.STDOUT])
def test_ctrl_c_that_ends_tee_too_is_as_any_other(long, stderr):
    """`papermill … | tee log`, where standard error is the terminal, and `papermill … 2>&1 | tee log`."""
    notebook, begun, woken = long
    process = start(notebook, begun, stdout=subprocess.PIPE, stderr=stderr)
    first = process.stdout.readline()
    process.stdout.close()
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1] if process.stderr else None
    assert process.wait(timeout=60) == 130 and woken.exists()
    assert len(copies_of(first)) == 1
    assert said in (None, f"Stopped after step 3 of 9.\n    papermill {notebook} -p count 7\n")


class TestOtherCallsArePapermillsOwn:
    def test_two_names(self, notebook, executed, tmp_path, capfd):
        assert papermill_command.main([str(notebook), str(tmp_path / "out.ipynb"), "-p", "count", "7"]) == 0
        out, err = capfd.readouterr()
        assert out == "" and "Executing:" in err and not executed.exists()
        assert "count 7" in (tmp_path / "out.ipynb").read_text()

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            (["--help"], "Usage: papermill [OPTIONS] NOTEBOOK_PATH"),
            (["-h"], "Usage: papermill"),
            (["--version"], "papermill/cli.py"),
            (["notebooks/train.ipynb", "--help-notebook"], "Wide-ResNet"),
            ([str(ROOT / "notebooks" / "train.ipynb"), "--help"], "Usage: papermill"),
            (["--no-such-option"], "No such option"),
        ],
    )
    def test_help_and_wrong_options(self, arguments, expected, executed, capsys, monkeypatch):
        monkeypatch.chdir(ROOT)
        expected = "Parameters inferred for notebook" if "--help-notebook" in arguments else expected
        try:
            status = papermill_command.main(arguments)
        except SystemExit as end:  # papermill's help on a notebook
            status = end.code
        captured = capsys.readouterr()
        assert expected in captured.out + captured.err and not executed.exists()
        assert bool(status) == ("--no-such-option" in arguments)

    def test_a_notebook_that_is_piped_in(self, notebook, tmp_path):
        out = tmp_path / "out.ipynb"
        done = run(out, f'cat {notebook} | "$@"')
        assert done.returncode == 0 and "Executed copy" not in done.stdout and "count 7" in out.read_text()


SLOW_TO_ANSWER = """
import sys, time
from nbclient.output_widget import OutputWidget
from autoaug import papermill_command

send = OutputWidget.send

def answer_late(*given, **options):
    time.sleep(0.5)  # the kernel's reply to the cell comes meanwhile
    send(*given, **options)

OutputWidget.send = answer_late
sys.exit(papermill_command.main())
"""


def test_a_cell_with_a_widget_ends_even_if_its_reply_comes_while_the_widget_is_answered(tmp_path):
    widget = "import ipywidgets\nbox = ipywidgets.Output()\nwith box:\n    print('inside')"
    notebook, copy = write_notebook(tmp_path / "some.ipynb", widget, "print('after')"), tmp_path / "copy.ipynb"
    subprocess.run(
        [sys.executable, "-c", SLOW_TO_ANSWER, notebook, copy], cwd=ROOT, check=True, capture_output=True, timeout=60
    )
    assert nbformat.read(copy, as_version=4).cells[-1].outputs[0].text == "after\n"


def test_a_misspelt_notebook_is_answered_with_the_one_that_is_meant(executed, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "stdin", None)
    assert papermill_command._only_notebook(["notebooks/train.ipynb", "-p", "model", "wrn"]) == "notebooks/train.ipynb"
    done = subprocess.run([*COMMAND, "notebooks/trian.ipynb"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "Error: No such notebook: notebooks/trian.ipynb. Did you mean notebooks/train.ipynb?\n"


def test_the_projects_notebooks_run_in_its_root_and_the_users_options_stand(tmp_path):
    copy = tmp_path / "copy.ipynb"
    ours = papermill_command._completed(
        ["notebooks/train.ipynb", "--cwd", "x"], str(ROOT / "notebooks/train.ipynb"), copy
    )
    assert ours.index(str(ROOT)) < ours.index("x") and ours[-1] == str(copy)
    assert "--cwd" not in papermill_command._completed(["some.ipynb"], str(tmp_path / "some.ipynb"), copy)


def test_the_project_installs_the_command():
    scripts = (ROOT / "pyproject.toml").read_text().partition("[project.scripts]\n")[2]
    assert scripts.startswith('papermill = "autoaug.papermill_command:main"\n')
