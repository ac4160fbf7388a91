"""The five models against the reference's names, shapes, counts and logits; sizes, errors, saving."""

import functools
import gzip
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from autoaug import checkpoints, models, recipes
from autoaug.files import ROOT

REFERENCE = ROOT.parent / "shared" / "reference"
PARAMETERS = {
    "wrn": 36_220_634,
    "shake_shake_32": 2_923_162,
    "shake_shake_96": 26_192_922,
    "shake_shake_112": 35_640_442,
    "pyramid_net": 26_210_842,
}
KEY = np.array([0, 0], np.int32)


def build_quick(name, **arguments):
    return models.build_model(name, **recipes.get(name).size, **arguments)


@functools.cache
def published(name):
    """A model of the published size, built once."""
    return models.build_model(name)


@pytest.mark.skipif(not REFERENCE.exists(), reason="needs ../shared/reference")
@pytest.mark.parametrize("name", PARAMETERS)
def test_a_checkpoint_of_the_original_gives_its_logits(name, tmp_path, monkeypatch):
    """Written with the names and shapes of the reference, slots and step beside them; loaded bit for bit."""
    monkeypatch.syspath_prepend(REFERENCE)
    from seeded import seeded

    record = json.loads(gzip.decompress((REFERENCE / "models.json.gz").read_bytes()))[name]
    weights = {key: seeded(key, shape, record["gain"], record["seed"]) for key, shape in record["variables"]}
    slots = {f"{key}/Momentum": np.zeros_like(value) for key, value in weights.items() if "/moving_" not in key}
    training_only = {"global_step": np.int64(7), "lrn_rate": np.float32(0.1), "model/lrn_rate_1": np.float32(0.1)}
    stored = {**weights, **slots, **training_only}
    prefix = str(tmp_path / "model.ckpt-199")
    tf.raw_ops.SaveV2(
        prefix=prefix, tensor_names=list(stored), shape_and_slices=[""] * len(stored), tensors=stored.values()
    )

    model = published(name)
    checkpoints.load_tf1(model, prefix)
    for key, variable in checkpoints.tf1_names(model).items():
        np.testing.assert_array_equal(variable, weights[key], err_msg=key)
    inputs = np.random.RandomState(record["seed"]).randn(4, 32, 32, 3).astype(np.float32)
    np.testing.assert_allclose(model(inputs), record["logits"], rtol=0, atol=1e-4 * np.abs(record["logits"]).max())


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras' own, where it writes a variable
@pytest.mark.parametrize("name", models.MODELS)
def test_quick_models_train_save_and_load(name, tmp_path):
    """The same logits after `.keras`, in training too; the gradient reaches every variable."""
    model = build_quick(name, num_classes=100)
    x = np.random.default_rng(0).standard_normal((4, 32, 32, 3), np.float32)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for training in (False, True):
        logits = model(x, training=training, noise_key=KEY)
        assert logits.shape == (4, 100) and logits.dtype == tf.float32
        np.testing.assert_array_equal(loaded(x, training=training, noise_key=KEY), logits)
    variables = [variable.value for variable in model.trainable_variables]
    with tf.GradientTape() as tape:
        cost = tf.reduce_mean(tf.square(model(x, training=True, noise_key=KEY)))
    gradients = tape.gradient(cost, variables)
    assert all(gradient is not None and np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("name", ["wrn", "shake_shake_32", "pyramid_net"])
def test_initial_weights_follow_from_the_seed(name):
    first, again, other = (build_quick(name, seed=seed) for seed in (5, 5, 6))
    for a, b, c in zip(first.variables, again.variables, other.variables, strict=True):
        np.testing.assert_array_equal(a, b)
        if a.name == "kernel":
            assert not np.array_equal(a, c)


def test_the_pyramid_grows_by_rounding_half_up_shake_drop_decays_to_one_half_and_noise_layers_are_numbered():
    """The widths of 16 + 9·i/6 are 17.5, 19, 20.5, 22, 23.5, 25."""
    model = models.build_model("pyramid_net", depth=20, alpha=9)
    names = checkpoints.tf1_names(model)
    assert [of.shape[-1] for name, of in names.items() if name.endswith("3x3/weights")] == [18, 19, 21, 22, 24, 25]
    drops = [layer for group in model.layers if isinstance(group, keras.Model) for layer in group.layers]
    drops = [layer for layer in drops if hasattr(layer, "survival")]
    assert [layer.survival for layer in drops] == [1 - 0.5 * layer / 6 for layer in range(1, 7)]
    assert [layer.index for layer in drops] == list(range(6))
    model = models.build_model("shake_shake_32", depth=14, widen_factor=1)
    assert [layer.index for layer in model.layers if hasattr(layer, "index")] == list(range(6))


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("wrn", {"depth": 27}, r"10, 16, 22, 28.*Received: depth=27"),
        ("ss32", {"depth": 4}, r"8, 14, 20, 26.*Received: depth=4"),
        ("pyramid", {"depth": 270}, r"11, 20, 29, 38.*Received: depth=270"),
        ("wrn", {"num_classes": 1}, "num_classes=1"),
        ("wrn", {"alpha": 3}, "Expected size of wrn, one of depth, widen_factor. Received: .*'alpha'"),
        ("resnet", {}, "shake_shake_112, ss112.*Received: model='resnet'"),
        ("wrn", {"widen_factor": 0}, "Expected size: .*'widen_factor': 0"),
        ("pyramid", {"alpha": -1}, "Expected size: .*'alpha': -1"),
    ],
)
def test_errors_name_the_argument(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        models.build_model(name, **arguments)


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_published_models_have_their_published_number_of_parameters(name):
    assert sum(np.prod(variable.shape) for variable in published(name).trainable_variables) == PARAMETERS[name]
