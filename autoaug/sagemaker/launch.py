"""Checks what it can, submits the jobs that `job` describes, one or a study's, and brings their results from S3.

boto3 finds region and credentials. Neither TensorFlow nor numba is imported, so that a small machine can launch;
SageMaker's SDK is imported last, and its telemetry is turned off.
"""

import datetime
import importlib.util
import os
import pathlib
import re
import shutil
import tempfile
from typing import Any
from unittest import mock

import boto3
import botocore.exceptions
import msgspec

from autoaug import study as studies
from autoaug.files import ROOT, unpack
from autoaug.runs import record
from autoaug.sagemaker import job
from autoaug.sagemaker.options import LaunchError, Options, expect

_MOST_BYTES = 2**32  # of a job's results, unpacked
_NO_TELEMETRY = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}}

ERRORS = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError)
"""Errors of a request to AWS."""

_ACTIVE = ("InProgress", "Stopping")


def launch(training: job.Training, options: Options) -> str:
    """Check and submit a job; returns its name. A training that has ended is tested on what it was not tested on."""
    request = job.describe(training, options)
    require_account(options)
    state, last_job, _ = state_of(request)
    expect(state not in _ACTIVE, f"{training.name}: a training that no job has", f"{last_job} ({state})")
    return submit(request, options.wait)


def effects(request: dict[str, Any]) -> str:
    """What the job of a configuration from `job.describe` will do, in words."""
    compute, hours = request["compute"], request["stopping_condition"]["max_runtime_in_seconds"] / 3600
    return (
        f"It starts {compute['instance_count']} × {compute['instance_type']}, which costs money, for at most {hours:g} "
        "hours, and installs there what the image lacks of requirements-container.txt. "
        f"Image: {request['training_image'] or 'that of SageMaker for TensorFlow 2.21, looked up at submission'}."
    )


def require_account(options: Options) -> None:
    """Stop unless everything is there that a job needs, and the bucket may be used; all that is missing is named."""
    session = boto3.Session()
    needed = {
        "bucket (--bucket, AUTOAUG_BUCKET, or in launch.ipynb -p bucket)": options.bucket,
        "role (--role, AUTOAUG_ROLE, or in launch.ipynb -p role)": options.role,
        "a region (AWS_DEFAULT_REGION, or aws configure)": session.region_name,
        "credentials of AWS (AWS_PROFILE, AWS_ACCESS_KEY_ID with its secret, or a role)": session.get_credentials(),
        "SageMaker's SDK (make sagemaker)": importlib.util.find_spec("sagemaker"),
    }
    if missing := [name for name, found in needed.items() if not found]:
        raise LaunchError(f"Expected all that a job needs. Missing: {'; '.join(missing)}")
    try:
        boto3.client("s3").head_bucket(Bucket=options.bucket)
    except ERRORS as error:
        raise LaunchError(f"s3://{options.bucket}: Expected a bucket that you may use. Received: {error}") from error


def state_of(request: dict[str, Any]) -> tuple[str, str, str]:
    """SageMaker's state of a training's last job, or `new`; that job; why it failed. The data must be in S3."""
    name, path, client = request["base_job_name"], request["checkpoint_config"]["s3_uri"], boto3.client("sagemaker")
    paths = [channel["data_source"] for channel in request["input_data_config"]]
    if missing := [path for path in paths if "manifest.json" not in listing(path)]:  # it is uploaded last
        bucket, names = split(missing[0])[0], ", ".join(path.split("/")[-2] for path in missing)
        upload = f"papermill notebooks/build_datasets.ipynb -y '{{sets: [{names}], bucket: {bucket}}}'"
        raise LaunchError(f"Expected the data sets of {name} in s3://{bucket}/data. Missing: {names}. Upload: {upload}")
    pages = client.get_paginator("list_training_jobs").paginate(NameContains=name[:42])
    summaries = [summary for page in pages for summary in page["TrainingJobSummaries"]]
    for summary in sorted(summaries, key=lambda one: one["CreationTime"], reverse=True):
        found = client.describe_training_job(TrainingJobName=summary["TrainingJobName"])
        if found.get("CheckpointConfig", {}).get("S3Uri") == path:
            return found["TrainingJobStatus"], summary["TrainingJobName"], found.get("FailureReason", "")
    return "new", "", ""


def split(url: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key.rstrip("/")


def listing(url: str) -> dict[str, datetime.datetime]:
    """The objects in a folder of S3: key below the folder → when it was written."""
    bucket, folder = split(url)
    found = boto3.resource("s3").Bucket(bucket).objects.filter(Prefix=f"{folder}/")
    return {entry.key.removeprefix(f"{folder}/"): entry.last_modified for entry in found}


def read_study(path: pathlib.Path, options: Options) -> list[dict[str, Any]]:
    """The requests for a study's trainings, each once, to be tested on what the study compares them with."""
    runs = [run for stage in studies.read(path) for run in stage.runs if run.notebook.stem == "train"]
    try:
        expect(runs, "runs of train", "none")
        trainings = [job.training(run.parameters) for run in runs]
        names = {training.train_data for training in trainings}
        return [job.describe(training, options, names) for training in trainings]
    except ValueError as error:
        raise LaunchError(f"{path}: {error}") from error


def launch_study(requests: list[dict[str, Any]], at_once: int) -> None:
    """Submit the trainings of a study that are due, so that at most `at_once` are in training.

    Given again, it goes on: what is completed or in training is left alone, and where a job failed, a new one goes on.
    """
    states = [state_of(request) for request in requests]
    free = at_once - sum(state in _ACTIVE for state, _, _ in states)
    for request, (state, last_job, reason) in zip(requests, states, strict=True):
        seed = request["hyperparameters"]["seed"]
        print(f"{request['base_job_name']} seed {seed}: {state} {last_job} {reason}".rstrip(), flush=True)
        if free > 0 and state not in (*_ACTIVE, "Completed"):
            free -= 1
            print("    submitted", submit(request), flush=True)


def submit(request: dict[str, Any], wait: bool = False) -> str:
    """Send the source and create the job of a configuration from `job.describe`; returns the job's name."""
    from sagemaker.core import image_uris
    from sagemaker.core.helper.session_helper import Session
    from sagemaker.core.training import configs
    from sagemaker.core.utils.exceptions import WaiterError
    from sagemaker.train import model_trainer

    arguments = {name: value for name, value in request.items() if name != "metric_definitions"}
    arguments["training_image"] = arguments["training_image"] or image_uris.retrieve(
        "tensorflow", boto3.Session().region_name, version="2.21", py_version="py312", image_scope="training",
        instance_type=arguments["compute"]["instance_type"],
    )  # fmt: skip
    metrics = [configs.MetricDefinition(**metric) for metric in request["metric_definitions"]]
    bucket, prefix = split(request["output_data_config"]["s3_output_path"])
    session = Session(default_bucket=bucket, sagemaker_config=_NO_TELEMETRY)
    # The SDK gives jobs of one second one name, and refuses a role without what only a VPC needs; SageMaker checks it.
    named = mock.Mock(return_value=f"{request['base_job_name'][:42]}-{datetime.datetime.now():%Y%m%d%H%M%S%f}")
    unvalidated = mock.patch.dict(os.environ, SAGEMAKER_VALIDATE_ROLE="false")
    unique = mock.patch.object(model_trainer, "_get_unique_name", named)
    with tempfile.TemporaryDirectory() as folder, unvalidated, unique:
        stage(folder)
        arguments["source_code"] = arguments["source_code"] | {"source_dir": folder}
        trainer = model_trainer.ModelTrainer(sagemaker_session=session, input_s3_key_prefix=prefix, **arguments)
        try:
            trainer.with_metric_definitions(metrics).train(wait=wait, logs=wait)
        except WaiterError as error:  # the job has failed
            raise botocore.exceptions.WaiterError("TrainingJob", str(error), {}) from error
    return trainer._latest_training_job.training_job_name


def stage(folder: str | os.PathLike[str]) -> None:
    """Copy the source that a job runs into a folder, with its `record.code_version` in `code_version.json`."""
    for name in job.SOURCE:
        source, target = ROOT / name, pathlib.Path(folder) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    (pathlib.Path(folder) / "code_version.json").write_bytes(msgspec.json.encode(record.code_version()))


def collect(url: str, results_dir: pathlib.Path) -> dict[str, str]:
    """Bring every finished run below an address such as s3://bucket/jobs into `results_dir/runs/`, the newest last.

    Returns:
        Run, or address of a damaged archive, which stops no other → what became of it.
    """
    expect(re.fullmatch("s3://[^/]+/.+", url), "url, an address such as s3://my-bucket/jobs", url)
    found = {key: written for key, written in listing(url).items() if f"/{key}".endswith("/output/output.tar.gz")}
    (results_dir / "runs").mkdir(parents=True, exist_ok=True)
    said: dict[str, str] = {}
    for key in sorted(found, key=lambda key: (found[key], key)):
        address = f"{url.rstrip('/')}/{key}"
        with tempfile.TemporaryDirectory(dir=results_dir, prefix=".collect-") as temporary:
            folder = pathlib.Path(temporary)
            try:
                boto3.client("s3").download_file(*split(address), str(folder / "output.tar.gz"))
                unpack(folder / "output.tar.gz", folder, lambda path: path.parts[:1] == ("runs",), _MOST_BYTES)
                for run in sorted(folder.glob("runs/*")):
                    said[run.name] = _move(run, results_dir / "runs" / run.name)
            except (*ERRORS, OSError, ValueError) as error:
                said[address] = f"damaged: {error}"
    return said


def _move(run: pathlib.Path, target: pathlib.Path) -> str:
    """Move a run to its place, instead of what an earlier job left there; returns what became of it."""
    if record.read(run).status != "finished":
        return "not finished: its job, given again, goes on"
    if (target / "checkpoints").exists():
        return "left alone: it was trained in this folder"
    shutil.rmtree(target, ignore_errors=True)
    run.rename(target)
    return "collected"
