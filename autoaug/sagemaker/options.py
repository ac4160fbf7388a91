"""Where and how a job runs: options with the same names and values on the command line, in the environment and in
notebooks."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from autoaug.recipes import require_known

LIMIT_HOURS = 28 * 24  # SageMaker ends a training job after 28 days
_WORDS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}

_Gigabytes = Annotated[int, Meta(ge=1, le=16_384)]
_Hours = Annotated[float, Meta(ge=0, le=LIMIT_HOURS)]
_Bucket = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z", title="a name such as my-bucket")]
_Arn = Annotated[str, Meta(pattern=r"^arn:aws[\w-]*:iam::\d{12}:role/[\w+=,.@/-]+\Z", title="arn:aws:iam::…:role/…")]
_Instance = Annotated[str, Meta(pattern=r"^ml\.[\w-]+\.\w+\Z", title="a type such as ml.g5.2xlarge")]
_Subnets = tuple[Annotated[str, Meta(pattern=r"^subnet-\w+\Z", title="subnet-…")], ...]
_Spot = Annotated[str, Meta(pattern=r"^(auto|yes|no)\Z", title="auto, yes or no")]
_Groups = tuple[Annotated[str, Meta(pattern=r"^sg-\w+\Z", title="sg-…")], ...]
_Tag = Annotated[str, Meta(pattern=r"^(?!aws:)[\w .:/=+@-]{1,128}\Z", title="NAME=TEXT, with a name")]
_Tags = dict[_Tag, Annotated[str, Meta(max_length=256)]]


class LaunchError(ValueError):
    """A job cannot be launched as asked; nothing was created."""


def expect(fulfilled: object, expected: str, received: object) -> None:
    """Raise a LaunchError, which says what was expected and received, unless something is as expected."""
    if not fulfilled:
        raise LaunchError(f"Expected {expected}. Received: {received!r}")


def _told(default: Any, text: str) -> Any:
    """A field with its help."""
    return dataclasses.field(default_factory=lambda: default, metadata={"default": default, "help": text})


@dataclasses.dataclass(frozen=True)
class Options:
    """Where and how a job runs; `from_given` checks what people have written."""

    bucket: _Bucket = _told("", "name of the S3 bucket that holds data, checkpoints and results; a job needs one")
    role: _Arn = _told("", "ARN of the IAM role that the job assumes; a job needs one")
    instance_type: _Instance = _told("ml.g5.2xlarge", "type of every host; a job must use all GPUs of an instance")
    image: str = _told("", "URI of the training image; empty: SageMaker's TensorFlow 2.21 image for the instance type")
    volume_gb: _Gigabytes = _told(50, "disk of every host, in GB")
    max_run_hours: _Hours = _told(0, "SageMaker ends the job after this time; 0: 5 ms for each image of each epoch, at "
                                  "least 48 hours with the paper preset, 2 with the others")  # fmt: skip
    spot: _Spot = _told("auto", "whether on spot instances; auto: with the paper preset")
    test_sets: tuple[str, ...] = _told((), "test sets besides the training data's; empty: those it is compared on")
    kms_key: str = _told("", "key that encrypts results and source in S3")
    volume_kms_key: str = _told("", "key that encrypts the disks")
    subnets: _Subnets = _told((), "ids of subnets of a VPC")
    security_groups: _Groups = _told((), "ids of security groups of a VPC")
    encrypt_traffic: bool = _told(False, "whether traffic between hosts is encrypted, which slows several hosts")
    network_isolation: bool = _told(False, "whether the container reaches the job's hosts only; needs an own image")
    tags: _Tags = _told({}, "names with texts: NAME=TEXT,…")
    wait: bool = _told(False, "whether to wait until the job ends, showing its log")


def convert(kind: Any, value: Any, name: str) -> Any:
    """A value of a type, also from text as people write it: `yes`, `100`, `a,b`, `k=v`, or JSON; or LaunchError."""
    base, read = get_origin(kind) or kind, value
    try:
        if isinstance(value, str) and base is bool:
            read = _WORDS.get(value.strip().lower(), value)
        elif isinstance(value, str) and base in (tuple, dict):
            parts = [part.strip() for part in value.split(",") if part.strip()]
            if value.strip()[:1] in ("[", "{"):
                read = msgspec.json.decode(value)
            else:
                read = parts if base is tuple else dict(part.split("=", 1) for part in parts)
        if kind == _Tags and isinstance(read, dict):
            read = {str(key): str(item) if type(item) in (int, float) else item for key, item in read.items()}
        return msgspec.convert(read, kind, strict=False)
    except (ValueError, RecursionError) as error:
        said = str(error) if isinstance(error, msgspec.ValidationError) else "Expected values such as a,b or k=v"
        if "matching regex" in said:  # the form's title says it in words
            said = f"Expected {(get_args(kind)[0] if base in (tuple, dict) else kind).__metadata__[0].title}"
        raise LaunchError(f"{name}: {said}. Received: {value!r}") from error


def from_given(given: Mapping[str, Any]) -> Options:
    """Options from values by name; a value that is missing, None or empty comes from AUTOAUG_<NAME>."""
    kinds = get_type_hints(Options, include_extras=True)
    variables, values = {f"AUTOAUG_{name.upper()}": name for name in kinds}, {}
    for name in given:
        require_known("option", name, kinds)
    for variable in os.environ:
        if variable.startswith("AUTOAUG_"):
            require_known("environment variable", variable, variables)
    for variable, name in variables.items():
        source, value = name, given.get(name)
        if value is None or value == "":
            source, value = variable, os.environ.get(variable, "")
        if name == "bucket" and isinstance(value, str):
            value = value.removeprefix("s3://").rstrip("/")
        if name == "spot" and (word := _WORDS.get(str(value).strip().lower())) is not None:
            value = "yes" if word else "no"  # YAML reads some of these words as true and false
        if value != "":
            values[name] = convert(kinds[name], value, source)
    return Options(**values)
