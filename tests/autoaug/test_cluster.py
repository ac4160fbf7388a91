"""Several workers: real processes on this machine that train, are killed, and come to an end."""

import numpy as np
import pandas as pd
import pytest

from autoaug import recipes, records, training


@pytest.fixture(autouse=True, scope="module")
def compiled_imports():
    """Every cluster imports TensorFlow anew, which takes three times as long where bytecode is not kept."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        yield


def test_two_asynchronous_workers_train_every_batch(tiny_dataset, tiny_recipe, tmp_path):
    epochs = []
    arguments = {"workers": 2, "seed": 3, "on_epoch": lambda history: epochs.append(len(history))}
    model = training.train(tiny_recipe, tiny_dataset, tmp_path, **arguments)
    history = pd.read_csv(tmp_path / "history.csv")
    assert epochs == [1, 2, 3]
    run = training._Run(tiny_recipe, tiny_dataset, tmp_path, 3, workers=2)
    assert (run.done, run.steps_per_epoch, run.total) == (12, 4, 12)
    # two steps of each worker in an epoch, and six in all: the last two updates have the rate of a sixth step
    expected = [recipes.learning_rate_at(0.1, step, 6) for step in (2, 4, 6)]
    np.testing.assert_allclose(history.learning_rate, expected)
    assert history.loss.iloc[-1] < history.loss.iloc[0]
    for a, b in zip(model.variables, run.model.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    record = records.read(tmp_path)
    assert (record["workers"], record["update"]) == (2, "async")
