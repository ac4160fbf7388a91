"""Several hosts train one model: a worker and a parameter server on each, all of them TensorFlow's own.

Asynchronous, as in the original. The chief is the process that calls `train` on the first host. It prepares the batches
in the order in which one process would train on them, and gives each to the next free worker. The worker reads the
weights from the parameter servers, and they apply its gradient. So every batch is trained on once. An update is applied
under a lock, but others may have changed the weights since its gradient was begun, and moving averages of batch
normalisation that are written at the same time overwrite each other, as in the original.

TensorFlow's `ClusterCoordinator` gives the step of a lost worker to another one; its host starts a new worker. A lost
chief or parameter server ends the run, and the next one goes on from the checkpoint.

Every host of the job but the first runs `python -m autoaug.training.servers`; the first one does so by itself.
`docs/workers.md` says what the ports grant to those who reach them.
"""

import collections
import contextlib
import json
import multiprocessing
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from multiprocessing.process import BaseProcess
from typing import Any, NoReturn

import keras
import tensorflow as tf

from autoaug.recipes import Recipe
from autoaug.training.step import Engine, TrainingStep

FIRST_PORT = 22220  # host k has three ports from FIRST_PORT + 3k, since several may be on one machine
CHIEF_SECONDS = 1800  # for the chief to come up; it loads the data first
SERVER_SECONDS = 300  # for all servers to come up, once the chief has
RESTARTS = 3  # of a host's worker
_MISSES = 1  # answers of the chief in a row that a host does without
_SCHEDULED = 2  # steps for each worker that are running or waiting


class ServersError(RuntimeError):
    """A host did not come up, or a process ended that the others need."""


def from_environment() -> tuple[list[str], int]:
    """The hosts of this SageMaker job, and the position of this host; outside of a job, this machine alone."""
    hosts = json.loads(os.environ.get("SM_HOSTS", "[]"))
    current = os.environ.get("SM_CURRENT_HOST")
    if len(hosts) < 2:
        return ["127.0.0.1"], 0
    if current not in hosts:
        raise ValueError(f"SM_CURRENT_HOST: expected one of SM_HOSTS, {', '.join(hosts)}. Received: {current!r}")
    return hosts, hosts.index(current)


def addresses(hosts: Sequence[str]) -> dict[str, list[str]]:
    """The addresses of the processes, by their role in TensorFlow's terms."""
    ps, worker, chief = (
        [f"{host}:{FIRST_PORT + 3 * number + offset}" for number, host in enumerate(hosts)] for offset in range(3)
    )
    return {"ps": ps, "worker": worker, "chief": chief[:1]}


class _ScheduledStep(TrainingStep):
    """A step that the next free worker computes; the call returns when the step is scheduled."""

    def __init__(self, model: keras.Model, recipe: Recipe, seed: int) -> None:
        super().__init__(model, recipe, seed)
        self._coordinator = tf.distribute.coordinator.ClusterCoordinator(tf.distribute.get_strategy())
        self._ahead, self._begun = _SCHEDULED * len(from_environment()[0]), False
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
        if not self.sums.numpy()[-1]:
            self.wait()
        return super().take_means()


class Servers(Engine):
    """Computes the steps of the chief, this process, on the workers; the variables are on the parameter servers.

    Args:
        hosts: of the job, this one first; a ServersError names those whose servers do not come up.
    """

    step = _ScheduledStep
    io_device = "/job:chief/replica:0/task:0/device:CPU:0"  # whole, or parts of a variable's own device are kept

    def __init__(self, hosts: Sequence[str]) -> None:
        cluster, self.turns = addresses(hosts), len(hosts)
        print(
            f"{len(hosts)} hosts: their ports {FIRST_PORT} to {FIRST_PORT + 3 * len(hosts) - 1} are open. Whoever can "
            "connect to one can read and write files and run code as the user who trains. docs/workers.md says more.",
            flush=True,
        )
        # In a session of its own, which a terminal's Ctrl-C does not reach.
        subprocess.Popen([sys.executable, "-m", "autoaug.training.servers"], start_new_session=True)
        _await_servers([*cluster["ps"], *cluster["worker"]])
        resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
            tf.train.ClusterSpec(cluster), task_type="chief", task_id=0, rpc_layer="grpc"
        )
        self.scope = tf.distribute.ParameterServerStrategy(resolver).scope


@contextlib.contextmanager
def losses_named(run_dir: str | os.PathLike[str]) -> Iterator[None]:
    """In this context, TensorFlow's error about a lost process becomes a ServersError, which says how to go on."""
    try:
        yield
    except tf.errors.OpError as error:
        if not (task := re.search(r"/job:(ps|worker)/replica:0/task:(\d+)", error.message)):
            raise
        lost, said = "parameter server" if task[1] == "ps" else "worker", error.message.splitlines()[0][:300]
        raise ServersError(
            f"{run_dir}: {lost} {task[2]} is lost, and the others cannot go on without it. The same command goes on "
            f"from the newest checkpoint. TensorFlow says: {said}"
        ) from error


def _await_servers(wanted: Sequence[str]) -> None:
    """Return when every address answers."""
    missing, deadline = list(wanted), time.monotonic() + SERVER_SECONDS
    while missing := [address for address in missing if not _answers(address)]:
        if time.monotonic() > deadline:
            expected = f"Expected an answer of every host within {SERVER_SECONDS} s"
            raise ServersError(f"{expected}. Received: none from {', '.join(missing)}")
        time.sleep(0.5)


def _answers(address: str) -> bool:
    """Whether a process listens at the address."""
    host, _, port = address.rpartition(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=10):
        return True
    return False


def _start(role: str, number: int, cluster: dict[str, list[str]], alive: tuple[int, int]) -> BaseProcess:
    """Fork the process of a server from this one, which has imported TensorFlow, but computed nothing."""
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(role, number, cluster, alive))
    process.daemon = True
    process.start()
    return process


def _serve(role: str, number: int, cluster: dict[str, list[str]], alive: tuple[int, int]) -> NoReturn:
    """Run a server until the process that has started it ends, for whatever reason: then its pipe is closed."""
    read_end, write_end = alive
    os.close(write_end)
    threading.Thread(target=lambda: os.read(read_end, 1) or os._exit(1), daemon=True).start()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    config = tf.compat.v1.ConfigProto()
    if role == "ps":
        config.device_count["GPU"] = 0
    tf.distribute.Server(cluster, job_name=role, task_index=number, config=config).join()
    sys.exit(1)


def main() -> int:
    """Run this host's servers until the chief ends. Returns an exit status: 1 if one of them is lost for good."""
    hosts, number = from_environment()
    cluster, alive, parent = addresses(hosts), os.pipe(), os.getppid()
    servers = {role: _start(role, number, cluster, alive) for role in ("ps", "worker")}
    deadline, has_met_chief, missed, restarts = time.monotonic() + CHIEF_SECONDS, False, 0, 0
    while True:
        time.sleep(0.5)
        for role, server in servers.items():
            if not server.is_alive():
                print(f"Host {hosts[number]}: the {role} ended (exit code {server.exitcode}).", flush=True)
                if role == "ps" or restarts == RESTARTS:
                    return 1
                restarts += 1
                servers[role] = _start(role, number, cluster, alive)
        missed = 0 if _answers(cluster["chief"][0]) else missed + 1
        has_met_chief |= not missed
        is_over = missed > _MISSES if has_met_chief else time.monotonic() > deadline
        if is_over or (missed and number == 0 and os.getppid() != parent):
            print(f"Host {hosts[number]}: the chief {'has ended' if has_met_chief else 'has not come'}.", flush=True)
            return 0 if has_met_chief else 1


if __name__ == "__main__":
    sys.exit(main())
