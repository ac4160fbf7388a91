"""Answers image by image."""

import numpy as np
import pandas as pd
import pytest

from autoaug import datasets
from autoaug.report import answers, tables
from autoaug.runs import predictions
from data_prep import synthetic


def test_a_runs_answers_agree_with_its_counts_and_images_that_it_was_trained_on_do_not_count(table, tmp_path):
    run = table[(table["train_data"] == "cifar10_5k") & (table["test_set"] == "cinic10_5k")].iloc[0]
    found = answers.of(run)
    assert len(found) == run["total"] and found["right"].sum() == run["correct"]
    assert list(found["label"].cat.categories) == list(datasets.CLASS_NAMES["cifar10"])
    by_class = answers.by_class(run)
    assert by_class["images"].sum() == run["total"]
    assert (by_class["accuracy"] * by_class["images"]).sum() == pytest.approx(run["correct"])
    assert (by_class["accuracy_low"] < by_class["accuracy"]).all() and by_class["accuracy"].is_monotonic_increasing
    kept = predictions.read(f"{run['folder']}/predictions/cinic10_5k.npz")
    overlap = np.zeros(2_000, bool)
    overlap[:7] = True
    other = predictions.Predictions(kept.answers, kept.labels, overlap)
    predictions.write(tmp_path / "predictions" / "other.npz", other)
    found = answers.of(pd.Series({"folder": str(tmp_path), "test_set": "other"}))
    assert found.index[0] == 7 and found["label"].cat.categories[3] == "3"  # an unknown set's classes are numbers


def test_what_each_class_loses_for_the_models_of_either_set(table):
    losses = answers.class_losses(table, ["cifar10_5k", "cinic10_5k", "cifar102"], "cifar10", "cinic10_5k", 0.95)
    names = [tables.title(name) for name in ("cifar10_5k", "cinic10_5k")]
    assert list(losses["train_data"].unique()) == names and len(losses) == 20
    np.testing.assert_allclose(losses["lost"], losses["old"] - losses["new"])
    assert losses.groupby("train_data")["lost"].mean()[names].tolist() == pytest.approx([0.2, 0.1], abs=0.03)
    assert (losses["lost_low"] < losses["lost"]).all()
    assert answers.class_losses(table, ["cifar102"], "cifar10", "cinic10_5k", 0.95).empty


def test_the_images_that_most_runs_lose_come_first_and_are_drawn_if_they_are_there(table, tmp_path):
    lost = answers.most_lost(table, "synthetic10_harder", count=4)
    assert len(lost) == 4 and lost["wrong"].is_monotonic_decreasing and set(lost["of"]) == {3}
    assert (lost["label"] != lost["answer"]).all()
    older = table.assign(started="2000-01-01", test_sha256="0" * 64)  # another version of the images
    pd.testing.assert_frame_equal(answers.most_lost(pd.concat([older, table]), "synthetic10_harder", count=4), lost)
    assert answers.most_lost(table, "cifar102").empty and answers.pictures(table[:0], "cinic10_5k", tmp_path) is None
    with pytest.warns(UserWarning, match="Expected the data set 'synthetic10_harder'"):
        assert answers.pictures(lost, "synthetic10_harder", tmp_path) is None
    synthetic.build(tmp_path, ["synthetic10_harder"])
    with pytest.warns(UserWarning, match="Expected synthetic10_harder as these runs read it. Received: others"):
        assert answers.pictures(lost, "synthetic10_harder", tmp_path) is None
    lost.attrs.clear()
    texts = [text.get_text() for text in answers.pictures(lost, "synthetic10_harder", tmp_path).texts]
    assert len(texts) == 4 and texts[0].endswith("3 of 3")
