"""The report's tables of provenance: recipe, code and machine of each run, and the data that they read."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from autoaug.report import page
from autoaug.shift.families import architecture


def runs(records: Iterable[Mapping[str, Any]], labels: Mapping[str, str]) -> pd.DataFrame:
    """A row per run's record (`records.read`): the record itself, recipe, seed, code, packages, wall time.

    Args:
        records: of finished runs.
        labels: name of each data set → its name for readers.
    """
    rows = [
        (
            page.record_link(record["run_id"], json.dumps(record, separators=(",", ":")).encode()),
            recipe_text(record),
            record["seed"],
            code_text(record["code"]),
            ", ".join(f"{name} {version}" for name, version in record["packages"].items()),
            f"{labels[record['train_data']['name']]}: {record['train_data']['sha256'][:12]}",
            page.Number(f"{record['wall_seconds']:,.0f} s", record["wall_seconds"]),
        )
        for record in records
    ]
    names = ["Run", "Recipe", "Seed", "Code", "Packages", "Training data, SHA-256", "Wall time"]
    return pd.DataFrame(rows, columns=names, dtype=object)  # keeps links what they are, with pyarrow too


def recipe_text(record: Mapping[str, Any]) -> str:
    """The recipe of a run in words."""
    recipe = record["recipe"]
    workers = "1 worker" if record["workers"] == 1 else f"{record['workers']} workers"
    return (
        f"{architecture(recipe['model'], recipe['size'])}, {record['parameters']:,} parameters; "
        f"{recipe['epochs']} epochs, batch {recipe['batch_size']}, "
        f"learning rate {recipe['learning_rate']:g}, weight decay {recipe['weight_decay']:g}, "
        f"{recipe['augmentation'].replace('_', ', ')}; {workers}"
    )


def code_text(code: Mapping[str, Any]) -> str:
    """Version, commit, and whether files differed from the commit."""
    if code["commit"] is None:
        return code["version"]
    return f"{code['version']}, commit {code['commit'][:10]}" + (" with changes" if code["dirty"] else "")


def data(records: Iterable[Mapping[str, Any]], labels: Mapping[str, str]) -> pd.DataFrame:
    """A row per data set part that the runs read, with the SHA-256 of its pixels and labels; `labels` as for `runs`."""
    rows = {}  # an ordered set
    for record in records:
        train = record["train_data"]
        rows[
            labels[train["name"]], train["name"], "training", train["source"], train["train_size"], train["sha256"]
        ] = 0
        for name, test in record["tests"].items():
            rows[labels[name], name, "test", test["source"], test["total"], test["sha256"]] = 0
    columns = ["Data set", "Name in the code", "Part", "Source", "Images", "SHA-256 of pixels and labels"]
    return pd.DataFrame(sorted(rows), columns=columns, dtype=object)
