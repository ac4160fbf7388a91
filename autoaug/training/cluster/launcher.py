"""Several workers: who they are, the processes of this host, and their end.

Locally, `train` starts workers as processes on 127.0.0.1. In a SageMaker job with several hosts, the chief's notebook
calls `train`, and every other host runs `python -m autoaug.training.cluster.launcher`. Either way one process on each
host, the supervisor, imports TensorFlow once, forks the host's tasks, and watches them (`supervisor`):

    update="async"   a coordinator, which is the chief; a worker and a parameter server a host (locally: one server)
    update="sync"    workers only, of which the first is the chief

A supervisor's tasks end with it, whatever ends it; it ends with the process that started it, or with the chief. What
the tasks say to each other is TensorFlow's own protocol: gRPC, unencrypted, on ports that are open to the network.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings

import pandas as pd

from autoaug import records
from autoaug.training import interruption, progress

UPDATES = ("async", "sync")
STARTUP_SECONDS = 300  # for every task to be reachable, once the chief is ready
HOST_SECONDS = 1800  # for the chief to be ready, which loads the data first
_POLL_SECONDS = 0.2
_STOP_SECONDS = 120  # for the chief to end its step and write a checkpoint
_FIRST_PORT = 22220  # of a SageMaker job; host k has four from _FIRST_PORT + 4k
_RAISED = {each.__name__: each for each in (ValueError, FloatingPointError, OSError, records.RecordError)}


class ClusterError(RuntimeError):
    """A worker did not come up, or a process ended without which the others cannot go on."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where everything is: `hosts` many; `tasks`: job → addresses, in order; `watches`: an address for each host.

    A supervisor listens on its host's watch address for the chief's, which says nothing: the connection ends with it.
    """

    update: str
    hosts: int
    tasks: dict
    watches: list

    def of_host(self, host):
        """The tasks of a host: (job, index) pairs. Of several hosts each has one of every job, the chief its first."""
        return [(job, i) for job, them in self.tasks.items() for i in range(len(them)) if self.hosts == 1 or i == host]


def check(recipe, train_size, workers, update):
    """Raise a ValueError unless `workers` can train the recipe on so many images with this update, here."""
    if not isinstance(workers, int) or isinstance(workers, bool) or workers < 1:
        raise ValueError(f"Expected workers, an integer of at least 1. Received: workers={workers!r}")
    if update not in UPDATES:
        raise ValueError(f"Expected update, one of {', '.join(UPDATES)}. Received: update={update!r}")
    recipe.total_steps(train_size, workers if update == "async" else 1)
    if workers > 1 and recipe.xla:
        raise ValueError(f"Expected xla=False with several workers. Received: xla=True, workers={workers}")
    if update == "sync" and recipe.batch_size % workers:
        raise ValueError(
            "Expected a batch_size that the workers can share equally. "
            f"Received: batch_size={recipe.batch_size}, workers={workers}"
        )
    hosts, host = from_environment()
    if len(hosts) > 1 and (workers != len(hosts) or host != 0):
        raise ValueError(
            f"Expected workers={len(hosts)}, one on each host of SM_HOSTS, and the first host to train. "
            f"Received: workers={workers} on host {hosts[host]}"
        )


def from_environment():
    """The hosts of the SageMaker job that this process is in, and the position of its own; outside of one, itself."""
    hosts = json.loads(os.environ.get("SM_HOSTS", "[]"))
    current = os.environ.get("SM_CURRENT_HOST")
    if len(hosts) < 2:
        return ["127.0.0.1"], 0
    if current not in hosts:
        raise ValueError(f"SM_CURRENT_HOST: expected one of SM_HOSTS, {', '.join(hosts)}. Received: {current!r}")
    return hosts, hosts.index(current)


def layout(hosts, workers, update):
    """The `Layout` for workers on this host, or, where there are several, for one worker on each of them."""
    if len(hosts) == 1:
        servers = {"async": {"ps": 1, "worker": workers, "chief": 1}, "sync": {"worker": workers}}[update]
        return Layout(update, 1, {job: _free_addresses(count) for job, count in servers.items()}, [])
    ps, worker, watch, chief = ([f"{h}:{_FIRST_PORT + 4 * k + i}" for k, h in enumerate(hosts)] for i in range(4))
    tasks = {"ps": ps, "worker": worker, "chief": chief[:1]} if update == "async" else {"worker": worker}
    return Layout(update, len(hosts), tasks, watch)


def _free_addresses(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    return addresses


def train(recipe, dataset, run_dir, seed, checkpoint_epochs, checkpoint_minutes, on_epoch, workers, update):
    """Train in processes of their own to the end, or to a signal, which is then acted on; as `training.train`.

    What TensorFlow says of errors is in `run_dir/cluster.log`.
    """
    from autoaug.training.cluster import (
        tasks,  # with TensorFlow, which a caller of `from_environment` need not wait for
    )

    intervals = {"checkpoint_epochs": checkpoint_epochs, "checkpoint_minutes": checkpoint_minutes}
    about = {"run_dir": str(run_dir.resolve()), "seed": seed, "workers": workers, "update": update, **intervals}
    run_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, interruption.held_back() as signals:
        job = pathlib.Path(folder) / "job.npz"
        job.write_bytes(tasks.pack(recipe, dataset, about))
        where = dataclasses.asdict(layout(from_environment()[0], workers, update))
        options = {"layout": where, "job": str(job), "startup_seconds": STARTUP_SECONDS}
        with (run_dir / "cluster.log").open("ab") as log:
            code, error = _run_supervisor(options, log, signals, on_epoch)
    if signals:
        interruption.act_on(signals[0])
    if code:
        kind, message = error or (None, f"the supervisor of the processes ended with exit status {code}")
        if kind in _RAISED:
            raise _RAISED[kind](message)
        raise ClusterError(f"{run_dir}: {message}. The same command goes on from {_newest_checkpoint(run_dir)}. "
                           "More is in cluster.log there.")  # fmt: skip


def _newest_checkpoint(run_dir):
    steps = sorted(int(path.stem.removeprefix("step-")) for path in (run_dir / "checkpoints").glob("step-*.index"))
    return f"the checkpoint of step {steps[-1]:,}" if steps else "the beginning, since there is no checkpoint yet"


def _run_supervisor(options, log, signals, on_epoch):
    """Start the supervisor, show what it says, pass a signal on. Returns its exit status and what it says of an error.

    It ends when its standard input is closed, as that is when this process ends, whatever ends it.
    """
    command = [sys.executable, "-m", "autoaug.training.cluster.launcher", "--options", json.dumps(options)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                               start_new_session=True)  # fmt: skip
    shown, deadline = _Shown(on_epoch), None
    try:
        for line in _lines(process.stdout):
            if line:
                shown(line)
            if signals and not deadline:
                process.send_signal(signal.SIGTERM)
                deadline = time.monotonic() + _STOP_SECONDS
            if deadline and time.monotonic() > deadline:
                break
        if not deadline:
            process.wait()
    finally:
        shown.close()
        process.stdin.close()
        process.kill()
        process.wait()
    return process.returncode, shown.error()


def _lines(stream):
    """The stream's lines as they come, and an empty one whenever none has come for a while."""
    lines = queue.Queue()

    def read():
        with stream:
            for line in stream:
                lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            line = ""
        if line is None:
            return
        yield line


class _Shown:
    """Shows what the processes print and report (`progress.event`): text, progress, history, warnings."""

    def __init__(self, on_epoch):
        self._on_epoch, self._progress, self._done, self._errors = on_epoch, None, 0, []

    def __call__(self, line):
        """Show one line."""
        if not line.startswith('{"'):
            print(line, end="", flush=True)
            return
        match json.loads(line):
            case {"begin": [total, done, batch_size]}:
                self._progress, self._done = progress.Progress(total, done, batch_size), done
            case {"done": done, "metrics": metrics}:
                if self._progress.advance(done - self._done):
                    self._progress.show(metrics)
                self._done = done
            case {"history": rows}:
                if self._on_epoch:
                    self._on_epoch(pd.DataFrame(rows))
            case {"warning": text}:
                warnings.warn(text, stacklevel=2)
            case {"error": [kind, message]}:
                self._errors.append((kind, message))

    def error(self):
        """(type, message) of the error that tells most, or None.

        That is the chief's own, else what the supervisor says of a lost task, else what the chief says of it.
        """
        return max(self._errors, key=lambda each: (each[0] in _RAISED, each[0] == ClusterError.__name__), default=None)

    def close(self):
        """End the progress display."""
        if self._progress:
            self._progress.close()


def main(arguments=None):
    """What the other hosts of a SageMaker job run, and, with --options, what `train` runs."""
    from autoaug.training.cluster import supervisor

    parser = argparse.ArgumentParser(prog="python -m autoaug.training.cluster.launcher", description=main.__doc__)
    parser.add_argument("--update", choices=UPDATES, default="async", help="as the chief's")
    parser.add_argument("--options", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.options:
        where = Layout(**given.options["layout"])
        return supervisor.supervise(where, 0, given.options["startup_seconds"], given.options["job"])
    hosts, host = from_environment()
    if host == 0:
        parser.error(f"Expected a host of SM_HOSTS after the first, which is the chief. Received: {hosts[host]}")
    return supervisor.supervise(layout(hosts, len(hosts), given.update), host, HOST_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
