"""Uploads built data sets to S3, as `s3://<bucket>/data/<name>/training/`, with the manifest last.

So a set with a manifest in S3 is complete. To complete an interrupted upload, run it again: objects with the same
SHA-256 as the local file are skipped. S3 verifies and stores the SHA-256.
"""

import base64
import contextlib
import os
import pathlib
import re
from collections.abc import Iterable, Iterator
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import pandas as pd
import tqdm.auto

from autoaug.datasets import DatasetError, training_folder
from data_prep import folders

_FAILURES = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError)
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_CONFIG = botocore.config.Config(connect_timeout=10, read_timeout=60, retries={"total_max_attempts": 5})


class UploadError(ValueError):
    """S3 does not take what was to be uploaded; the message names the address."""


def require_bucket(bucket: str) -> None:
    """Raises UploadError unless the text is the name of a bucket, or empty."""
    if bucket and not _NAME.fullmatch(bucket):
        raise UploadError(f"bucket: Expected the name of a bucket, without s3:// and folders. Received: {bucket!r}")


def upload(data_dir: str | os.PathLike[str], names: Iterable[str], bucket: str) -> pd.DataFrame:
    """Uploads data sets, training and test part together, encrypted by S3 (SSE-S3).

    Args:
        data_dir: folder of the data sets; each set must agree with its manifest.
        names: of data sets.
        bucket: name of the bucket.

    Returns:
        A row per data set: the address, the number of objects, and how many of them were uploaded; the others were
        there already.

    Raises:
        DatasetError: a set is missing or damaged here.
        UploadError: credentials, bucket or permission are missing, or S3 fails. To continue, upload again.
    """
    require_bucket(bucket)
    sets = {name: _files(name, data_dir) for name in dict.fromkeys(names)}
    with _expecting("credentials", bucket):
        client = boto3.session.Session().client("s3", config=_CONFIG)  # a new one reads the credentials again
    with _expecting("a bucket that you may write to", bucket):
        client.head_bucket(Bucket=bucket)
    rows, total = {}, sum(path.stat().st_size for files in sets.values() for path in files)
    with tqdm.auto.tqdm(desc=f"s3://{bucket}", total=total, unit="B", unit_scale=True, mininterval=1) as progress:
        for name, files in sets.items():
            done = [_put(client, bucket, f"data/{name}/training/{path.name}", path, progress) for path in files]
            rows[name] = (f"s3://{bucket}/data/{name}/training/", len(done), sum(done))
    return pd.DataFrame.from_dict(rows, orient="index", columns=["address", "objects", "uploaded"])


def _files(name: str, data_dir: str | os.PathLike[str]) -> list[pathlib.Path]:
    """The files of a data set that is whole, the manifest last."""
    folder = training_folder(name, data_dir)
    condition = folders.condition(folder, {"name": name})
    if condition != "whole":
        raise DatasetError(f"{folder}: Expected a data set that was built here. Received: {condition} files")
    return [*(folder / file for file in folders.file_hashes(folder)), folder / "manifest.json"]


@contextlib.contextmanager
def _expecting(expected: str, place: str) -> Iterator[None]:
    """Turns boto3's errors into an UploadError that says what was expected where."""
    try:
        yield
    except (*_FAILURES, OSError) as error:
        remedy = ""
        if isinstance(error, botocore.exceptions.NoCredentialsError | botocore.exceptions.PartialCredentialsError):
            remedy = ". Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, run `aws configure`, or use a role."
        elif isinstance(error, botocore.exceptions.ClientError) and "403" in str(error):
            remedy = ". Use credentials with the permissions s3:ListBucket, s3:GetObject and s3:PutObject."
        raise UploadError(f"s3://{place}: Expected {expected}. Received: {str(error).rstrip('.')}{remedy}") from error


def _put(client: Any, bucket: str, key: str, path: pathlib.Path, progress: Any) -> bool:
    """Uploads a file unless it is in S3 already; S3 refuses it if it arrives with another SHA-256."""
    checksum = base64.b64encode(bytes.fromhex(folders.file_hash(path))).decode()
    with _expecting("an object that you may read and write", f"{bucket}/{key}"):
        try:
            there = client.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED").get("ChecksumSHA256")
        except botocore.exceptions.ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            there = None
        if there != checksum:
            options = {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": checksum, "ServerSideEncryption": "AES256"}
            with path.open("rb") as file:
                client.put_object(Bucket=bucket, Key=key, Body=file, **options)
    progress.update(path.stat().st_size)
    return there != checksum
