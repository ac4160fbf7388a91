"""TF1 checkpoints written by a Saver: a prefix, a folder; damaged ones, and those of another model."""

import os

import numpy as np
import papermill
import pytest
import tensorflow as tf

from autoaug import checkpoints, models, runs
from autoaug.files import ROOT
from data_prep import synthetic

NOTEBOOK = ROOT / "notebooks" / "evaluate.ipynb"
SIZE = {"depth": 10, "widen_factor": 1}


@pytest.fixture(scope="module")
def model():
    return models.build_model("wrn", seed=1, **SIZE)


def weights_of(model):
    return {name: variable.numpy() for name, variable in checkpoints.tf1_names(model).items()}


def write(folder, values, step=3):
    """Write a checkpoint as the original did, slots and training variables included; returns its prefix."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = [tf.compat.v1.Variable(value, name=name, use_resource=False) for name, value in values.items()]
        variables += [tf.compat.v1.Variable(v.initial_value, name=f"{v.op.name}/Momentum") for v in variables[:2]]
        variables += [tf.compat.v1.Variable(np.int64(step), name="global_step")]
        variables += [tf.compat.v1.Variable(0.1, name=name) for name in ("lrn_rate", "model/lrn_rate")]
        session.run(tf.compat.v1.global_variables_initializer())
        saver = tf.compat.v1.train.Saver(variables)
        return saver.save(session, str(folder / "model.ckpt"), global_step=step)


@pytest.fixture(scope="module")
def stored(model, tmp_path_factory):
    """Folder, prefix and weights of a checkpoint of random weights."""
    rng = np.random.default_rng(0)
    values = {name: rng.standard_normal(v.shape, np.float32) for name, v in weights_of(model).items()}
    folder = tmp_path_factory.mktemp("checkpoint")
    return folder, write(folder, values), values


def assert_loaded(model, values):
    for name, value in weights_of(model).items():
        np.testing.assert_array_equal(value, values[name], err_msg=name)


def assert_refused(path, message, model):
    """Loading fails with the message, and the model stays as it was."""
    before = weights_of(model)
    with pytest.raises(checkpoints.CheckpointError, match=message) as error:
        checkpoints.load_tf1(model, path)
    assert_loaded(model, before)
    return str(error.value)


def test_a_prefix_and_a_folders_newest_checkpoint_restore_every_variable_exactly(stored, tmp_path):
    folder, prefix, values = stored
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    write(tmp_path, {"model/init/init_conv/weights": np.zeros((3, 3, 3, 16), np.float32)}, step=9)  # of no use
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-3"\n')
    for path in (tmp_path, prefix):
        model = models.build_model("wrn", **SIZE)
        checkpoints.load_tf1(model, path)
        assert_loaded(model, values)


INDEX, DATA = "model.ckpt-3.index", "model.ckpt-3.data-00000-of-00001"


def flipped(path):
    """Change one byte in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


def to_pipe(path):
    path.unlink(missing_ok=True)
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("damage", "loaded", "message"),
    [
        (lambda folder: (folder / "m.tar.gz").write_bytes(b"none"), "m.tar.gz", "m.tar.gz: Expected an undamaged"),
        (lambda folder: None, "missing", "Expected an undamaged checkpoint of the model. Received: .*missing"),
        (lambda folder: (folder / "empty").mkdir(), "empty", "empty: Expected .* Received: a folder .* its prefix"),
        (lambda folder: (folder / "checkpoint").write_bytes(b"\xff\xfe"), ".", "codec can't decode"),
        (lambda folder: (folder / "checkpoint").write_bytes(b"a" * 2**21), ".", "more than 1,048,576"),
        (lambda folder: to_pipe(folder / "checkpoint"), ".", "no regular file"),
        (lambda folder: to_pipe(folder / DATA), "model.ckpt-3", "no regular file"),
        (lambda folder: flipped(folder / DATA), "model.ckpt-3", "undamaged checkpoint"),
        (lambda folder: (folder / DATA).write_bytes(b"short"), "model.ckpt-3", "undamaged checkpoint"),
        (lambda folder: (folder / INDEX).write_bytes(b"nothing"), "model.ckpt-3", "undamaged checkpoint"),
    ],
)  # fmt: skip
def test_what_is_damaged_is_named_and_changes_nothing(damage, loaded, message, model, stored, tmp_path):
    for file in stored[0].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    damage(tmp_path)
    assert str(tmp_path) in assert_refused(tmp_path / loaded, message, model)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused_by_name(bad, model, stored, tmp_path):
    values = dict(stored[2])
    values["model/unit_last/FC/biases"] = np.where(np.arange(10) == 3, np.float32(bad), 0).astype(np.float32)
    message = assert_refused(write(tmp_path, values), "undamaged checkpoint of the model", model)
    assert message.endswith("Received: 1 other variables:\n  model/unit_last/FC/biases is NaN or infinite")


def test_what_differs_is_listed_with_its_shape_up_to_twenty_variables(model, stored, tmp_path):
    values = dict(stored[2])
    values["model/extra/weights"] = values.pop("model/unit_2_0/sub1/conv1/weights")
    values["model/unit_last/final_bn/beta"] = np.zeros(3, np.float32)
    values["model/unit_last/final_bn/gamma"] = values["model/unit_last/final_bn/gamma"].astype(np.float64)
    message = assert_refused(write(tmp_path, values), "Received: 4 other variables:\n", model)
    assert message.split("\n  ")[1:] == [
        "'model/extra/weights' ((3, 3, 16, 32), 'float32'), in the model there is none",
        "'model/unit_2_0/sub1/conv1/weights' is missing, in the model ((3, 3, 16, 32), 'float32')",
        "'model/unit_last/final_bn/beta' ((3,), 'float32'), in the model ((64,), 'float32')",
        "'model/unit_last/final_bn/gamma' ((64,), 'float64'), in the model ((64,), 'float32')",
    ]
    message = assert_refused(write(tmp_path, {"model/FC/biases": np.zeros(100, np.float32)}), "other variables", model)
    assert f"{len(weights_of(model)) + 1} other" in message and message.endswith("more") and message.count("\n") == 21


def test_the_notebook_puts_an_old_model_among_the_runs(stored, tmp_path):
    synthetic.build(tmp_path / "data", names=["synthetic10"])
    parameters = {"name": "old", "model_file": stored[1], "train_data": "synthetic10", "size": SIZE}
    options = {"cwd": tmp_path, "kernel_name": "python3", "progress_bar": False}
    papermill.execute_notebook(NOTEBOOK, tmp_path / "out.ipynb", parameters, **options)
    (run,) = runs.collect(tmp_path / "results").itertuples()
    assert (run.kind, run.family, run.test_set, run.total) == ("checkpoint", "old", "synthetic10", 2000)
