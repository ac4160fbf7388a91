"""Launching on SageMaker, against a server on this machine that speaks AWS's protocols."""

import json
import re
import subprocess
import sys
import types

import boto3
import botocore.client
import botocore.exceptions
import papermill
import pytest
import yaml

from autoaug.files import ROOT
from autoaug.sagemaker import __main__ as command
from autoaug.sagemaker import job, launch, options

ROLE = "arn:aws:iam::123456789012:role/training"
PARAMETERS = {"model": "ss112", "train_data": "cifar102_30k", "preset": "paper"}
COMMAND = ["launch", "--model_name", "shake_shake_112", "--train_data", "cifar102_30k", "--preset", "paper"]
STUDY = """
- stage: trainings
  runs:
    - {notebook: train, parameters: {preset: paper}, each: {train_data: [cifar10_12k, cifar105], seed: [SEEDS]}}
"""
MEASURED = """
import json, pathlib, re, sys
from autoaug.sagemaker import __main__ as command
status = command.main(sys.argv[1:])
loaded = [name for name in ("tensorflow", "numba") if name in sys.modules]
status_of_process = pathlib.Path("/proc/self/status").read_text()
peak = re.search(r"VmHWM:\\s+(\\d+) kB", status_of_process)[1]  # ru_maxrss would begin with the parent's
print(json.dumps([loaded, int(peak)]))
sys.exit(status)
"""


def test_the_recorded_request(study, job_requests, tmp_path):
    start = [sys.executable, "-c", MEASURED, *COMMAND, "--workers", "1"]
    done = subprocess.run(start, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    loaded, kilobytes = json.loads(done.stdout.splitlines()[-1])
    assert loaded == [] and kilobytes < 500e3
    (request,) = job_requests()
    name = request["TrainingJobName"]
    assert name in done.stdout and re.fullmatch(r"ss112-cifar102-30k-1-\d{20}", name)
    assert request["RoleArn"] == ROLE
    assert request["HyperParameters"] == {
        "model": "shake_shake_112", "train_data": "cifar102_30k", "preset": "paper", "epochs": "1800", "seed": "0",
        "workers": "1", "checkpoint_epochs": "1800",
    }  # fmt: skip
    image = request["AlgorithmSpecification"]["TrainingImage"]
    assert image.startswith("763104351884.dkr.ecr.eu-west-1.amazonaws.com/tensorflow-training:2.21-gpu-py312")
    compute = {"InstanceType": "ml.g5.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 50}
    assert compute.items() <= request["ResourceConfig"].items() and request["EnableManagedSpotTraining"] is True
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 216_000, "MaxWaitTimeInSeconds": 432_000}
    paths = {c["ChannelName"]: c["DataSource"]["S3DataSource"]["S3Uri"] for c in request["InputDataConfig"]}
    sets = ("cifar102_30k", "cifar10_30k", "cifar10.1-v4", "cifar10.1-v6", "cifar10.2")  # for the four accuracies
    channels = {name.replace(".", "_").replace("-", "_"): f"s3://study/data/{name}/training" for name in sets}
    assert channels == {name: path for name, path in paths.items() if name not in ("code", "sm_drivers")}
    assert request["OutputDataConfig"]["S3OutputPath"] == "s3://study/jobs"
    assert request["CheckpointConfig"]["S3Uri"].startswith("s3://study/checkpoints/ss112-cifar102-30k-1-paper-")
    metrics = {metric["Name"] for metric in request["AlgorithmSpecification"]["MetricDefinitions"]}
    assert metrics == {"train:loss", "train:accuracy", *(f"test:accuracy:{name}" for name in sets)}
    code = paths["code"].removeprefix("s3://study/").rstrip("/")
    assert code == f"jobs/{name}/input/code"
    objects = study.list_objects_v2(Bucket="study", Prefix=code)["Contents"]
    files = {found["Key"].removeprefix(f"{code}/") for found in objects}
    assert {"autoaug/recipes.py", "notebooks/train.ipynb", "requirements-container.txt", "code_version.json"} <= files
    assert not [file for file in files if "__pycache__" in file]


@pytest.mark.filterwarnings("ignore")  # of the SDK
def test_every_option_reaches_the_request_and_the_command_waits(study, job_requests, tmp_path, monkeypatch):
    given_options = {
        "instance_type": "ml.g4dn.xlarge", "image": "image", "volume_gb": "99", "max_run_hours": "3", "spot": "yes",
        "test_sets": "cifar102_30k",
        "kms_key": "alias/study", "volume_kms_key": "alias/disk", "subnets": "subnet-1,subnet-2",
        "security_groups": "sg-1", "tags": "project=shift,team=7",
    }  # fmt: skip
    given = ["--encrypt_traffic", "--network_isolation", "--wait"]
    given += [text for name, value in given_options.items() for text in (f"--{name}", value)]
    monkeypatch.chdir(tmp_path)
    telemetry = []
    monkeypatch.setattr("sagemaker.core.telemetry.telemetry_logging._send_telemetry_request", telemetry.append)
    assert command.main([*COMMAND, "--workers", "2", *given]) == 0
    (request,) = job_requests()
    assert telemetry == []
    assert request["AlgorithmSpecification"]["TrainingImage"] == "image"
    assert request["ResourceConfig"] | {"InstanceType": "ml.g4dn.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 99,
                                        "VolumeKmsKeyId": "alias/disk"} == request["ResourceConfig"]  # fmt: skip
    assert request["EnableManagedSpotTraining"] and request["EnableInterContainerTrafficEncryption"]
    assert request["EnableNetworkIsolation"]
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 10_800, "MaxWaitTimeInSeconds": 21_600}
    assert request["OutputDataConfig"]["KmsKeyId"] == "alias/study"
    assert request["VpcConfig"] == {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1", "subnet-2"]}
    tags = {tag["Key"]: tag["Value"] for tag in request["Tags"]}
    assert tags.items() >= {"project": "shift", "team": "7"}.items()
    assert request["HyperParameters"]["workers"] == "2"
    code = f"jobs/{request['TrainingJobName']}/input/code/autoaug/sagemaker/container.py"
    assert study.head_object(Bucket="study", Key=code)["SSEKMSKeyId"] == "alias/study"
    assert "Logs_20140328.DescribeLogStreams" in (tmp_path / "recording").read_text()  # to show the log while it waits


def test_the_notebook_shows_the_request_and_submits_it(study, tmp_path):
    parameters = PARAMETERS | {"bucket": "s3://study/", "role": ROLE}
    parameters |= {"job_options": {"spot": False, "tags": {"project": 7}}}
    notebook, out = ROOT / "notebooks" / "launch.ipynb", tmp_path / "out.ipynb"
    papermill.execute_notebook(notebook, out, parameters, cwd=tmp_path, kernel_name="python3", progress_bar=False)
    (found,) = boto3.client("sagemaker").list_training_jobs()["TrainingJobSummaries"]
    assert found["TrainingJobName"].startswith("ss112-cifar102-30k-1-2")
    shown = out.read_text()
    assert found["TrainingJobName"] in shown and "compute.instance_type" in shown and "for at most 60 hours" in shown


def test_requests_are_shown_without_account_sdk_and_network(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", lambda *_: pytest.fail("the network"))
    monkeypatch.setattr(launch.importlib.util, "find_spec", lambda name: None)
    for name in ("AUTOAUG_BUCKET", "AUTOAUG_ROLE"):
        monkeypatch.delenv(name, raising=False)
    assert command.main([*COMMAND, "--workers", "4", "--instance_type", "ml.g5.12xlarge", "--show"]) == 0
    request, effects = capsys.readouterr().out.split("\n\n")
    chosen = options.Options("your-bucket", instance_type="ml.g5.12xlarge")
    training = job.training(PARAMETERS | {"workers": 4})
    assert yaml.safe_load(request) == job.describe(training, chosen)
    assert "It starts 1 × ml.g5.12xlarge, which costs money, for at most 48 hours," in effects
    (file := tmp_path / "study.yml").write_text(STUDY.replace("SEEDS", "0, 1, 2"))
    assert command.main(["study", str(file), "--show"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("wrn-cifar105-1 seed") == 3 and shown.count("It starts 1 × ml.g5.2xlarge, which costs") == 6
    file.write_text(STUDY.replace("SEEDS", "many"))
    assert command.main(["study", str(file), "--show"]) == 2
    assert "study.yml: Expected `int`. Received: `str` - at `$.seed`" in capsys.readouterr().err


@pytest.fixture
def refused(study, capsys):
    """A function: what the command says when it refuses; nothing may have been created."""

    def refused(*arguments):
        before = study.list_objects_v2(Bucket="study")["KeyCount"]
        assert command.main([*COMMAND, *arguments]) == 2
        assert study.list_objects_v2(Bucket="study")["KeyCount"] == before
        assert boto3.client("sagemaker").list_training_jobs()["TrainingJobSummaries"] == []
        return capsys.readouterr().err

    return refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bucket", "absent"], "s3://absent: Expected a bucket that you may use"),
        (["--train_data", "cifar10_10k"], "'{sets: [cifar10_10k, cifar102], bucket: study}'"),
        (["--instance_type", "ml.g5.12xlarge"], "Expected workers 4, one for each GPU"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_created(refused, arguments, message):
    assert message in refused(*arguments)


def test_all_that_is_missing_is_said_at_once(refused, monkeypatch):
    for name in ("AUTOAUG_BUCKET", "AUTOAUG_ROLE"):
        monkeypatch.delenv(name)
    with monkeypatch.context() as patch:
        patch.setattr(launch.importlib.util, "find_spec", lambda name: None)
        patch.setattr(launch.boto3.Session, "get_credentials", lambda self: None)
        patch.setattr(launch.boto3.Session, "region_name", None)
        missing = refused().partition("Expected all that a job needs. Missing: ")[2].split("; ")
    named = [line.partition(" (")[0] for line in missing]
    assert named == ["bucket", "role", "a region", "credentials of AWS", "SageMaker's SDK"]


S3_ACTIONS = {"HeadBucket": "ListBucket", "ListObjects": "ListBucket", "HeadObject": "GetObject"}


@pytest.mark.filterwarnings("ignore")  # of the SDK
def test_the_documented_policy_allows_what_is_asked_and_nothing_else(study, monkeypatch, tmp_path):
    """Every operation of a launch that waits, of a study and of collecting is in docs/sagemaker.md, and none more."""
    logs, stream = boto3.client("logs"), "wrn-synthetic10-1/algo-1-1"
    logs.create_log_group(logGroupName="/aws/sagemaker/TrainingJobs")
    logs.create_log_stream(logGroupName="/aws/sagemaker/TrainingJobs", logStreamName=stream)
    named = {"Mock": lambda **_: lambda _: "wrn-synthetic10-1"}
    monkeypatch.setattr(launch, "mock", types.SimpleNamespace(**vars(launch.mock) | named))
    asked, call = set(), botocore.client.BaseClient._make_api_call

    def recorded(self, operation, arguments):
        service = self.meta.service_model.service_name
        if operation == "SimulatePrincipalPolicy":  # the launcher may; the role has no actions that a VPC needs
            decisions = {name: "implicitDeny" if "ec2:" in name else "allowed" for name in arguments["ActionNames"]}
            return {"EvaluationResults": [{"EvalActionName": n, "EvalDecision": d} for n, d in decisions.items()]}
        if operation == "ListBuckets":  # the SDK goes on where this is denied
            raise botocore.exceptions.ClientError({"Error": {"Code": "AccessDenied"}}, operation)
        asked.add(f"{service}:{S3_ACTIONS.get(operation, operation) if service == 's3' else operation}")
        return call(self, operation, arguments)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", recorded)
    monkeypatch.chdir(tmp_path)
    quick = ["--model", "wrn", "--instance_type", "ml.m5.xlarge", "--wait", "--tags", "project=shift"]
    assert command.main(["launch", *quick]) == 0
    (tmp_path / "s.yml").write_text("- {stage: a, runs: [{notebook: train, parameters: {model: ss32}}]}")
    assert command.main(["study", "s.yml"]) == 0
    study.put_object(Bucket="study", Key="jobs/a/output/output.tar.gz", Body=b"")
    assert command.main(["collect", "--results_dir", str(tmp_path)]) == 1
    policies = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "sagemaker.md").read_text(), re.DOTALL)
    who_launches = json.loads(policies[0])["Statement"]
    allowed = {action for statement in who_launches for action in statement["Action"]}
    unseen = {"iam:PassRole", "sagemaker:AddTags"}  # which AWS checks with CreateTrainingJob
    assert sorted(asked | unseen) == sorted(allowed)
