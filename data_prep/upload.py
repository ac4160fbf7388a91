"""Uploads built data sets to S3, as `s3://<bucket>/data/<name>/training/`; a manifest is written last.

So a set that has a manifest there is whole, and an interrupted upload is completed by running it again: objects whose
SHA-256, which S3 verifies and stores, is that of the file here are skipped. Credentials, region and, for another
service than AWS, endpoint are those of boto3's environment variables and configuration files.
"""

import base64
import concurrent.futures
import pathlib

import boto3
import botocore.config
import botocore.exceptions
import tqdm.auto

from data_prep import folders

CONNECTIONS = 8
ATTEMPTS = 5  # of each request, if the connection breaks or the service is overloaded; waits are botocore's
TIMEOUT = 60  # seconds to connect, and between two pieces of an answer


class UploadError(RuntimeError):
    """Data sets could not be uploaded; the message says what was expected and what to do."""


def upload(data_dir, names, bucket):
    """Uploads data sets, encrypted by the service (SSE-S3), training and test part together.

    Args:
        data_dir: folder of the data sets; each of those named must be whole, by its manifest.
        names: of data sets.
        bucket: name of the bucket.

    Returns:
        dict: name → number of objects that were uploaded; the others were there already.

    Raises:
        UploadError: a set is missing or damaged here; credentials, the bucket or permission are missing; S3 fails.
    """
    sets = {name: _files(name, data_dir) for name in dict.fromkeys(names)}
    client = _client()
    _call(client.head_bucket, bucket)
    uploaded = {}
    total = sum(path.stat().st_size for files in sets.values() for path in files)
    with tqdm.auto.tqdm(desc=f"s3://{bucket}", total=total, unit="B", unit_scale=True, mininterval=1) as progress:
        for name, (*batches, manifest) in sets.items():
            done = _put_all(client, bucket, name, batches, progress)
            uploaded[name] = sum(done + _put_all(client, bucket, name, [manifest], progress))
    return uploaded


def compare(data_dir, names, bucket):
    """How the data sets in the bucket stand to those here: name → "same", "different" or "absent", by manifest."""
    client = _client()
    _call(client.head_bucket, bucket)
    states = {}
    for name in names:
        path = pathlib.Path(data_dir) / name / "training" / "manifest.json"
        found = _checksum(client, bucket, _key(name, path))
        same = path.is_file() and found == _encoded(path)
        states[name] = "absent" if found is None else "same" if same else "different"
    return states


def _files(name, data_dir):
    """The files of a data set that is whole, the manifest last."""
    folder = pathlib.Path(data_dir) / name / "training"
    condition = folders.condition(folder, {"name": name})
    if condition != "whole":
        raise UploadError(f"{folder}: Expected a data set that was built here. Received: {condition} files")
    return [*(folder / file for file in folders.file_hashes(folder)), folder / "manifest.json"]


def _client():
    retries = {"mode": "standard", "total_max_attempts": ATTEMPTS}
    options = {"max_pool_connections": CONNECTIONS, "connect_timeout": TIMEOUT, "read_timeout": TIMEOUT}
    session = boto3.session.Session()  # reads credentials anew: a notebook's user may have corrected them
    return session.client("s3", config=botocore.config.Config(retries=retries, **options))


def _key(name, path):
    return f"data/{name}/training/{path.name}"


def _encoded(path):
    """The file's SHA-256 as S3 writes it."""
    return base64.b64encode(bytes.fromhex(folders.file_hash(path))).decode()


def _checksum(client, bucket, key):
    """The SHA-256 of an object; None if there is none; "" for an object uploaded by a program that sent none."""
    try:
        return _call(client.head_object, bucket, Key=key, ChecksumMode="ENABLED").get("ChecksumSHA256", "")
    except FileNotFoundError:
        return None


def _put_all(client, bucket, name, paths, progress):
    """Uploads those of the files that are not there; returns for each whether it was. The first failure ends it."""
    pool = concurrent.futures.ThreadPoolExecutor(CONNECTIONS)
    try:
        futures = [pool.submit(_put, client, bucket, _key(name, path), path, progress) for path in paths]
        return [future.result() for future in concurrent.futures.as_completed(futures)]
    finally:
        pool.shutdown(cancel_futures=True)


def _put(client, bucket, key, path, progress):
    """Uploads a file unless it is there; the service refuses it if it arrives with another SHA-256."""
    expected = _encoded(path)
    changed = _checksum(client, bucket, key) != expected
    if changed:
        with path.open("rb") as file:
            options = {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": expected, "ServerSideEncryption": "AES256"}
            _call(client.put_object, bucket, Key=key, Body=file, **options)
    progress.update(path.stat().st_size)
    return changed


def _call(operation, bucket, **arguments):
    """Calls S3; its errors become an UploadError that says what to do, or a FileNotFoundError for an object."""
    try:
        return operation(Bucket=bucket, **arguments)
    except botocore.exceptions.ClientError as error:
        status, code = error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]
        if status == 404 and "Key" in arguments and code != "NoSuchBucket":
            raise FileNotFoundError(arguments["Key"]) from error
        expected = _REMEDIES.get(status, "a request that the service accepts")
        reason = f"status {status}, {error.response['Error'].get('Message') or code}"
    except botocore.exceptions.ParamValidationError as error:
        expected, reason = "the name of a bucket, without s3://", str(error)
    except (botocore.exceptions.NoCredentialsError, botocore.exceptions.PartialCredentialsError) as error:
        expected, reason = "credentials, from `aws configure`, AWS_ACCESS_KEY_ID … or a role", str(error)
    except botocore.exceptions.BotoCoreError as error:
        expected, reason = f"a connection that holds, in {ATTEMPTS} attempts", str(error)
    target = f"s3://{bucket}/{arguments.get('Key', '')}"
    raise UploadError(f"{target}: Expected {expected}. Received: {reason}. To go on, upload again.")


_REMEDIES = {
    301: "a bucket of the configured region (AWS_DEFAULT_REGION)",
    403: "credentials with the permissions s3:ListBucket, s3:GetObject and s3:PutObject",
    404: "a bucket that exists",
    503: "a service that is not overloaded",
}
