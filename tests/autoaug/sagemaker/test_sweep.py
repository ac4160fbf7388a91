"""A whole study, read from a file and launched by one command."""

import runpy
import subprocess
import sys
import tarfile

import boto3
import numpy as np
import pytest
import run_files
import yaml

from autoaug import recipes, runs
from autoaug.files import ROOT
from autoaug.report import build
from autoaug.sagemaker import collection, job, launch, options, sweep

PAIR = ("cifar10_12k", "cifar105")


def write_study(folder, *runs):
    """A study of runs of train, each a dict of parameters, in which a list of values is every one of them."""
    entries = []
    for run in runs:
        each = {name: values for name, values in run.items() if isinstance(values, list)}
        parameters = {name: value for name, value in run.items() if name not in each}
        entries.append({"notebook": "train", "parameters": parameters, "each": each})
    (folder / "study.yml").write_text(yaml.safe_dump([{"stage": "trainings", "runs": entries}]))
    return folder / "study.yml"


def test_a_study_is_every_combination_with_the_notebooks_defaults(tmp_path):
    paper = {"preset": "paper", "model": ["wrn", "ss32"], "train_data": "cifar102_30k", "seed": [0, 1]}
    trainings = sweep.read_study(write_study(tmp_path, paper, {"model": "wrn", "train_data": "synthetic10"}))
    assert [(training.name, training.seed, training.recipe.preset) for training in trainings] == [
        ("wrn-cifar102-30k-1", 0, "paper"), ("wrn-cifar102-30k-1", 1, "paper"),
        ("ss32-cifar102-30k-1", 0, "paper"), ("ss32-cifar102-30k-1", 1, "paper"),
        ("wrn-synthetic10-1", 0, "quick"),
    ]  # fmt: skip
    committed = sweep.read_study(sweep._STUDY)
    assert len(committed) == 5 * 7 and {training.recipe.preset for training in committed} == {"paper"}


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ({"model": "wrn"}, "training 1: Expected model, train_data"),
        ({"model": "wrn", "train_data": "cifar10", "results_dir": "x"}, "run 1: Expected parameters of"),
        ({"model": "wrn", "train_data": "cifar10", "launch": "here"}, "training 1: Expected model, train_data"),
        ({"model": ["wrn", "vgg"], "train_data": "cifar10"}, "training 2: Expected the name of a model"),
        ({"model": "wrn", "train_data": "cifar10", "epochs": [-1]}, "training 1: Expected epochs, an integer from 1"),
        ({"model": "wrn", "train_data": "cifar10", "seed": -1}, "training 1: Expected seed"),
    ],
)
def test_a_wrong_study_is_refused(tmp_path, run, message):
    with pytest.raises(options.LaunchError, match=message):
        sweep.read_study(write_study(tmp_path, run))


def test_of_any_study_the_trainings_become_jobs():
    quick = sweep.read_study(ROOT / "notebooks" / "runs.yml")
    assert [training.train_data for training in quick[:2]] == ["synthetic10", "synthetic10_harder"] and len(quick) == 12
    assert len(sweep.read_study(ROOT / "notebooks" / "cifar10.2.yml")) == 6
    assert len(sweep.read_study(ROOT / "notebooks" / "shake_shake.yml")) == 24
    known = sweep.read_study(ROOT / "notebooks" / "known_truth.yml")
    of_original = next(training for training in known if training.train_data == "cifar10_12k")
    assert of_original.parameters()["evaluate_every"] == 3
    (chosen,) = (of for training, of in zip(known, sweep.options_of(known, options.Options()), strict=True)
                 if training is of_original)  # fmt: skip
    assert {"known_same", "known_noisy", "cifar105"} <= set(chosen.test_sets)
    with pytest.raises(options.LaunchError, match=r"report\.yml: Expected runs of train\. Received: none"):
        sweep.read_study(ROOT / "notebooks" / "report.yml")


def test_a_study_is_shown_without_account_sdk_and_network(tmp_path, monkeypatch, capsys):
    for name in ("BUCKET", "ROLE"):
        monkeypatch.delenv(f"AUTOAUG_{name}", raising=False)
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(launch.importlib.util, "find_spec", lambda name: None)
    study = write_study(
        tmp_path, {"preset": "paper", "model": ["wrn", "ss32"], "train_data": list(PAIR), "seed": [0, 1, 2]}
    )
    assert sweep.main([str(study), "--show"]) == 0
    shown = capsys.readouterr().out
    assert "Which runs are finished is unknown. Expected what a job needs. Missing:\n    bucket: --bucket" in shown
    assert shown.count(" unknown ") == 12
    hours = {
        name: job.Training(recipes.get(name, "paper"), "cifar105").hours("ml.g5.2xlarge") for name in ("wrn", "ss32")
    }
    assert f"\nwrn: 6 runs, {6 * hours['wrn']:.1f} instance-hours\n" in shown
    assert f"\nshake_shake_32: 6 runs, {6 * hours['ss32']:.1f} instance-hours\n" in shown
    assert f"To train: 12 of 12 runs, {6 * sum(hours.values()):.1f} instance-hours of ml.g5.2xlarge, est" in shown
    assert f"All jobs at once: {hours['wrn']:.1f} hours" in shown  # the longer of the two
    assert f"ml.g5.12xlarge {6 * sum(hours.values()) / 4:.1f}" in shown
    assert "On spot instances (option spot: auto): 12 of the 12 runs." in shown  # each takes more than an hour
    assert sweep.main([str(study), "--show", "--spot", "no"]) == 0
    assert "On spot instances (option spot: no): 0 of the 12 runs." in capsys.readouterr().out
    assert sweep.main([str(study)]) == 2
    assert "Expected what a job needs" in capsys.readouterr().err
    assert sweep.main([str(study), "--show", "--instance_type", "ml.m5.4xlarge"]) == 2
    assert "or that the CPU is asked for: device cpu. Received: ml.m5.4xlarge" in capsys.readouterr().err
    on_cpu = {"preset": "paper", "model": "wrn", "train_data": "cifar105", "device": "cpu"}
    assert sweep.main([str(write_study(tmp_path, on_cpu)), "--show", "--instance_type", "ml.m5.4xlarge"]) == 0
    assert "unknown instance-hours of ml.m5.4xlarge" in capsys.readouterr().out  # and not 0.0
    write_study(tmp_path, {"preset": "paper", "model": "wrn", "train_data": "cifar105"})
    assert sweep.main([str(study), "--show", "--instance_type", "ml.p4d.24xlarge"]) == 2
    assert "Expected workers=8 and update=sync for ml.p4d.24xlarge" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore")  # of the SDK
def test_the_recorded_requests_of_a_study_have_the_test_sets_of_its_four_accuracies(
    job_requests, tmp_path, monkeypatch, capsys
):
    study = write_study(tmp_path, {"preset": "paper", "model": "wrn", "train_data": list(PAIR)})
    monkeypatch.setattr(sys, "argv", ["sweep", str(study)])
    with pytest.raises(SystemExit, match=r"^0$"):
        runpy.run_module("autoaug.sweep", run_name="__main__")
    assert "2 jobs are in training." in capsys.readouterr().out
    requests = job_requests()
    assert [request["HyperParameters"]["train_data"] for request in requests] == list(PAIR)
    for request in requests:
        paths = {c["ChannelName"]: c["DataSource"]["S3DataSource"]["S3Uri"] for c in request["InputDataConfig"]}
        tests = {name.replace(".", "_").replace("-", "_"): name for name in (*PAIR, "cifar10.1-v4", "cifar10.1-v6")}
        assert set(paths) == {*tests, "code", "sm_drivers"}
        assert {paths[channel] for channel in tests} == {f"s3://study/data/{name}/training" for name in tests.values()}
        metrics = {metric["Name"] for metric in request["AlgorithmSpecification"]["MetricDefinitions"]}
        assert {f"test:accuracy:{name}" for name in PAIR} <= metrics


def finish(client, training, folder):
    """Put what a finished job leaves into the bucket: the run at its checkpoint path, and the archive of results."""
    chosen, labels = options.from_given({}), np.arange(100) % 10
    tests = {
        name: run_files.predictions(np.random.default_rng(0), labels, 0.8) for name in job.test_sets(training, chosen)
    }
    run_id = run_files.write(folder, training.train_data, tests, training.seed, training.recipe, train_sha256="a" * 64)
    path = job.checkpoint_path(training, chosen).removeprefix("s3://study/")
    client.upload_file(str(folder / "runs" / run_id / "record.json"), "study", f"{path}/runs/{run_id}/record.json")
    archive = folder / f"{run_id}.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder / "runs" / run_id, f"runs/{run_id}")
    client.upload_file(str(archive), "study", f"jobs/{training.name}-2026/output/output.tar.gz")


def test_the_same_command_renders_the_report_once_all_runs_are_finished(study, tmp_path, monkeypatch):
    file = write_study(tmp_path, {"preset": "paper", "model": "wrn", "train_data": list(PAIR)})
    for training in sweep.read_study(file):
        finish(study, training, tmp_path / "jobs")
    rendered = []
    monkeypatch.setattr(collection, "render", lambda results: rendered.append(results) or 0)
    assert sweep.main([str(file), "--results", str(tmp_path / "results")]) == 0
    assert rendered == [tmp_path / "results"]
    table = runs.collect(tmp_path / "results")
    assert {(a, b) for a, b in zip(table["train_data"], table["test_set"], strict=True) if b in PAIR} == {
        (a, b) for a in PAIR for b in PAIR
    }
    assert boto3.client("sagemaker").list_training_jobs()["TrainingJobSummaries"] == []


def test_the_report_is_a_study_of_its_own(tmp_path, monkeypatch):
    commands = []
    monkeypatch.setattr(
        collection.subprocess,
        "run",
        lambda command, **_: commands.append(command) or subprocess.CompletedProcess([], 3),
    )
    assert collection.render(tmp_path) == 3
    (command,) = commands
    assert command[1:3] == ["-m", "autoaug.report"] and command[-1] == str(tmp_path)
    (stage,) = build.read_study(ROOT / "notebooks" / "report.yml")
    assert command[4] == str(ROOT / "notebooks" / "report.yml") and [run.notebook.stem for run in stage.runs] == [
        "distribution_shift"
    ]


class TestWaiting:
    @pytest.fixture
    def statuses(self, monkeypatch):
        """The status that SageMaker gives of each job, at one look after another."""
        given = {"a": ["InProgress", "Completed"], "b": ["InProgress", "InProgress", "Failed"]}

        class Client:
            def describe_training_job(self, TrainingJobName):
                status = given[TrainingJobName].pop(0)
                return {"TrainingJobStatus": status} | ({"FailureReason": "disk"} if status == "Failed" else {})

        monkeypatch.setattr(collection.boto3, "client", lambda service: Client())
        monkeypatch.setattr(collection, "_POLL_SECONDS", 0)
        return given

    def test_all_jobs_are_waited_for_and_failures_are_told(self, statuses, capsys):
        assert collection.wait_for(["a", "b"]) == {"b": "disk"}
        assert statuses == {"a": [], "b": []}
        assert capsys.readouterr().out == "a: Completed; 1 of 2 have ended\nb: Failed; 2 of 2 have ended\n"


@pytest.mark.filterwarnings("ignore")  # of the SDK
def test_a_study_skips_what_is_finished_or_in_training_and_says_what_it_takes(
    put_record, capsys, tmp_path, monkeypatch
):
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.sagemaker.models import sagemaker_backends

    write_study(tmp_path, {"preset": "paper", "model": ["ss112", "ss96", "ss32"], "train_data": "cifar102_30k"})
    put_record(status="finished")
    client = boto3.client("sagemaker")
    running = job.Training(recipes.get("ss96", "paper"), "cifar102_30k")
    chosen = options.from_given({})
    client.create_training_job(
        TrainingJobName="ss96-cifar102-30k-1-now", RoleArn=chosen.role,
        CheckpointConfig={"S3Uri": job.checkpoint_path(running, chosen)},
        AlgorithmSpecification={"TrainingImage": "image", "TrainingInputMode": "File"},
        OutputDataConfig={"S3OutputPath": "s3://study/jobs"}, StoppingCondition={"MaxRuntimeInSeconds": 60},
        ResourceConfig={"InstanceType": "ml.g5.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 5},
    )  # fmt: skip
    backend = sagemaker_backends[DEFAULT_ACCOUNT_ID]["eu-west-1"]
    backend.training_jobs["ss96-cifar102-30k-1-now"].training_job_status = "InProgress"
    assert sweep.main([str(tmp_path / "study.yml"), "--show"]) == 0
    shown = capsys.readouterr().out
    states = {line.split()[0]: " ".join(line.split()[3:-2]) for line in shown.splitlines()[1:4]}
    assert states == {
        "ss112-cifar102-30k-1": "finished –", "ss32-cifar102-30k-1": "new –",
        "ss96-cifar102-30k-1": "in training ss96-cifar102-30k-1-now",
    }  # fmt: skip
    assert "To train: 1 of 3 runs, 2.5 instance-hours" in shown
    assert len(client.list_training_jobs()["TrainingJobSummaries"]) == 1
    monkeypatch.chdir(tmp_path)
    assert sweep.main([str(tmp_path / "study.yml")]) == 0
    names = {found["TrainingJobName"] for found in client.list_training_jobs()["TrainingJobSummaries"]}
    assert {name[:21] for name in names} == {"ss96-cifar102-30k-1-n", "ss32-cifar102-30k-1-2"} and len(names) == 2
