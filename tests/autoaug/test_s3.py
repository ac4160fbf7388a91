"""Results of SageMaker jobs, brought from a server on this machine that speaks S3's protocol."""

import io
import tarfile

import boto3
import pytest

from autoaug import recipes, records, s3

TEST = {"total": 100, "correct": 60, "overlap": 10, "clean_total": 90, "clean_correct": 53}
TEST |= {"source": "drawn", "sha256": "b" * 64}


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


def test_one_call_collects_the_results_of_jobs(bucket, tmp_path, tiny_dataset):
    run = tmp_path / "made" / "some-run"
    record = records.start(run, recipes.get("wrn"), tiny_dataset, seed=0, parameters=123)
    records.write(run, record | {"status": "finished", "tests": {"synthetic10": TEST}})
    put(bucket, "wrn-synthetic10-1-20260101000000", archive(tmp_path / "made"))
    table = records.collect("s3://results/jobs")
    assert table[["run_id", "test_set", "clean_correct"]].values.tolist() == [["some-run", "synthetic10", 53]]
    put(bucket, "wrn-synthetic10-1-20260101000000", b"no archive any more")  # fetched before: not fetched again
    assert records.collect("s3://results/jobs").equals(table)


def test_an_archive_that_leaves_its_folder_is_refused(bucket, tmp_path):
    (tmp_path / "file").write_text("x")
    put(bucket, "evil", archive(tmp_path / "file", "../outside"))
    with pytest.raises(s3.S3Error, match="s3://results/jobs/evil"):
        s3.fetch("s3://results/jobs")
    assert not list(tmp_path.rglob("outside"))


def test_what_is_not_there_is_named(bucket):
    with pytest.raises(s3.S3Error, match="s3://absent/jobs: Expected a folder in a bucket"):
        s3.fetch("s3://absent/jobs")
    with pytest.raises(s3.S3Error, match="Received: 'jobs'"):
        s3.split("jobs")
