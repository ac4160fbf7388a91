"""AutoAugment CIFAR-10 models, retrained and tested on reproduced test sets: harder, or different?

`import autoaug` is light: submodules, and with them TensorFlow and numba, are imported at first use.
"""

import importlib
import os

_ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",  # the only one that the models have
    "TF_ENABLE_ONEDNN_OPTS": "1",  # off by default without AVX-512, and twice as fast there too
    "TF_CPP_MIN_LOG_LEVEL": "2",  # errors only: no start-up chatter in notebooks
}

_SUBMODULES = (
    "augment",
    "checkpoints",
    "datasets",
    "evaluation",
    "models",
    "plots",
    "recipes",
    "records",
    "shift",
    "training",
)

__all__ = ["build_model", *_SUBMODULES]


def _set_defaults():
    """What Keras and TensorFlow read when they are imported, where the environment does not say otherwise."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)


_set_defaults()


def __getattr__(name):
    if name == "build_model":
        return importlib.import_module("autoaug.models").build_model
    if name in _SUBMODULES:
        return importlib.import_module(f"autoaug.{name}")
    raise AttributeError(f"module 'autoaug' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
