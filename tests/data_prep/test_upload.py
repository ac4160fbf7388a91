"""Uploads to moto's S3 server over HTTP, through a proxy that cuts connections, is overloaded or forbids."""

import http.client
import http.server
import threading

import boto3
import numpy as np
import pytest

from autoaug import datasets
from autoaug.datasets.batch_file import write_batch
from data_prep import folders, upload

BUCKET = "a-bucket"


class Proxy(http.server.ThreadingHTTPServer):
    """Hands requests on to S3, unless `faults` has one for (method, file name): then that happens, once each."""

    daemon_threads = True

    def __init__(self, port):
        super().__init__(("127.0.0.1", 0), Handler)
        self.port, self.faults, self.asked = port, {}, []


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_request_of_any_method(self):
        name = self.command, self.path.split("?")[0].split("/")[-1]
        if "expect" in self.headers:
            del self.headers["expect"]  # answered by the base class
        faults = self.server.faults.get(name, [])
        fault = faults.pop(0) if faults else None
        length = int(self.headers.get("Content-Length", 0))
        if fault == "cut":
            self.rfile.read(length // 2)
            self.close_connection = True
            return
        body = self.rfile.read(length)
        self.server.asked.append(name)
        if fault:
            text = b"" if self.command == "HEAD" else b"<Error><Code>%d</Code><Message>no</Message></Error>" % fault
            self.answer(fault, {"Content-Length": len(text)}, text)
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        connection.request(self.command, self.path, body, dict(self.headers))
        response = connection.getresponse()
        content = response.read()
        headers = {key: value for key, value in response.headers.items() if key.lower() not in ("connection", "date")}
        self.answer(response.status, headers, content)
        connection.close()

    do_GET = do_HEAD = do_PUT = handle_request_of_any_method

    def answer(self, status, headers, content):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def proxy(aws, monkeypatch):
    """S3 with one bucket, on this machine, behind a proxy; boto3 finds it in its environment variables."""
    boto3.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    with Proxy(int(aws.rpartition(":")[2])) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{proxy.server_port}")
        yield proxy
        proxy.shutdown()
        thread.join()


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    """Two tiny sets, as data_prep writes them."""
    for name in ("one", "two"):
        spec = datasets.Spec(("first", "second"), "test", 20, 10)
        monkeypatch.setitem(datasets.DATASETS, name, spec)
        write_set(tmp_path / name / "training", seed=0)
    return tmp_path


def write_set(folder, seed):
    rng = np.random.default_rng(seed)

    def write_files(partial):
        for file in ("first", "second", "test"):
            images = rng.integers(0, 256, (10, 32, 32, 3), dtype=np.uint8)
            write_batch(partial / file, images, np.arange(10))
        return {"source": "random", "parts": {}}

    folders.write(folder, {"name": folder.parent.name, "seed": seed}, write_files)


def remote():
    """Every object in the bucket: key → content."""
    client = boto3.client("s3")
    listed = client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    return {item["Key"]: client.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read() for item in listed}


def local(data_dir, names=("one", "two")):
    return {
        f"data/{name}/training/{path.name}": path.read_bytes()
        for name in names
        for path in (data_dir / name / "training").iterdir()
    }


def uploaded(data_dir, names):
    return upload.upload(data_dir, names, BUCKET)["uploaded"].to_dict()


def puts(proxy):
    return [file for method, file in proxy.asked if method == "PUT"]


def test_everything_is_uploaded_encrypted_and_the_manifests_last(proxy, data_dir):
    table = upload.upload(data_dir, ["one", "two"], BUCKET)
    assert table.loc["one"].tolist() == [f"s3://{BUCKET}/data/one/training/", 4, 4]
    assert remote() == local(data_dir)
    files = puts(proxy)
    assert sorted(files[:3]) == sorted(files[4:7]) == ["first", "second", "test"]
    assert files[3] == files[7] == "manifest.json"
    for key in local(data_dir):
        assert boto3.client("s3").head_object(Bucket=BUCKET, Key=key)["ServerSideEncryption"] == "AES256"


def test_only_what_changed_is_uploaded_again(proxy, data_dir):
    upload.upload(data_dir, ["one", "two"], BUCKET)
    proxy.asked.clear()
    assert uploaded(data_dir, ["one", "two"]) == {"one": 0, "two": 0}
    assert puts(proxy) == []
    write_set(data_dir / "one" / "training", seed=1)
    assert uploaded(data_dir, ["one", "two"]) == {"one": 4, "two": 0}
    assert remote() == local(data_dir)


def test_an_object_without_or_with_another_checksum_is_replaced(proxy, data_dir):
    upload.upload(data_dir, ["one"], BUCKET)
    key = "data/one/training/first"
    content = (data_dir / "one" / "training" / "first").read_bytes()
    for arguments in ({"Body": content[:-1]}, {"Body": b"x" * len(content), "ChecksumAlgorithm": "SHA256"}):
        boto3.client("s3").put_object(Bucket=BUCKET, Key=key, **arguments)
        assert uploaded(data_dir, ["one"]) == {"one": 1}
        assert remote() == local(data_dir, ["one"])


def test_faults_that_pass_are_overcome(proxy, data_dir):
    proxy.faults = {("HEAD", "second"): [503], ("PUT", "first"): ["cut"], ("PUT", "manifest.json"): [500]}
    assert uploaded(data_dir, ["one"]) == {"one": 4}
    assert remote() == local(data_dir, ["one"])


def test_an_interrupted_upload_has_no_manifest_and_is_completed_later(proxy, data_dir):
    proxy.faults = {("PUT", "second"): [403]}
    with pytest.raises(
        upload.UploadError, match=rf"s3://{BUCKET}/data/one/training/second: .*\(403\).* Use credentials with"
    ):
        upload.upload(data_dir, ["one", "two"], BUCKET)
    assert not any(key.endswith(("second", "manifest.json")) for key in remote())
    before = set(remote())
    assert sum(uploaded(data_dir, ["one", "two"]).values()) == 8 - len(before)
    assert remote() == local(data_dir)


def test_no_permission_is_asked_for_once(proxy, data_dir):
    proxy.faults = {("HEAD", BUCKET): [403] * 9}
    with pytest.raises(upload.UploadError, match=rf"s3://{BUCKET}: Expected a bucket .* Use credentials with"):
        upload.upload(data_dir, ["one"], BUCKET)
    assert proxy.asked == [("HEAD", BUCKET)]


def test_a_missing_bucket_and_what_is_no_name_of_one(proxy, data_dir):
    with pytest.raises(upload.UploadError, match=r"s3://no-bucket: Expected a bucket that .* Not Found"):
        upload.upload(data_dir, ["one"], "no-bucket")
    for name in ("s3://b/", "b/folder", "Bucket", "b"):
        with pytest.raises(upload.UploadError, match=f"bucket: Expected the name of a bucket, .* Received: '{name}'"):
            upload.require_bucket(name)


def test_no_credentials(proxy, data_dir, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(upload.UploadError, match=r"Unable to locate credentials\. Set AWS_ACCESS_KEY_ID"):
        upload.upload(data_dir, ["one"], BUCKET)
    assert proxy.asked == []


def test_a_damaged_or_missing_set_is_not_uploaded(proxy, data_dir):
    (data_dir / "two" / "training" / "test").write_bytes(b"")
    with pytest.raises(datasets.DatasetError, match=r"two/training: Expected a data set .* damaged"):
        upload.upload(data_dir, ["one", "two"], BUCKET)
    with pytest.raises(datasets.DatasetError, match=r"three/training: Expected .* Received: missing files"):
        upload.upload(data_dir, ["one", "three"], BUCKET)
    assert proxy.asked == []
