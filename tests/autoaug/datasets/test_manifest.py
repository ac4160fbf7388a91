"""The command that builds a data set can be typed in a shell as it is written."""

import json
import os
import shlex

import pytest

from autoaug.datasets import manifest as manifests


def test_the_command_survives_a_shell():
    command = manifests.build_command("cifar10_10k", "my data/it's", rebuild=True).split("run: ")[1]
    assert shlex.split(command) == [
        "papermill", "notebooks/build_datasets.ipynb", "-y", "{sets: [cifar10_10k]}", "-p", "data_dir", "my data/it's",
        "-p", "rebuild", "True",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        None, b"", b"\xff\xfe", b"[]", b"[" * 100_000, b'{"source": "a"}', b'{"source": "a", "parts": [1]}',
        json.dumps({"source": "<img src=x>", "parts": {"test": {"sha256": "a"}}}).encode(),
        b'{"source": "a", "parts": {"test": {"sha256": "a"}}, "seed": NaN}',
    ],
)  # fmt: skip
def test_what_is_no_manifest_is_refused_by_name(tmp_path, content):
    path = tmp_path / "set" / "training" / "manifest.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content) if content is not None else os.mkfifo(path)  # a pipe must not hang
    with pytest.raises(manifests.DatasetError, match=r"manifest\.json: Expected a manifest"):
        manifests.read(path.parent)
