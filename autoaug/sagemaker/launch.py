"""Launches a training on SageMaker: `job` describes it, this module checks what can be checked and submits it.

    python -m autoaug.launch --model_name shake_shake_112 --train_data cifar102_30k --workers 1

Further options are those of `job.Options`; what is not given comes from AUTOAUG_BUCKET, AUTOAUG_ROLE and so on, or is
the default. Region and credentials are boto3's to find. Neither TensorFlow nor numba is imported, so that a small
machine can launch. SageMaker's SDK (`pip install -e '.[sagemaker]'`) is imported last, its telemetry opted out of by
`sagemaker_config.json`, unless SAGEMAKER_USER_CONFIG_OVERRIDE names another file.
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
from collections.abc import Iterator
from typing import NamedTuple

import boto3
import botocore.exceptions

from autoaug import recipes, s3
from autoaug.datasets import DATASETS
from autoaug.files import ROOT
from autoaug.sagemaker import job
from autoaug.sagemaker.job import LaunchError


def options_from(given):
    """`job.Options` of the given values, by name; one that is missing, None or empty comes from AUTOAUG_<NAME>.

    Values from the environment are words, numbers, or JSON for lists and dictionaries.

    Raises:
        LaunchError: there is no such option, or a value is not what it should be.
    """
    fields = {field.name: field for field in dataclasses.fields(job.Options)}
    if unknown := set(given) - set(fields):
        raise LaunchError(f"Expected options of {', '.join(fields)}. Received: {', '.join(sorted(unknown))}")
    values = {"bucket": "", "role": ""} | {name: value for name, value in given.items() if value not in (None, "")}
    for name, field in fields.items():
        text = os.environ.get(f"AUTOAUG_{name.upper()}", "")
        if text and values.get(name) in (None, ""):
            values[name] = text if field.type is str else _parsed(name, text)
    for name, value in values.items():
        values[name] = tuple(value) if isinstance(value, list) else value
    return job.Options(**values)


def _parsed(name, text):
    try:
        return json.loads(text)
    except ValueError as error:
        raise LaunchError(f"Expected AUTOAUG_{name.upper()}, a value in JSON. Received: {text!r}") from error


def launch(training, options):
    """Check and submit a job, saying what it may take; returns its name.

    Args:
        training: `job.Training`.
        options: `job.Options`.

    Raises:
        LaunchError: something is not as it should be; nothing was created.
    """
    configuration = job.describe(training, options)
    progress = check(training, options)
    if progress.state not in (State.NEW, State.BEGUN):
        received = progress.state.value + (f" by {progress.job}" if progress.job else "")
        raise LaunchError(f"{job.checkpoint_path(training, options)}: Expected a run to train. Received: {received}")
    print(announcement(training, options))
    return submit(configuration, options.wait)


def announcement(training, options):
    """What a job may take, in a line."""
    hours = training.hours(options.instance_type)
    known = f"{hours:,.1f} h, {hours * training.workers:,.1f} instance-hours" if hours is not None else "unknown"
    return f"{training.name}: {training.workers} × {options.instance_type}, estimated, not measured: {known}"


class State(enum.Enum):
    """How far a run has come."""

    NEW = "new"
    BEGUN = "begun"
    IN_TRAINING = "in training"
    FINISHED = "finished"


class Progress(NamedTuple):
    """How far a run has come, and the name of the job that trains it now, if one does."""

    state: State
    job: str | None = None


def check(training: job.Training, options: job.Options) -> Progress:
    """Check SDK, region, credentials, bucket, data and checkpoint path; returns how far the run has come.

    Raises:
        LaunchError: something is not as it should be.
    """
    if importlib.util.find_spec("sagemaker") is None:
        raise LaunchError("Expected SageMaker's SDK: pip install -e '.[sagemaker]'. Received: it is not installed")
    if not boto3.Session().region_name:
        raise LaunchError("Expected a region, such as AWS_DEFAULT_REGION=eu-west-1. Received: none")
    if boto3.Session().get_credentials() is None:
        raise LaunchError("Expected credentials of AWS: a role, a profile, or AWS_ACCESS_KEY_ID. Received: none")
    try:
        boto3.client("s3").head_bucket(Bucket=options.bucket)
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise LaunchError(f"s3://{options.bucket}: Expected a bucket that you may use. Received: {error}") from error
    hashes = {name: _training_hash(name, path) for name, path in job.channels(training, options).items()}
    state = state_at_path(training, options, hashes.get(training.train_data))
    if state is not State.FINISHED and (name := _job_in_progress(training, options)):
        return Progress(State.IN_TRAINING, name)
    return Progress(state)


def _job_in_progress(training, options):
    """The name of the job, of those named as this training's, that uses its checkpoint path now; None if none does."""
    client, path = boto3.client("sagemaker"), job.checkpoint_path(training, options)
    asked_for = {"StatusEquals": "InProgress", "NameContains": training.name}
    try:
        for page in client.get_paginator("list_training_jobs").paginate(**asked_for):
            for found in page["TrainingJobSummaries"]:
                described = client.describe_training_job(TrainingJobName=found["TrainingJobName"])
                if described.get("CheckpointConfig", {}).get("S3Uri") == path:
                    return found["TrainingJobName"]
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise LaunchError(f"Expected the right to list SageMaker's training jobs. Received: {error}") from error
    return None


def _training_hash(name, path):
    """SHA-256 that the channel's manifest states of the training part, None for a test set; the files must be there."""
    found, spec = {each["Key"] for each in s3.listing(path)}, DATASETS[name]
    if missing := sorted({"manifest.json", *spec.training_files, spec.test_file} - found):
        raise LaunchError(f"{path}: Expected the data set {name}. Missing: {', '.join(missing)}. Upload it first")
    manifest = s3.read_json(f"{path}/manifest.json")
    with _expecting_fields(f"{path}/manifest.json"):
        return manifest["parts"].get("training", {}).get("sha256")


def state_at_path(training: job.Training, options: job.Options, data_hash: str | None = None) -> State:
    """How far a run has come, by the record at its checkpoint path.

    Raises:
        LaunchError: something else is there, or another run.
    """
    path = job.checkpoint_path(training, options)
    keys = [found["Key"] for found in s3.listing(path)]
    record_keys = [key for key in keys if re.fullmatch(r"runs/[^/]+/record\.json", key)]
    if not keys:
        return State.NEW
    if len(record_keys) != 1:
        raise LaunchError(f"{path}: Expected no objects, or one run. Received: {', '.join(keys[:3])}")
    record = s3.read_json(f"{path}/{record_keys[0]}")
    expected = {"recipe": json.loads(json.dumps(dataclasses.asdict(training.recipe))), "seed": training.seed}
    expected |= {"workers": training.workers, "train_data": training.train_data}
    with _expecting_fields(f"{path}/{record_keys[0]}"):
        there = {name: record[name] for name in ("recipe", "seed", "workers", "status")}
        there |= {"train_data": record["train_data"]["name"]}
        if training.workers > 1:
            expected["update"], there["update"] = training.update, record.get("update")
        if data_hash:
            expected["data"], there["data"] = data_hash, record["train_data"]["sha256"]
    for name, value in expected.items():
        if there[name] != value:
            raise LaunchError(f"{path}: Expected {name} {value}. Received: the run of another, {there[name]}")
    return State.FINISHED if there["status"] == "finished" else State.BEGUN


@contextlib.contextmanager
def _expecting_fields(url: str) -> Iterator[None]:
    """Raise a LaunchError that names the address where a file of ours lacks what is asked of it inside."""
    try:
        yield
    except (LookupError, TypeError, AttributeError) as error:
        raise LaunchError(f"{url}: Expected a file as it was written here. Received: one without {error}") from error


def submit(configuration, wait=False):
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
    metrics = [configs.MetricDefinition(**each) for each in arguments.pop("metric_definitions")]
    for name, kind in (
        ("compute", configs.Compute), ("stopping_condition", configs.StoppingCondition),
        ("output_data_config", configs.OutputDataConfig), ("checkpoint_config", configs.CheckpointConfig),
        ("networking", configs.Networking),
    ):  # fmt: skip
        if name in arguments:
            arguments[name] = kind(**arguments[name])
    arguments["input_data_config"] = [configs.InputData(**each) for each in arguments["input_data_config"]]
    arguments["tags"] = [configs.Tag(**each) for each in arguments["tags"]] or None
    bucket, prefix = s3.split(configuration["output_data_config"]["s3_output_path"])
    with tempfile.TemporaryDirectory() as folder:
        stage(folder)
        arguments["source_code"] = configs.SourceCode(source_dir=folder, **arguments["source_code"])
        session = Session(default_bucket=bucket)
        trainer = ModelTrainer(sagemaker_session=session, input_s3_key_prefix=prefix, **arguments)
        trainer.with_metric_definitions(metrics).train(wait=wait, logs=wait)
    return trainer._latest_training_job.training_job_name


def stage(folder):
    """Copy the source that a job runs into a folder; `code_version.json` is what `records.code_version` says of it."""
    from autoaug import records

    for name in job.SOURCE:
        source, target = ROOT / name, pathlib.Path(folder) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    (pathlib.Path(folder) / "code_version.json").write_text(json.dumps(records.code_version()))


def main(arguments=None):
    """Returns the exit status: 0, or 2 where something was not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m autoaug.launch", description="Launch a training on SageMaker.")
    parser.add_argument("--model_name", required=True, help="long or short name of the model")
    parser.add_argument("--train_data", required=True, help="name of the data set")
    parser.add_argument("--workers", type=int, default=1, help="number of hosts")
    parser.add_argument("--update", default="async", help="of several workers: async or sync")
    parser.add_argument("--preset", default="paper", help="paper or quick")
    parser.add_argument("--epochs", type=int, default=0, help="0: as the preset says")
    parser.add_argument("--seed", type=int, default=0, help="of all random choices")
    fields = dataclasses.fields(job.Options)
    for field in fields:
        kind = str if field.type is str else json.loads
        parser.add_argument(f"--{field.name}", type=kind, help=f"AUTOAUG_{field.name.upper()}; see job.Options")
    given = parser.parse_args(arguments)
    try:
        recipe = recipes.get(given.model_name, given.preset)
        recipe = dataclasses.replace(recipe, epochs=given.epochs or recipe.epochs)
        training = job.Training(recipe, given.train_data, given.seed, given.workers, given.update)
        print(launch(training, options_from({field.name: getattr(given, field.name) for field in fields})))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0
