"""A trained model in one file, `model.keras`: uint8 images → logits, normalisation inside.

After `import autoaug`, plain `keras.saving.load_model` opens it, in any process and folder.
"""

import os
import pathlib
import tempfile

import keras

from autoaug.datasets import Dataset
from autoaug.files import require_regular, temporary_suffix
from autoaug.models.layers import Normalize
from autoaug.runs.record import MODEL, reading

_MOST_BYTES = 2**32


def whole(model: keras.Model, dataset: Dataset, inputs: str = "normalised") -> keras.Model:
    """A model from uint8 images, around another one; they share their weights.

    Args:
        model: from images in the form that `inputs` names: "uint8" (0 to 255), "0-1" or "normalised".
        dataset: its training set, whose statistics normalise the images.
    """
    images = keras.Input((32, 32, 3), dtype="uint8", name="pixels")
    scaled = {"uint8": 1.0, "0-1": 1 / 255}
    prepare = keras.layers.Rescaling(scaled[inputs]) if inputs in scaled else Normalize(dataset.mean, dataset.std)
    as_it_is = inputs == "uint8" and model.inputs[0].dtype == "uint8"
    return keras.Model(images, model(images if as_it_is else prepare(images), training=False), name=model.name)


def write(model: keras.Model, run_dir: str | os.PathLike[str]) -> None:
    """Write a whole model to `model.keras`; no reader sees half of it."""
    with tempfile.TemporaryDirectory(dir=run_dir, prefix=".", suffix=f".{temporary_suffix()}") as folder:
        keras.saving.save_model(model, pathlib.Path(folder) / MODEL)
        (pathlib.Path(folder) / MODEL).replace(pathlib.Path(run_dir) / MODEL)


def load(run_dir: str | os.PathLike[str]) -> keras.Model:
    """The trained model of a run: uint8 [n, 32, 32, 3] → logits [n, classes], normalisation inside.

    Raises:
        RecordError: the run has no `model.keras`, or another file in its place.
    """
    return read(pathlib.Path(run_dir) / MODEL)


def read(path: str | os.PathLike[str]) -> keras.Model:
    """The model in a .keras file. Code in it is refused: no Lambda, no unknown class.

    Raises:
        RecordError: there is no such file, or no such model in it; the message names it.
    """
    with reading(path, "a Keras model without code of its own"):
        require_regular(path, _MOST_BYTES)
        return keras.saving.load_model(path, compile=False, safe_mode=True)
