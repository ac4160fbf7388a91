"""Uploads to moto's S3 server over HTTP."""

import boto3
import numpy as np
import pytest

from autoaug import datasets
from autoaug.datasets.batch_file import write_batch
from data_prep import folders, upload

BUCKET = "a-bucket"


@pytest.fixture
def s3(aws):
    """S3 with one bucket, on this machine."""
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return client


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    """Two tiny sets, as data_prep writes them."""
    for name in ("one", "two"):
        monkeypatch.setitem(datasets.DATASETS, name, datasets.Spec(name, ("first", "second"), "test", 20, 10))
        write_set(tmp_path / name / "training", seed=0)
    return tmp_path


def write_set(folder, seed):
    rng = np.random.default_rng(seed)

    def write_files(partial):
        for file in ("first", "second", "test"):
            images = rng.integers(0, 256, (10, 32, 32, 3), dtype=np.uint8)
            write_batch(partial / file, images, np.arange(10))
        return {"source": "random", "parts": {}}

    folders.update(folder, {"name": folder.parent.name, "seed": seed}, write_files)


def remote(s3):
    """Every object in the bucket: key → content."""
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
    return {key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}


def local(data_dir):
    paths = [path for name in ("one", "two") for path in (data_dir / name / "training").iterdir()]
    return {f"data/{path.relative_to(data_dir)}": path.read_bytes() for path in paths}


def uploaded(data_dir):
    return upload.upload(data_dir, ["one", "two"], BUCKET)["uploaded"].to_dict()


def test_everything_is_uploaded_encrypted_and_only_what_changed_again(s3, data_dir):
    table = upload.upload(data_dir, ["one", "my10", "two"], BUCKET)  # jobs cannot use a set of one's own
    assert table.loc["one"].tolist() == [f"s3://{BUCKET}/data/one/training/", 4, 4]
    assert remote(s3) == local(data_dir)
    for key in local(data_dir):
        assert s3.head_object(Bucket=BUCKET, Key=key)["ServerSideEncryption"] == "AES256"
    assert uploaded(data_dir) == {"one": 0, "two": 0}
    write_set(data_dir / "one" / "training", seed=1)
    s3.put_object(Bucket=BUCKET, Key="data/two/training/first", Body=b"x")
    assert uploaded(data_dir) == {"one": 4, "two": 1}
    assert remote(s3) == local(data_dir)


def test_an_interrupted_upload_has_no_manifest_and_is_completed_later(s3, data_dir, monkeypatch):
    put, sent = upload._put, []

    def break_off(client, bucket, key, path):
        sent.append(path.name)
        if path.name == "test":
            raise ConnectionError("broken")
        return put(client, bucket, key, path)

    with monkeypatch.context() as broken, pytest.raises(upload.UploadError, match=f"s3://{BUCKET}: .*broken"):
        broken.setattr(upload, "_put", break_off)
        uploaded(data_dir)
    assert sent == ["first", "second", "test"] and not any("manifest" in key for key in remote(s3))
    assert uploaded(data_dir) == {"one": 2, "two": 4}
    assert remote(s3) == local(data_dir)


@pytest.mark.parametrize(
    ("names", "bucket", "message"),
    [
        (["one"], "no-bucket", r"s3://no-bucket: Expected a bucket that .* Not Found"),
        *[(["one"], name, f"bucket: .*Received: '{name}'") for name in ("s3://b/", "b/folder", "Bucket", "b")],
        (["one", "cifar10"], BUCKET, r"cifar10/training: Expected .* missing"),
        (["one", "two"], BUCKET, r"two/training: Expected a data set .* damaged"),
    ],
)
def test_what_cannot_be_uploaded_is_named_and_nothing_is(s3, data_dir, names, bucket, message):
    (data_dir / "two" / "training" / "test").write_bytes(b"")
    with pytest.raises((upload.UploadError, datasets.DatasetError), match=message):
        upload.upload(data_dir, names, bucket)
    assert not remote(s3)


def test_missing_credentials_are_named(data_dir, s3, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(upload.UploadError, match=r"Unable to locate credentials.*aws configure"):
        uploaded(data_dir)
