"""The record of a run: written whole, read with suspicion, counted only when finished."""

import dataclasses
import json
import os
import re
import shutil

import pytest
import tiny

from autoaug import files, recipes, records
from autoaug.datasets import manifest

RECIPE = recipes.get("wrn")
DATASET = dataclasses.replace(tiny.dataset(), source="drawn")
OTHER_DATA = dataclasses.replace(DATASET, train_labels=(DATASET.train_labels + 1) % 10)
TEST = {"total": 100, "correct": 60, "overlap": 10, "clean_total": 90, "clean_correct": 53} | {
    "source": "CIFAR-10 (JPEG copy)",
    "sha256": "b" * 64,
}


def finished(folder, **tests):
    record = records.start(folder, RECIPE, DATASET, seed=0, parameters=123)
    record |= {"status": "finished", "tests": tests or {"synthetic10": TEST}}
    records.write(folder, record)
    return record


def test_what_is_written_is_read(tmp_path):
    written = finished(tmp_path / "runs" / "a")
    assert records.read(tmp_path / "runs" / "a") == written
    assert [path.name for path in (tmp_path / "runs" / "a").iterdir()] == ["record.json"]  # no temporary file left


def test_only_finished_runs_are_collected(tmp_path):
    finished(tmp_path / "runs" / "done", synthetic10=TEST, other={**TEST, "correct": 61, "clean_correct": 54})
    records.start(tmp_path / "runs" / "begun", RECIPE, DATASET, seed=0, parameters=123)
    for name in ("begun", "empty"):
        (tmp_path / "runs" / name / "checkpoints").mkdir(parents=True)
    records.start(tmp_path / "runs" / "trained", RECIPE, DATASET, seed=0, parameters=123)
    (tmp_path / "runs" / "trained" / "checkpoints").mkdir()
    (tmp_path / "runs" / "fetched").mkdir()
    for path in ("trained/checkpoints/step-000000004.index", "fetched/history.csv", "begun/checkpoints/step-x.index"):
        (tmp_path / "runs" / path).touch()
    table = records.collect(tmp_path)
    assert list(table.columns) == list(records.COLUMNS)
    assert table.run_id.tolist() == ["done", "done"]
    assert table.test_set.tolist() == ["synthetic10", "other"]
    assert table.clean_correct.tolist() == [53, 54]
    assert [json.loads(recipe) for recipe in table.recipe] == [dataclasses.asdict(RECIPE)] * 2
    assert table.train_source.tolist() == ["drawn"] * 2
    assert table.test_source.tolist() == ["CIFAR-10 (JPEG copy)"] * 2
    assert [folder.name for folder in records.unfinished(tmp_path)] == ["fetched", "trained"]


def test_nothing_to_collect(tmp_path):
    assert records.collect(tmp_path).empty
    assert records.unfinished(tmp_path) == []


def test_starting_again_returns_the_record_begun(tmp_path):
    first = records.start(tmp_path, RECIPE, DATASET, seed=0, parameters=123)
    first["wall_seconds"] = 7.0
    records.write(tmp_path, first)
    assert records.start(tmp_path, RECIPE, DATASET, seed=0, parameters=123) == first


@pytest.mark.parametrize(
    ("recipe", "dataset", "seed", "difference"),
    [
        (dataclasses.replace(RECIPE, epochs=99), DATASET, 0, f"epochs: {RECIPE.epochs} there, 99 now"),
        (RECIPE, DATASET, 1, "seed: 0 there, 1 now"),
        (RECIPE, OTHER_DATA, 0, "sha256: "),
    ],
)
def test_a_folder_belongs_to_one_run(tmp_path, recipe, dataset, seed, difference):
    records.start(tmp_path, RECIPE, DATASET, seed=0, parameters=123)
    before = (tmp_path / "record.json").read_bytes()
    with pytest.raises(records.RecordError, match="belongs to another run") as error:
        records.start(tmp_path, recipe, dataset, seed, parameters=123)
    assert difference in str(error.value)
    assert (tmp_path / "record.json").read_bytes() == before


def test_run_id_tells_runs_apart():
    ids = {
        records.run_id(RECIPE, DATASET, 0),
        records.run_id(RECIPE, DATASET, 1),
        records.run_id(dataclasses.replace(RECIPE, epochs=99), DATASET, 0),
        records.run_id(RECIPE, OTHER_DATA, 0),
    }
    assert len(ids) == 4
    assert records.run_id(RECIPE, DATASET, 0).startswith("wrn-synthetic10-quick-seed0-")
    assert records.run_id(RECIPE, DATASET, 0) == records.run_id(RECIPE, DATASET, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"status": "done"}, r"\$.status must be one of .* Received: 'done'"),
        ({"parameters": "many"}, r"\$.parameters must be integer. Received: 'many'"),
        ({"tests": {"a": {key: TEST[key] for key in TEST if key != "source"}}}, r"\$.tests.a must contain .*'source'"),
        ({"surprise": 1}, r"\$ must not contain {'surprise'} properties"),
        ({"tests": {"a": {**TEST, "clean_total": 91}}}, r"\$.tests.a: the counts contradict each other"),
        ({"tests": {"a": {**TEST, "clean_correct": 49}}}, r"\$.tests.a: the counts contradict each other"),
        ({"tests": {"a": {**TEST, "correct": 101, "clean_correct": 91}}}, r"\$.tests.a: the counts contradict"),
    ],
)
def test_what_does_not_fit_the_schema_is_refused_on_reading_and_on_writing(tmp_path, change, message):
    record = finished(tmp_path)
    with pytest.raises(records.RecordError, match=message):
        records.write(tmp_path, record | change)
    assert records.read(tmp_path) == record
    (tmp_path / "record.json").write_text(json.dumps(record | change))
    with pytest.raises(records.RecordError, match=message):
        records.read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
def test_a_damaged_record_is_named_and_never_counted(tmp_path, content):
    finished(tmp_path / "runs" / "a")
    (tmp_path / "runs" / "a" / "record.json").write_bytes(content)
    with pytest.raises(records.RecordError, match=r"runs/a/record\.json"):
        records.collect(tmp_path)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    files.write_atomically(tmp_path / "a", b"old")

    def fail(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        files.write_atomically(tmp_path / "a", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"old")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"run_id": "../../evil"}, r"\$\.run_id must match pattern"),
        ({"run_id": "a\n"}, r"\$\.run_id must match pattern"),
        ({"tests": {"evil<img src=x onerror=alert(1)>": TEST}}, r"\$\.tests.*must be named by propertyName"),
        ({"tests": {"../a": TEST}}, r"\$\.tests.*must be named by propertyName"),
        ({"tests": {"a": TEST | {"source": "<b>CIFAR-10</b>"}}}, r"\$\.tests\.a\.source must match pattern"),
        ({"started": "9999-01-01T00:00:00Z"}, r"\$\.started must match pattern"),
        ({"started": "2026-02-30T00:00:00Z"}, r"\$\.started: expected a time"),
        ({"packages": {"numpy": "=HYPERLINK(1)"}}, r"\$\.packages\.numpy must match pattern"),
        ({"machine": {"platform": "a\x1b[31m"}}, r"\$\.machine\.platform must match pattern"),
        ({"machine": {"platform": "a\u202egnp.exe"}}, r"\$\.machine\.platform must match pattern"),
        ({"machine": {"processor": "\ud800"}}, r"\$\.machine\.processor must match pattern"),
        ({"recipe": dataclasses.asdict(RECIPE) | {"model": "evil"}}, r"\$\.recipe\.model must be one of"),
        ({"recipe": dataclasses.asdict(RECIPE) | {"evil": "<b>"}}, r"\$\.recipe must not contain {'evil'}"),
        (
            {"recipe": dataclasses.asdict(RECIPE) | {"learning_rate": 10**400}},
            r"\$\.recipe\.learning_rate must be smaller",
        ),
        ({"parameters": 10**400}, r"\$\.parameters must be smaller"),
        ({"wall_seconds": 10**400}, r"\$\.wall_seconds must be smaller"),
    ],
)
def test_names_that_the_writer_does_not_make_are_refused(tmp_path, change, message):
    record = finished(tmp_path)
    (tmp_path / "record.json").write_text(json.dumps(record | change))
    with pytest.raises(records.RecordError, match=message):
        records.read(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"seed": NaN}', "NaN, which is no number in JSON"),
        ('{"seed": -Infinity}', "-Infinity, which is no number"),
        ('{"wall_seconds": 1e999}', "too large"),
        (f'{{"seed": {"9" * 5000}}}', "Exceeds the limit"),
        (" " * 2**24 + "{}", "more than 16,777,216"),
    ],
)
def test_json_that_is_not_strict_is_refused_with_the_files_name(tmp_path, content, message):
    (tmp_path / "record.json").write_text(content)
    with pytest.raises(records.RecordError, match=rf"record\.json: .*{message}"):
        records.read(tmp_path)


def test_the_schema_says_what_its_owners_say():
    schema = json.loads((files.ROOT / "autoaug" / "record_schema.json").read_text())
    recipe, label = schema["properties"]["recipe"]["properties"], re.compile(schema["definitions"]["label"]["pattern"])
    assert recipe.keys() == dataclasses.asdict(RECIPE).keys()
    assert recipe["model"]["enum"] == list(recipes.SHORT_NAMES)
    assert schema["properties"]["seed"]["maximum"] == recipes.SEEDS[-1]
    assert recipe["epochs"]["maximum"] == recipes.EPOCHS[-1]
    characters = map(chr, range(2**16))
    assert not [character for character in characters if manifest.is_label(character) != bool(label.match(character))]
    assert manifest.is_label("копия, 画像 – ½") and not manifest.is_label("a" * 201)


def test_pipes_and_devices_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "record.json")
    with pytest.raises(records.RecordError, match="no regular file"):
        records.read(tmp_path)
    (tmp_path / "record.json").unlink()
    (tmp_path / "record.json").symlink_to("/dev/zero")
    with pytest.raises(records.RecordError, match="no regular file"):
        records.read(tmp_path)


def test_a_copy_of_a_run_counts_once(tmp_path):
    finished(tmp_path / "runs" / "run")
    shutil.copytree(tmp_path / "runs" / "run", tmp_path / "runs" / "a copy")
    shutil.copytree(tmp_path, tmp_path / "measured")
    table = records.collect(tmp_path, tmp_path / "measured")
    assert table["folder"].tolist() == [str(tmp_path / "runs" / "run")]
