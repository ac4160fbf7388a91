"""Launching on SageMaker, against a server on loopback that speaks AWS's protocol."""

import base64
import contextlib
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tarfile
import urllib.request

import boto3
import papermill
import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sagemaker.models import sagemaker_backends
from moto.server import ThreadedMotoServer

from autoaug import job, launch, recipes, s3, sweep

ROLE = "arn:aws:iam::123456789012:role/training"
COMMAND = ["--model_name", "shake_shake_112", "--train_data", "cifar102_30k", "--workers", "1"]
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true", "SAGEMAKER_VALIDATE_ROLE": "false",
    "AUTOAUG_BUCKET": "study", "AUTOAUG_ROLE": ROLE,
}  # fmt: skip
needs_sdk = pytest.mark.skipif(
    importlib.util.find_spec("sagemaker") is None, reason="needs SageMaker's SDK: make test installs it"
)
ALLOWED = os.uname().sysname == "Linux" and subprocess.run(["unshare", "-m", "true"], check=False).returncode == 0
MEASURED = """
import json, pathlib, re, sys
from autoaug import launch
status = launch.main(sys.argv[1:])
loaded = [name for name in ("tensorflow", "numba") if name in sys.modules]
status_of_process = pathlib.Path("/proc/self/status").read_text()
peak = re.search(r"VmHWM:\\s+(\\d+) kB", status_of_process)[1]  # ru_maxrss would begin with the parent's
print(json.dumps([loaded, int(peak)]))
sys.exit(status)
"""


@pytest.fixture
def aws(monkeypatch, tmp_path):
    """A server with the bucket `study` that holds `cifar102_30k`; yields its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    files = {"MOTO_RECORDER_FILEPATH": str(tmp_path / "recording")}
    for name, value in {**ENVIRONMENT, **files, "AWS_ENDPOINT_URL": address}.items():
        monkeypatch.setenv(name, value)
    urllib.request.urlopen(urllib.request.Request(f"{address}/moto-api/reset", method="POST")).close()
    client = boto3.client("s3")
    client.create_bucket(Bucket="study", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    manifest = {"source": "drawn", "parts": {"training": {"sha256": "a" * 64}, "test": {"sha256": "b" * 64}}}
    for file in ("cifar102_30k_train_py27", "cifar102_30k_test_py27", "manifest.json"):
        body = json.dumps(manifest).encode()
        client.put_object(Bucket="study", Key=f"data/cifar102_30k/training/{file}", Body=body)
    yield address
    server.stop()


def put_record(**changes):
    """A record at the default checkpoint path of the run that COMMAND launches."""
    training = job.Training(recipes.get("ss112", "paper"), "cifar102_30k")
    folder = job.checkpoint_path(training, job.Options("study", ROLE)).removeprefix("s3://study/")
    record = {"recipe": launch.dataclasses.asdict(training.recipe), "seed": 0, "workers": 1, "status": "unfinished"}
    record |= {"train_data": {"name": "cifar102_30k", "sha256": "a" * 64}} | changes
    key = f"{folder}/runs/some-run/record.json"
    boto3.client("s3").put_object(Bucket="study", Key=key, Body=json.dumps(record).encode())


@contextlib.contextmanager
def recorded_requests(address):
    """A list that holds, after the context, the CreateTrainingJob requests that the server got in it."""

    def recorder(action):
        urllib.request.urlopen(urllib.request.Request(f"{address}/moto-api/recorder/{action}", method="POST")).close()

    requests = []
    recorder("reset-recording")
    recorder("start-recording")
    yield requests
    with urllib.request.urlopen(f"{address}/moto-api/recorder/download-recording") as recording:
        lines = [json.loads(line) for line in recording.read().decode().splitlines() if line]
    requests += [
        json.loads(base64.b64decode(line["body"]))
        for line in lines
        if dict(line["headers"]).get("X-Amz-Target") == "SageMaker.CreateTrainingJob"
    ]


@needs_sdk
def test_the_recorded_request(aws, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with recorded_requests(aws) as requests:
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, *COMMAND],
            env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    loaded, kilobytes = json.loads(done.stdout.splitlines()[-1])
    assert loaded == [] and kilobytes < 500e3
    assert "1 × ml.g5.2xlarge, estimated, not measured: 29.6 h, 29.6 instance-hours" in done.stdout
    (request,) = requests
    name = request["TrainingJobName"]
    assert name in done.stdout and name.startswith("ss112-cifar102-30k-1-")
    assert request["RoleArn"] == ROLE
    assert request["HyperParameters"]["model"] == "shake_shake_112" and request["HyperParameters"]["epochs"] == "1800"
    image = request["AlgorithmSpecification"]["TrainingImage"]
    assert image.startswith("763104351884.dkr.ecr.eu-west-1.amazonaws.com/tensorflow-training:2.21-gpu-py312")
    assert request["ResourceConfig"]["InstanceCount"] == 1 and request["EnableManagedSpotTraining"] is True
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 216_000, "MaxWaitTimeInSeconds": 432_000}
    paths = {c["ChannelName"]: c["DataSource"]["S3DataSource"]["S3Uri"] for c in request["InputDataConfig"]}
    assert set(paths) == {"cifar102_30k", "code", "sm_drivers"}
    assert paths["cifar102_30k"] == "s3://study/data/cifar102_30k/training"
    assert request["OutputDataConfig"]["S3OutputPath"] == "s3://study/jobs"
    assert request["CheckpointConfig"]["S3Uri"].startswith("s3://study/checkpoints/ss112-cifar102-30k-1-paper-")
    assert {metric["Name"] for metric in request["AlgorithmSpecification"]["MetricDefinitions"]} == {
        "train:loss", "train:accuracy", "test:accuracy:cifar102_30k",
    }  # fmt: skip
    code = paths["code"].removeprefix("s3://study/").rstrip("/")
    objects = boto3.client("s3").list_objects_v2(Bucket="study", Prefix=code)["Contents"]
    files = {found["Key"].removeprefix(f"{code}/") for found in objects}
    assert {"autoaug/launch.py", "notebooks/train.ipynb", "requirements-container.txt", "code_version.json"} <= files
    assert not [file for file in files if "__pycache__" in file]


@needs_sdk
def test_the_notebook_launches_and_trains_nothing_here(aws, tmp_path):
    parameters = {"model": "ss112", "train_data": "cifar102_30k", "preset": "paper", "launch": "sagemaker"}
    parameters |= {"bucket": "study", "role": ROLE, "job_options": {"spot": "no", "tags": {"project": "shift"}}}
    notebook, out = pathlib.Path(launch.__file__).parents[1] / "notebooks" / "train.ipynb", tmp_path / "out.ipynb"
    papermill.execute_notebook(notebook, out, parameters, cwd=tmp_path, progress_bar=False)
    (found,) = boto3.client("sagemaker").list_training_jobs()["TrainingJobSummaries"]
    assert found["TrainingJobName"].startswith("ss112-cifar102-30k-1-2")
    assert found["TrainingJobName"] in out.read_text() and list(tmp_path.glob("*/")) == []


CONTAINER = """
mount --bind "$1" /opt && cd / && shift && exec "$@"
"""


@needs_sdk
@pytest.mark.skipif(not ALLOWED, reason="needs the right to make mount namespaces: unshare -m")
def test_a_job_runs_as_it_was_requested_and_its_result_is_collected(aws, tmp_path):
    """What was uploaded, laid out as SageMaker does, run by the recorded command: the SDK's own script and drivers."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", "autoaug.launch", "--model_name", "wrn", "--train_data", "synthetic10"]
    with recorded_requests(aws) as requests:
        subprocess.run([*command, "--preset", "quick", "--epochs", "1"], env=environment, cwd=tmp_path, check=True,
                       capture_output=True, timeout=300)  # fmt: skip
    (request,), ml = requests, tmp_path / "opt" / "ml"
    for channel in request["InputDataConfig"]:
        bucket, key = s3.split(channel["DataSource"]["S3DataSource"]["S3Uri"])
        for found in s3.listing(f"s3://{bucket}/{key}"):
            path = ml / "input" / "data" / channel["ChannelName"] / found["Key"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(s3.read(f"s3://{bucket}/{key}/{found['Key']}"))
    group = {"instance_group_name": "all", "instance_type": "ml.g5.2xlarge", "hosts": ["algo-1"]}
    resources = {"current_host": "algo-1", "hosts": ["algo-1"], "current_instance_type": "ml.g5.2xlarge",
                 "current_group_name": "all", "network_interface_name": "lo", "instance_groups": [group]}  # fmt: skip
    channels = {channel["ChannelName"]: {} for channel in request["InputDataConfig"]}
    (ml / "input" / "config").mkdir()
    for name in ("model", "output"):
        (ml / name).mkdir()
    for name, content in {
        "resourceconfig": resources, "inputdataconfig": channels, "hyperparameters": request["HyperParameters"],
    }.items():  # fmt: skip
        (ml / "input" / "config" / f"{name}.json").write_text(json.dumps(content))
    image = request["AlgorithmSpecification"]
    environment |= {"TRAINING_JOB_NAME": request["TrainingJobName"], "PIP_NO_INDEX": "1"}
    environment["PATH"] = f"{pathlib.Path(sys.executable).parent}:{environment['PATH']}"
    recorded = [*image["ContainerEntrypoint"], *image["ContainerArguments"]]
    command = ["unshare", "-m", "bash", "-ec", CONTAINER, "job", str(tmp_path / "opt"), *recorded]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    archive = tmp_path / "output.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(ml / "output" / "data", ".")
    key = f"jobs/{request['TrainingJobName']}/output/output.tar.gz"
    boto3.client("s3").upload_file(str(archive), "study", key)
    environment |= {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    collected = subprocess.run(
        [sys.executable, "-c", "from autoaug import records; print(records.collect('s3://study/jobs')[['model', "
         "'train_data', 'test_set', 'total']].to_csv(index=False))"],
        env=environment, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "wrn,synthetic10,synthetic10,2000" in collected


def refused(capsys, *arguments):
    """What the command says when it refuses; nothing may have been created."""
    before = boto3.client("s3").list_objects_v2(Bucket="study")["KeyCount"]
    assert launch.main([*COMMAND, *arguments]) == 2
    assert boto3.client("s3").list_objects_v2(Bucket="study")["KeyCount"] == before
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
        (["--train_data", "cifar10_10k"], "Missing: cifar10_10k_test_py27, cifar10_10k_train_py27, manifest.json"),
    ],
)
@needs_sdk
def test_what_is_wrong_is_said_before_anything_is_created(aws, capsys, arguments, message):
    assert message in refused(capsys, *arguments)


@pytest.mark.parametrize(
    ("name", "message"), [("AUTOAUG_BUCKET", "Expected bucket"), ("AUTOAUG_ROLE", "Expected role")]
)
def test_missing_bucket_or_role(aws, capsys, monkeypatch, name, message):
    monkeypatch.delenv(name)
    assert message in refused(capsys)


@needs_sdk
def test_no_credentials(aws, capsys, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    assert launch.main(COMMAND) == 2
    assert "Expected credentials" in capsys.readouterr().err


@needs_sdk
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 1}, "Expected seed 0. Received: the run of another, 1"),
        ({"train_data": {"name": "cifar102_30k", "sha256": "c" * 64}}, f"Expected data {'a' * 64}"),
        ({"status": "finished"}, "Expected a run to train. Received: finished"),
    ],
)
def test_the_checkpoint_path_must_be_free_or_of_the_same_run(aws, capsys, changes, message):
    put_record(**changes)
    assert message in refused(capsys)


def test_a_run_that_was_begun_may_go_on(aws):
    training, options = job.Training(recipes.get("ss112", "paper"), "cifar102_30k"), job.Options("study", ROLE)
    assert launch.progress(training, options, "a" * 64) == "new"
    put_record()
    assert launch.progress(training, options, "a" * 64) == "begun"


def test_what_is_sent_is_there():
    root = pathlib.Path(launch.__file__).parents[1]
    assert [name for name in job.SOURCE if not (root / name).exists()] == []


STUDY = """
- {model: [wrn, ss32], train_data: cifar102_30k, seed: [0, 1]}
- {model: wrn, train_data: synthetic10, preset: quick}
"""


def test_a_study_is_every_combination(tmp_path):
    (tmp_path / "study.yml").write_text(STUDY)
    trainings = sweep.read_study(tmp_path / "study.yml")
    assert [(training.name, training.seed, training.recipe.preset) for training in trainings] == [
        ("wrn-cifar102-30k-1", 0, "paper"), ("wrn-cifar102-30k-1", 1, "paper"),
        ("ss32-cifar102-30k-1", 0, "paper"), ("ss32-cifar102-30k-1", 1, "paper"),
        ("wrn-synthetic10-1", 0, "quick"),
    ]  # fmt: skip
    assert len(sweep.read_study(sweep._STUDY)) == 5 * 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: wrn", "Expected a list of trainings"),
        ("- {model: wrn}", "entry 1: Expected model, train_data"),
        ("- {model: wrn, train_data: cifar10, size: {depth: 10}}", "entry 1: Expected model, train_data"),
        ("- {model: [wrn, vgg], train_data: cifar10}", "entry 1: Expected the name of a model"),
        ("- {model: wrn, train_data: cifar10, epochs: [0]}", "entry 1: Expected epochs, a positive integer"),
    ],
)
def test_a_wrong_study_is_refused(tmp_path, text, message):
    (tmp_path / "study.yml").write_text(text)
    with pytest.raises(job.LaunchError, match=message):
        sweep.read_study(tmp_path / "study.yml")


@needs_sdk
def test_a_study_skips_what_is_finished_or_in_training_and_says_what_it_takes(aws, capsys, tmp_path):
    (tmp_path / "study.yml").write_text("- {model: [ss112, ss96, ss32], train_data: cifar102_30k}")
    put_record(status="finished")
    client = boto3.client("sagemaker")
    running = job.Training(recipes.get("ss96", "paper"), "cifar102_30k")
    path = job.checkpoint_path(running, job.Options("study", ROLE))
    client.create_training_job(
        TrainingJobName="ss96-running", RoleArn=ROLE, CheckpointConfig={"S3Uri": path},
        AlgorithmSpecification={"TrainingImage": "image", "TrainingInputMode": "File"},
        OutputDataConfig={"S3OutputPath": "s3://study/jobs"}, StoppingCondition={"MaxRuntimeInSeconds": 60},
        ResourceConfig={"InstanceType": "ml.g5.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 5},
    )  # fmt: skip
    backend = sagemaker_backends[DEFAULT_ACCOUNT_ID]["eu-west-1"]
    backend.training_jobs["ss96-running"].training_job_status = "InProgress"
    assert sweep.main([str(tmp_path / "study.yml"), "--show"]) == 0
    shown = capsys.readouterr().out
    states = {line.split()[0]: " ".join(line.split()[3:-2]) for line in shown.splitlines()[1:-1]}
    assert states == {
        "ss112-cifar102-30k-1": "finished", "ss96-cifar102-30k-1": "in training by ss96-running",
        "ss32-cifar102-30k-1": "new",
    }  # fmt: skip
    assert "To train: 1 of 3 runs, 2.5 instance-hours" in shown
    assert len(client.list_training_jobs()["TrainingJobSummaries"]) == 1
    command = [sys.executable, "-m", "autoaug.sweep", str(tmp_path / "study.yml")]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    names = [found["TrainingJobName"] for found in client.list_training_jobs()["TrainingJobSummaries"]]
    assert [name[:21] for name in names if name != "ss96-running"] == ["ss32-cifar102-30k-1-2"]
