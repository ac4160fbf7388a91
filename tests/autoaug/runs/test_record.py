"""The record of a run: what it may hold, whose it is, the code that it names, the folder's name."""

import dataclasses
import json
import os
import subprocess

import msgspec
import pytest
import run_files

from autoaug import recipes
from autoaug.runs import record
from autoaug.runs.record import RecordError


def test_a_record_is_read_as_it_was_written(tmp_path):
    written = run_files.record(tests=["synthetic10"], recipe=recipes.get("pyramid", "small"))
    record.write(tmp_path, written)
    assert record.read(tmp_path) == written
    judged = msgspec.structs.replace(
        written, kind="predictions", recipe=None, family="ConvNeXt, my own", parameters=None,
        train_data=msgspec.structs.replace(written.train_data, mean=None, std=None, sha256=None, train_size=None),
    )  # fmt: skip
    record.write(tmp_path, judged)
    assert record.read(tmp_path) == judged


def changed(**changes):
    """The text of a record with some values changed; a key such as `train_data.name` leads into a part."""
    whole = msgspec.to_builtins(run_files.record(tests=["synthetic10"]))
    for path, value in changes.items():
        part, (*folders, last) = whole, path.split("__")
        for folder in folders:
            part = part[folder]
        part[last] = value
    return json.dumps(whole)


BAD = {
    "another format": changed(format=1),
    "an unknown field": changed(counts={}),
    "an unknown field of the recipe": changed(recipe__momentums=0.9),
    "a recipe that is out of range": changed(recipe__epochs=0),
    "markup in a size": changed(recipe__size={"<b>": 1}),
    "a number as text": changed(seed="0"),
    "true for a number": changed(workers=True),
    "too large a number": changed(seed=2**31),
    "a number of 5,000 digits": changed().replace('"seed": 0', f'"seed": 1{"0" * 5_000}'),
    "not a number": changed(wall_seconds=float("nan")),
    "an infinite number": changed().replace("61.2", "1e999"),
    "markup in a name": changed(train_data__name="<script>"),
    "a slash in a name": changed(run_id="../../etc"),
    "a line break after a name": changed(run_id="a\n"),
    "hidden characters": changed(train_data__source="CIFAR\u202e-10"),
    "a hash that is none": changed(train_data__sha256="0" * 63),
    "two channels": changed(train_data__mean=[0.5, 0.5]),
    "a time in another form": changed(started="2026-01-01 00:00:00"),
    "a time that is none": changed(started="2026-13-01T00:00:00Z"),
    "a year far away": changed(started="9999-01-01T00:00:00Z"),
    "a commit that is none": changed(code__commit="HEAD"),
    "nothing": "",
    "no text": "\x00\x00",
    "many brackets": "[" * 100_000,
    "many brackets inside": changed().replace('"packages": {', '"packages": {"a": ' + "[" * 100_000),
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_anything_else_is_refused_by_file(content, tmp_path):
    (tmp_path / "record.json").write_text(content)
    with pytest.raises(RecordError, match=r"record\.json: Expected a run's record\. Received: ."):
        record.read(tmp_path)


def test_a_record_that_could_not_be_read_again_is_refused_before_the_work(tmp_path, tiny_dataset, tiny_recipe):
    for name, computing, place in (("run", {"device": "<b>"}, "machine"), ("my run", {}, "run_id")):
        with pytest.raises(RecordError, match=rf"{name}: Expected a folder and names that a record may have.*{place}"):
            record.start(tmp_path / name, tiny_recipe, tiny_dataset, 0, 1, computing=computing)
        assert not (tmp_path / name / "record.json").exists()


def test_a_run_goes_on_only_as_the_same_run(tmp_path, tiny_dataset, tiny_recipe, capsys):
    begun = record.start(tmp_path / "run", tiny_recipe, tiny_dataset, 0, 123)
    assert (begun.status, begun.family) == ("unfinished", recipes.title(tiny_recipe))
    assert begun.train_data.sha256 == tiny_dataset.sha256
    assert record.start(tmp_path / "run", tiny_recipe, tiny_dataset, 0, 123) == begun
    longer = dataclasses.replace(tiny_recipe, epochs=9)
    other = dataclasses.replace(tiny_dataset, train_labels=(tiny_dataset.train_labels + 1) % 10)
    for arguments, message in (
        ((longer, tiny_dataset, 0, 123), "epochs: 3 there, 9 now"),
        ((tiny_recipe, tiny_dataset, 4, 123), "seed: 0 there, 4 now"),
        ((tiny_recipe, other, 0, 123), f"sha256: {tiny_dataset.sha256[:40]} there"),
        ((tiny_recipe, tiny_dataset, 0, 123, "checkpoint"), "kind: trained there"),
        ((tiny_recipe, tiny_dataset, 0, 123, "trained", 2), "workers: 1 there, 2 now"),
    ):
        with pytest.raises(RecordError, match=f"belongs to another run. {message}"):
            record.start(tmp_path / "run", *arguments)


def test_a_run_is_named_by_its_parameters(tiny_recipe):
    name = record.name(tiny_recipe, "cifar10_10k", 0)
    assert name.startswith("wrn-cifar10-10k-quick-seed0-") and len(name) == len("wrn-cifar10-10k-quick-seed0-12345678")
    others = [
        record.name(dataclasses.replace(tiny_recipe, epochs=4), "cifar10_10k", 0),
        record.name(tiny_recipe, "cifar10_12k", 0),
        record.name(tiny_recipe, "cifar10_10k", 1),
        record.name(tiny_recipe, "cifar10_10k", 0, 2),
        record.name("my-resnet", "cifar10_10k", 0),
    ]
    assert len({name, *others}) == 6
    with pytest.raises(ValueError, match="seed"):
        record.name(tiny_recipe, "cifar10_10k", -1)


def git(folder, *arguments):
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    given = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(given, check=True, capture_output=True, text=True, env=clean).stdout.strip()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A clone of nothing but a file, which the package takes for its own checkout."""
    (clone := tmp_path / "clone").mkdir()
    (clone / "file.py").write_text("")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        git(clone, *command)
    monkeypatch.setattr(record, "ROOT", clone)
    return clone


def test_the_code_is_the_checkouts_whatever_the_environment_says(checkout, tmp_path, monkeypatch):
    commit = git(checkout, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    git(checkout, "init", "-q", str(tmp_path / "other"))
    assert record.code_version() == record.Code(commit, False)
    (checkout / "file.py").write_text("changed")
    assert record.code_version() == record.Code(commit, True)


UNKNOWN = '{"commit": null, "dirty": null}'
SPOIL = {
    "no checkout": lambda clone, patch: patch.setattr(record, "ROOT", clone / "installed"),
    "no git": lambda clone, patch: patch.setenv("PATH", str(clone)),
    "not known where the job was submitted": lambda clone, _: (clone / "code_version.json").write_text(UNKNOWN),
}


@pytest.mark.parametrize("spoil", SPOIL.values(), ids=SPOIL)
def test_an_unknown_commit_is_said(spoil, checkout, tmp_path, tiny_dataset, tiny_recipe, monkeypatch, capsys):
    (checkout / "installed").mkdir()  # a package in an environment inside of another repository
    spoil(checkout, monkeypatch)
    assert record.start(tmp_path / "run", tiny_recipe, tiny_dataset, 0, 1).code == record.Code(None, None)
    assert "run: the code's commit is not known" in capsys.readouterr().out
