"""What a SageMaker job runs, under /opt/ml in a mount namespace of its own."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile

import boto3
import numpy as np
import pytest

from autoaug import datasets, runs
from autoaug.files import ROOT
from autoaug.runs import predictions
from autoaug.runs import record as records
from autoaug.sagemaker import __main__ as command
from autoaug.sagemaker import container, launch


@pytest.fixture(scope="module")
def start_job(as_opt, drawn_shapes, tmp_path_factory):
    """A function that starts the source which a launch sends, in a folder that becomes /opt; returns the process.

    Two sets come in channels. The first job compiles the augmentation's kernel, the others find it.
    """
    kernels = str(tmp_path_factory.mktemp("kernels"))
    channels = {f"SM_CHANNEL_{name.upper()}": str(drawn_shapes / name / "training") for name in datasets.EMBEDDED[:2]}

    def start(folder, *arguments, **environment):
        launch.stage(folder / "code")
        for name in ("model", "output"):
            (folder / "ml" / name).mkdir(parents=True)
        host = {"SM_HOSTS": '["algo-10"]', "SM_CURRENT_HOST": "algo-10", "SM_MODEL_DIR": "/opt/ml/model"}
        host |= channels | {"NUMBA_CACHE_DIR": kernels}
        command = as_opt(folder, "/opt/code", sys.executable, "autoaug/sagemaker/container.py", *arguments)
        return subprocess.Popen(command, env={**os.environ, **host, **environment},
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip

    return start


def test_an_interrupted_job_goes_on_where_it_was(start_job, trained_run, tmp_path):
    """SIGTERM first; then a job that has nothing but what SageMaker keeps of /opt/ml/checkpoints."""
    first, second = tmp_path / "first", tmp_path / "second"
    arguments = [word for name, value in trained_run.parameters.items() for word in (f"--{name}", str(value))]
    with start_job(first, *arguments) as process:
        assert any(" left" in line for line in process.stdout)
        process.terminate()
        said, errors = process.communicate(timeout=300)
    step = int(re.search(r"Stopped after step (\d+) of 160", said)[1])
    assert process.returncode == 143, errors
    assert (first / "ml" / "output" / "failure").read_text() == "SIGTERM: the job continues from its checkpoint"
    assert (first / "ml" / "output" / "data" / "train.ipynb").exists()  # executed up to the signal
    shutil.copytree(first / "ml" / "checkpoints", second / "ml" / "checkpoints")
    with start_job(second, *arguments) as process:
        said, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert f"going on after step {step} of 160" in said
    (run,) = (second / "ml" / "output" / "data" / "runs").iterdir()
    assert (run.name, records.read(run).status) == (trained_run.run.name, "finished")
    answers = [predictions.read(of / "predictions" / "synthetic10.npz").answers for of in (run, trained_run.run)]
    np.testing.assert_array_equal(*answers)  # as without an interruption
    assert not (second / "ml" / "output" / "failure").exists()


def test_failure_is_said_where_sagemaker_looks(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(container, "_OUTPUT", tmp_path / "output")
    monkeypatch.setattr(container.signal, "signal", lambda *_: None)
    monkeypatch.setattr(container, "_SUBREAPER", 0)  # of the tests' process nothing changes
    monkeypatch.setattr(container, "_end_children", lambda: None)
    monkeypatch.setenv("SM_CURRENT_HOST", "algo-1")
    monkeypatch.setenv("SM_HOSTS", '["algo-1"]')
    assert container.main(["--epochs", "ten"]) == 1
    assert (tmp_path / "output" / "failure").read_text().startswith("LaunchError: epochs: Expected `int`")


def test_no_process_outlives_a_host():
    """Not even one that its parent has left behind in a session of its own, as the servers of the first host are."""
    code = """
import ctypes, os, subprocess, sys
from autoaug.sagemaker import container
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
leave = "import subprocess; print(subprocess.Popen(['sleep', '600'], start_new_session=True).pid, flush=True)"
subprocess.run([sys.executable, '-c', leave])
container._end_children()
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert not pathlib.Path("/proc", done.stdout.split()[-1]).exists()


@pytest.mark.filterwarnings("ignore")  # of the SDK
def test_a_job_runs_as_it_was_requested_and_its_result_is_collected(study, job_requests, as_opt, tmp_path):
    """What was uploaded, laid out as SageMaker does, run by the recorded command: the SDK's own script and drivers."""
    given = ["--model_name", "wrn", "--train_data", "synthetic10", "--preset", "quick", "--epochs", "1"]
    given += ["--validation_size", "4480"]  # five steps
    assert command.main(["launch", *given]) == 0
    (request,), ml = job_requests(), tmp_path / "opt" / "ml"
    for channel in request["InputDataConfig"]:
        bucket, folder = launch.split(channel["DataSource"]["S3DataSource"]["S3Uri"])
        for key in launch.listing(f"s3://{bucket}/{folder}"):
            path = ml / "input" / "data" / channel["ChannelName"] / key
            path.parent.mkdir(parents=True, exist_ok=True)
            boto3.client("s3").download_file(bucket, f"{folder}/{key}", str(path))
    group = {"instance_group_name": "all", "instance_type": "ml.g5.2xlarge", "hosts": ["algo-1"]}
    resources = {"current_host": "algo-1", "hosts": ["algo-1"], "current_instance_type": "ml.g5.2xlarge",
                 "current_group_name": "all", "network_interface_name": "lo", "instance_groups": [group]}  # fmt: skip
    channels = {channel["ChannelName"]: {} for channel in request["InputDataConfig"]}
    for name in ("model", "output", "input/config"):
        (ml / name).mkdir()
    for name, content in {
        "resourceconfig": resources, "inputdataconfig": channels, "hyperparameters": request["HyperParameters"],
    }.items():  # fmt: skip
        (ml / "input" / "config" / f"{name}.json").write_text(json.dumps(content))
    environment = os.environ | {"TRAINING_JOB_NAME": request["TrainingJobName"], "PIP_NO_INDEX": "1"}
    environment |= {"NUMBA_OPT": "0"}  # a kernel that is used once compiles sooner without optimisation
    environment |= {"PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"}
    image = request["AlgorithmSpecification"]
    run = as_opt(ml.parent, "/", *image["ContainerEntrypoint"], *image["ContainerArguments"])
    done = subprocess.run(run, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert not (ml / "output" / "failure").exists()
    (run,) = (ml / "output" / "data" / "runs").iterdir()
    record, model = records.read(run), ml / "model" / "runs" / run.name
    assert record.status == "finished" and record.recipe.epochs == 1
    assert record.code == records.code_version() and record.code.commit  # of the checkout that it was sent from
    assert (run / "history.csv").exists() and (run / "predictions" / "synthetic10.npz").exists()
    assert (run.parents[1] / "train.ipynb").exists()
    assert records.read(model) == record
    assert (model / "checkpoints" / "step-000000005.index").exists() and (model / "model.keras").exists()
    for test in runs.accuracies(run).itertuples():
        assert f"test accuracy {test.test_set} {test.accuracy:.4f}" in done.stdout
    archive = tmp_path / "output.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(ml / "output" / "data", ".")
    study.upload_file(str(archive), "study", f"jobs/{request['TrainingJobName']}/output/output.tar.gz")
    assert command.main(["collect", "s3://study/jobs", "--results_dir", str(tmp_path / "results")]) == 0
    collected = runs.collect(tmp_path / "results")[["model", "train_data", "test_set", "total"]].to_csv(index=False)
    assert "wrn,synthetic10,synthetic10,2000" in collected


def test_channels_become_data_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("SM_CHANNEL_CIFAR10_1_V4", "/opt/ml/input/data/cifar10_1_v4")
    container.link_data(tmp_path)
    (link,) = tmp_path.glob("*/*")
    assert link == tmp_path / "cifar10.1-v4" / "training"
    assert link.readlink() == pathlib.Path("/opt/ml/input/data/cifar10_1_v4")


def test_two_hosts_train_one_model_and_both_end(start_job, ports_of_hosts, tmp_path):
    hosts, arguments = ["127.0.0.1", "127.0.0.2"], ("--epochs", "1", "--workers", "2", "--validation_size", "4480")
    processes = []
    for number, host in enumerate(hosts):
        environment = {"SM_HOSTS": json.dumps(hosts), "SM_CURRENT_HOST": host}
        processes.append(start_job(tmp_path / str(number), *arguments, **environment))
    outputs = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    (run,) = (tmp_path / "0" / "ml" / "output" / "data" / "runs").iterdir()
    record = records.read(run)
    assert (record.status, record.workers) == ("finished", 2)
    assert len((run / "history.csv").read_text().splitlines()) == 2  # names, and one epoch
    assert not (tmp_path / "1" / "ml" / "output" / "data").exists()
