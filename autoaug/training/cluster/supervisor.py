"""The process that starts the tasks of one host, watches them, and ends them.

It imports TensorFlow, which takes seconds, and forks the tasks before TensorFlow has computed anything. Every host of a
SageMaker job except the first runs:

    python -m autoaug.training.cluster.supervisor --update async
"""

import argparse
import collections
import contextlib
import enum
import json
import multiprocessing
import multiprocessing.process
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Collection, Sequence
from multiprocessing import connection

from autoaug.recipes import UPDATES
from autoaug.training.cluster import tasks
from autoaug.training.cluster.layout import Layout, Task, from_environment, lay_out
from autoaug.training.cluster.messages import ClusterError, Messages

HOST_SECONDS = 1800  # to wait for the chief's connection; the chief loads the data first
RESTARTS = 3  # of each worker, in an asynchronous run
_POLL_SECONDS = 0.2


def supervise(
    layout: Layout, host: int, startup_seconds: float, messages: Messages, job: str | os.PathLike[str] = ""
) -> int:
    """Run a host's tasks until the chief is done. Returns an exit status.

    Args:
        layout: of the cluster.
        host: position of this host; 0 has the chief.
        startup_seconds: time for all tasks to be reachable; on other hosts than the first, for the chief to connect.
        messages: to the process that shows the run.
        job: the file that tells the chief what to train.
    """
    processes = _Processes(layout, host, messages, job)
    others = _Others(layout, host, startup_seconds)
    signal.signal(signal.SIGTERM, lambda *_: processes.stop_chief())
    try:
        for task in layout.of_host(host):
            processes.start(task)
        while True:
            parent = [sys.stdin.fileno()] if host == 0 else []
            ready = connection.wait([*processes.sentinels(), *others.connections, *parent], _POLL_SECONDS)
            if host == 0 and sys.stdin.fileno() in ready:
                return 1  # the process that started this one has ended
            for name in others.gone(ready):
                if host != 0:
                    print("The chief has ended.", flush=True)
                    return 0
                raise ClusterError(f"host {name} is gone")
            status = processes.react()
            if status is not None:
                return status
            others.await_startup()
    except ClusterError as error:
        messages.send(error=[ClusterError.__name__, str(error)])
        return 1
    finally:
        processes.kill()


class _Outcome(enum.Enum):
    """The meaning of the end of a task's process."""

    RUN_ENDED = enum.auto()  # the chief has ended as it should: the run is trained, or stopped as asked
    CHIEF_FAILED = enum.auto()  # the chief has sent the reason
    CHIEF_KILLED = enum.auto()
    TASK_LOST = enum.auto()  # a task that the others need
    WORKER_LOST = enum.auto()  # an asynchronous worker, which is started again
    WORKER_GIVEN_UP = enum.auto()  # an asynchronous worker that has been started again often enough


class _Processes:
    """The processes of this host's tasks."""

    def __init__(self, layout: Layout, host: int, messages: Messages, job: str | os.PathLike[str]) -> None:
        self._layout, self._messages, self._job = layout, messages, job
        self._chief = layout.chief if host == 0 else None
        self._processes: dict[Task, multiprocessing.process.BaseProcess] = {}
        self._restarts: collections.Counter[Task] = collections.Counter()
        self._stopping = False
        self._read_end, self._write_end = os.pipe()  # closed when this process ends, which ends the tasks

    def start(self, task: Task) -> None:
        """Fork the process of a task."""
        sys.stdout.flush()
        fork = multiprocessing.get_context("fork")
        self._processes[task] = fork.Process(target=self._run, args=(task,), daemon=True)
        self._processes[task].start()
        print(f"{task}: process {self._processes[task].pid}", file=sys.stderr, flush=True)

    def _run(self, task: Task) -> None:
        """Run the task; called in its process."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.close(self._write_end)
        threading.Thread(target=lambda: os.read(self._read_end, 1) or os._exit(1), daemon=True).start()
        if task == self._chief:
            tasks.run_chief(self._layout, self._job, self._messages)
        elif self._layout.update == "async":
            tasks.serve(self._layout, task)
        else:
            tasks.follow(self._layout, task.number)

    def sentinels(self) -> list[int]:
        """Objects to wait for; one becomes ready when a process ends."""
        return [process.sentinel for process in self._processes.values()]

    def react(self) -> int | None:
        """React to the end of a process. Returns an exit status if the chief has ended, else None.

        Raises:
            ClusterError: the other tasks need it.
        """
        for task, code in self._ended():
            how = f"exit status {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
            match self._outcome(task, code):
                case _Outcome.RUN_ENDED | _Outcome.CHIEF_FAILED:
                    return abs(code)
                case _Outcome.CHIEF_KILLED:
                    raise ClusterError(f"the chief ended ({how})")
                case _Outcome.TASK_LOST:
                    raise ClusterError(f"{task} ended ({how}), and the others cannot go on without it")
                case _Outcome.WORKER_LOST:
                    warning = f"{task} ended ({how}). It is started again; meanwhile the others go on."
                    self._messages.send(warning=warning)
                    self._restarts[task] += 1
                    self.start(task)
                case _Outcome.WORKER_GIVEN_UP:
                    warning = f"{task} ended ({how}), for the {RESTARTS + 1}th time. The others go on without it."
                    self._messages.send(warning=warning)
                    del self._processes[task]
                    if self._layout.hosts == 1 and not any(left.role == "worker" for left in self._processes):
                        raise ClusterError("no worker is left")
        return None

    def _outcome(self, task: Task, code: int) -> _Outcome:
        """The meaning of the end of a task's process with this exit code; it is negative if a signal killed it."""
        if task == self._chief:
            if code == 0 or self._stopping:
                return _Outcome.RUN_ENDED
            return _Outcome.CHIEF_KILLED if code < 0 else _Outcome.CHIEF_FAILED
        if task.role != "worker" or self._layout.update == "sync":
            return _Outcome.TASK_LOST
        return _Outcome.WORKER_LOST if self._restarts[task] < RESTARTS else _Outcome.WORKER_GIVEN_UP

    def _ended(self) -> list[tuple[Task, int]]:
        """Tasks whose processes have ended, with their exit codes.

        If the run has ended, the chief comes first, since then the other tasks may end in any way. Otherwise the chief
        comes last, since it may have failed because another task has ended; there is a second to see that end.
        """
        chief, ended = self._chief, self._exit_codes()
        if chief is None:
            return list(ended.items())
        if ended.get(chief, 0) > 0 and not self._stopping:
            time.sleep(1)
            ended = self._exit_codes()
        if chief in ended and self._outcome(chief, ended[chief]) is _Outcome.RUN_ENDED:
            return [(chief, ended[chief])]
        return sorted(ended.items(), key=lambda item: item[0] == chief)

    def _exit_codes(self) -> dict[Task, int]:
        """Exit codes of the processes that have ended, by task."""
        return {task: process.exitcode for task, process in self._processes.items() if process.exitcode is not None}

    def stop_chief(self) -> None:
        """Let the chief end its step and write a checkpoint."""
        self._stopping = True
        if self._chief and (pid := self._processes[self._chief].pid):
            os.kill(pid, signal.SIGTERM)

    def kill(self) -> None:
        """End all."""
        for process in self._processes.values():
            process.kill()
            process.join()


class _Others:
    """The other hosts, and during the start also the addresses that are not reachable yet.

    The chief's supervisor keeps a connection to every other host's supervisor. Nothing is sent; the connection ends
    when one of the two ends.
    """

    def __init__(self, layout: Layout, host: int, startup_seconds: float) -> None:
        self._seconds, self._deadline = startup_seconds, time.monotonic() + startup_seconds
        self.connections: dict[socket.socket, str] = {}
        self._missing: dict[Task, str] = {}
        self._listener: socket.socket | None = None
        if host == 0:
            for role, addresses in (layout.tasks | {"host": layout.watches}).items():
                self._missing |= {Task(role, number): address for number, address in enumerate(addresses)}
            for own in (Task("chief", 0), Task("host", 0)):  # of this host, which needs no check
                self._missing.pop(own, None)
        else:
            self._listener = socket.create_server(("", int(layout.watches[host].rpartition(":")[2])))
            self._listener.settimeout(0)

    def await_startup(self) -> None:
        """Check again whether the missing addresses are reachable.

        Raises:
            ClusterError: some have been missing for too long.
        """
        if self._listener:
            with contextlib.suppress(BlockingIOError):
                caller, _ = self._listener.accept()
                self.connections[_kept_alive(caller)] = "of the chief"
                self._listener.close()
                self._listener = None
        for task, address in list(self._missing.items()):
            host, _, port = address.rpartition(":")
            with contextlib.suppress(OSError):
                reached = socket.create_connection((host, int(port)), timeout=1)
                del self._missing[task]
                if task.role == "host":
                    self.connections[_kept_alive(reached)] = host
                else:
                    reached.close()
        if (self._missing or self._listener) and time.monotonic() > self._deadline:
            names = [f"{task} at {address}" for task, address in self._missing.items()] or ["the chief"]
            raise ClusterError(f"Expected an answer within {self._seconds} s. Received: none from {', '.join(names)}")

    def gone(self, ready: Collection[object]) -> list[str]:
        """Names of the hosts whose connection has ended, from the objects that are ready."""
        return [name for host, name in self.connections.items() if host in ready]


def _kept_alive(connected: socket.socket) -> socket.socket:
    """The socket, set so that it notices within half a minute if the other side has disappeared."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return connected


def main(arguments: Sequence[str] | None = None) -> int:
    """The command of the other hosts of a SageMaker job; with --orders, the command that the launcher starts."""
    parser = argparse.ArgumentParser(prog="python -m autoaug.training.cluster.supervisor", description=main.__doc__)
    parser.add_argument("--update", choices=UPDATES, default="async", help="as the chief's")
    parser.add_argument("--orders", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.orders:
        orders = given.orders
        layout, messages = Layout(**orders["layout"]), Messages(orders["messages"])
        return supervise(layout, 0, orders["startup_seconds"], messages, f"/dev/fd/{orders['job']}")
    hosts, host = from_environment()
    if host == 0:
        parser.error(f"Expected a host of SM_HOSTS after the first, which is the chief. Received: {hosts[host]}")
    return supervise(lay_out(hosts, len(hosts), given.update), host, HOST_SECONDS, Messages())


if __name__ == "__main__":
    sys.exit(main())
