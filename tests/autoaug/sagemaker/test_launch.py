"""Launching on SageMaker, against a server on this machine that speaks AWS's protocols."""

import json
import subprocess
import sys

import boto3
import pytest

from autoaug import recipes
from autoaug.files import ROOT
from autoaug.sagemaker import job, launch, options

ROLE = "arn:aws:iam::123456789012:role/training"
COMMAND = ["--model_name", "shake_shake_112", "--train_data", "cifar102_30k", "--workers", "1"]
MEASURED = """
import json, pathlib, re, sys
from autoaug.sagemaker import launch
status = launch.main(sys.argv[1:])
loaded = [name for name in ("tensorflow", "numba") if name in sys.modules]
status_of_process = pathlib.Path("/proc/self/status").read_text()
peak = re.search(r"VmHWM:\\s+(\\d+) kB", status_of_process)[1]  # ru_maxrss would begin with the parent's
print(json.dumps([loaded, int(peak)]))
sys.exit(status)
"""


def test_the_recorded_request(study, job_requests, tmp_path):
    command = [sys.executable, "-c", MEASURED, *COMMAND]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    loaded, kilobytes = json.loads(done.stdout.splitlines()[-1])
    assert loaded == [] and kilobytes < 500e3
    assert "1 × ml.g5.2xlarge, estimated, not measured: 29.6 h, 29.6 instance-hours" in done.stdout
    (request,) = job_requests()
    name = request["TrainingJobName"]
    assert name in done.stdout and name.startswith("ss112-cifar102-30k-1-")
    assert request["RoleArn"] == ROLE
    assert request["HyperParameters"]["model"] == "shake_shake_112" and request["HyperParameters"]["epochs"] == "1800"
    image = request["AlgorithmSpecification"]["TrainingImage"]
    assert image.startswith("763104351884.dkr.ecr.eu-west-1.amazonaws.com/tensorflow-training:2.21-gpu-py312")
    assert request["ResourceConfig"]["InstanceCount"] == 1 and request["EnableManagedSpotTraining"] is True
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 216_000, "MaxWaitTimeInSeconds": 432_000}
    paths = {c["ChannelName"]: c["DataSource"]["S3DataSource"]["S3Uri"] for c in request["InputDataConfig"]}
    tests = {"cifar10_30k", "cifar10_1_v4", "cifar10_1_v6", "cifar10_2"}
    assert set(paths) == {"cifar102_30k", "code", "sm_drivers"} | tests
    assert paths["cifar102_30k"] == "s3://study/data/cifar102_30k/training"
    assert request["OutputDataConfig"]["S3OutputPath"] == "s3://study/jobs"
    assert request["CheckpointConfig"]["S3Uri"].startswith("s3://study/checkpoints/ss112-cifar102-30k-1-paper-")
    assert {metric["Name"] for metric in request["AlgorithmSpecification"]["MetricDefinitions"]} == {
        "train:loss", "train:accuracy", "test:accuracy:cifar102_30k", "test:accuracy:cifar10_30k",
        "test:accuracy:cifar10.1-v4", "test:accuracy:cifar10.1-v6", "test:accuracy:cifar10.2",
    }  # fmt: skip
    code = paths["code"].removeprefix("s3://study/").rstrip("/")
    objects = study.list_objects_v2(Bucket="study", Prefix=code)["Contents"]
    files = {found["Key"].removeprefix(f"{code}/") for found in objects}
    assert {"autoaug/launch.py", "notebooks/train.ipynb", "requirements-container.txt", "code_version.json"} <= files
    assert not [file for file in files if "__pycache__" in file]


@pytest.mark.filterwarnings("ignore")  # of the SDK
def test_every_option_reaches_the_request_and_the_command_waits(study, job_requests, tmp_path, monkeypatch):
    given_options = {
        "instance_type": "ml.g4dn.xlarge", "image": "image", "volume_gb": "99", "max_run_hours": "3", "spot": "yes",
        "checkpoints": "s3://study/some/path", "output": "s3://study/results", "test_sets": '["cifar102_30k"]',
        "kms_key": "alias/study", "volume_kms_key": "alias/disk", "subnets": '["subnet-1"]',
        "security_groups": '["sg-1"]', "tags": '{"project": "shift"}',
    }  # fmt: skip
    given = ["--encrypt_traffic", "--wait"]
    given += [text for name, value in given_options.items() for text in (f"--{name}", value)]
    monkeypatch.chdir(tmp_path)
    assert launch.main([*COMMAND, "--workers", "2", "--update", "sync", *given]) == 0
    (request,) = job_requests()
    assert request["AlgorithmSpecification"]["TrainingImage"] == "image"
    assert request["ResourceConfig"] | {"InstanceType": "ml.g4dn.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 99,
                                        "VolumeKmsKeyId": "alias/disk"} == request["ResourceConfig"]  # fmt: skip
    assert request["EnableManagedSpotTraining"] and request["EnableInterContainerTrafficEncryption"]
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 10_800, "MaxWaitTimeInSeconds": 21_600}
    assert request["CheckpointConfig"]["S3Uri"] == "s3://study/some/path"
    assert request["OutputDataConfig"]["S3OutputPath"] == "s3://study/results"
    assert request["OutputDataConfig"]["KmsKeyId"] == "alias/study"
    assert request["VpcConfig"] == {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
    assert {"Key": "project", "Value": "shift"} in request["Tags"]
    code = f"results/{request['TrainingJobName']}/input/code/autoaug/sagemaker/container.py"
    assert study.head_object(Bucket="study", Key=code)["SSEKMSKeyId"] == "alias/study"
    assert "Logs_20140328.DescribeLogStreams" in (tmp_path / "recording").read_text()  # to show the log while it waits


def refused(study, capsys, *arguments):
    """What the command says when it refuses; nothing may have been created."""
    before = study.list_objects_v2(Bucket="study")["KeyCount"]
    assert launch.main([*COMMAND, *arguments]) == 2
    assert study.list_objects_v2(Bucket="study")["KeyCount"] == before
    assert boto3.client("sagemaker").list_training_jobs()["TrainingJobSummaries"] == []
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model_name", "vgg"], "Received: 'vgg'"),
        (["--train_data", "cifar11"], "Received: 'cifar11'"),
        (["--workers", "0"], "Expected workers of at least 1. Received: 0"),
        (["--role", "training"], "Expected role, an ARN"),
        (["--bucket", "absent"], "s3://absent: Expected a bucket that you may use"),
        (["--train_data", "cifar10_10k"], "cifar10_10k (cifar10_10k_test_py27, cifar10_10k_train_py27, manifest.json)"),
        (["--train_data", "cifar10_10k"], "'{sets: [cifar10_10k, cifar102], bucket: study}'"),
        (["--instance_type", "ml.g5.12xlarge"], "Expected workers=4 and update=sync for ml.g5.12xlarge"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_created(study, capsys, arguments, message):
    assert message in refused(study, capsys, *arguments)


def test_all_that_is_missing_is_said_at_once(study, capsys, monkeypatch):
    for name in ("AUTOAUG_BUCKET", "AUTOAUG_ROLE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(launch.importlib.util, "find_spec", lambda name: None)
    assert launch.main(COMMAND) == 2
    first, *missing = capsys.readouterr().err.splitlines()
    assert first == "Expected what a job needs. Missing:"
    named = [line.strip().partition(":")[0] for line in missing]
    assert named == ["bucket", "role", "a region", "credentials of AWS", "SageMaker's SDK"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 1}, "Expected seed 0. Received: a run with 1"),
        ({"train_data": {"name": "cifar102_30k", "sha256": "c" * 64}}, f"Expected data {'a' * 64}"),
        ({"status": "finished"}, "Expected a run to train. Received: finished"),
        ({"train_data": 1}, "record.json: Expected a file that this project wrote"),
    ],
)
def test_the_checkpoint_path_must_be_free_or_of_the_same_run(study, put_record, capsys, changes, message):
    put_record(**changes)
    assert message in refused(study, capsys)


def test_a_run_that_was_begun_may_go_on(put_record):
    training, chosen = job.Training(recipes.get("ss112", "paper"), "cifar102_30k"), options.Options("study", ROLE)
    assert launch.state_at_path(training, chosen, "a" * 64) is launch.State.NEW
    put_record()
    assert launch.state_at_path(training, chosen, "a" * 64) is launch.State.BEGUN


def test_a_finished_run_goes_on_where_a_test_set_is_new(put_record):
    training, chosen = job.Training(recipes.get("ss112", "paper"), "cifar102_30k"), options.Options("study", ROLE)
    put_record(status="finished")
    assert launch.state_at_path(training, chosen) is launch.State.FINISHED
    put_record(status="finished", tests={"cifar102_30k": {}})
    assert launch.state_at_path(training, chosen) is launch.State.BEGUN


def test_what_is_sent_is_there():
    root = ROOT
    assert [name for name in job.SOURCE if not (root / name).exists()] == []
