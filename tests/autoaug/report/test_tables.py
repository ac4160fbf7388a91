"""The frames of the report, on runs of known accuracies."""

import numpy as np
import pandas as pd
import pytest

from autoaug import shift
from autoaug.files import ROOT
from autoaug.report import show, tables

PUBLISHED = ROOT / "results" / "published"


def test_a_row_takes_the_first_test_set_of_each_column_and_the_mean_over_seeds_with_its_interval(table, tmp_path):
    another = table.assign(family="Another", run_id=table["run_id"] + "-another")
    frame = tables.accuracies(pd.concat([table, another]), tables.others(PUBLISHED, 0.95), 0.95)
    assert {"published", "measured here"} < set(frame.index.get_level_values("group"))
    shown = show.table(frame, "accuracies", tmp_path, titles=tables.titles(frame)).data
    assert list(shown.columns[:6]) == ["trained on", "model", "seeds", "CIFAR-10", "CIFAR-10.1", "CIFAR-10.2"]
    frame = frame.loc["measured here"]
    assert tables.title("synthetic10") not in frame.index and len(frame) == 2 * 3
    row = frame.loc[tables.title("cifar10_5k")].drop("Another").iloc[0]
    of_set = table[(table["train_data"] == "cifar10_5k") & (table["test_set"] == "cifar10.1-v6")]
    assert row["cifar10.1"] == pytest.approx(of_set["accuracy"].mean(), abs=1e-12) and row["seeds"] == 3
    counts = [round(2_000 * row[name]) for name in ("cifar10", "cinic10")]
    ends = row[["cinic10_low", "cinic10_high"]].tolist()
    assert ends == pytest.approx(shift.accuracy_interval(counts[1], 2_000))
    lost = row[["lost cinic10_low", "lost cinic10_high"]].tolist()
    assert lost == pytest.approx(shift.gap(counts[0], 2_000, counts[1], 2_000)[1:])
    assert row["lost cinic10"] == pytest.approx(row["cifar10"] - row["cinic10"], abs=1e-12)
    subset = frame.loc[tables.title("cifar10_10k")].iloc[0]
    assert subset["cifar10"] == pytest.approx(0.8, abs=0.03)  # its own part of CIFAR-10's images
    assert frame["cifar10.2"].isna().all()


def test_data_and_runs_are_listed_with_hashes_and_commit_and_curves_are_those_of_photographs_if_there_are_some(table):
    data = tables.data(table)
    assert data.loc["cifar10.1-v6", "test images"] == 2_000 and pd.isna(data.loc["cifar10.1-v6", "training images"])
    assert data.loc["synthetic10", "SHA-256, training part"] == "ab" * 6
    newer = table.iloc[:1].assign(started="2099-01-01", train_sha256="cd" * 32)
    assert tables.data(pd.concat([table, newer])).loc[newer["train_data"].iloc[0], "SHA-256, training part"] == "cd" * 6
    listed = tables.every_run(table)
    assert len(listed) == table["run_id"].nunique() and set(listed["commit"]) == {"f" * 10}
    assert (listed["tested on"] == listed["train_data"]).all() and listed["recipe"].str.startswith("epochs ").all()
    assert tables.data(table[:0]).empty and tables.every_run(table[:0]).empty
    assert set(tables.histories(table)) == {tables.title(name) for name in ("cifar10_5k", "cinic10_5k", "cifar10_10k")}
    shapes = tables.histories(table[table["train_data"].str.startswith("synthetic")])
    assert len(shapes) == 2 and {len(found) for panel in shapes.values() for found in panel.values()} == {3}


def test_others_hold_what_was_published_and_what_is_expected_apart():
    frame = tables.others(PUBLISHED, 0.95).set_index(["group", "train_data", "model"])
    assert frame.loc[("published", "CIFAR-10.2", "myrtlenet"), "lost cifar10.2"] == pytest.approx(0.0465, abs=1e-4)
    assert np.isnan(frame.loc["published"].iloc[0]["cifar10_low"])  # a mean over models has no interval
    expected = frame.drop("published", level="group")
    assert len(expected) == 10 and (expected["cifar10.2_low"] < expected["cifar10.2"]).all()
    line = frame.loc["expected, not measured: line through models above 15 %"]
    assert len(line) == 5 and line["cifar10.2"].between(0.87, 0.93).all()
