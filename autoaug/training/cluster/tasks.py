"""The work of a cluster's tasks, in TensorFlow. `layout` lists the tasks.

Asynchronous: the chief prepares whole batches, in the order in which one process would train on them. Each batch goes
to the next free worker. The worker reads the weights once from the parameter servers, and they apply its gradient. So
every batch of the plan is trained on once, by one worker. Updates are applied under a lock, so none is lost. But other
workers may have changed the weights meanwhile, and moving averages of batch normalisation that are written at the same
time overwrite each other, as in the original. If a worker is killed, another one repeats its step; then some of the
step's updates may be applied twice.

Synchronous, on several hosts: every worker holds the model, takes its equal part of every batch, and applies the same
mean gradient. The workers compute the same as `mirrored` does in one process.

Each worker uses one GPU, if there is one.
"""

import collections
import contextlib
import functools
import os
import pathlib
import re
import signal
import sys
import traceback
import warnings
from typing import Any, NoReturn

import keras
import numpy as np
import tensorflow as tf

from autoaug import devices, models
from autoaug.recipes import Recipe
from autoaug.training import batches, loop
from autoaug.training.cluster import job_file
from autoaug.training.cluster.layout import Layout, Task
from autoaug.training.cluster.messages import Messages, ProgressReport, kind_of
from autoaug.training.mirrored import all_reduce
from autoaug.training.schedule import Epoch, Schedule
from autoaug.training.step import TrainingStep, precision_scope

_SCHEDULED = 2  # steps for each worker that are running or waiting


def serve(layout: Layout, task: Task) -> None:
    """Run a parameter server or a worker of an asynchronous run; never returns."""
    devices.keep_float32()
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=_threads(layout))
    config.gpu_options.allow_growth = True
    gpus = len(tf.config.list_physical_devices("GPU"))
    if task.role == "ps":
        config.device_count["GPU"] = 0
    elif gpus:
        config.gpu_options.visible_device_list = str(layout.place_on_host(task.number) % gpus)
    server = tf.distribute.Server(layout.tasks, job_name=task.role, task_index=task.number, config=config)
    server.join()


def run_chief(layout: Layout, job: str | os.PathLike[str], messages: Messages) -> NoReturn:
    """Train the run in the file `job`, as the chief. A failure is reported as a message."""
    warnings.showwarning = lambda message, *_, **__: messages.send(warning=str(message))
    assignment = job_file.unpack(pathlib.Path(job).read_bytes())
    try:
        loop.train_here(
            assignment.recipe,
            assignment.dataset,
            assignment.options,
            assignment.test_sets,
            on_epoch=messages.send_history,
            engine=Asynchronous(layout) if layout.update == "async" else Synchronous(layout, 0, assignment),
            show=functools.partial(ProgressReport, messages),
        )
    except SystemExit as stop:
        _exit(stop.code if isinstance(stop.code, int) else 1)
    except Exception as error:
        traceback.print_exc()
        messages.send(error=[kind_of(error), _message(error)])
        _exit(1)
    _exit(0)


def _exit(status: int) -> NoReturn:
    """End at once: a normal exit would wait for lost tasks, and close connections of the other workers too early."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _message(error: Exception) -> str:
    if not isinstance(error, tf.errors.OpError):
        return str(error)
    task = re.search(r"/job:\w+/replica:0/task:\d+", error.message)
    return f"the chief met an error{f' from {task[0]}' if task else ''}: {error.message.splitlines()[0]}"


class Asynchronous:
    """Computes a chief's steps on the workers, with its variables on the parameter servers."""

    share, device = (0, 1), "/job:chief"

    def __init__(self, layout: Layout) -> None:
        tf.config.set_visible_devices([], "GPU")
        resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
            tf.train.ClusterSpec(layout.tasks), task_type="chief", task_id=0, rpc_layer="grpc"
        )
        self._strategy = tf.distribute.ParameterServerStrategy(resolver)
        self._ahead = _SCHEDULED * layout.workers
        self.scope = self._strategy.scope

    def step(self, model: keras.Model, recipe: Recipe, seed: int) -> TrainingStep:
        """The step that trains the model."""
        return _AsynchronousStep(model, recipe, seed, self._strategy, self._ahead)


class _AsynchronousStep(TrainingStep):
    """A step that the next free worker computes; the call returns when the step is scheduled."""

    def __init__(self, model: keras.Model, recipe: Recipe, seed: int, strategy: Any, ahead: int) -> None:
        super().__init__(model, recipe, seed)
        self._coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
        self._ahead, self._begun = ahead, False
        self._under_way: collections.deque[Any] = collections.deque()

    def _compute(self, *arguments: Any) -> None:
        while len(self._under_way) >= self._ahead:
            self._under_way.popleft().fetch()
        self._under_way.append(self._coordinator.schedule(self._compiled, args=arguments))
        if not self._begun:
            self.wait()  # the first step compiles; speed is measured after it
            self._begun = True

    def wait(self) -> None:
        while self._under_way:
            self._under_way.popleft().fetch()

    def take_means(self) -> dict[str, float]:
        if not self.steps.numpy():
            self.wait()
        return super().take_means()


class Synchronous:
    """Computes a worker's part of every step; at the first step, the chief tells the other workers what to train.

    Args:
        layout: of the cluster.
        index: the worker's number.
        assignment: the run that the chief trains; None for other workers.
    """

    scope, device = contextlib.nullcontext, None  # each worker has variables of its own

    def __init__(self, layout: Layout, index: int, assignment: job_file.Assignment | None = None) -> None:
        if gpus := tf.config.list_physical_devices("GPU"):
            tf.config.set_visible_devices(gpus[:1], "GPU")
            tf.config.experimental.set_memory_growth(gpus[0], True)
        resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
            tf.train.ClusterSpec(layout.tasks), task_type="worker", task_id=index, rpc_layer="grpc",
            num_accelerators={"GPU": min(1, len(gpus))},
        )  # fmt: skip
        self._strategy = tf.distribute.MultiWorkerMirroredStrategy(resolver)
        self._assignment, self.share = assignment, (index, layout.workers)

    def step(self, model: keras.Model, recipe: Recipe, seed: int) -> "_SynchronousStep":
        """The step that trains the model."""
        return _SynchronousStep(model, recipe, seed, self)

    def replicate(self, function: Any) -> Any:
        """The compiled function, which all workers call at the same time; `all_reduce` works inside it."""
        return tf.function(lambda *arguments: self._strategy.run(function, args=arguments), autograph=False)

    def broadcast(self, first_step: int = 0) -> job_file.Assignment:
        """Send the run and the first step from the chief to all workers; returns what the chief sent."""
        content = b""
        if self._assignment:
            content = job_file.pack(self._assignment._replace(test_sets=(), first_step=first_step))
        words = np.frombuffer(content + bytes(-len(content) % 4), np.int32)
        add_up = self.replicate(lambda values: all_reduce("SUM", values))
        length = int(add_up(tf.constant(len(words))))
        sent = add_up(tf.constant(words if self._assignment else np.zeros(length, np.int32)))
        return job_file.unpack(sent.numpy().tobytes())


class _SynchronousStep(TrainingStep):
    """A step with gradient, loss, accuracy and moving averages averaged over the workers."""

    def __init__(self, model: keras.Model, recipe: Recipe, seed: int, engine: Synchronous) -> None:
        super().__init__(model, recipe, seed, worker=engine.share[0])
        self._engine, self._begun = engine, False
        self._moving = [variable.value for variable in model.non_trainable_variables]
        self._compiled = engine.replicate(self._step)

    def __call__(self, images: Any, labels: Any, learning_rate: float, step: int) -> Any:
        if not self._begun:
            if self.worker == 0:
                self._engine.broadcast(step)
            self.take_over()
        return super().__call__(images, labels, learning_rate, step)

    def take_over(self) -> None:
        """Copy the chief's state to every worker."""
        self._begun = True
        add_up = self._engine.replicate(lambda values: all_reduce("SUM", values))
        variables = [*self.weights, *self._moving, *tf.nest.flatten(self.state)]
        own = tf.convert_to_tensor if self.worker == 0 else tf.zeros_like
        for variable, value in zip(variables, add_up([own(variable) for variable in variables]), strict=True):
            variable.assign(value)

    def _average(self, *measured):
        return all_reduce("MEAN", measured)


def follow(layout: Layout, index: int) -> None:
    """Run a worker of a synchronous run other than the chief; never returns."""
    engine = Synchronous(layout, index)
    assignment = engine.broadcast()
    recipe, dataset, seed = assignment.recipe, assignment.dataset, assignment.options.seed
    with precision_scope(recipe):
        model = models.build_model(recipe.model, dataset.num_classes, **recipe.size)
    step = engine.step(model, recipe, seed)
    step.take_over()
    schedule, done = Schedule(recipe, len(batches.split(dataset, recipe, seed)[0])), assignment.first_step
    while done < schedule.total:
        for number, learning_rate, images, labels in Epoch(dataset, schedule, seed, done, engine.share):
            step(images, labels, learning_rate, number)
            done = number + 1
    signal.pause()  # until the chief ends, which still has to write its last files


def _threads(layout: Layout) -> int:
    """Number of threads of one task: the worker's share of this machine's cores; 0, all cores, if it is alone."""
    return max(1, len(os.sched_getaffinity(0)) // layout.workers) if layout.hosts == 1 else 0
