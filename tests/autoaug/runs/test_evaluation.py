"""A trained model in one file: the same answers, in another process and folder; strangers' code is refused."""

import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

import autoaug
from autoaug import augment, datasets, models, recipes
from autoaug.runs import evaluation, predictions
from autoaug.runs.record import RecordError
from autoaug.training.step import precision_scope

FAMILIES = [
    ("wrn", {"depth": 10, "widen_factor": 1}, "mixed_bfloat16"),
    ("shake_shake_32", {"depth": 8, "widen_factor": 1}, "float32"),
    ("pyramid_net", {"depth": 11, "alpha": 12}, "mixed_bfloat16"),
]


@pytest.mark.parametrize(("name", "size", "precision"), FAMILIES)
def test_a_file_has_the_models_logits(name, size, precision, tiny_dataset, tmp_path):
    recipe = recipes.variant(name, precision=precision)
    with precision_scope(recipe):
        model = models.build_model(name, **size)
    rng = np.random.default_rng(0)
    for variable in model.variables:  # moving averages that do something
        variable.assign(variable.numpy() + rng.uniform(0, 0.1, variable.shape))
    whole = evaluation.whole(model, tiny_dataset)
    evaluation.write_model(whole, tmp_path)
    loaded, images = autoaug.load(tmp_path), tiny_dataset.test_images
    assert (loaded.input_shape, loaded.inputs[0].dtype) == ((None, 32, 32, 3), "uint8")
    expected = whole.predict(images, verbose=0)
    normalised = augment._normalization(tiny_dataset.mean, tiny_dataset.std)[images, np.arange(3)]
    np.testing.assert_array_equal(whole.layers[1](images), normalised)
    by_itself = model(normalised, training=False)
    np.testing.assert_allclose(expected, by_itself, rtol=1e-5 if precision == "float32" else 0.1)
    logits = loaded.predict(images, verbose=0)
    np.testing.assert_array_equal(logits, expected)
    assert logits.dtype == np.float32


OPEN = """
import sys
import autoaug
import keras
import numpy as np
model = keras.saving.load_model(sys.argv[1])
np.save(sys.argv[3], model.predict(np.load(sys.argv[2]), verbose=0).argmax(axis=1))
"""


def test_a_run_leaves_a_model_that_answers_alike_in_another_process_and_folder(trained_run, tmp_path):
    np.save(tmp_path / "images.npy", datasets.load_test("synthetic10", trained_run.folder / "data").images[:500])
    files = [str(trained_run.run / "model.keras"), "images.npy", "answers.npy"]
    command = [sys.executable, "-c", OPEN, *files]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    kept = predictions.read(trained_run.run / "predictions" / "synthetic10.npz")
    np.testing.assert_array_equal(np.load(tmp_path / "answers.npy"), kept.answers[:500])


def with_code(path):
    keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Lambda(lambda x: x), keras.layers.Flatten()]).save(path)


def declaring(path):
    """A model that declares far more weights than its file holds."""
    config = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Dense(7)]).to_json()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config.replace('"units": 7', '"units": 300000000'))
        archive.writestr("model.weights.h5", "")


MAKE = {
    "weights of 4,800,000,000 bytes": declaring,
    "[Ll]ambda": with_code,
    "": lambda path: path.write_bytes(b"PK\x03\x04" + bytes(200)),
    "no regular file": lambda path: path.mkdir(),
    "No such file": lambda path: None,
}


@pytest.mark.parametrize(("message", "make"), MAKE.items(), ids=MAKE)
def test_a_strangers_code_and_files_that_are_no_models_are_refused_with_a_line(message, make, tmp_path):
    make(tmp_path / "model.keras")
    with pytest.raises(RecordError, match=rf"model\.keras: Expected a \.keras file.* Received: .*{message}") as refused:
        autoaug.load(tmp_path)
    assert "\n" not in str(refused.value)
