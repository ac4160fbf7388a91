"""Studies: read from YAML, and carried out."""

import io
import os
import pathlib
import signal
import subprocess
import sys
import time

import psutil
import pytest
import yaml
from notebook_files import write_notebook

from autoaug import study
from autoaug.files import ROOT, check_yaml

FIRST = 'results_dir: str = "r"\ncount: int = 1\nsize: dict = {}\njudges: list = []'


@pytest.fixture
def folder(tmp_path):
    """A folder with the notebooks `first`, with parameters, and `second`, with one."""
    write_notebook(tmp_path / "first.ipynb", FIRST, "print(count, size, results_dir)")
    warn = "import os, sys\nprint(title, os.getcwd(), file=sys.stderr)"
    write_notebook(tmp_path / "second.ipynb", 'title: str = "UserWarning: Left out"', warn)
    return tmp_path


def write(folder, content):
    """The study in a file: a text, or stages, each of which is a list of runs or a whole stage."""
    if not isinstance(content, str):
        content = [{"stage": "some", "runs": stage} if isinstance(stage, list) else stage for stage in content]
    path = folder / "study.yml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_stages_follow_each_other_and_every_combination_is_a_run(folder):
    entry = {"notebook": "first", "parameters": {"size": {"a": 1}}, "each": {"count": [1, 2]}}
    shown = {"notebook": "first", "parameters": {"judges": ["b", "a"]}, "render": True}
    stages = [{"stage": "pair", "side_by_side": True, "runs": [entry]}, [shown]]
    pair, page = study.read(write(folder, stages))
    assert (pair.side_by_side, page.side_by_side) == (True, False)
    assert [run.parameters for run in pair.runs] == [{"size": {"a": 1}, "count": count} for count in (1, 2)]
    (shown,) = page.runs
    assert shown.parameters == {"judges": ["b", "a"]} and shown.render and shown.given["count"] == 1


def test_a_run_that_is_named_twice_is_one_run(folder):
    entry = {"notebook": "train", "each": {"model": ["ss32", "shake_shake_32", "wrn"], "seed": [0, 1]}}
    again = {"notebook": "train", "parameters": {"model": "wrn", "preset": "quick", "device": "cpu"}}
    first, second = study.read(write(folder, [[entry, again], [again, {"notebook": "second"}]]))
    assert [(run.given["model"], run.given["seed"]) for run in first.runs] == [
        ("ss32", 0), ("ss32", 1), ("wrn", 0), ("wrn", 1)
    ]  # fmt: skip
    assert [run.title for run in second.runs] == ["second"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("- [", "Expected YAML"),
        ("[" * 10_000, "Expected YAML"),
        ("{}", "Expected `array`. Received: `object`"),
        ("#" * 2**18 + "\n- a", "more than 262,144"),
        ("- 2026-99-99", "month must be in 1..12"),
        ("- notebook: train", "unknown field `notebook`"),
        ([{"stage": "a", "runs": []}], r"of length >= 1 - at `\$\[0\].runs`"),
        ([{"stage": "a", "runs": [{"notebook": "first"}], "side_by_side": 2}], r"at `\$\[0\].side_by_side`"),
        ([[{"notebok": "first"}]], "unknown field `notebok`"),
        ([[{"notebook": "frist"}]], "one of .*train, first.* Received: notebook='frist'. Did you mean first?"),
        ([[{"notebook": "../first"}]], "Expected notebook, .*Received: notebook='../first'"),
        ([[{"notebook": "first", "parameters": {"cuont": 1}}]], "parameter, one of count, .*Did you mean count?"),
        ([[{"notebook": "first", "each": {"results_dir": ["x"]}}]], "Received: parameter='results_dir'"),
        ([[{"notebook": "first", "each": {"count": []}}]], "of length >= 1"),
        ([[{"notebook": "first", "parameters": {"judges": "a"}}]], r"Received: `str` - at `\$.judges`"),
        ([[{"notebook": "first", "each": {"judges": [["a", []]]}}]], r"Received: `array` - at `\$.judges\[1\]`"),
        ([[{"notebook": "first", "each": {"count": [1, "abc"]}}]], r"Expected `int`. Received: `str` - at `\$.count`"),
        ([[{"notebook": "train", "parameters": {"seed": -1}}]], "Expected seed: "),
        ([[{"notebook": "train", "parameters": {"model": "vgg"}}]], "Expected model, one of wrn"),
        ([[{"notebook": "train", "parameters": {"train_data": "cifar11"}}]], "Received: 'cifar11'. Did you"),
        ([[{"notebook": "train", "parameters": {"train_data": "cifar10.1-v6"}}]], "training part. .*: cifar10.1-v6"),
        ([[{"notebook": "train", "parameters": {"workers": 0}}]], "Expected workers above 0"),
        ([[{"notebook": "train", "parameters": {"validation_size": 5000}}]], "Expected at least 128 training images"),
        ([[{"notebook": "distribution_shift", "parameters": {"confidence": 95.0}}]], r"< 1.0 - at `\$.confidence`"),
        ("- stage: a\n  runs:\n  - {notebook: first, each: {},\n     each: {}}", "line 3: .*twice: each"),
        ("- stage: a\n  runs:\n  - {notebook: first, parameters: {count: 1, count: 2}}", "line 3: .*twice: count"),
        ("- stage: a\n  runs:\n  - notebook: first\n    parameters: {count: 010}", "line 4: .* Received: 010"),
        ("- stage: a\n  runs:\n  - {notebook: train, each: {weight_decay: [1e-3]}}", r"line 3: .*1\.0e-3.*: 1e-3"),
    ],
)  # fmt: skip
def test_a_wrong_study_is_refused_by_file_and_place(folder, content, said):
    with pytest.raises(study.StudyError, match=f"study.yml.*{said}"):
        study.read(write(folder, content))


def test_own_sets_that_the_study_builds_before_are_known(folder):
    build = {"notebook": "build_datasets", "parameters": {"own": {"my10": {"train": "my10.npz"}}}}
    train = {"notebook": "train", "parameters": {"train_data": "my10"}}
    assert len(study.read(write(folder, [[build], [train]]))) == 2
    with pytest.raises(study.StudyError, match="Received: 'my10'"):
        study.read(write(folder, [[train], [build]]))
    assert len(study.read(write(folder, [[{"notebook": "first"}], [train]]))) == 2  # this notebook may build it


def test_yaml_that_is_what_it_seems():
    check_yaml("a: &x [1, 0, -3, 0.5, 0x1F, '010', 1_000, '1e-3', .e5]\nb: {a: *x, c: *x}\n? [a]\n: 1", "name")
    with pytest.raises(ValueError, match=r"name, line 1: .* Received: 1:30"):
        check_yaml("a: 1:30", "name")
    with pytest.raises(ValueError, match=r"name, line 1: .* Received: 1:30\.5"):
        check_yaml("a: 1:30.5", "name")
    laughs = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}' if n else 'x'] * 10)}]" for n in range(9))
    for bomb in (laughs, "a: &a [*a]"):
        with pytest.raises(ValueError, match="name: Expected at most 100,000 values"):
            check_yaml(bomb, "name")


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.yml")), ids=lambda path: path.stem)
def test_the_committed_studies_are_right(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    runs = [run for stage in study.read(path.relative_to(ROOT)) for run in stage.runs]  # as `make study` names it
    assert runs and all(run.recipe for run in runs if run.notebook.stem == "train")


def test_notebooks_run_in_order_with_parameters_in_the_root(folder, capfd):
    entry = {"notebook": "first", "parameters": {"count": 7, "size": {"depth": 1}}}
    text = "# A study.\n# Cost: little\n#     make study\n" + yaml.safe_dump(
        [{"stage": "a", "runs": [entry]}, {"stage": "b", "runs": [{"notebook": "second", "render": True}]}]
    )
    copy = study.run(write(folder, text), folder / "results")
    out, err = capfd.readouterr()
    assert "study.yml: 0 notebooks are done, 2 are due." in out and "Cost: little" in out and "Left out /" in err
    assert out.index("Done: first count=7 size={'depth': 1}") < out.index("Done: second")
    assert copy.name == "02-second.ipynb"
    assert copy.with_suffix(".log").read_text().startswith(f"UserWarning: Left out {ROOT}\n")  # libzmq may add to it
    (log,) = copy.parent.glob("01-*.log")
    assert log.name == "01-first-count=7-size=-depth-1-.log"
    assert log.read_text().startswith(f"7 {{'depth': 1}} {folder / 'results'}\n")


def test_notebooks_side_by_side_share_the_cores_and_one_failure_stops_them(folder, capfd):
    """Each of two waits for the other's file, so they pass only if they run at the same time."""
    wait = "import os, pathlib, time\nown, other = (pathlib.Path(results_dir) / str(n) for n in (count, 1 + count % 2))"
    wait += "\nown.write_text(''.join(os.environ[f'TF_NUM_{of}OP_THREADS'] for of in ('INTRA', 'INTER')))"
    wait += "\nwhile not other.exists():\n    time.sleep(0.1)"
    write_notebook(folder / "first.ipynb", FIRST, wait)
    entry = {"notebook": "first", "each": {"count": [1, 2]}}
    path = write(folder, [{"stage": "pair", "side_by_side": True, "runs": [entry]}])
    assert study.run(path, folder / "results", jobs=2) is None
    shares = {(folder / "results" / name).read_text() for name in "12"}  # its bits depend on it
    share = max(1, os.cpu_count() // 2)
    assert shares == {f"{share}{share}"}

    sleep = "import time\nif count == 1:\n    raise ValueError('first of two')\ntime.sleep(300)"
    write_notebook(folder / "first.ipynb", FIRST, sleep)
    started = time.monotonic()
    said = r"^Error: ValueError: first of two\n(.*\n)?Failed: first count=1$"
    with pytest.raises(study.NotebookError, match=said):
        study.run(path, folder / "results", jobs=2)
    assert time.monotonic() - started < 120


def test_published_recipes_need_a_yes(folder, monkeypatch):
    monkeypatch.setattr("sys.stdin", terminal := io.StringIO())
    published = {"notebook": "train", "parameters": {"model": "wrn", "preset": "paper", "train_data": "cifar10"}}
    with pytest.raises(study.StudyError, match=r"Expected YES=1 \(--yes\) to train published"):
        study.run(write(folder, [[published]]), folder / "results", folder / "data")
    terminal.isatty = lambda: True  # with Ctrl-D for an answer
    assert study.run(folder / "study.yml", folder / "results", folder / "data") is None
    assert not (folder / "results").exists()


@pytest.mark.parametrize(("beside", "seen"), [(True, {"3", "GPU-a"}), (False, {"3,GPU-a"})])
def test_each_gpu_has_a_notebook_of_its_own_or_one_notebook_has_all(folder, monkeypatch, beside, seen):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-a")
    write_notebook(folder / "first.ipynb", FIRST, "import os, time\nprint(os.environ['CUDA_VISIBLE_DEVICES'])")
    entry = {"notebook": "first", "each": {"count": [1, 2, 3] if beside else [1]}}
    study.run(write(folder, [{"stage": "a", "side_by_side": beside, "runs": [entry]}]), folder / "results")
    logs = (folder / "results" / "report" / "notebooks").glob("*.log")
    said = [log.read_text().split()[0] for log in logs]  # libzmq may add to it when a kernel ends
    assert len(said) == len(entry["each"]["count"]) and set(said) == seen


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has ended")
def test_notebooks_end_with_their_study(folder, number):
    sleep = "import os, pathlib, time\npathlib.Path(results_dir, 'pid').write_text(str(os.getpid()))\n"
    sleep += "try:\n    time.sleep(300)\nfinally:\n    pathlib.Path(results_dir, 'woken').touch()"
    write_notebook(folder / "first.ipynb", FIRST, sleep)
    path, pid = write(folder, [[{"notebook": "first"}]]), folder / "results" / "pid"
    code = f"import pathlib; from autoaug import study; study.run(*map(pathlib.Path, {[str(path), str(pid.parent)]}))"
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        while not pid.exists() or not pid.read_text():
            assert process.poll() is None
            time.sleep(0.1)
        kernel = psutil.Process(int(pid.read_text()))
        process.send_signal(number)
    kernel.wait(timeout=60)
    assert pathlib.Path(pid.parent, "woken").exists()
