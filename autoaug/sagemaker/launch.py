"""Checks what it can, and submits the job that `job` describes. boto3 finds region and credentials.

Neither TensorFlow nor numba is imported, so that a small machine can launch; SageMaker's SDK is imported last. Its
telemetry is turned off by `sagemaker_config.json`, unless SAGEMAKER_USER_CONFIG_OVERRIDE names another file.
"""

import datetime
import importlib.util
import os
import pathlib
import shutil
import tempfile
from collections.abc import Sequence
from typing import Any
from unittest import mock

import boto3
import botocore.exceptions
import msgspec

from autoaug.files import ROOT, parse_json
from autoaug.runs.record import code_version
from autoaug.sagemaker import job
from autoaug.sagemaker.options import LaunchError, Options, expect

_LONGEST_NAME = 63
_MANIFEST = "manifest.json"  # uploaded last, so a set that has it is complete

ERRORS = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError)
"""Errors of a request to AWS."""

DONE = ("in training", "finished")
"""States of a training that needs no job."""


def launch(training: job.Training, options: Options) -> str:
    """Check and submit a job; returns its name.

    Raises:
        LaunchError: something is not as it should be; nothing was created.
    """
    configuration = job.describe(training, options)
    require_account(options)
    status, last_job, _ = state_of(training, options)
    expect(status not in DONE, f"{job.checkpoint_path(training, options)}: a run to train", f"{status} {last_job}")
    return submit(configuration, options.wait)


def effects(configuration: dict[str, Any]) -> str:
    """What the job of a configuration from `job.describe` will do, in words."""
    compute, hours = configuration["compute"], configuration["stopping_condition"]["max_runtime_in_seconds"] / 3600
    return (
        f"It starts {compute['instance_count']} × {compute['instance_type']}, which costs money, for at most {hours:g} "
        "hours, and installs there what the image lacks of requirements-container.txt."
    )


def require_account(options: Options) -> None:
    """Stop unless everything is there that a job needs: bucket, role, region, credentials, SDK, access to the bucket.

    Raises:
        LaunchError: the message names everything that is missing, and how to give it.
    """
    session = boto3.Session()
    needed = {
        "bucket (--bucket, AUTOAUG_BUCKET, or in launch.ipynb -p bucket)": options.bucket,
        "role (--role, AUTOAUG_ROLE, or in launch.ipynb -p role)": options.role,
        "a region (AWS_DEFAULT_REGION, or aws configure)": session.region_name,
        "credentials of AWS (AWS_PROFILE, AWS_ACCESS_KEY_ID with its secret, or a role)": session.get_credentials(),
        "SageMaker's SDK (make sagemaker)": importlib.util.find_spec("sagemaker"),
    }
    missing = [name for name, found in needed.items() if not found]
    expect(not missing, "all that a job needs", f"nothing for: {'; '.join(missing)}")
    try:
        boto3.client("s3").head_bucket(Bucket=options.bucket)
    except ERRORS as error:
        raise LaunchError(f"s3://{options.bucket}: Expected a bucket that you may use. Received: {error}") from error


def state_of(training: job.Training, options: Options) -> tuple[str, str, str]:
    """How far a training is, by its record in the bucket and SageMaker's jobs.

    Returns:
        `new`, one of `DONE`, or how its last job ended (Failed, Stopped); that job; why it failed.

    Raises:
        LaunchError: its data are not in the bucket, or its record is damaged.
    """
    if missing := [name for name, path in job.channels(training, options).items() if _MANIFEST not in listing(path)]:
        raise LaunchError(
            f"Expected the data sets of {training.name} in s3://{options.bucket}/data. Missing: {', '.join(missing)}. "
            "Upload them: papermill notebooks/build_datasets.ipynb "
            f"-y '{{sets: [{', '.join(missing)}], bucket: {options.bucket}}}'"
        )
    path, client = job.checkpoint_path(training, options), boto3.client("sagemaker")
    if _is_finished(f"{path}/runs/{training.run_id}/record.json", job.test_sets(training, options)):
        return "finished", "", ""
    pages = client.get_paginator("list_training_jobs").paginate(NameContains=training.name, SortBy="CreationTime")
    for summary in (summary for page in pages for summary in page["TrainingJobSummaries"]):  # the newest first
        found = client.describe_training_job(TrainingJobName=summary["TrainingJobName"])
        if found.get("CheckpointConfig", {}).get("S3Uri") == path:
            status = found["TrainingJobStatus"]
            status = "in training" if status in ("InProgress", "Stopping") else status
            return status, summary["TrainingJobName"], found.get("FailureReason", "")
    return "new", "", ""


def split(url: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key.rstrip("/")


def listing(url: str) -> dict[str, datetime.datetime]:
    """The objects in a folder of S3: key below the folder → when it was written."""
    bucket, folder = split(url)
    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{folder}/")
    found = [entry for page in pages for entry in page.get("Contents", [])]
    return {entry["Key"].removeprefix(f"{folder}/"): entry["LastModified"] for entry in found}


def _is_finished(url: str, tests: Sequence[str]) -> bool:
    """Whether an object is there, the record of a finished run that was tested on every test set."""
    bucket, key = split(url)
    try:
        content = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read(2**24)
        record = parse_json(content.decode())
        return record["status"] == "finished" and set(tests) <= set(record["tests"])
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return False
        raise
    except (ValueError, LookupError, TypeError) as error:
        raise LaunchError(f"{url}: Expected a run's record. Received: {error!r}") from error


def unique_name(base: str) -> str:
    """`<base>-<time in microseconds>`: jobs that are submitted within a second have names of their own."""
    return f"{base[: _LONGEST_NAME - 21]}-{datetime.datetime.now():%Y%m%d%H%M%S%f}"


def submit(configuration: dict[str, Any], wait: bool = False) -> str:
    """Send the source and create the job of a configuration from `job.describe`; returns the job's name."""
    os.environ.setdefault(
        "SAGEMAKER_USER_CONFIG_OVERRIDE", str(pathlib.Path(__file__).parent / "sagemaker_config.json")
    )
    from sagemaker.core import image_uris
    from sagemaker.core.helper.session_helper import Session
    from sagemaker.core.training import configs
    from sagemaker.train import model_trainer

    arguments = {name: value for name, value in configuration.items() if name != "metric_definitions"}
    arguments["training_image"] = arguments["training_image"] or image_uris.retrieve(
        "tensorflow", boto3.Session().region_name, version="2.21", py_version="py312", image_scope="training",
        instance_type=arguments["compute"]["instance_type"],
    )  # fmt: skip
    metrics = [configs.MetricDefinition(**metric) for metric in configuration["metric_definitions"]]
    bucket, prefix = split(configuration["output_data_config"]["s3_output_path"])
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(model_trainer, "_get_unique_name", unique_name):
        stage(folder)
        arguments["source_code"] = arguments["source_code"] | {"source_dir": folder}
        session = Session(default_bucket=bucket)
        trainer = model_trainer.ModelTrainer(sagemaker_session=session, input_s3_key_prefix=prefix, **arguments)
        trainer.with_metric_definitions(metrics).train(wait=wait, logs=wait)
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
    (pathlib.Path(folder) / "code_version.json").write_bytes(msgspec.json.encode(code_version()))
