"""Predictions in order, counts that leave out training images, a record that is finished once."""

import numpy as np
import pandas as pd
import pytest

from autoaug import augment, datasets, evaluation, models, predictions, records, training
from data_prep import synthetic


def test_counts_leave_out_the_images_trained_on():
    logits = np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0]]
    labels, overlap = np.array([0, 1, 2, 0, 0]), np.array([True, False, False, False, True])
    counts = predictions.from_logits(logits, labels, overlap).counts()
    assert counts == {"total": 5, "correct": 4, "overlap": 2, "clean_total": 3, "clean_correct": 2}


def test_logits_are_in_order_whatever_the_batch(tiny_dataset, monkeypatch):
    model = models.build_model("wrn", depth=10, widen_factor=1)
    images, mean, std = tiny_dataset.test_images, tiny_dataset.mean, tiny_dataset.std
    expected = model(augment.normalize(images, mean, std), training=False).numpy()
    monkeypatch.setattr(evaluation, "_BATCH_SIZE", 7)
    np.testing.assert_allclose(evaluation.Predictor(model, mean, std)(images), expected, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    path = tmp_path_factory.mktemp("data")
    synthetic.build(path, names=["synthetic10", "synthetic10_harder"])
    return path


def test_a_run_is_evaluated_on_every_set_of_its_family(tiny_dataset, tiny_recipe, data_dir, tmp_path):
    run_dir = tmp_path / "runs" / "a"
    model = training.train(tiny_recipe, tiny_dataset, run_dir)
    record = evaluation.evaluate_run(model, tiny_dataset, run_dir, evaluation.load_test_sets(tiny_dataset, data_dir))
    assert record == records.read(run_dir)
    assert record["status"] == "finished" and record["wall_seconds"] > 0
    assert set(record["tests"]) == {"synthetic10", "synthetic10_harder"}
    for name, counts in record["tests"].items():
        test = datasets.load_test(name, data_dir)
        with np.load(run_dir / "predictions" / f"{name}.npz", allow_pickle=False) as saved:
            assert {key: saved[key].dtype.str for key in saved} == {"logits": "<f4", "labels": "<i8", "overlap": "|b1"}
            np.testing.assert_array_equal(saved["labels"], test.labels)
            assert counts == {**predictions.from_logits(**saved).counts(), "source": test.source, "sha256": test.sha256}
    assert len(records.collect(tmp_path)) == 2

    synthetic.build(data_dir, names=["synthetic10_different"])
    written = (run_dir / "predictions" / "synthetic10.npz").stat().st_mtime_ns
    later = evaluation.evaluate_run(model, tiny_dataset, run_dir, evaluation.load_test_sets(tiny_dataset, data_dir))
    assert set(later["tests"]) == {"synthetic10", "synthetic10_harder", "synthetic10_different"}
    assert later["wall_seconds"] == record["wall_seconds"]
    assert (run_dir / "predictions" / "synthetic10.npz").stat().st_mtime_ns == written


@pytest.fixture
def evaluated(tiny_dataset, tiny_recipe, tmp_path):
    """A run's folder, of a model that was not trained, and a function that evaluates it; the first time was before."""
    history = pd.DataFrame({"epoch": [1, 2, 3], "accuracy": 0.5, "seconds": 1.0})
    model = models.build_model("wrn", **tiny_recipe.size)
    test = datasets.LabelledImages("synthetic10", tiny_dataset.test_images, tiny_dataset.test_labels)
    records.start(tmp_path, tiny_recipe, tiny_dataset, seed=0, parameters=1)
    history.to_csv(tmp_path / "history.csv", index=False)

    def evaluate():
        return evaluation.evaluate_run(model, tiny_dataset, tmp_path, [test])

    evaluate()
    return tmp_path, evaluate


@pytest.mark.parametrize("damage", ["missing", "damaged", "other"])
def test_predictions_that_are_missing_damaged_or_others_are_made_again(damage, evaluated):
    run_dir, evaluate = evaluated
    path, record = run_dir / "predictions" / "synthetic10.npz", records.read(run_dir)
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "damaged":
        path.write_bytes(whole[:-50])
    else:
        predictions.write(path, predictions.read(path)._replace(overlap=np.zeros(50, bool)))
    assert not predictions.are_kept(run_dir, record, "synthetic10", record["tests"]["synthetic10"]["sha256"])
    assert evaluate() == record
    assert path.read_bytes() == whole


def test_a_history_without_seconds_is_named(evaluated):
    run_dir, evaluate = evaluated
    pd.DataFrame({"epoch": [1, 2, 3]}).to_csv(run_dir / "history.csv", index=False)
    with pytest.raises(records.RecordError, match=r"history\.csv: Expected the seconds of each epoch\. Received: nan"):
        evaluate()


def test_a_run_that_is_not_trained_to_its_end_is_not_finished(tiny_dataset, tiny_recipe, tmp_path):
    model = models.build_model("wrn", **tiny_recipe.size)
    records.start(tmp_path, tiny_recipe, tiny_dataset, seed=0, parameters=1)
    with pytest.raises(records.RecordError, match="has trained 0 of 3 epochs"):
        evaluation.evaluate_run(model, tiny_dataset, tmp_path, [])
    assert records.read(tmp_path)["status"] == "unfinished"
