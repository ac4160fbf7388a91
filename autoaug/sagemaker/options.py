"""Where and how a job runs: options with the same names on the command line, in the environment and in the notebook."""

import argparse
import dataclasses
import inspect
import json
import os
import re
from collections.abc import Mapping
from typing import Any

from autoaug.datasets import DATASETS

LIMIT_HOURS = 28 * 24  # SageMaker ends a training job after 28 days
_ROLE = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/[\w+=,.@/-]+")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_INSTANCE = re.compile(r"ml\.[\w-]+\.\w+")


class LaunchError(ValueError):
    """A job cannot be launched as asked; nothing was created."""


@dataclasses.dataclass(frozen=True)
class Options:
    """Where and how a job runs; `job.describe` chooses what is empty or 0.

    Args:
        bucket: name of the S3 bucket that holds data, checkpoints and results; a job needs one.
        role: ARN of the IAM role that the job assumes; a job needs one.
        instance_type: type of every host. A job must use all GPUs of an instance.
        image: URI of the training image; empty: SageMaker's TensorFlow 2.21 image for the instance type.
        volume_gb: disk of every host, in GB.
        max_run_hours: SageMaker ends the job after this time; 0: twice the estimate, at least 48 hours with the paper
            preset, 2 with the others.
        spot: whether on spot instances: auto (where more than an hour is estimated), yes or no.
        checkpoints: S3 path of the run while it trains; empty: a path for this run alone.
        output: S3 path of the results; empty: s3://BUCKET/jobs.
        test_sets: names of test sets besides that of the training data; empty: those of its original or its
            reproductions, and test-only sets of the same kind.
        kms_key: key that encrypts results and source in S3.
        volume_kms_key: key that encrypts the disks.
        subnets: ids of subnets of a VPC.
        security_groups: ids of security groups of a VPC.
        encrypt_traffic: whether traffic between hosts is encrypted, which slows several workers.
        tags: names with values.
        wait: whether to wait until the job ends, showing its log; for a study, until all jobs end.

    Raises:
        LaunchError: an option is not as it should be.
    """

    bucket: str = ""
    role: str = ""
    instance_type: str = "ml.g5.2xlarge"
    image: str = ""
    volume_gb: int = 50
    max_run_hours: float = 0
    spot: str = "auto"
    checkpoints: str = ""
    output: str = ""
    test_sets: tuple[str, ...] = ()
    kms_key: str = ""
    volume_kms_key: str = ""
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    encrypt_traffic: bool = False
    tags: dict[str, str] = dataclasses.field(default_factory=dict)
    wait: bool = False

    def __post_init__(self) -> None:
        if self.bucket:
            expect(_BUCKET.fullmatch(self.bucket), "bucket, the name of an S3 bucket", self.bucket)
        if self.role:
            expect(
                _ROLE.fullmatch(self.role), "role, an ARN such as arn:aws:iam::123456789012:role/training", self.role
            )
        expect(_INSTANCE.fullmatch(self.instance_type), "instance_type, such as ml.g5.2xlarge", self.instance_type)
        expect(1 <= self.volume_gb <= 16_384, "volume_gb of 1 to 16384", self.volume_gb)
        expect(0 <= self.max_run_hours <= LIMIT_HOURS, f"max_run_hours of 0 to {LIMIT_HOURS}", self.max_run_hours)
        expect(self.spot in ("auto", "yes", "no"), "spot, one of auto, yes, no", self.spot)
        for path in (self.checkpoints, self.output):
            expect(not path or re.fullmatch(r"s3://[^/]+/.+", path), "a path such as s3://bucket/folder", path)
        for name in self.test_sets:
            expect(name in DATASETS, f"test_sets of {', '.join(DATASETS)}", name)
        expect(bool(self.subnets) == bool(self.security_groups), "subnets and security_groups, both or neither",
               [*self.subnets, *self.security_groups])  # fmt: skip

    @property
    def output_path(self) -> str:
        """S3 path of the results."""
        return self.output or f"s3://{self.bucket}/jobs"

    def missing(self) -> list[str]:
        """How to give the options that a job needs and that are missing here, a line for each."""
        examples = {"bucket": "my-bucket", "role": "arn:aws:iam::123456789012:role/training"}
        return [
            f"{name}: --{name} {example}, AUTOAUG_{name.upper()}={example}, or in the notebook -p {name} {example}"
            for name, example in examples.items()
            if not getattr(self, name)
        ]


def from_given(given: Mapping[str, Any]) -> Options:
    """Options from values by name; a value that is missing, None or empty comes from AUTOAUG_<NAME>.

    Values in the environment are words, numbers, or JSON for lists and dictionaries.

    Raises:
        LaunchError: there is no such option, or a value is not as it should be.
    """
    fields = {field.name: field for field in dataclasses.fields(Options)}
    if unknown := set(given) - set(fields):
        raise LaunchError(f"Expected options of {', '.join(fields)}. Received: {', '.join(sorted(unknown))}")
    values: dict[str, Any] = {name: value for name, value in given.items() if value not in (None, "")}
    for name, field in fields.items():
        text = os.environ.get(f"AUTOAUG_{name.upper()}", "")
        if text and name not in values:
            values[name] = text if field.type is str else _parsed(name, text)
    for name, value in values.items():
        values[name] = tuple(value) if isinstance(value, list) else value
    return Options(**values)


def _parsed(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise LaunchError(f"Expected AUTOAUG_{name.upper()}, a value in JSON. Received: {text!r}") from error


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add every option to a command, with its help from the docstring of `Options`."""
    group = parser.add_argument_group(
        "options of the job",
        "Lists and dictionaries are in JSON. An option that is not given comes from AUTOAUG_<NAME>, or is the default.",
    )
    texts = dict(re.findall(r"^    (\w+): (.+?)(?=^    \w+: |^\n|^Raises)", inspect.getdoc(Options) or "", re.M | re.S))
    for field in dataclasses.fields(Options):
        help_text = " ".join(texts[field.name].split()).replace("%", "%%")
        if isinstance(field.default, str | int | float) and field.default:
            help_text += f" (default: {field.default})"
        if field.type is bool:
            group.add_argument(f"--{field.name}", action=argparse.BooleanOptionalAction, help=help_text)
        else:
            kind = str if field.type is str else json.loads
            group.add_argument(f"--{field.name}", type=kind, help=help_text)


def from_arguments(arguments: argparse.Namespace) -> Options:
    """The options of a command; raises what `from_given` raises."""
    return from_given({field.name: getattr(arguments, field.name) for field in dataclasses.fields(Options)})


def expect(fulfilled: object, expected: str, received: object) -> None:
    """Stop unless something is as expected.

    Raises:
        LaunchError: the message says what was expected and what was received.
    """
    if not fulfilled:
        raise LaunchError(f"Expected {expected}. Received: {received!r}")
