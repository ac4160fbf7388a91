"""AutoAugment CIFAR-10 models, retrained and tested on reproduced test sets: harder, or different?

`import autoaug` is light: submodules, and with them TensorFlow and numba, are imported at first use.
"""

import atexit
import contextlib
import gc
import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

_ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",  # the only one that the models have
    "TF_ENABLE_ONEDNN_OPTS": "1",  # off by default without AVX-512, and twice as fast there too
    "TF_CPP_MIN_LOG_LEVEL": "2",  # errors only: no start-up chatter in notebooks
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # take a GPU's memory only as needed, so that other processes can use the rest
}

_SUBMODULES = (
    "augment",
    "checkpoints",
    "datasets",
    "devices",
    "evaluation",
    "models",
    "plots",
    "recipes",
    "records",
    "shift",
    "training",
)

_WITH_TENSORFLOW = ("checkpoints", "devices", "evaluation", "models", "training")

__all__ = ["build_model", *_SUBMODULES]


def _set_defaults() -> None:
    """Set environment variables that Keras and TensorFlow read at their import, unless the user has set them."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)


_set_defaults()
# With TensorFlow, Python needs a second for its last search for objects that refer to each other. This leaves it out.
atexit.register(gc.freeze)


@contextlib.contextmanager
def _native_chatter_held_back() -> Iterator[None]:
    """In this context, TensorFlow's C++ messages on standard error are held back, and shown only if the import fails.

    TensorFlow writes some of them before it reads any setting of its log.
    """
    try:
        shown = os.dup(2)
    except OSError:  # standard error is closed
        yield
        return
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            kept.seek(0)
            os.write(shown, kept.read())
            raise
        finally:
            os.dup2(shown, 2)
            os.close(shown)


def __getattr__(name: str) -> Any:
    if name == "build_model":
        return __getattr__("models").build_model
    if name in _SUBMODULES:
        with (
            _native_chatter_held_back()
            if name in _WITH_TENSORFLOW and "tensorflow" not in sys.modules
            else contextlib.nullcontext()
        ):
            return importlib.import_module(f"autoaug.{name}")
    raise AttributeError(f"module 'autoaug' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
