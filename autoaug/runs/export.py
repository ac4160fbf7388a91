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
from autoaug.runs.record import MODEL, RecordError

_MOST_BYTES = 2**32


def whole(model: keras.Model, dataset: Dataset) -> keras.Model:
    """A model from uint8 images, around one from normalised images; they share their weights."""
    images = keras.Input((32, 32, 3), dtype="uint8", name="pixels")
    return keras.Model(images, model(Normalize(dataset.mean, dataset.std)(images), training=False), name=model.name)


def write(model: keras.Model, dataset: Dataset, run_dir: str | os.PathLike[str]) -> None:
    """Write `model.keras`, whole or not at all, unless it is there."""
    path = pathlib.Path(run_dir) / MODEL
    if path.is_file():
        return
    with tempfile.TemporaryDirectory(dir=run_dir, prefix=".", suffix=f".{temporary_suffix()}") as folder:
        keras.saving.save_model(whole(model, dataset), pathlib.Path(folder) / MODEL)
        (pathlib.Path(folder) / MODEL).replace(path)


def load(run_dir: str | os.PathLike[str]) -> keras.Model:
    """As `runs.load`."""
    return read(pathlib.Path(run_dir) / MODEL)


def read(path: str | os.PathLike[str]) -> keras.Model:
    """The model in a .keras file. Code in it is refused: no Lambda, no unknown class.

    Raises:
        RecordError: there is no such file, or no such model in it; the message names it.
    """
    try:
        require_regular(path, _MOST_BYTES)
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError, RecursionError) as error:
        line = " ".join(str(error).split())[:200]
        expected = "Expected a Keras model without code of its own"
        raise RecordError(f"{pathlib.Path(path).absolute()}: {expected}. Received: {line}") from error
