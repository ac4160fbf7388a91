"""The frames of the report, on runs of known accuracies and on stand-ins for complete studies."""

import numpy as np
import pandas as pd
import pytest

from autoaug import recipes, shift
from autoaug.files import ROOT
from autoaug.report import show, tables

PUBLISHED = ROOT / "results" / "published"
FIVE = tuple(recipes.SHORT_NAMES)[:5]
SETS = ("cifar10", "cifar10_10k", "cifar10_30k", "cifar10_12k", "cifar102", "cifar102_30k", "cifar105")


def stand_ins(models, sets, seeds):
    """The table of a study with the published recipes: 97 % on CIFAR-10, 5 points less on CIFAR-10.1, 9 on 10.2."""
    accuracies = {"cifar10": (0.97, 10_000), "cifar10.1-v6": (0.92, 2_000), "cifar10.2": (0.88, 2_000)}
    rows = [
        {"family": recipes.title(recipes.get(model, "paper")), "seed": seed}
        | {"train_data": name, "train_size": 8_000, "preset": "paper", "kind": "trained", "test_set": test_set}
        | {"total": total, "correct": round(total * accuracy), "run_id": f"{model}-{name}-{seed}"}
        | {"started": "", "train_sha256": name, "test_sha256": test_set}
        for model in models
        for name in sets
        for seed in range(seeds)
        for test_set, (accuracy, total) in accuracies.items()
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("models", "sets", "seeds", "runs"),
    [(FIVE, SETS, 1, 35), (FIVE, ("cifar105", "cifar10_12k"), 3, 30)],
    ids=["every set", "three seeds"],
)
def test_a_complete_study_reads_like_the_researchs_tables(tmp_path, models, sets, seeds, runs):
    table = stand_ins(models, sets, seeds)
    assert table["run_id"].nunique() == runs
    frame = tables.accuracies(table, tables.others(PUBLISHED, 0.95), 0.95)
    own = frame.loc["measured here"]
    assert len(own) == len(models) * len(sets) and set(own["seeds"]) == {seeds}
    assert set(own.index.get_level_values("train_data")) == {tables.title(name) for name in sets}
    row = own.loc[(tables.title("cifar105"), "WRN-28-10, 200 epochs")]
    assert row["cifar10"] == pytest.approx(0.97) and row["cifar10.2"] == pytest.approx(0.88)
    assert row[["cifar10.2_low", "cifar10.2_high"]].tolist() == pytest.approx(shift.accuracy_interval(1_760, 2_000))
    assert (
        row["lost cifar10.2"] == pytest.approx(0.09) and row["lost cifar10.2_low"] < 0.09 < row["lost cifar10.2_high"]
    )
    assert {"published", "measured here"} < set(frame.index.get_level_values("group"))
    expected = frame.loc["expected, not measured: line through all models"]
    assert len(expected) == 5 and expected["cifar10.2"].between(0.87, 0.93).all()
    shown = show.table(frame, "accuracies", tmp_path, titles=tables.TITLES).data
    assert list(shown.columns[:6]) == ["trained on", "model", "seeds", "CIFAR-10", "CIFAR-10.1", "CIFAR-10.2"]
    assert (shown["CIFAR-10.2"].str.count(r"\[") >= 1).sum() >= len(own)


def test_a_row_takes_the_first_test_set_of_each_column_and_the_mean_over_seeds(table):
    frame = tables.accuracies(table, pd.DataFrame(), 0.95)
    assert set(frame.index.get_level_values("group")) == {"measured here"}  # nothing else was given
    names = frame.index.get_level_values("train_data")
    assert tables.title("synthetic10") not in names and len(frame) == 3
    row = frame.xs(tables.title("cifar10_5k"), level="train_data").iloc[0]
    of_set = table[(table["train_data"] == "cifar10_5k") & (table["test_set"] == "cifar10.1-v6")]
    assert row["cifar10.1"] == pytest.approx(of_set["accuracy"].mean(), abs=3e-4) and row["seeds"] == 3
    assert row["lost cinic10"] == pytest.approx(row["cifar10"] - row["cinic10"])
    subset = frame.xs(tables.title("cifar10_10k"), level="train_data").iloc[0]
    assert subset["cifar10"] == pytest.approx(0.8, abs=0.03)  # its own part of CIFAR-10's images
    assert "cifar10.2" not in frame


def test_drawn_shapes_are_called_that_wherever_they_stand():
    assert "drawn shapes, not CIFAR-10" in tables.title("synthetic10_harder")
    assert "drawn" not in tables.title("cifar10")


def test_the_data_and_every_run_are_listed_with_hashes_and_commit(table):
    data = tables.data(table)
    assert data.loc["cifar10.1-v6", "test images"] == 2_000 and pd.isna(data.loc["cifar10.1-v6", "training images"])
    assert data.loc["synthetic10", "SHA-256, training part"] == "ab" * 6
    listed = tables.every_run(table)
    assert len(listed) == table["run_id"].nunique() and set(listed["commit"]) == {"f" * 10}
    assert (listed["tested on"] == listed["train_data"]).all() and listed["recipe"].str.startswith("epochs ").all()
    assert tables.data(table[:0]).empty and tables.every_run(table[:0]).empty


def test_curves_are_those_of_photographs_where_there_are_some(table):
    assert set(tables.histories(table)) == {tables.title(name) for name in ("cifar10_5k", "cinic10_5k", "cifar10_10k")}
    shapes = tables.histories(table[table["train_data"].str.startswith("synthetic")])
    assert len(shapes) == 2 and {len(found) for panel in shapes.values() for found in panel.values()} == {3}


def test_others_hold_what_was_published_and_what_is_expected_apart():
    frame = tables.others(PUBLISHED, 0.95).set_index(["group", "train_data", "model"])
    assert frame.loc[("published", "CIFAR-10.2", "myrtlenet"), "lost cifar10.2"] == pytest.approx(0.0465, abs=1e-4)
    assert np.isnan(frame.loc["published"].iloc[0]["cifar10_low"])  # a mean over models has no interval
    expected = frame.drop("published", level="group")
    assert len(expected) == 10 and (expected["cifar10.2_low"] < expected["cifar10.2"]).all()
