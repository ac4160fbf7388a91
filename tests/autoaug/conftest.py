"""What tests share: the tiny data set and recipe, the interrupt signal, a job's ports and folders, a study in S3."""

import base64
import importlib.util
import json
import pathlib
import subprocess
import tempfile

import boto3
import filelock
import pytest
import tiny

from autoaug import datasets

IN_THE_BUCKET = ("cifar102_30k", "cifar10_30k", "cifar105", "cifar10_12k", "cifar10.1-v4", "cifar10.1-v6", "cifar10.2")


@pytest.fixture(scope="session")
def tiny_dataset():
    return tiny.dataset()


@pytest.fixture(scope="session")
def tiny_recipe():
    return tiny.recipe()


@pytest.fixture
def ports_of_hosts():
    """The fixed ports of a job with several hosts: one test at a time has them."""
    with filelock.FileLock(pathlib.Path(tempfile.gettempdir()) / "autoaug-test-ports.lock"):
        yield


@pytest.fixture
def study(aws, monkeypatch):
    """boto3's client of an S3 with the bucket `study`, which holds data sets; `launch` finds bucket and role."""
    if importlib.util.find_spec("sagemaker") is None:
        pytest.skip("needs SageMaker's SDK: make test installs it")
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)  # slows the SDK's import threefold
    monkeypatch.setenv("AUTOAUG_BUCKET", "study")
    monkeypatch.setenv("AUTOAUG_ROLE", "arn:aws:iam::123456789012:role/training")
    client = boto3.client("s3")
    client.create_bucket(Bucket="study", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    manifest = {"source": "drawn", "parts": {"training": {"sha256": "a" * 64}, "test": {"sha256": "b" * 64}}}
    for name in IN_THE_BUCKET:
        spec = datasets.DATASETS[name]
        for file in (*spec.training_files, spec.test_file, "manifest.json"):
            body = json.dumps(manifest).encode()
            client.put_object(Bucket="study", Key=f"data/{name}/training/{file}", Body=body)
    return client


@pytest.fixture
def job_requests(study, monkeypatch, tmp_path):
    """A function that returns the CreateTrainingJob requests that the server has got so far."""
    from moto.moto_api import recorder

    recording = tmp_path / "recording"
    monkeypatch.setattr(recorder, "_location", str(recording))
    recorder.reset_recording()
    recorder.start_recording()
    yield lambda: [
        json.loads(base64.b64decode(request["body"]))
        for request in map(json.loads, recording.read_text().splitlines())
        if dict(request["headers"]).get("X-Amz-Target") == "SageMaker.CreateTrainingJob"
    ]
    recorder.stop_recording()


@pytest.fixture(scope="session")
def as_opt():
    """A function: the command that runs another one where a folder is /opt, which nobody else sees."""
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to make mount namespaces: unshare -m")
    script = 'mount --bind "$1" /opt && cd "$2" && shift 2 && exec "$@"'
    return lambda folder, cwd, *command: ["unshare", "-m", "bash", "-ec", script, "-", str(folder), cwd, *command]
