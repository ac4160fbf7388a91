"""Results of SageMaker jobs, brought from a server on this machine that speaks S3's protocol."""

import gzip
import io
import socket
import subprocess
import tarfile

import boto3
import numpy as np
import pytest
import run_files

from autoaug import runs, s3

TESTS = {"synthetic10": run_files.predictions(np.random.default_rng(0), np.arange(100) % 10, 1, range(10))}


@pytest.fixture
def bucket(aws, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    client = boto3.client("s3")
    client.create_bucket(Bucket="results", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return client


def put(client, job, content):
    client.put_object(Bucket="results", Key=f"jobs/{job}/output/output.tar.gz", Body=content)


def archive(folder, name="runs"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.add(folder, name)
    return buffer.getvalue()


def test_one_call_collects_the_results_of_jobs(bucket, tmp_path, tiny_dataset, monkeypatch):
    run_id = run_files.write(tmp_path / "made", "synthetic10", TESTS)
    put(bucket, "wrn-synthetic10-1-20260101000000", archive(tmp_path / "made" / "runs"))
    table = runs.collect(s3.fetch("s3://results/jobs"))
    assert table[["run_id", "test_set", "correct"]].values.tolist() == [[run_id, "synthetic10", 90]]
    monkeypatch.setattr(s3, "_fetch_archive", lambda *_: pytest.fail("fetched before"))
    assert runs.collect(s3.fetch("s3://results/jobs")).equals(table)


def test_a_client_is_kept_until_a_failure_or_another_environment(bucket, monkeypatch):
    first = s3.client()
    assert s3.client() is first
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    other = s3.client()
    assert other is not first and other.meta.region_name == "us-east-1"
    with pytest.raises(s3.S3Error):
        s3.read("s3://results/absent")
    assert s3.client() is not other


def test_a_damaged_archive_is_fetched_again_once_it_is_whole(bucket, tmp_path):
    (tmp_path / "made" / "run").mkdir(parents=True)
    (tmp_path / "made" / "run" / "file").write_bytes(np.random.default_rng(0).bytes(5000))
    whole = archive(tmp_path / "made")
    uncompressed = gzip.decompress(whole)
    for damaged in (whole[: len(whole) // 2], whole[:-4], gzip.compress(uncompressed[:3072]), b"no archive", b""):
        put(bucket, "job", damaged)
        with pytest.raises(s3.S3Error, match="s3://results/jobs/job/output"):
            s3.fetch("s3://results/jobs")
    put(bucket, "job", whole)
    assert [path.name for path in (s3.fetch("s3://results/jobs") / "runs").iterdir()] == ["run"]


def test_jobs_of_one_name_in_two_folders_are_two(bucket, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder / f"run-{folder}").mkdir(parents=True)
        (tmp_path / folder / f"run-{folder}" / "file").write_text(folder)
        put(bucket, f"{folder}/job", archive(tmp_path / folder))
    assert {path.name for path in (s3.fetch("s3://results/jobs") / "runs").iterdir()} == {"run-a", "run-b"}


def test_an_archive_that_grows_too_large_is_refused_while_it_is_unpacked(bucket, tmp_path, monkeypatch):
    monkeypatch.setattr(s3, "_MOST_BYTES", 10**6)
    (tmp_path / "made" / "run").mkdir(parents=True)
    (tmp_path / "made" / "run" / "file").write_bytes(bytes(10**7))
    put(bucket, "job", archive(tmp_path / "made" / "runs"))
    with pytest.raises(s3.S3Error, match="more than 1,000,000 bytes"):
        s3.fetch("s3://results/jobs")
    assert not list((tmp_path / "autoaug").rglob("file"))


def test_a_connection_that_stands_still_or_breaks_ends_in_a_named_error(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*silent.getsockname()))
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "key")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        monkeypatch.setattr(s3, "_READ_SECONDS", 0.2)
        with pytest.raises(s3.S3Error, match="s3://results/jobs: Expected a folder"):
            s3.listing("s3://results/jobs")


def test_an_archive_that_leaves_its_folder_is_refused(bucket, tmp_path):
    (tmp_path / "file").write_text("x")
    put(bucket, "evil", archive(tmp_path / "file", "../outside"))
    with pytest.raises(s3.S3Error, match="s3://results/jobs/evil"):
        s3.fetch("s3://results/jobs")
    assert not list(tmp_path.rglob("outside"))


def test_what_a_killed_fetch_has_left_is_removed(bucket, tmp_path):
    with subprocess.Popen(["true"]) as process:
        pass
    left = tmp_path / "autoaug" / "s3" / "results" / "jobs" / f".abc.{process.pid}.tmp"
    left.mkdir(parents=True)
    (left / "output.tar.gz").touch()
    s3.fetch("s3://results/jobs")
    assert not left.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Expecting value"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": NaN}', "NaN, which is no number"),
        (b"\xff\xfe", "decode"),
        (b"[1]", r"\[1\], not names"),
        (b" " * 2**24 + b"{}", "at most 16,777,216 bytes"),
    ],
)
def test_json_in_s3_is_strict_and_refused_by_address(content, message, bucket):
    bucket.put_object(Bucket="results", Key="a.json", Body=content)
    with pytest.raises(s3.S3Error, match=f"s3://results/a.json: Expected .*{message}"):
        s3.read_json("s3://results/a.json")
    bucket.put_object(Bucket="results", Key="a.json", Body=b'{"a": 0.5}')
    assert s3.read_json("s3://results/a.json") == {"a": 0.5}


def test_what_is_not_there_is_named(bucket):
    with pytest.raises(s3.S3Error, match="s3://absent/jobs: Expected a folder in a bucket"):
        s3.fetch("s3://absent/jobs")
    with pytest.raises(s3.S3Error, match="Received: 'jobs'"):
        s3.split("jobs")
