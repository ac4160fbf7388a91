"""AutoAugment CIFAR-10 models, retrained and tested on reproduced test sets: harder, or different?

`import autoaug` is light: submodules, and with them TensorFlow and numba, are imported at first use.
"""

import atexit
import contextlib
import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Iterator
from typing import Any

import wrapt

_ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",  # the only one that the models have
    "TF_ENABLE_ONEDNN_OPTS": "1",  # off by default without AVX-512, and twice as fast there too
    "TF_CPP_MIN_LOG_LEVEL": "2",  # errors only: no start-up chatter in notebooks
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # take a GPU's memory only as needed, so that other processes can use the rest
}
_FUNCTIONS = {"build_model": "autoaug.models", "load": "autoaug.runs.evaluation"}
_SUBMODULES = (
    *("augment", "checkpoints", "datasets", "devices", "models", "plots", "recipes", "report"),
    *("runs", "shift", "study", "training"),
)

__all__ = [*_FUNCTIONS, *_SUBMODULES]

for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)  # Keras and TensorFlow read them at their import
# With TensorFlow, Python needs a second for its last search for objects that refer to each other. This leaves it out.
atexit.register(gc.freeze)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Nothing is written to standard error, and Python searches for unused objects once, at the end."""
    with contextlib.ExitStack() as at_end:
        at_end.callback(gc.enable if gc.isenabled() else gc.disable)
        gc.disable()  # else it searches TensorFlow's half a million objects again and again, for a quarter of a second
        at_end.callback(gc.collect)
        with contextlib.suppress(OSError):  # standard error is closed
            shown, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)
            at_end.callback(os.close, shown)
            at_end.callback(os.dup2, shown, 2)
        yield


class _QuietTensorFlow(importlib.abc.MetaPathFinder):
    """TensorFlow says twice at its import that oneDNN is on, before it reads its log level: no variable stops it."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if fullname != "tensorflow" or self not in sys.meta_path:
            return None
        sys.meta_path.remove(self)
        found = importlib.util.find_spec(fullname)
        if found and found.loader:
            found.loader.exec_module = _quietly()(found.loader.exec_module)  # type: ignore[method-assign]
        return found


sys.meta_path.insert(0, _QuietTensorFlow())


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'autoaug' has no attribute {name!r}")
    module = importlib.import_module(_FUNCTIONS.get(name, f"autoaug.{name}"))
    return getattr(module, name) if name in _FUNCTIONS else module


def __dir__() -> list[str]:
    return sorted(__all__)


# Right after Keras, so that `keras.saving.load_model` knows the layers of our files.
wrapt.register_post_import_hook(lambda _: importlib.import_module("autoaug.models"), "keras")
