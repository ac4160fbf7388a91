"""Uploads built data sets to S3, as `s3://<bucket>/data/<name>/training/`, with the manifest last.

So a set with a manifest in S3 is complete. To complete an interrupted upload, run it again: objects with the same
SHA-256 as the local file are skipped. S3 verifies and stores the SHA-256.
"""

import base64
import concurrent.futures
import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import botocore.exceptions
import tqdm.auto

from autoaug import s3
from autoaug.datasets import DatasetError, training_folder
from data_prep import folders

CONNECTIONS = 8  # botocore keeps up to ten


def upload(data_dir: str | os.PathLike[str], names: Iterable[str], bucket: str) -> dict[str, int]:
    """Uploads data sets, training and test part together, encrypted by S3 (SSE-S3).

    Args:
        data_dir: folder of the data sets; each set must agree with its manifest.
        names: of data sets.
        bucket: name of the bucket.

    Returns:
        Name → number of objects that were uploaded; the others were there already.

    Raises:
        DatasetError: a set is missing or damaged here.
        s3.S3Error: credentials, bucket or permission are missing, or S3 fails. To continue, upload again.
    """
    sets = {name: _files(name, data_dir) for name in dict.fromkeys(names)}
    client = _client_of(bucket)
    uploaded = {}
    total = sum(path.stat().st_size for files in sets.values() for path in files)
    with tqdm.auto.tqdm(desc=f"s3://{bucket}", total=total, unit="B", unit_scale=True, mininterval=1) as progress:
        for name, (*batches, manifest) in sets.items():
            done = _put_all(client, bucket, name, batches, progress)
            uploaded[name] = sum(done + _put_all(client, bucket, name, [manifest], progress))
    return uploaded


def compare(data_dir: str | os.PathLike[str], names: Iterable[str], bucket: str) -> dict[str, str]:
    """Compares the manifests of data sets in the bucket and here: name → "same", "different" or "absent".

    Raises:
        s3.S3Error: as for `upload`.
    """
    client = _client_of(bucket)
    states = {}
    for name in names:
        path = training_folder(name, data_dir) / "manifest.json"
        checksum = _checksum(client, bucket, _key(name, path))
        same = path.is_file() and checksum == _encoded(path)
        states[name] = "absent" if checksum is None else "same" if same else "different"
    return states


def _files(name: str, data_dir: str | os.PathLike[str]) -> list[pathlib.Path]:
    """The files of a data set that is whole, the manifest last."""
    folder = training_folder(name, data_dir)
    condition = folders.condition(folder, {"name": name})
    if condition != "whole":
        raise DatasetError(f"{folder}: Expected a data set that was built here. Received: {condition} files")
    return [*(folder / file for file in folders.file_hashes(folder)), folder / "manifest.json"]


def _client_of(bucket: str) -> Any:
    """A client that has reached the bucket."""
    client = s3.client()
    with s3.expecting("a bucket that you may write to", f"s3://{bucket}/"):
        client.head_bucket(Bucket=bucket)
    return client


def _key(name: str, path: pathlib.Path) -> str:
    return f"data/{name}/training/{path.name}"


def _encoded(path: pathlib.Path) -> str:
    """The file's SHA-256 as S3 writes it."""
    return base64.b64encode(bytes.fromhex(folders.file_hash(path))).decode()


def _checksum(client: Any, bucket: str, key: str) -> str | None:
    """The SHA-256 of an object; None if there is none; "" for an object uploaded by a program that sent none."""
    with s3.expecting("an object that you may read", f"s3://{bucket}/{key}"):
        try:
            return client.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED").get("ChecksumSHA256", "")
        except botocore.exceptions.ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise


def _put_all(client: Any, bucket: str, name: str, paths: Sequence[pathlib.Path], progress: Any) -> list[bool]:
    """Uploads the files that are missing in S3; returns whether each was uploaded. The first failure ends it."""
    pool = concurrent.futures.ThreadPoolExecutor(CONNECTIONS)
    try:
        futures = [pool.submit(_put, client, bucket, _key(name, path), path, progress) for path in paths]
        return [future.result() for future in concurrent.futures.as_completed(futures)]
    finally:
        pool.shutdown(cancel_futures=True)


def _put(client: Any, bucket: str, key: str, path: pathlib.Path, progress: Any) -> bool:
    """Uploads a file unless it is in S3 already; S3 refuses it if it arrives with another SHA-256."""
    checksum = _encoded(path)
    is_there = _checksum(client, bucket, key) == checksum
    if not is_there:
        options = {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": checksum, "ServerSideEncryption": "AES256"}
        with path.open("rb") as file, s3.expecting("an object that you may write", f"s3://{bucket}/{key}"):
            client.put_object(Bucket=bucket, Key=key, Body=file, **options)
    progress.update(path.stat().st_size)
    return not is_there
