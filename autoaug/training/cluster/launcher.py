"""Starts a cluster's processes from the process that called `train`, shows their messages, and ends them."""

import dataclasses
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

import pandas as pd

from autoaug import records
from autoaug.datasets import Dataset, LabelledImages
from autoaug.recipes import UPDATES, Recipe
from autoaug.training import interruption, progress
from autoaug.training.cluster import job_file, private_network
from autoaug.training.cluster.layout import Layout, from_environment, lay_out
from autoaug.training.cluster.messages import ERRORS, ClusterError
from autoaug.training.options import RunOptions

STARTUP_SECONDS = 300  # for every task to be reachable, once the chief is ready
_POLL_SECONDS = 0.2
_STOP_SECONDS = 120  # for the chief to end its step and write a checkpoint
_OPEN = "Whoever can connect to a worker's port can read and write files as the user who trains, without a password"


def check(recipe: Recipe, train_size: int, workers: int, update: str) -> None:
    """Raise unless `workers` can train the recipe on `train_size` images with this update on this machine.

    Raises:
        ValueError: the message names the argument.
    """
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


def train(
    recipe: Recipe,
    dataset: Dataset,
    options: RunOptions,
    test_sets: Sequence[LabelledImages] = (),
    on_epoch: Callable[[pd.DataFrame], object] | None = None,
) -> None:
    """Train in separate processes, to the end or to a signal, which then acts.

    TensorFlow's messages go to `run_dir/cluster.log`. Arguments and errors are those of `training.train`.
    """
    run_dir = options.run_dir
    layout = lay_out(from_environment()[0], options.workers, options.update)
    shut_off = _shut_off(layout, options.open_ports)
    run_dir.mkdir(parents=True, exist_ok=True)
    options = dataclasses.replace(options, run_dir=run_dir.resolve())
    with tempfile.TemporaryFile() as job, interruption.held_back() as signals:
        job.write(job_file.pack(job_file.Assignment(recipe, dataset, options, test_sets)))
        job.flush()
        orders = {"layout": dataclasses.asdict(layout), "job": job.fileno(), "startup_seconds": STARTUP_SECONDS}
        with (run_dir / "cluster.log").open("ab") as log:
            code, error = _run_supervisor(orders, shut_off, log, signals, on_epoch)
    if signals:
        interruption.act_on(signals[0])
    if code:
        kind, message = error or ("", f"the supervisor of the processes ended with exit status {code}")
        if kind in ERRORS and ERRORS[kind] is not ClusterError:
            raise ERRORS[kind](message)
        steps = records.checkpoint_steps(run_dir / records.CHECKPOINTS)
        start = f"the checkpoint of step {steps[-1]:,}" if steps else "the beginning, since there is no checkpoint yet"
        raise ClusterError(
            f"{run_dir}: {message}. The same command goes on from {start}. See cluster.log there for details."
        )


def _shut_off(layout: Layout, open_ports: bool) -> bool:
    """Whether the tasks get a private network: tasks of one host do, if the system allows it.

    Otherwise their ports are open, and a message or warning says so.

    Raises:
        ValueError: the ports would be open, and `open_ports` does not allow it.
    """
    if layout.hosts > 1:
        addresses = [address for of_role in (*layout.tasks.values(), layout.watches) for address in of_role]
        ports = sorted(int(address.rpartition(":")[2]) for address in addresses)
        print(
            f"{layout.hosts} hosts: their ports {ports[0]} to {ports[-1]} are open. {_OPEN}. In a VPC, the hosts need "
            "a security group that admits only its own members.",
            flush=True,
        )
        return False
    reason = private_network.refusal()
    if reason and not open_ports:
        raise ValueError(
            f"Expected a system that gives workers a private network, or open_ports=True (-p open_ports true). "
            f"Received: {reason}. {_OPEN}; open_ports allows this to everybody on this machine and in its network."
        )
    if reason:
        print(f"Open ports on this machine, as open_ports allows ({reason}). {_OPEN}.", flush=True)
    return not reason


def _run_supervisor(
    orders: dict[str, Any],
    shut_off: bool,
    log: IO[bytes],
    signals: Sequence[int],
    on_epoch: Callable[[pd.DataFrame], object] | None,
) -> tuple[int, tuple[str, str] | None]:
    """Start the supervisor, show its output, pass on a signal. Returns its exit status and its error.

    The supervisor ends when its standard input is closed. That happens when this process ends, for whatever reason.
    """
    read_end, write_end = os.pipe()
    command = [sys.executable, "-m", "autoaug.training.cluster.supervisor"]
    command += ["--orders", json.dumps(orders | {"messages": write_end})]
    command = private_network.command(command) if shut_off else command
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                               text=True, errors="replace", start_new_session=True,
                               pass_fds=[write_end, orders["job"]])  # fmt: skip
    os.close(write_end)
    assert process.stdin and process.stdout
    shown, deadline = _Shown(on_epoch), None
    try:
        for show, line in _lines({shown.print_text: process.stdout, shown.take_message: os.fdopen(read_end)}):
            show(line)
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


Show = Callable[[str], None]


def _lines(streams: dict[Show, Any]) -> Iterator[tuple[Show, str]]:
    """Each line as it comes, with the function that shows it; an empty line whenever none has come for a while."""
    lines: queue.Queue[tuple[Show, str]] = queue.Queue()

    def read(show: Show, stream: Any) -> None:
        try:
            with stream:
                for line in stream:
                    lines.put((show, line))
        finally:
            lines.put((show, ""))  # the end, also where reading failed

    for show, stream in streams.items():
        threading.Thread(target=read, args=(show, stream), daemon=True).start()
    are_open = len(streams)
    while are_open:
        try:
            show, line = lines.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            yield (lambda _: None), ""
            continue
        if line:
            yield show, line
        else:
            are_open -= 1


class _Shown:
    """Shows the processes' output and their messages (see `messages`): progress, history, warnings, errors."""

    def __init__(self, on_epoch: Callable[[pd.DataFrame], object] | None) -> None:
        self._on_epoch, self._done = on_epoch, 0
        self._progress: progress.Progress | None = None
        self._rows: list[dict[str, float]] = []
        self._errors: list[tuple[str, str]] = []

    def print_text(self, line: str) -> None:
        """Show a line of text."""
        print(line, end="", flush=True)

    def take_message(self, line: str) -> None:
        """Show a message."""
        match json.loads(line):
            case {"begin": [total, done, batch_size]}:
                self._progress, self._done = progress.Progress(total, done, batch_size), done
            case {"done": done, "metrics": metrics} if self._progress:
                if self._progress.advance(done - self._done):
                    self._progress.show(metrics)
                self._done = done
            case {"row": row, "rows": count}:
                self._rows.append(row)
                if self._on_epoch and len(self._rows) == count:
                    self._on_epoch(pd.DataFrame(self._rows))
            case {"warning": text}:
                warnings.warn(text, stacklevel=2)
            case {"error": [kind, message]}:
                self._errors.append((kind, message))

    def error(self) -> tuple[str, str] | None:
        """(type, message) of the most informative error, or None.

        That is the chief's own error, else the supervisor's message about a lost task, else the chief's message about
        it.
        """
        order = {ClusterError.__name__: 1} | {kind: 2 for kind in ERRORS if kind != ClusterError.__name__}
        return max(self._errors, key=lambda error: order.get(error[0], 0), default=None)

    def close(self) -> None:
        """End the progress display."""
        if self._progress:
            self._progress.close()
