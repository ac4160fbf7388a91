"""Downloads from a local server: resumed, retried, verified, and all that is missing said in one message."""

import functools
import hashlib
import http.server
import re
import socket
import threading
import time

import numpy as np
import pytest

from autoaug.datasets.batch_file import DatasetError
from data_prep import download, folders, sources

PIECE = 2**16  # bytes that a download writes at once
CONTENT = np.random.default_rng(0).bytes(300_000)
OTHER = np.random.default_rng(1).bytes(300_000)


class Server(http.server.ThreadingHTTPServer):
    """Answers each path with the next of its answers, the last one for ever, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.asked = {}, []

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}/{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append((self.path.strip("/"), self.headers["Range"]))
        answers = self.server.answers[self.path.strip("/")]
        self.close_connection = True
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    def log_message(self, *_):
        pass

    def start(self, status, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Connection", "close")
        self.end_headers()


def good(content, sent=None, ranges=True):
    """The content, or the piece asked for; the connection breaks after `sent` bytes of it."""

    def answer(handler):
        asked = re.fullmatch(r"bytes=(\d+)-", handler.headers["Range"] or "") if ranges else None
        start = int(asked[1]) if asked else 0
        if start >= len(content):
            return handler.start(416, Content_Length=0)
        headers = {"Content_Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if asked else {}
        handler.start(206 if asked else 200, Content_Length=len(content) - start, **headers)
        return handler.wfile.write(content[start:][:sent])

    return answer


def status(code, **headers):
    return lambda handler: handler.start(code, Content_Length=0, **headers)


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=functools.partial(server.serve_forever, poll_interval=0.01))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr(download, "BACK_OFF", 0.001)
    monkeypatch.setattr(download, "TIMEOUT", (5, 0.2))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "sources"


def source(url, content=CONTENT, file="data.bin", **options):
    hashes = {"sha256": hashlib.sha256(content).hexdigest()}
    return sources.Source("Test data", file, url, hashes, None, "public domain", "nobody", **options)


def kept(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def assert_obtained(server, folder, content=CONTENT):
    obtained = download.obtain([source(server.url("data"), content)], folder)["data.bin"]
    assert obtained.path.read_bytes() == content
    assert obtained.verified
    assert obtained.hashes == {"data.bin": {"sha256": hashlib.sha256(content).hexdigest()}}
    assert kept(folder) == ["data.bin"]


def test_downloads_once(server, folder):
    server.answers["data"] = [good(CONTENT)]
    assert_obtained(server, folder)
    assert_obtained(server, folder)
    assert server.asked == [("data", None)]


def test_two_at_once_download_once(server, folder):
    server.answers["data"] = [good(CONTENT)]
    wanted = [source(server.url("data"))]
    threads = [threading.Thread(target=download.obtain, args=(wanted, folder)) for _ in range(4)]
    for action in (threading.Thread.start, threading.Thread.join):
        for thread in threads:
            action(thread)
    assert server.asked == [("data", None)]
    assert kept(folder) == ["data.bin"]


def test_a_broken_download_goes_on_where_it_stopped(server, folder):
    server.answers["data"] = [good(CONTENT, sent=PIECE + 99), good(CONTENT, sent=2 * PIECE), good(CONTENT)]
    assert_obtained(server, folder)
    assert server.asked == [("data", None), ("data", f"bytes={PIECE}-"), ("data", f"bytes={3 * PIECE}-")]


def test_a_later_call_goes_on_too(server, folder):
    server.answers["data"] = [good(CONTENT, sent=PIECE), status(404), good(CONTENT)]
    with pytest.raises(DatasetError, match="status 404"):
        download.obtain([source(server.url("data"))], folder)
    assert kept(folder) == [".data.bin.part"]
    assert_obtained(server, folder)
    assert server.asked[-1] == ("data", f"bytes={PIECE}-")


def test_a_server_without_pieces_starts_again(server, folder):
    server.answers["data"] = [good(CONTENT, sent=PIECE), good(CONTENT, ranges=False)]
    assert_obtained(server, folder)


@pytest.mark.parametrize("part", [CONTENT, CONTENT + b"more"], ids=["all of it", "more than it"])
def test_a_partial_file_that_cannot_go_on_starts_again(server, folder, part):
    folder.mkdir()
    (folder / ".data.bin.part").write_bytes(part)
    server.answers["data"] = [good(CONTENT)]
    assert_obtained(server, folder)
    assert server.asked == [("data", f"bytes={len(part)}-"), ("data", None)]


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_an_overloaded_server_is_asked_again(server, folder, code):
    server.answers["data"] = [status(code), status(code), good(CONTENT)]
    assert_obtained(server, folder)
    assert len(server.asked) == 3


def test_waits_longer_before_each_attempt(server, folder, monkeypatch):
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    monkeypatch.setattr(download, "BACK_OFF", 1.0)
    server.answers["data"] = [status(503)]
    with pytest.raises(DatasetError, match="status 503"):
        download.obtain([source(server.url("data"))], folder)
    assert waits == [1, 2, 4]
    assert len(server.asked) == download.ATTEMPTS == 4


def test_a_slow_server_is_asked_again(server, folder):
    release = threading.Event()
    server.answers["data"] = [lambda _: release.wait(10), good(CONTENT)]
    started = time.perf_counter()
    assert_obtained(server, folder)
    release.set()
    assert time.perf_counter() - started < 5
    assert len(server.asked) == 2


def test_a_server_that_stalls_halfway_is_left_in_time(server, folder):
    release = threading.Event()

    def stall(handler):
        good(CONTENT, sent=PIECE)(handler)
        release.wait(10)

    server.answers["data"] = [stall, good(CONTENT)]
    assert_obtained(server, folder)
    release.set()
    assert server.asked[1] == ("data", f"bytes={PIECE}-")


def test_a_redirect_is_followed(server, folder):
    server.answers |= {"data": [status(302, Location="/elsewhere")], "elsewhere": [good(CONTENT)]}
    assert_obtained(server, folder)


def test_a_circle_of_redirects_ends(server, folder):
    server.answers["data"] = [status(302, Location="/data")]
    with pytest.raises(DatasetError, match="30 redirects"):
        download.obtain([source(server.url("data"))], folder)


def test_a_wrong_file_is_not_kept(server, folder):
    server.answers["data"] = [good(OTHER)]
    expected, found = (hashlib.sha256(content).hexdigest() for content in (CONTENT, OTHER))
    with pytest.raises(DatasetError, match=f"Expected sha256 {expected}. Received: {found}. The download was deleted"):
        download.obtain([source(server.url("data"))], folder)
    assert kept(folder) == []
    server.answers["data"] = [good(CONTENT)]
    assert_obtained(server, folder)


def test_an_endless_file_is_cut_off(server, folder, monkeypatch):
    monkeypatch.setattr(download, "LARGEST", 200_000)

    def endless(handler):
        handler.start(200)
        while True:
            handler.wfile.write(OTHER)  # until the client hangs up

    server.handle_error = lambda *_: None  # of the broken pipe
    server.answers["data"] = [endless]
    with pytest.raises(DatasetError, match="The download was deleted"):
        download.obtain([source(server.url("data"))], folder)
    assert kept(folder) == []


def test_all_that_is_missing_is_said_at_once(server, folder):
    """What can be had is kept, each other file is listed with its address, and the folder for copies is named."""
    server.answers |= {"good": [good(CONTENT)], "gone": [status(404)], "forbidden": [status(403)]}
    wanted = [source(server.url(file), file=file) for file in ("gone", "good", "forbidden")]
    with pytest.raises(DatasetError, match="could not be downloaded") as raised:
        download.obtain(wanted, folder)
    assert str(raised.value).splitlines() == [
        "These files could not be downloaded:",
        f"  gone  {server.url('gone')}  (status 404 Not Found)",
        f"  forbidden  {server.url('forbidden')}  (status 403 Forbidden)",
        f"Put copies into {folder} (they are verified in the same way), or try again.",
    ]
    assert kept(folder) == ["good"]
    assert [path for path, _ in server.asked] == ["gone", "good", "forbidden"]  # none asked for twice


def test_no_network(folder, monkeypatch):
    """Nobody listens: each file is listed, and the host is tried for the first only."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    wanted = [source(f"http://127.0.0.1:{port}/{file}", file=file) for file in ("a", "b", "c")]
    with pytest.raises(DatasetError) as raised:
        download.obtain(wanted, folder)
    lines = str(raised.value).splitlines()
    assert lines[1:4] == [f"  {file}  http://127.0.0.1:{port}/{file}  (no connection, or it broke)" for file in "abc"]
    assert len(waits) == 3
    assert kept(folder) == []


def test_copies_are_verified_in_the_same_way(folder):
    folder.mkdir()
    (folder / "data.bin").write_bytes(CONTENT)
    wanted = [source("http://127.0.0.1:9/never")]
    assert download.obtain(wanted, folder)["data.bin"].verified
    (folder / "data.bin").write_bytes(OTHER)
    with pytest.raises(
        DatasetError, match=r"data\.bin: Expected sha256 .* Received: .* remove this one.*-p unverified"
    ):
        download.obtain(wanted, folder)
    admitted = download.obtain(wanted, folder, unverified="a copy")["data.bin"]
    assert not admitted.verified
    assert admitted.hashes == {"data.bin": {"sha256": hashlib.sha256(OTHER).hexdigest()}}
    assert (folder / "data.bin").read_bytes() == OTHER


def test_a_label_admits_no_wrong_download(server, folder):
    server.answers["data"] = [good(OTHER)]
    with pytest.raises(DatasetError, match="The download was deleted"):
        download.obtain([source(server.url("data"))], folder, unverified="a copy")


def test_git_blob_hash(tmp_path):
    """`git hash-object` of these five bytes."""
    path = tmp_path / "hello"
    path.write_bytes(b"hello")
    assert folders.file_hash(path, "git-blob-sha1") == "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0"


def test_an_unasked_refusal_of_a_range(server, folder):
    server.answers["data"] = [status(416), good(CONTENT)]
    assert_obtained(server, folder)
