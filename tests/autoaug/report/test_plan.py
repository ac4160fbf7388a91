"""What a study will take, said before it starts."""

import dataclasses
import io
import json
import math
import os
import re
import shutil
import subprocess
import threading

import pytest
import yaml

from autoaug import datasets, recipes, studies
from autoaug.duration import StepTimes
from autoaug.files import ROOT
from autoaug.report import build as report
from autoaug.report import execution, plan
from autoaug.sagemaker import sweep
from data_prep import synthetic

STUDIES = ("cifar10.2", "shake_shake", "full")
PAPER_STEPS = 200 * (10_000 // 128)


@pytest.fixture
def timed(monkeypatch):
    """A function that says what a timed step finds: seconds of every recipe's step, and GPUs."""

    def find(seconds, gpus=0):
        def measured(left):
            device = "GPU: NVIDIA A10" if gpus else "CPU: no GPU seen by TensorFlow"
            return StepTimes(device, gpus, [seconds] * len(left), [1_000_000] * len(left))

        monkeypatch.setattr(plan, "_timed", measured)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    return find


def study(tmp_path, **parameters):
    each = {name: values for name, values in parameters.items() if isinstance(values, list)}
    others = {name: value for name, value in parameters.items() if name not in each}
    entry = {"notebook": "train", "parameters": others, "each": each}
    (tmp_path / "study.yml").write_text(
        yaml.safe_dump([{"stage": "trainings", "runs": [entry | {"render": True}], "side_by_side": True}])
    )
    return tmp_path / "study.yml"


def planned(path, tmp_path):
    return plan.make(studies.read(path), tmp_path / "results", tmp_path / "data")


@pytest.mark.parametrize("name", STUDIES)
def test_the_cost_in_a_studys_first_lines_is_the_projects_estimate(name):
    path = ROOT / "notebooks" / f"{name}.yml"
    trainings = sweep.read_study(path)
    hours = sum(training.hours("ml.g5.2xlarge") for training in trainings)
    (cost,) = re.findall(r"^# Cost: (.*) of disk\.$", path.read_text(), re.MULTILINE)
    said = f"{len(trainings)} trainings, {hours:.1f} hours on one NVIDIA A10 (estimated, not measured), and about"
    assert cost.startswith(said)
    assert {training.recipe.preset for training in trainings} == {"paper"}


@pytest.mark.parametrize("name", STUDIES)
def test_the_committed_studies_have_a_page_and_build_what_they_train_on(name):
    stages = report.read_study(ROOT / "notebooks" / f"{name}.yml")
    built = stages[0].runs[0].parameters["sets"]
    trained = [run.parameters["train_data"] for run in stages[1].runs]
    assert set(trained) <= set(built) and {"cifar10.1-v4", "cifar10.1-v6"} <= set(built)
    assert all(set(trained) & set(datasets.partners(name)) for name in set(trained) - {"cifar10"})


def test_every_run_is_listed_with_its_device_and_hours(timed, tmp_path):
    timed(0.36)
    text = planned(ROOT / "notebooks" / "cifar10.2.yml", tmp_path).text(free=50_000_000_000)
    lines, hours = text.splitlines(), PAPER_STEPS * 0.36 / 3600
    assert lines[0] == "CPU: no GPU seen by TensorFlow. What each training takes, estimated from a step timed here:"
    assert lines[1].split() == ["wrn", "paper", "cifar10_12k", "seed", "0", f"{60 * hours:.1f}", "min"]
    assert lines[7] == f"To train: 6 of 6 runs, {6 * hours:.1f} h in all."
    images, archive = (60_000 + 12_000) * 2 + 12_000 + 4_021 * 2, 170_498_071
    needed = 6 * 3 * 8 * 1_000_000 + images * 3073 + archive
    assert lines[8] == f"Disk: {math.ceil(needed / 1e8) / 10} GB needed, 50.0 GB free."


def test_on_several_gpus_a_run_is_on_each(timed, tmp_path, monkeypatch):
    timed(3600 / 40, gpus=2)  # the quick recipe has 40 steps an epoch
    path = study(tmp_path, model="wrn", epochs=[1, 2, 3])
    found = planned(path, tmp_path)
    assert found.hours == [1, 2, 3] and found.total == 4 and found.gpus == ("0", "1")
    assert "4.0 h in all on 2 GPUs, one run on each." in found.text(0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    assert planned(path, tmp_path).gpus == ("5", "7")


def test_what_is_finished_or_begun_takes_less(timed, tmp_path, monkeypatch):
    timed(3600 / 40)
    synthetic.build(tmp_path / "data", ["synthetic10"])
    path = study(tmp_path, model="wrn", epochs=2, seed=[0, 1, 2])
    monkeypatch.setattr(execution, "is_finished", lambda parameters, *_, **__: parameters["seed"] == 0)
    dataset = datasets.load("synthetic10", tmp_path / "data")
    begun = execution.run_folder({"model": "wrn", "epochs": 2, "seed": 1}, dataset, tmp_path / "results")
    (begun / "checkpoints").mkdir(parents=True)
    (begun / "checkpoints" / "step-000000060.index").touch()
    found = planned(path, tmp_path)
    assert found.hours == [0, 0.5, 2]
    assert " finished" in found.text(0) and "To train: 2 of 3 runs, 2.5 h in all." in found.text(0)
    monkeypatch.setattr(execution, "is_finished", lambda *_, **__: True)
    monkeypatch.setattr(plan, "_timed", lambda left: pytest.fail("nothing is left to time"))
    assert "Nothing is left to train." in planned(path, tmp_path).text(0)


def test_a_study_is_carried_out_once_its_page_is_newer_than_every_run(timed, tmp_path, monkeypatch):
    def is_done(stages):
        results = tmp_path / "results"
        return plan.is_carried_out(plan.make(stages, results, tmp_path / "data"), stages, results, page)

    timed(1)
    stages, page = studies.read(study(tmp_path, model="wrn")), tmp_path / "results" / "report" / "index.html"
    record = tmp_path / "results" / "runs" / "some" / "record.json"
    for file, written in ((record, 100), (page, 200)):
        file.parent.mkdir(parents=True)
        file.touch()
        os.utime(file, (written, written))
    assert not is_done(stages)  # there is a run to train
    monkeypatch.setattr(execution, "is_finished", lambda *_, **__: True)
    assert is_done(stages)
    os.utime(record, (300, 300))
    assert not is_done(stages)
    os.utime(record, (100, 100))
    assert not is_done(studies.read(ROOT / "notebooks" / "cifar10.2.yml"))  # its data sets are missing
    (run,) = stages[0].runs
    other = dataclasses.replace(run, notebook=run.notebook.with_stem("explore_augmentation"), render=False)
    assert not is_done([dataclasses.replace(stages[0], runs=(other, run))])
    page.unlink()
    assert not is_done(stages)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"train_data": "cifar10.2"}, "Received: a test set.*-p train_data cifar105"),
        ({"train_data": "cifar11"}, "Received: 'cifar11'. Did you mean cifar10"),
        ({"model": "vgg"}, "Received: 'vgg'"),
        ({"seed": -1}, "Expected seed"),
    ],
)
def test_a_wrong_run_is_refused_before_anything_is_timed(tmp_path, parameters, message):
    with pytest.raises(plan.PlanError, match=message):
        planned(study(tmp_path, **parameters), tmp_path)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("answer", "starts"), [("y\n", True), ("yes\n", True), ("n\n", False), ("\n", False)])
def test_a_long_study_is_asked_about_once(timed, tmp_path, monkeypatch, answer, starts):
    timed(3600 / 40)
    found = planned(study(tmp_path, model="wrn", epochs=2), tmp_path)
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert plan.confirm(found, tmp_path / "results", yes=False) is starts
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert plan.confirm(found, tmp_path / "results", yes=True)


def test_without_a_terminal_a_long_study_is_refused_with_a_sentence(timed, tmp_path, monkeypatch, capsys):
    timed(3600 / 40)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    path, results = study(tmp_path, model="wrn", epochs=2), tmp_path / "results"
    arguments = ["--runs", str(path), "--results", str(results), "--data", str(tmp_path / "data"), "--plan"]
    assert report.main(arguments) == 2
    out, err = capsys.readouterr()
    assert "To train: 1 of 1 runs, 2.0 h in all." in out
    assert err.startswith("Expected YES=1 (--yes) for a study of more than an hour") and len(err.splitlines()) == 1
    assert not (results / "runs").exists() and not (results / "report" / "notebooks").exists()
    timed(1)
    assert plan.confirm(planned(path, tmp_path), results, yes=False)  # minutes need no question


def test_a_full_disk_is_found_before_the_work(timed, tmp_path, monkeypatch):
    timed(1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(plan.PlanError, match=r"Expected 0\.0 GB of free disk\. Received: 0\.0 GB"):
        plan.confirm(planned(study(tmp_path, model="wrn"), tmp_path), tmp_path / "results", yes=True)


def test_on_a_cpu_the_cpu_is_asked_for_in_every_training():
    stages = plan.on_cpu(report.read_study(ROOT / "notebooks" / "cifar10.2.yml"))
    assert [("device" in run.parameters) for stage in stages for run in stage.runs] == [False, *[True] * 6, False]
    with_device = stages[1].runs[0].parameters
    assert with_device["device"] == "cpu" and execution.recipe(with_device) == recipes.get("wrn", "paper")


def test_a_step_is_timed_in_a_process_of_its_own():
    recipe = dataclasses.replace(recipes.get("wrn"), batch_size=8)
    measured = plan._timed([recipe, recipes.get("pyramid")])
    assert measured.device.startswith(("CPU: ", "GPU: "))
    assert all(0 < seconds < 60 for seconds in measured.seconds) and measured.parameters[0] == 75_770


def test_notebooks_have_a_gpu_each(tmp_path, monkeypatch):
    """Three runs on two GPUs: at most two at a time, never two on one."""
    ran, open_now, barrier = [], [], threading.Barrier(2, timeout=30)

    def run(command, env, **_):
        ran.append((env["CUDA_VISIBLE_DEVICES"], env["OMP_NUM_THREADS"]))
        assert len(busy := [*open_now, env["CUDA_VISIBLE_DEVICES"]]) == len(set(busy)) <= 2
        open_now.append(env["CUDA_VISIBLE_DEVICES"])
        if len(ran) < 3:
            barrier.wait()
        open_now.remove(env["CUDA_VISIBLE_DEVICES"])
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(subprocess, "run", run)
    stages = studies.read(study(tmp_path, model="wrn", seed=[0, 1, 2]))
    execution.execute(stages, tmp_path / "results", tmp_path / "data", jobs=4, gpus=("5", "7"))
    assert {gpu for gpu, _ in ran[:2]} == {"5", "7"} and len(ran) == 3
    assert {threads for _, threads in ran} == {str(max(1, os.cpu_count() // 2))}


def test_make_study_plans_and_passes_on_what_it_is_told():
    def commands(*arguments):
        done = subprocess.run(["make", "-n", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
        return done.stdout

    assert "-m autoaug.report --plan --runs notebooks/cifar10.2.yml \n" in commands("study")
    assert "--plan --runs notebooks/full.yml --yes\n" in commands("study", "STUDY=notebooks/full.yml", "YES=1")
    gpu = commands("-B", "setup", "DEVICE=gpu")
    assert "--requirement requirements-gpu.lock" in gpu and "requirements.lock" not in gpu
    assert "--requirement requirements.lock" in commands("-B", "setup", "DEVICE=cpu")


def test_an_nvidia_gpu_is_seen_and_cpu_overrules(tmp_path):
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 'GPU 0: NVIDIA A10'\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    for arguments, lock in (([], "requirements-gpu.lock"), (["DEVICE=cpu"], "requirements.lock")):
        command = ["make", "-n", "-B", "setup", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        assert f"--requirement {lock}" in done.stdout


def test_what_is_timed_is_read_from_the_last_line(monkeypatch):
    said = StepTimes("CPU: no GPU seen by TensorFlow", 0, [1.0], [5])
    done = subprocess.CompletedProcess([], 0, f"chatter\n{json.dumps(dataclasses.asdict(said))}\n", "")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    assert plan._timed([recipes.get("wrn")]) == said
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 1, "", "no memory\n"))
    with pytest.raises(plan.PlanError, match=r"Expected the time of a step\. Received:\nno memory"):
        plan._timed([recipes.get("wrn")])
