"""Checks what it can, submits the jobs that `job` describes, one or a study's, and brings their results from S3.

boto3 finds region and credentials. Neither TensorFlow nor numba is imported, so that a small machine can launch;
SageMaker's SDK is imported last, and its telemetry is turned off.
"""

import dataclasses
import datetime
import importlib.util
import os
import pathlib
import re
import shutil
import tempfile
from collections.abc import Sequence
from typing import Any
from unittest import mock

import boto3
import botocore.exceptions
import msgspec
import pandas as pd

from autoaug import study as studies
from autoaug.files import ROOT, parse_json, read_text, unpack
from autoaug.runs.record import code_version
from autoaug.sagemaker import job
from autoaug.sagemaker.options import LaunchError, Options, expect

_LONGEST_NAME = 63
_MANIFEST = "manifest.json"  # uploaded last, so a set that has it is complete
_MOST_BYTES = 2**32  # of a job's results, unpacked
_NO_TELEMETRY = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}}

ERRORS = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError)
"""Errors of a request to AWS."""

DONE = ("in training", "finished")
"""States of a training that needs no job."""


class _Seen(msgspec.Struct):
    """What a run's record says of its state."""

    status: str
    tests: dict[str, Any]

    @classmethod
    def of(cls, text: str) -> "_Seen":
        """ValueError if the text is no record."""
        return msgspec.convert(parse_json(text), cls)


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
    """Stop unless everything is there that a job needs, and the bucket may be used.

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
        seen = _Seen.of(boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read(2**24).decode())
        return seen.status == "finished" and set(tests) <= seen.tests.keys()
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return False
        raise
    except ValueError as error:
        raise LaunchError(f"{url}: Expected a run's record. Received: {error}") from error


def read_study(path: pathlib.Path, options: Options) -> list[tuple[job.Training, Options]]:
    """The trainings of a study, each once, with its options: it is tested on what this study compares it with.

    Raises:
        ValueError: the message names the file and the training, what was expected and what was received.
    """
    runs = [run for stage in studies.read(path) for run in stage.runs if run.notebook.stem == "train"]
    expect(runs, f"runs of train in {path}", "none")
    trainings = []
    for run in runs:
        try:
            trainings.append(job.training(run.parameters))
        except ValueError as error:
            raise LaunchError(f"{path}, {run.title}: {error}") from error
    names = {training.train_data for training in trainings}
    tests = {name: options.test_sets or tuple(job.default_test_sets(name, names)) for name in names}
    return [(training, dataclasses.replace(options, test_sets=tests[training.train_data])) for training in trainings]


def plan(trainings: list[tuple[job.Training, Options]], at_once: int, ask: bool = True) -> pd.DataFrame:
    """A row for each training: job, preset, seed, hosts, state, last_job, reason, submit.

    States are read once, and a stage does not wait for another one. The same command, given again, goes on: finished
    trainings and those in training are left alone, and where a job failed or was stopped, its training goes on.

    Args:
        trainings: from `read_study`.
        at_once: at most so many jobs may be in training; `submit` is true for the first that are due.
        ask: whether to ask S3 and SageMaker for the states; else they are unknown.
    """
    expect(at_once >= 1, "at_once of at least 1", at_once)
    rows = []
    for training, options in trainings:
        row = {"job": training.name, "preset": training.recipe.preset, "seed": training.seed}
        row |= {"hosts": job.hosts(training, options.instance_type)}
        state = state_of(training, options) if ask else ("unknown", "", "")
        row |= dict(zip(("state", "last_job", "reason"), state, strict=True))
        rows.append(row | {"submit": row["state"] not in DONE})
    table = pd.DataFrame(rows)
    free = at_once - (table["state"] == "in training").sum()
    return table.assign(submit=table["submit"] & (table["submit"].cumsum() <= free))


def unique_name(base: str) -> str:
    """`<base>-<time in microseconds>`: jobs that are submitted within a second have names of their own."""
    return f"{base[: _LONGEST_NAME - 21]}-{datetime.datetime.now():%Y%m%d%H%M%S%f}"


def submit(configuration: dict[str, Any], wait: bool = False) -> str:
    """Send the source and create the job of a configuration from `job.describe`; returns the job's name."""
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
    session = Session(default_bucket=bucket, sagemaker_config=_NO_TELEMETRY)
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(model_trainer, "_get_unique_name", unique_name):
        stage(folder)
        arguments["source_code"] = arguments["source_code"] | {"source_dir": folder}
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


def collect(url: str, results_dir: pathlib.Path) -> dict[str, str]:
    """Bring every finished run below an address into `results_dir/runs/`; the newest job of a run counts.

    Args:
        url: such as `s3://bucket/jobs`.
        results_dir: for `runs.collect`.

    Returns:
        Run, or address of a damaged archive, which stops no other → what became of it.
    """
    expect(re.fullmatch("s3://[^/]+/.+", url), "url, an address such as s3://my-bucket/jobs", url)
    found = {key: written for key, written in listing(url).items() if key.endswith("/output/output.tar.gz")}
    (results_dir / "runs").mkdir(parents=True, exist_ok=True)
    said: dict[str, str] = {}
    for key in sorted(found, key=lambda key: (found[key], key)):
        address = f"{url.rstrip('/')}/{key}"
        with tempfile.TemporaryDirectory(dir=results_dir, prefix=".collect-") as temporary:
            folder = pathlib.Path(temporary)
            try:
                boto3.client("s3").download_file(*split(address), str(folder / "output.tar.gz"))
                unpack(folder / "output.tar.gz", folder, lambda path: path.parts[0] == "runs", _MOST_BYTES)
                for run in sorted(folder.glob("runs/*")):
                    said[run.name] = _move(run, results_dir / "runs" / run.name)
            except (*ERRORS, OSError, ValueError) as error:
                said[address] = f"damaged: {error}"
    return said


def _move(run: pathlib.Path, target: pathlib.Path) -> str:
    """Move a run to its place, unless that takes something away; returns what became of it."""
    if (seen := _Seen.of(read_text(run / "record.json"))).status != "finished":
        return "not finished: its job, given again, goes on"
    if (target / "checkpoints").exists():
        return "left alone: it was trained in this folder"
    if target.exists() and not _Seen.of(read_text(target / "record.json")).tests.keys() <= seen.tests.keys():
        return "left alone: the run that is here was tested on more"
    shutil.rmtree(target, ignore_errors=True)
    run.rename(target)
    return "collected"
