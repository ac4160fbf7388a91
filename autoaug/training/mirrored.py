"""Several workers in one process: one for each GPU of this machine, without servers or ports.

TensorFlow's `MirroredStrategy` keeps a copy of all variables on every device. Each device takes its equal part of the
batch, draws its own noise, and normalises by the statistics of its part. Gradient, loss, accuracy and moving averages
are then averaged over the devices, so that all copies get the same update. The workers compute the same as a single
worker, except for the noise and the statistics of batch normalisation.

Without a GPU, the devices are logical devices of the CPU. This is no faster, and exists for tests.
"""

import functools
import operator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from autoaug.recipes import Recipe
from autoaug.training.step import Engine, TrainingStep, noise_key


def prepare_devices(workers: int) -> list[str]:
    """The devices of so many workers: GPUs, or logical devices of the CPU on a machine without a GPU.

    A CPU can be divided only before TensorFlow has computed anything in this process. A ValueError says that it has, or
    that there are fewer GPUs than workers.
    """
    if gpus := tf.config.get_visible_devices("GPU"):
        if len(gpus) < workers:
            raise ValueError(f"Expected workers={len(gpus)}, one for each GPU, or fewer. Received: workers={workers}")
        return [f"GPU:{number}" for number in range(workers)]
    try:
        (cpu,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * workers)
    except RuntimeError as error:  # TensorFlow has started
        if len(tf.config.list_logical_devices("CPU")) < workers:
            raise ValueError(
                f"Expected a process in which TensorFlow has not computed anything yet, to divide its CPU among "
                f"workers={workers}. Received: a process in which it has. Restart the kernel, and train first"
            ) from error
    return [f"CPU:{number}" for number in range(workers)]


class _MirroredStep(TrainingStep):
    """A step that is computed by every device at once, each with its part of the batch."""

    def __init__(self, model: keras.Model, recipe: Recipe, seed: int) -> None:
        super().__init__(model, recipe, seed)
        self._strategy = tf.distribute.get_strategy()
        self._compiled = tf.function(self._on_all, autograph=False)

    def _compute(self, images: Any, labels: Any, learning_rate: Any, _: Any, step: Any) -> Any:
        workers = range(self._strategy.num_replicas_in_sync)
        keys = np.stack([noise_key(self.seed, int(step), worker) for worker in workers])
        return self._compiled(images, labels, learning_rate, keys, step)

    def _on_all(self, *arguments):
        return self._strategy.experimental_local_results(self._strategy.run(self._on_one, arguments))[0]

    def _on_one(self, images, labels, learning_rate, keys, step):
        worker = tf.distribute.get_replica_context().replica_id_in_sync_group
        size = images.shape[0] // self._strategy.num_replicas_in_sync
        part = slice(worker * size, (worker + 1) * size)
        return self._step(images[part], labels[part], learning_rate, keys[worker], step)

    def _average(self, *measured):
        local = tf.nest.map_structure(tf.identity, measured)  # on the worker's device; an argument may have no device
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, local)


class Mirrored(Engine):
    """Computes the steps of several workers, each with a device of its own; raises what `prepare_devices` raises."""

    step = _MirroredStep

    def __init__(self, workers: int) -> None:
        devices = prepare_devices(workers)
        tf.get_logger().setLevel("WARNING")  # else it says for each of many sums where it is computed
        # On GPUs, TensorFlow chooses NCCL. On a CPU, sums are added in a fixed order, so that they repeat to the bit.
        in_turn = tf.distribute.ReductionToOneDevice(accumulation_fn=functools.partial(functools.reduce, operator.add))
        self.scope = tf.distribute.MirroredStrategy(devices, None if devices[0].startswith("GPU") else in_turn).scope
