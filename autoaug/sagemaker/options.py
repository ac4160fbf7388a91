"""Where and how a job runs. An option has the same name and values on the command line, in the environment and in
notebooks: `convert` reads them all."""

import dataclasses
import os
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from autoaug.datasets import DATASETS
from autoaug.files import parse_json
from autoaug.recipes import did_you_mean

Texts = tuple[str, ...]
Names = dict[str, str]
LIMIT_HOURS = 28 * 24  # SageMaker ends a training job after 28 days
_WORDS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
_EXPECTED = {
    str: "a text", int: "an integer", float: "a number", bool: "yes or no", Texts: "texts, such as a,b",
    Names: "names with texts, such as project=shift", dict: "names with values, such as depth=28",
}  # fmt: skip
_PATTERNS = {
    "bucket": (r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "the name of an S3 bucket"),
    "role": (r"arn:aws[\w-]*:iam::\d{12}:role/[\w+=,.@/-]+", "an ARN such as arn:aws:iam::123456789012:role/training"),
    "instance_type": (r"ml\.[\w-]+\.\w+", "a type such as ml.g5.2xlarge"),
    "spot": ("auto|yes|no", "one of auto, yes, no"),
    "checkpoints": ("s3://[^/]+/.+", "a path such as s3://bucket/folder"),
    "output": ("s3://[^/]+/.+", "a path such as s3://bucket/folder"),
    "subnets": (r"subnet-\w+", "ids of subnets such as subnet-0abc"),
    "security_groups": (r"sg-\w+", "ids of security groups such as sg-0abc"),
}


class LaunchError(ValueError):
    """A job cannot be launched as asked; nothing was created."""


def expect(fulfilled: object, expected: str, received: object) -> None:
    """Raise a LaunchError, which says what was expected and received, unless something is as expected."""
    if not fulfilled:
        raise LaunchError(f"Expected {expected}. Received: {received!r}")


@dataclasses.dataclass(frozen=True)
class Options:
    """Where and how a job runs; LaunchError names an option that is not as it should be."""

    bucket: str = ""  # name of the S3 bucket that holds data, checkpoints and results; a job needs one
    role: str = ""  # ARN of the IAM role that the job assumes; a job needs one
    instance_type: str = "ml.g5.2xlarge"  # type of every host; a job must use all GPUs of an instance
    image: str = ""  # URI of the training image; empty: SageMaker's TensorFlow 2.21 image for the instance type
    volume_gb: int = 50  # disk of every host, in GB
    # SageMaker ends the job after this time; 0: 5 ms for each image of each epoch, at least 48 hours with the paper
    # preset, 2 with the others
    max_run_hours: float = 0
    spot: str = "auto"  # whether on spot instances: auto (with the paper preset), yes or no
    checkpoints: str = ""  # S3 path of the run while it trains; empty: a path for this run alone
    output: str = ""  # S3 path of the results; empty: s3://BUCKET/jobs
    test_sets: Texts = ()  # test sets besides that of the training data; empty: those that it is compared on
    kms_key: str = ""  # key that encrypts results and source in S3
    volume_kms_key: str = ""  # key that encrypts the disks
    subnets: Texts = ()  # ids of subnets of a VPC
    security_groups: Texts = ()  # ids of security groups of a VPC
    encrypt_traffic: bool = False  # whether traffic between hosts is encrypted, which slows several hosts
    network_isolation: bool = False  # whether the container reaches the job's hosts only; needs an image of your own
    tags: Names = dataclasses.field(default_factory=dict)  # names with texts
    wait: bool = False  # whether to wait until the job ends, showing its log

    def __post_init__(self) -> None:
        object.__setattr__(self, "bucket", self.bucket.removeprefix("s3://").rstrip("/"))
        for name, (pattern, expected) in _PATTERNS.items():
            value = getattr(self, name)
            for text in (value,) if isinstance(value, str) else value:
                expect(not text or re.fullmatch(pattern, text), f"{name}, {expected}", text)
        expect(1 <= self.volume_gb <= 16_384, "volume_gb of 1 to 16384", self.volume_gb)
        expect(0 <= self.max_run_hours <= LIMIT_HOURS, f"max_run_hours of 0 to {LIMIT_HOURS}", self.max_run_hours)
        for name in self.test_sets:
            expect(name in DATASETS, f"test_sets of {', '.join(DATASETS)}{did_you_mean(name, DATASETS)}", name)

    @property
    def output_path(self) -> str:
        """S3 path of the results."""
        return self.output or f"s3://{self.bucket}/jobs"


def convert(kind: Any, value: Any, name: str = "") -> Any:
    """A value of a type, also from text as people write it: `yes`, `100`, `a,b`, `k=v`, or JSON.

    Raises:
        LaunchError: it is nothing of this type; the message begins with the name.
    """
    read = value.strip() if isinstance(value, str) else value
    try:
        if kind == Names and isinstance(read, dict):
            read = {str(key): str(item) if type(item) in (int, float) else item for key, item in read.items()}
        elif kind is bool and isinstance(read, str):
            read = _WORDS.get(read.lower(), read)
        elif isinstance(read, str) and kind not in (str, int, float):
            read = parse_json(read) if read[:1] in ("[", "{") else _listed(kind, read)
        return msgspec.convert(read, kind, strict=False)
    except ValueError as error:
        place = f"{name}: " if name else ""
        raise LaunchError(f"{place}Expected {_EXPECTED[kind]}. Received: {value!r}") from error


def _listed(kind: Any, text: str) -> Any:
    """`a,b` as a list; `k=v,l=w` as names with texts or, for a plain dict, with values in JSON."""
    items = [item.strip() for item in text.split(",") if item.strip()]
    pairs = [] if kind == Texts else [item.split("=", 1) for item in items]
    return items if kind == Texts else {key: text if kind == Names else parse_json(text) for key, text in pairs}


def from_given(given: Mapping[str, Any]) -> Options:
    """Options from values by name; a value that is missing, None or empty comes from AUTOAUG_<NAME>.

    Raises:
        LaunchError: there is no such option, or a value is not as it should be.
    """
    kinds, values = ({field.name: field.type for field in dataclasses.fields(Options)}, {})
    for name in given:
        expect(name in kinds, f"options of {', '.join(kinds)}{did_you_mean(name, kinds)}", name)
    for name, kind in kinds.items():
        source, value = name, given.get(name)
        if value is None or value == "":
            source, value = (f"AUTOAUG_{name.upper()}", os.environ.get(f"AUTOAUG_{name.upper()}", ""))
        if name == "spot" and isinstance(value, bool):
            value = "yes" if value else "no"  # YAML's reading of these words
        if value != "":
            values[name] = convert(kind, value, source)
    return Options(**values)
