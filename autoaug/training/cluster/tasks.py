"""What the tasks of a cluster do, in TensorFlow: see `cluster` for who they are.

Asynchronous: the chief prepares whole batches, in the order that one process would train on, and each goes to the next
worker that is free, which reads the weights once from the parameter servers and has its gradient applied there. So
every batch of the plan is trained on once, by one worker. Updates are applied under a lock, none is lost; but a
worker's gradient is that of weights which others have changed meanwhile, and moving averages of batch normalisation
written at the same time replace each other, as in the original. A step whose worker is killed is done again by another
one: then some of its updates may be applied twice.

Synchronous: every worker holds the model, takes its equal part of every batch, and applies the same mean gradient, so
that several workers compute what one computes, except that each normalises by its own part's statistics (the moving
averages are their means) and draws noise of its own.

Each worker uses one GPU, if there is any.
"""

import collections
import contextlib
import dataclasses
import io
import json
import os
import pathlib
import re
import signal
import sys
import traceback
import warnings

import numpy as np
import tensorflow as tf

from autoaug import datasets, models, recipes, training
from autoaug.training import batches as pipeline
from autoaug.training import progress
from autoaug.training.step import TrainingStep, precision_scope

_SCHEDULED = 2  # steps for each worker that are under way or wait for it


def pack(recipe, dataset, about):
    """Bytes of all that a training needs: the recipe, the training part of the data set, and `about`, a dict."""
    names = {"name": dataset.name, "class_names": dataset.class_names, "source": dataset.source}
    texts = {"recipe": dataclasses.asdict(recipe), "dataset": names, **about}
    arrays = {name: getattr(dataset, name) for name in ("train_images", "train_labels", "mean", "std")}
    buffer = io.BytesIO()
    np.savez(buffer, texts=json.dumps(texts), **arrays)
    return buffer.getvalue()


def unpack(content):
    """The recipe, the data set, without a test part, and `about`."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        texts = json.loads(str(arrays["texts"]))
        images, labels, mean, std = (arrays[name] for name in ("train_images", "train_labels", "mean", "std"))
    names = texts.pop("dataset")
    dataset = datasets.Dataset(
        names["name"], images, labels, images[:0], labels[:0], tuple(names["class_names"]), mean, std, names["source"]
    )
    return recipes.Recipe(**texts.pop("recipe")), dataset, texts


def serve(layout, job, index):
    """Be a parameter server ("ps") or a worker of an asynchronous run; never returns."""
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=_threads(layout))
    config.gpu_options.allow_growth = True
    gpus = len(tf.config.list_physical_devices("GPU"))
    if job == "ps":
        config.device_count["GPU"] = 0
    elif gpus:
        config.gpu_options.visible_device_list = str(_local(layout, index) % gpus)
    tf.distribute.Server(layout.tasks, job_name=job, task_index=index, protocol="grpc", config=config).join()


def run_chief(layout, job):
    """Train what the file `job` holds, as the chief; never returns. A failure is reported as an event."""
    warnings.showwarning = lambda message, *_: progress.event(warning=str(message))
    recipe, dataset, about = unpack(pathlib.Path(job).read_bytes())
    try:
        engine = Asynchronous(layout) if layout.update == "async" else Synchronous(layout, 0, (recipe, dataset, about))
        training.train_here(
            recipe,
            dataset,
            pathlib.Path(about["run_dir"]),
            on_epoch=lambda history: progress.event(history=history.to_dict("records")),
            engine=engine,
            show=progress.ProgressReport,
            **{name: value for name, value in about.items() if name != "run_dir"},
        )
    except SystemExit as stop:
        _exit(stop.code)
    except Exception as error:
        traceback.print_exc()
        progress.event(error=[_kind(error), _message(error)])
        _exit(1)
    _exit(0)


def _exit(status):
    """End at once: TensorFlow would wait for what is lost, and the other workers see a connection closed too early."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _kind(error):
    """The name of the error's type, or of the nearest that is not of this package or TensorFlow's."""
    return next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ in ("builtins", "autoaug.records"))


def _message(error):
    if not isinstance(error, tf.errors.OpError):
        return str(error)
    task = re.search(r"/job:\w+/replica:0/task:\d+", error.message)
    return f"the chief met an error{f' from {task[0]}' if task else ''}: {error.message.splitlines()[0]}"


class Asynchronous:
    """Computes a chief's steps on the workers, with its variables on the parameter servers."""

    share, device = (0, 1), "/job:chief"

    def __init__(self, layout):
        tf.config.set_visible_devices([], "GPU")
        resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
            tf.train.ClusterSpec(layout.tasks), task_type="chief", task_id=0, rpc_layer="grpc"
        )
        self._strategy = tf.distribute.ParameterServerStrategy(resolver)
        self._ahead = _SCHEDULED * len(layout.tasks["worker"])
        self.scope = self._strategy.scope

    def step(self, model, recipe):
        """The step that trains the model."""
        return _AsynchronousStep(model, recipe, self._strategy, self._ahead)


class _AsynchronousStep(TrainingStep):
    """A step that is done by the next worker that is free; the call returns when it is scheduled."""

    def __init__(self, model, recipe, strategy, ahead):
        super().__init__(model, recipe)
        self._coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
        self._ahead, self._under_way, self._begun = ahead, collections.deque(), False

    def __call__(self, *arguments):
        while len(self._under_way) >= self._ahead:
            self._under_way.popleft().fetch()
        self._under_way.append(self._coordinator.schedule(self._compiled, args=arguments))
        if not self._begun:
            self.wait()  # it is compiled, and what is shown of the run's speed and losses counts from here
            self._begun = True

    def wait(self):
        while self._under_way:
            self._under_way.popleft().fetch()

    def take_means(self):
        if not self.steps.numpy():
            self.wait()
        return super().take_means()


class Synchronous:
    """Computes a worker's part of every step; the chief's tells the others what to train, at its first step.

    Args:
        layout: `cluster.Layout`.
        index: the worker.
        job: what the chief trains: recipe, data set and a dict; None for another worker.
    """

    scope, device = contextlib.nullcontext, None  # each worker has variables of its own

    def __init__(self, layout, index, job=None):
        tf.config.threading.set_intra_op_parallelism_threads(_threads(layout))
        if gpus := tf.config.list_physical_devices("GPU"):
            gpu = gpus[_local(layout, index) % len(gpus)]
            tf.config.set_visible_devices([gpu], "GPU")
            tf.config.experimental.set_memory_growth(gpu, True)
        resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
            tf.train.ClusterSpec(layout.tasks), task_type="worker", task_id=index, rpc_layer="grpc",
            num_accelerators={"GPU": min(1, len(gpus))},
        )  # fmt: skip
        self._strategy = tf.distribute.MultiWorkerMirroredStrategy(resolver)
        self._job, self.share = job, (index, len(layout.tasks["worker"]))

    def step(self, model, recipe):
        """The step that trains the model."""
        return _SynchronousStep(model, recipe, self)

    def replicate(self, function):
        """The compiled function, as every worker calls it at once; `all_reduce` inside it adds up or averages."""
        return tf.function(lambda *arguments: self._strategy.run(function, args=arguments))

    def send(self, done):
        """The chief: tell the others the job and the step to begin with. The others: return what it is."""
        content = b""
        if self._job:
            recipe, dataset, about = self._job
            content = pack(recipe, dataset, about | {"done": done})
        words = np.frombuffer(content + bytes(-len(content) % 4), np.int32)
        add_up = self.replicate(lambda values: _all_reduce("SUM", values))
        length = int(add_up(tf.constant(len(words))))
        sent = add_up(tf.constant(words if self._job else np.zeros(length, np.int32)))
        return unpack(sent.numpy().tobytes())


class _SynchronousStep(TrainingStep):
    """A step whose gradient, loss, accuracy and moving averages are means over the workers."""

    def __init__(self, model, recipe, engine):
        super().__init__(model, recipe)
        self._engine, self._begun = engine, False
        self._moving = [variable.value for variable in model.non_trainable_variables]
        self._compiled = engine.replicate(self._step)

    def __call__(self, images, labels, learning_rate, noise_key):
        if not self._begun:
            if self._engine.share[0] == 0:
                self._engine.send(int(noise_key[1]))
            self.take_over()
        return super().__call__(images, labels, learning_rate, noise_key)

    def take_over(self):
        """Set every worker's state to the chief's."""
        self._begun, is_chief = True, self._engine.share[0] == 0
        add_up = self._engine.replicate(lambda values: _all_reduce("SUM", values))
        variables = [*self.weights, *self._moving, *tf.nest.flatten(self.state)]
        values = add_up([tf.convert_to_tensor(each) if is_chief else tf.zeros_like(each) for each in variables])
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    def _average(self, *measured):
        return _all_reduce("MEAN", measured)


def _all_reduce(reduction, tensors):
    here = tf.nest.map_structure(tf.identity, tensors)  # on the worker's device, where an argument is on none
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp[reduction], here)


def follow(layout, index):
    """Be a worker of a synchronous run other than the chief; never returns."""
    engine = Synchronous(layout, index)
    recipe, dataset, about = engine.send(None)
    with precision_scope(recipe):
        model = models.build_model(recipe.model, dataset.num_classes, **recipe.size)
    step = engine.step(model, recipe)
    step.take_over()
    size = len(pipeline.split(dataset, recipe, about["seed"])[0])
    done, total, steps_per_epoch = about["done"], recipe.total_steps(size), recipe.steps_per_epoch(size)
    while done < total:
        epoch, start = divmod(done, steps_per_epoch)
        for images, labels in pipeline.Batches(dataset, recipe, about["seed"], epoch, start, engine.share):
            rate = recipes.learning_rate_at(recipe.learning_rate, done + 1, total)
            step(images, labels, np.float32(rate), np.array([-about["seed"] - index, done], np.int32))
            done += 1
    signal.pause()  # until the chief, which has yet to write its last files, ends


def _threads(layout):
    """Threads of one task: of this machine's cores the worker's part; 0, all of them, where it has the host alone."""
    return max(1, len(os.sched_getaffinity(0)) // len(layout.tasks["worker"])) if layout.hosts == 1 else 0


def _local(layout, index):
    """The worker's number among those of its host."""
    return index if layout.hosts == 1 else 0
