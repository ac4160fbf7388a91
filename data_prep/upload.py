"""Uploads built data sets to S3, as `s3://<bucket>/data/<name>/training/`, with the manifest last.

So a set with a manifest in S3 is complete. To complete an interrupted upload, run it again: objects with the same
SHA-256 as the local file are skipped. S3 verifies and stores the SHA-256.
"""

import base64
import os
import pathlib
import re
from collections.abc import Iterable
from typing import Any

import boto3
import botocore.exceptions
import pandas as pd
import tqdm.auto

from autoaug.datasets import DATASETS, DatasetError, training_folder
from data_prep import folders

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class UploadError(ValueError):
    """S3 does not take what was to be uploaded; the message names the bucket."""


def require_bucket(bucket: str) -> None:
    """Raises UploadError unless the text is the name of a bucket, or empty."""
    if bucket and not _NAME.fullmatch(bucket):
        raise UploadError(f"bucket: Expected the name of a bucket, without s3:// and folders. Received: {bucket!r}")


def upload(data_dir: str | os.PathLike[str], names: Iterable[str], bucket: str) -> pd.DataFrame:
    """Uploads data sets, training and test part together, encrypted by S3 (SSE-S3).

    Args:
        data_dir: folder of the data sets; each set must agree with its manifest.
        names: of data sets; those of the user's own are left out, since jobs take built-in ones only.
        bucket: name of the bucket.

    Returns:
        A row per data set: the address, the number of objects, and how many of them were uploaded; the others were
        there already.

    Raises:
        DatasetError: a set is missing or damaged here.
        UploadError: credentials, bucket or permission are missing, or S3 fails. To continue, upload again.
    """
    require_bucket(bucket)
    sets = {name: _files(name, data_dir) for name in dict.fromkeys(names) if name in DATASETS}
    files = [(name, path) for name, paths in sets.items() for path in paths]
    uploaded = dict.fromkeys(sets, 0)
    try:
        client = boto3.session.Session().client("s3")  # a new session reads the credentials again
        client.head_bucket(Bucket=bucket)
        for name, path in tqdm.auto.tqdm(files, desc=f"s3://{bucket}", unit="file"):
            uploaded[name] += _put(client, bucket, f"data/{name}/training/{path.name}", path)
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, OSError) as error:
        remedy = "Credentials come from `aws configure`, the environment or a role, with s3:ListBucket, s3:GetObject"
        expected = "Expected a bucket that you may read and write"
        raise UploadError(f"s3://{bucket}: {expected}. Received: {error}. {remedy} and s3:PutObject.") from error
    rows = {name: (f"s3://{bucket}/data/{name}/training/", len(sets[name]), n) for name, n in uploaded.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["address", "objects", "uploaded"])


def _files(name: str, data_dir: str | os.PathLike[str]) -> list[pathlib.Path]:
    """The files of a data set that is whole, the manifest last."""
    folder = training_folder(name, data_dir)
    if (condition := folders.condition(folder, {"name": name})) != "whole":
        raise DatasetError(f"{folder}: Expected a data set that was built here. Received: {condition} files")
    return [*(folder / file for file in folders.file_hashes(folder)), folder / "manifest.json"]


def _put(client: Any, bucket: str, key: str, path: pathlib.Path) -> bool:
    """Uploads a file unless it is in S3 already; S3 refuses it if it arrives with another SHA-256."""
    checksum = base64.b64encode(bytes.fromhex(folders.file_hash(path))).decode()
    try:
        if client.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED").get("ChecksumSHA256") == checksum:
            return False
    except botocore.exceptions.ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
    options = {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": checksum, "ServerSideEncryption": "AES256"}
    with path.open("rb") as file:
        client.put_object(Bucket=bucket, Key=key, Body=file, **options)
    return True
