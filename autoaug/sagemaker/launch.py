"""Launches a training on SageMaker: `job` configures the job; this module checks what it can, and submits the job.

    python -m autoaug.launch --model wrn --train_data cifar105 --bucket BUCKET --role ARN

For further options see `options.Options`. boto3 finds region and credentials. Neither TensorFlow nor numba is imported,
so that a small machine can launch. SageMaker's SDK (requirements-sagemaker.lock) is imported last. Its telemetry is
turned off by `sagemaker_config.json`, unless SAGEMAKER_USER_CONFIG_OVERRIDE names another file.
"""

import argparse
import contextlib
import dataclasses
import enum
import importlib.util
import json
import os
import pathlib
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import boto3
import botocore.exceptions
import msgspec

from autoaug import recipes, s3
from autoaug.datasets import DATASETS
from autoaug.files import ROOT
from autoaug.runs.record import code_version
from autoaug.sagemaker import instances, job, options
from autoaug.sagemaker.options import LaunchError, Options

_EXAMPLE = (
    "Example: python -m autoaug.launch --model wrn --train_data cifar105 --bucket my-bucket "
    "--role arn:aws:iam::123456789012:role/training"
)


def launch(training: job.Training, chosen: Options) -> str:
    """Check and submit a job, and print its estimated hours; returns the job's name.

    Raises:
        LaunchError: something is not as it should be; nothing was created.
    """
    configuration = job.describe(training, chosen)
    require_account(chosen)
    progress = check(training, chosen)
    if progress.state not in (State.NEW, State.BEGUN):
        received = progress.state.value + (f" by {progress.job}" if progress.job else "")
        raise LaunchError(f"{job.checkpoint_path(training, chosen)}: Expected a run to train. Received: {received}")
    print(announcement(training, chosen))
    return submit(configuration, chosen.wait)


def announcement(training: job.Training, chosen: Options) -> str:
    """The estimated hours of a job, in a line."""
    hours = training.hours(chosen.instance_type)
    hosts = instances.hosts(chosen.instance_type, training.workers, training.update)
    known = f"{hours:,.1f} h, {hours * hosts:,.1f} instance-hours" if hours is not None else "unknown"
    tests = ", ".join(job.test_sets(training, chosen))
    return f"{training.name}: {hosts} × {chosen.instance_type}, estimated, not measured: {known}; tested on {tests}"


class State(enum.Enum):
    """How far a run has come."""

    NEW = "new"
    BEGUN = "begun"
    IN_TRAINING = "in training"
    FINISHED = "finished"
    UNKNOWN = "unknown"  # S3 or SageMaker could not be asked


class Progress(NamedTuple):
    """How far a run has come, and the name of the job that trains it now, if there is one."""

    state: State
    job: str | None = None


def require_account(chosen: Options) -> None:
    """Stop unless everything is there that a job needs: bucket, role, region, credentials, SDK, access to the bucket.

    Raises:
        LaunchError: the message names everything that is missing, and how to give it.
    """
    missing = chosen.missing()
    if not boto3.Session().region_name:
        missing.append("a region: AWS_DEFAULT_REGION=eu-west-1, or aws configure")
    if boto3.Session().get_credentials() is None:
        missing.append("credentials of AWS: a role of this machine, AWS_PROFILE, or AWS_ACCESS_KEY_ID with its secret")
    if importlib.util.find_spec("sagemaker") is None:
        missing.append("SageMaker's SDK: make sagemaker")
    if missing:
        raise LaunchError("\n    ".join(["Expected what a job needs. Missing:", *missing]))
    try:
        boto3.client("s3").head_bucket(Bucket=chosen.bucket)
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise LaunchError(f"s3://{chosen.bucket}: Expected a bucket that you may use. Received: {error}") from error


def check(training: job.Training, chosen: Options) -> Progress:
    """Check the data and the checkpoint path in the bucket; returns how far the run has come.

    Raises:
        LaunchError: data are missing, or the checkpoint path holds something else.
    """
    channels = job.channels(training, chosen)
    if missing := {name: files for name, path in channels.items() if (files := _missing_files(name, path))}:
        raise LaunchError(
            f"Expected the data sets of {training.name} in s3://{chosen.bucket}/data. Missing there: "
            + "; ".join(f"{name} ({', '.join(files)})" for name, files in missing.items())
            + ". Upload them: papermill notebooks/build_datasets.ipynb "
            f"-y '{{sets: [{', '.join(missing)}], bucket: {chosen.bucket}}}'"
        )
    hashes = {name: _training_hash(path) for name, path in channels.items()}
    state = state_at_path(training, chosen, hashes.get(training.train_data))
    if state is not State.FINISHED and (name := _job_in_progress(training, chosen)):
        return Progress(State.IN_TRAINING, name)
    return Progress(state)


def _job_in_progress(training: job.Training, chosen: Options) -> str | None:
    """The name of the running job that uses the training's checkpoint path; None if there is none."""
    client, path = boto3.client("sagemaker"), job.checkpoint_path(training, chosen)
    asked_for = {"StatusEquals": "InProgress", "NameContains": training.name}
    try:
        for page in client.get_paginator("list_training_jobs").paginate(**asked_for):
            for summary in page["TrainingJobSummaries"]:
                described = client.describe_training_job(TrainingJobName=summary["TrainingJobName"])
                if described.get("CheckpointConfig", {}).get("S3Uri") == path:
                    return summary["TrainingJobName"]
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise LaunchError(f"Expected the right to list SageMaker's training jobs. Received: {error}") from error
    return None


def _missing_files(name: str, path: str) -> list[str]:
    """The files of a data set that are not in its channel."""
    keys, spec = {entry["Key"] for entry in s3.listing(path)}, DATASETS[name]
    return sorted({"manifest.json", *spec.training_files, spec.test_file} - keys)


def _training_hash(path: str) -> str | None:
    """SHA-256 of the training part, from the channel's manifest; None for a test-only set."""
    manifest = s3.read_json(f"{path}/manifest.json")
    with _expecting_fields(f"{path}/manifest.json"):
        return manifest["parts"].get("training", {}).get("sha256")


def state_at_path(training: job.Training, chosen: Options, data_hash: str | None = None) -> State:
    """How far a run has come, by the record at its checkpoint path; finished if it was tested on every test set.

    Raises:
        LaunchError: the checkpoint path holds something else, or another run.
    """
    path = job.checkpoint_path(training, chosen)
    keys = [entry["Key"] for entry in s3.listing(path)]
    record_keys = [key for key in keys if re.fullmatch(r"runs/[^/]+/record\.json", key)]
    if not keys:
        return State.NEW
    if len(record_keys) != 1:
        raise LaunchError(f"{path}: Expected no objects, or one run. Received: {', '.join(keys[:3])}")
    record = s3.read_json(f"{path}/{record_keys[0]}")
    expected = {"recipe": json.loads(json.dumps(dataclasses.asdict(training.recipe))), "seed": training.seed}
    expected |= {"workers": training.workers, "train_data": training.train_data}
    with _expecting_fields(f"{path}/{record_keys[0]}"):
        received = {name: record[name] for name in ("recipe", "seed", "workers", "status")}
        received |= {"train_data": record["train_data"]["name"], "tests": set(record["tests"])}
        if data_hash:
            expected["data"], received["data"] = data_hash, record["train_data"]["sha256"]
    for name, value in expected.items():
        if received[name] != value:
            raise LaunchError(f"{path}: Expected {name} {value}. Received: a run with {received[name]}")
    is_tested = set(job.test_sets(training, chosen)) <= received["tests"]
    return State.FINISHED if received["status"] == "finished" and is_tested else State.BEGUN


@contextlib.contextmanager
def _expecting_fields(url: str) -> Iterator[None]:
    """Turn the KeyError of a missing field into a LaunchError that names the file's address."""
    try:
        yield
    except (LookupError, TypeError, AttributeError) as error:
        raise LaunchError(f"{url}: Expected a file that this project wrote. Received: one without {error}") from error


def submit(configuration: dict[str, Any], wait: bool = False) -> str:
    """Send the source and create the job of a configuration from `job.describe`; returns the job's name."""
    os.environ.setdefault(
        "SAGEMAKER_USER_CONFIG_OVERRIDE", str(ROOT / "autoaug" / "sagemaker" / "sagemaker_config.json")
    )
    from sagemaker.core import image_uris
    from sagemaker.core.helper.session_helper import Session
    from sagemaker.core.training import configs
    from sagemaker.train import ModelTrainer

    arguments, region = dict(configuration), boto3.Session().region_name
    arguments["training_image"] = arguments["training_image"] or image_uris.retrieve(
        "tensorflow", region, version="2.21", py_version="py312", image_scope="training",
        instance_type=arguments["compute"]["instance_type"],
    )  # fmt: skip
    metrics = [configs.MetricDefinition(**metric) for metric in arguments.pop("metric_definitions")]
    for name, kind in (
        ("compute", configs.Compute), ("stopping_condition", configs.StoppingCondition),
        ("output_data_config", configs.OutputDataConfig), ("checkpoint_config", configs.CheckpointConfig),
        ("networking", configs.Networking),
    ):  # fmt: skip
        if name in arguments:
            arguments[name] = kind(**arguments[name])
    arguments["input_data_config"] = [configs.InputData(**channel) for channel in arguments["input_data_config"]]
    arguments["tags"] = [configs.Tag(**tag) for tag in arguments["tags"]] or None
    bucket, prefix = s3.split(configuration["output_data_config"]["s3_output_path"])
    with tempfile.TemporaryDirectory() as folder:
        stage(folder)
        arguments["source_code"] = configs.SourceCode(source_dir=folder, **arguments["source_code"])
        session = Session(default_bucket=bucket)
        trainer = ModelTrainer(sagemaker_session=session, input_s3_key_prefix=prefix, **arguments)
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
    (pathlib.Path(folder) / "code_version.json").write_bytes(msgspec.json.encode(code_version()[0]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0, or 2 if something was not as it should be."""
    parser = argparse.ArgumentParser(
        prog="python -m autoaug.launch", description="Launch a training on SageMaker.", epilog=_EXAMPLE
    )
    parser.add_argument("--model", "--model_name", required=True, help="long or short name of the model")
    parser.add_argument("--train_data", required=True, help="name of the data set")
    parser.add_argument("--workers", type=int, default=1, help="number of workers (default: 1)")
    parser.add_argument("--update", default="async", help="by several workers: async or sync (default: async)")
    parser.add_argument("--preset", default="paper", help="paper, small or quick (default: paper)")
    parser.add_argument("--epochs", type=int, default=0, help="0: those of the preset (default: 0)")
    parser.add_argument("--device", default="auto", help="auto, or cpu: for an instance without GPU (default: auto)")
    parser.add_argument("--seed", type=int, default=0, help="of all random choices (default: 0)")
    options.add_to(parser)
    given = parser.parse_args(arguments)
    try:
        recipe = recipes.variant(given.model, given.preset, epochs=given.epochs)
        training = job.Training(recipe, given.train_data, given.seed, given.workers, given.update, device=given.device)
        print(launch(training, options.from_arguments(given)))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0
