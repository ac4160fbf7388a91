"""A whole study, read from a file and launched by one command."""

import subprocess
import sys

import boto3
import pytest
import yaml

from autoaug import recipes
from autoaug.files import ROOT
from autoaug.sagemaker import job, launch, sweep


def write_study(folder, *runs):
    """A study of runs of train, each a dict of parameters, in which a list of values is every one of them."""
    (folder / "train.ipynb").symlink_to(ROOT / "notebooks" / "train.ipynb")
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
        ({"model": "wrn"}, "run 1: Expected train with model, train_data"),
        ({"model": "wrn", "train_data": "cifar10", "results_dir": "x"}, "run 1: Expected parameters of"),
        ({"model": "wrn", "train_data": "cifar10", "launch": "here"}, "run 1: Expected train with model, train_data"),
        ({"model": ["wrn", "vgg"], "train_data": "cifar10"}, "run 2: Expected the name of a model"),
        ({"model": "wrn", "train_data": "cifar10", "epochs": [-1]}, "run 1: Expected epochs, an integer from 1"),
        ({"model": "wrn", "train_data": "cifar10", "seed": -1}, "run 1: Expected seed"),
    ],
)
def test_a_wrong_study_is_refused(tmp_path, run, message):
    with pytest.raises(job.LaunchError, match=message):
        sweep.read_study(write_study(tmp_path, run))


@pytest.mark.parametrize(("name", "trainings"), [("runs", 12), ("cifar10.2", 6), ("shake_shake", 24)])
def test_of_a_study_for_one_machine_the_trainings_are_jobs(name, trainings):
    assert len(sweep.read_study(ROOT / "notebooks" / f"{name}.yml")) == trainings


def test_a_study_skips_what_is_finished_or_in_training_and_says_what_it_takes(put_record, capsys, tmp_path):
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.sagemaker.models import sagemaker_backends

    write_study(tmp_path, {"preset": "paper", "model": ["ss112", "ss96", "ss32"], "train_data": "cifar102_30k"})
    put_record(status="finished")
    client = boto3.client("sagemaker")
    running = job.Training(recipes.get("ss96", "paper"), "cifar102_30k")
    options = launch.options_from({})
    client.create_training_job(
        TrainingJobName="ss96-cifar102-30k-1-now", RoleArn=options.role,
        CheckpointConfig={"S3Uri": job.checkpoint_path(running, options)},
        AlgorithmSpecification={"TrainingImage": "image", "TrainingInputMode": "File"},
        OutputDataConfig={"S3OutputPath": "s3://study/jobs"}, StoppingCondition={"MaxRuntimeInSeconds": 60},
        ResourceConfig={"InstanceType": "ml.g5.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 5},
    )  # fmt: skip
    backend = sagemaker_backends[DEFAULT_ACCOUNT_ID]["eu-west-1"]
    backend.training_jobs["ss96-cifar102-30k-1-now"].training_job_status = "InProgress"
    assert sweep.main([str(tmp_path / "study.yml"), "--show"]) == 0
    shown = capsys.readouterr().out
    states = {line.split()[0]: " ".join(line.split()[3:-2]) for line in shown.splitlines()[1:-1]}
    assert states == {
        "ss112-cifar102-30k-1": "finished –", "ss32-cifar102-30k-1": "new –",
        "ss96-cifar102-30k-1": "in training ss96-cifar102-30k-1-now",
    }  # fmt: skip
    assert "To train: 1 of 3 runs, 2.5 instance-hours" in shown
    assert len(client.list_training_jobs()["TrainingJobSummaries"]) == 1
    command = [sys.executable, "-m", "autoaug.sweep", str(tmp_path / "study.yml")]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    names = {found["TrainingJobName"] for found in client.list_training_jobs()["TrainingJobSummaries"]}
    assert {name[:21] for name in names} == {"ss96-cifar102-30k-1-n", "ss32-cifar102-30k-1-2"} and len(names) == 2
