"""Files in S3: reading them, and bringing the results of SageMaker jobs into a folder like `results/`.

boto3 finds credentials, region and AWS_ENDPOINT_URL.
"""

import contextlib
import functools
import hashlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import platformdirs
import urllib3.exceptions

from autoaug.files import ArchiveError, parse_json, remove_left_over, temporary_suffix, unpack

ATTEMPTS = 5  # of each request, if the connection breaks or the service is overloaded; botocore waits in between
_CONNECT_SECONDS, _READ_SECONDS = 10, 60  # to connect, and between two pieces of an answer
_MOST_BYTES = 2**32  # of a job's results, unpacked
_MOST_JSON = 2**24
_FAILURES = (
    *(botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError),
    *(urllib3.exceptions.HTTPError, OSError),
)
_NO_CREDENTIALS = (botocore.exceptions.NoCredentialsError, botocore.exceptions.PartialCredentialsError)
_REMEDIES = {
    301: "Set AWS_DEFAULT_REGION to the bucket's region.",
    403: "Use credentials with the permissions s3:ListBucket, s3:GetObject and s3:PutObject.",
    503: "The service is overloaded: try again later.",
}


class S3Error(ValueError):
    """S3 does not have what was asked for, or does not hand it out."""


@contextlib.contextmanager
def expecting(expected: str, url: str) -> Iterator[None]:
    """Turn errors of the connection to S3 into an S3Error that names the address and what was expected there."""
    try:
        yield
    except _FAILURES as error:
        _client.cache_clear()
        message = f"{url}: Expected {expected}. Received: {str(error).removesuffix('.')}. {_remedy(error)}"
        raise S3Error(message.rstrip()) from error


def _remedy(error: Exception) -> str:
    """A remedy for the error, if one is known; else empty."""
    if isinstance(error, _NO_CREDENTIALS):
        return "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, run `aws configure`, or use a role."
    if isinstance(error, botocore.exceptions.ClientError):
        return _REMEDIES.get(error.response["ResponseMetadata"]["HTTPStatusCode"], "")
    return ""


def client() -> Any:
    """boto3's client, with a limit on the time that a connection may stand still.

    It is kept, since making one takes a fifth of a second. A new one reads the credentials again: after a failure,
    whose cause the user of a notebook may have mended, and where the environment's variables of AWS have changed.
    """
    return _client(tuple((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))


@functools.lru_cache(maxsize=1)
def _client(_variables: tuple[tuple[str, str], ...]) -> Any:
    retries = {"total_max_attempts": ATTEMPTS, "mode": "standard"}
    timeouts = {"connect_timeout": _CONNECT_SECONDS, "read_timeout": _READ_SECONDS}
    return boto3.session.Session().client("s3", config=botocore.config.Config(retries=retries, **timeouts))


def split(url: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`; the key may be empty.

    Raises:
        S3Error: the text is not such an address.
    """
    scheme, _, rest = url.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise S3Error(f"Expected an address such as s3://bucket/folder. Received: {url!r}")
    return bucket, key.rstrip("/")


def listing(url: str) -> list[dict[str, Any]]:
    """The objects in a folder: dicts with Key (relative to the folder), LastModified and ETag.

    Raises:
        S3Error: there is no such bucket, or it cannot be listed.
    """
    bucket, folder = split(url)
    prefix = f"{folder}/" if folder else ""
    with expecting("a folder in a bucket that you may list", url):
        pages = client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        objects = [entry for page in pages for entry in page.get("Contents", [])]
    return [
        {"Key": entry["Key"].removeprefix(prefix), "LastModified": entry["LastModified"], "ETag": entry["ETag"]}
        for entry in objects
    ]


def read(url: str, most_bytes: int = 2**28) -> bytes:
    """The bytes of an object.

    Raises:
        S3Error: the object cannot be read, or is larger.
    """
    bucket, key = split(url)
    with expecting("an object that you may read", url):
        content = client().get_object(Bucket=bucket, Key=key)["Body"].read(most_bytes + 1)
    if len(content) > most_bytes:
        raise S3Error(f"{url}: Expected an object of at most {most_bytes:,} bytes. Received: a larger one")
    return content


def read_json(url: str) -> dict[str, Any]:
    """The names and values that an object of at most 16 MiB holds in strict JSON.

    Raises:
        S3Error: the object cannot be read, or holds something else.
    """
    content = read(url, _MOST_JSON)
    try:
        if not isinstance(value := parse_json(content.decode()), dict):
            raise ValueError(f"{str(value)[:80]}, not names with values")
    except ValueError as error:
        raise S3Error(f"{url}: Expected an object in JSON. Received: {error}") from error
    return value


def fetch(url: str, folder: str | os.PathLike[str] | None = None) -> pathlib.Path:
    """Copy the run folders of SageMaker jobs to this machine: records, histories, predictions, notebooks.

    The runs are in `output.tar.gz` of every job below `url`. A file that was fetched whole is fetched again only if it
    has changed. If two jobs trained the same run, the later one counts.

    Args:
        url: such as `s3://bucket/jobs`.
        folder: runs go to its `runs/<run id>/`; None: a folder in the user's cache.

    Returns:
        The folder, for `runs.collect`.

    Raises:
        S3Error: the bucket cannot be read, or an archive is damaged or not from a job of this project.
    """
    bucket, key = split(url)
    folder = pathlib.Path(folder or platformdirs.user_cache_path("autoaug") / "s3" / bucket / key)
    archives = [entry for entry in listing(url) if entry["Key"].endswith("/output/output.tar.gz")]
    (folder / "fetched").mkdir(parents=True, exist_ok=True)
    (folder / "runs").mkdir(exist_ok=True)
    remove_left_over(folder)
    for entry in sorted(archives, key=lambda entry: entry["LastModified"]):
        marker = folder / "fetched" / hashlib.sha256(f"{entry['Key']} {entry['ETag']}".encode()).hexdigest()
        if not marker.exists():
            _fetch_archive(bucket, f"{key}/{entry['Key']}".lstrip("/"), folder)
            marker.touch()
    return folder


def _fetch_archive(bucket: str, key: str, folder: pathlib.Path) -> None:
    """Download and unpack an archive beside the folder's runs, then move each of its runs into its place."""
    url = f"s3://{bucket}/{key}"
    with tempfile.TemporaryDirectory(dir=folder, prefix=".", suffix=f".{temporary_suffix()}") as temporary:
        archive, unpacked = pathlib.Path(temporary) / "output.tar.gz", pathlib.Path(temporary) / "output"
        with expecting("the results of a job", url), archive.open("wb") as file:
            body = client().get_object(Bucket=bucket, Key=key)["Body"]
            shutil.copyfileobj(body, file)
        try:
            unpack(archive, unpacked, lambda path: len(path.parts) > 2 and path.parts[0] == "runs", _MOST_BYTES)
        except ArchiveError as error:
            raise S3Error(f"{url}: {error}") from error
        for run in (unpacked / "runs").glob("*"):
            shutil.rmtree(folder / "runs" / run.name, ignore_errors=True)
            run.rename(folder / "runs" / run.name)
