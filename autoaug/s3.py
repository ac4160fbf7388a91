"""Files in S3: reading them, and bringing the results of SageMaker jobs into a folder like `results/`.

Credentials, region and AWS_ENDPOINT_URL are boto3's to find.
"""

import pathlib
import shutil
import tarfile
import tempfile

import boto3
import botocore.exceptions
import platformdirs


class S3Error(ValueError):
    """S3 does not hold, or does not give, what is asked for."""


def split(url):
    """Bucket and key of `s3://bucket/key`; the key may be empty.

    Raises:
        S3Error: it is no such address.
    """
    scheme, _, rest = url.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise S3Error(f"Expected an address such as s3://bucket/folder. Received: {url!r}")
    return bucket, key.rstrip("/")


def listing(url):
    """The objects in a folder, a list of dicts with Key, below the folder, and LastModified.

    Raises:
        S3Error: there is no such bucket, or it cannot be listed.
    """
    bucket, folder = split(url)
    prefix = f"{folder}/" if folder else ""
    try:
        pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        objects = [found for page in pages for found in page.get("Contents", [])]
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise S3Error(f"{url}: Expected a folder in a bucket that you may list. Received: {error}") from error
    return [{"Key": found["Key"].removeprefix(prefix), "LastModified": found["LastModified"]} for found in objects]


def read(url):
    """The bytes of an object.

    Raises:
        S3Error: it cannot be read.
    """
    bucket, key = split(url)
    try:
        return boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise S3Error(f"{url}: Expected an object that you may read. Received: {error}") from error


def fetch(url, folder=None):
    """Bring the run folders of SageMaker jobs to this machine: records, histories, predictions, notebooks.

    Takes `output.tar.gz` of every job below `url`; what was fetched before is not fetched again, and of two jobs of one
    run the later one counts.

    Args:
        url: such as `s3://bucket/jobs`.
        folder: gets `runs/<run id>/`; None: one in the user's cache.

    Returns:
        pathlib.Path of the folder, for `records.collect`.

    Raises:
        S3Error: the bucket cannot be read, or an archive is none of ours.
    """
    bucket, key = split(url)
    folder = pathlib.Path(folder or platformdirs.user_cache_path("autoaug") / "s3" / bucket / key)
    archives = [found for found in listing(url) if found["Key"].endswith("/output/output.tar.gz")]
    (folder / "fetched").mkdir(parents=True, exist_ok=True)
    (folder / "runs").mkdir(exist_ok=True)
    for found in sorted(archives, key=lambda found: found["LastModified"]):
        job = found["Key"].split("/")[-3]
        if not (folder / "fetched" / job).exists():
            _fetch_archive(bucket, f"{key}/{found['Key']}".lstrip("/"), folder)
            (folder / "fetched" / job).touch()
    return folder


def _fetch_archive(bucket, key, folder):
    """Download and unpack an archive beside the folder's runs, then put each of its runs into its place."""
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        archive, unpacked = pathlib.Path(temporary) / "output.tar.gz", pathlib.Path(temporary) / "output"
        try:
            boto3.client("s3").download_file(bucket, key, str(archive))
            with tarfile.open(archive) as tar:
                tar.extractall(unpacked, filter="data")
        except (tarfile.TarError, botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            raise S3Error(f"s3://{bucket}/{key}: Expected the results of a job. Received: {error}") from error
        for run in (unpacked / "runs").glob("*"):
            shutil.rmtree(folder / "runs" / run.name, ignore_errors=True)
            run.rename(folder / "runs" / run.name)
