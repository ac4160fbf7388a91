"""The process that starts the tasks of one host, watches them, and ends them.

It imports TensorFlow, which takes seconds, and forks the tasks before TensorFlow has done anything.
"""

import collections
import contextlib
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from multiprocessing import connection

from autoaug.training.cluster import tasks
from autoaug.training.progress import event

RESTARTS = 3  # of each worker, in an asynchronous run
_POLL_SECONDS = 0.2


def supervise(layout, host, startup_seconds, job=None):
    """Run a host's tasks until the chief is done. Returns an exit status.

    Args:
        layout: `cluster.Layout`.
        host: position of this host; 0 has the chief.
        startup_seconds: for all tasks to be reachable, or, on a host after the first, for the chief to call.
        job: the chief's file of what to train.
    """
    tasks = _Tasks(layout, host, job)
    others = _Others(layout, host, startup_seconds)
    signal.signal(signal.SIGTERM, lambda *_: tasks.stop_chief())
    try:
        for task in layout.of_host(host):
            tasks.start(task)
        while True:
            watched = [*tasks.sentinels(), *others.connections, *([sys.stdin.fileno()] if host == 0 else [])]
            ready = connection.wait(watched, _POLL_SECONDS)
            if host == 0 and sys.stdin.fileno() in ready:
                return 1  # the process that started this one has ended
            for gone in others.gone(ready):
                if host != 0:
                    print("The chief has ended.", flush=True)
                    return 0
                raise _CannotGoOnError(f"host {gone} is gone")
            status = tasks.react()
            if status is not None:
                return status
            others.await_startup()
    except _CannotGoOnError as error:
        event(error=["ClusterError", str(error)])
        return 1
    finally:
        tasks.kill()


class _CannotGoOnError(Exception):
    """The cluster has lost, or never had, something without which it cannot train."""


class _Tasks:
    """The processes of this host's tasks."""

    def __init__(self, layout, host, job):
        self._layout, self._host, self._job = layout, host, job
        self._chief = ("chief" if layout.update == "async" else "worker", 0) if host == 0 else None
        self._processes, self._restarts, self._stopping = {}, collections.Counter(), False
        self._read_end, self._write_end = os.pipe()  # closed when this process ends, which ends the tasks

    def start(self, task):
        """Fork the process of a task, a (job, index) pair."""
        sys.stdout.flush()
        fork = multiprocessing.get_context("fork")
        self._processes[task] = fork.Process(target=self._run, args=(task,), daemon=True)
        self._processes[task].start()
        print(f"{_name(task)}: process {self._processes[task].pid}", file=sys.stderr, flush=True)

    def _run(self, task):
        """In the task's process: do what it does."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.close(self._write_end)
        threading.Thread(target=lambda: os.read(self._read_end, 1) or os._exit(1), daemon=True).start()
        if task == self._chief:
            tasks.run_chief(self._layout, self._job)
        elif self._layout.update == "async":
            tasks.serve(self._layout, *task)
        else:
            tasks.follow(self._layout, task[1])

    def sentinels(self):
        """What is ready once a process has ended."""
        return [process.sentinel for process in self._processes.values()]

    def react(self):
        """Do what the end of a process asks for. Returns an exit status when the chief has ended, else None.

        Raises:
            _CannotGoOnError: without it the others cannot.
        """
        ended = self._ended()
        if ended.get(self._chief, 0) > 0 and not self._stopping:
            time.sleep(1)  # what the chief has lost may take longer to end than it
            ended = self._ended()
        if ended.get(self._chief) == 0 or (self._stopping and self._chief in ended):
            return abs(ended[self._chief])
        for task in sorted(ended, key=lambda each: each == self._chief):  # others' ends before the chief's of them
            code, name = ended[task], _name(task)
            how = f"exit status {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
            if task == self._chief:
                if code < 0:
                    raise _CannotGoOnError(f"the chief ended ({how})")
                return code
            if task[0] != "worker" or self._layout.update == "sync":
                raise _CannotGoOnError(f"{name} ended ({how}), without which the others cannot go on")
            del self._processes[task]
            self._restarts[task] += 1
            if self._restarts[task] <= RESTARTS:
                event(warning=f"{name} ended ({how}). It is started again; meanwhile the others go on.")
                self.start(task)
            else:
                event(warning=f"{name} ended ({how}), for the {RESTARTS + 1}th time. The others go on without it.")
                if self._layout.hosts == 1 and not any(job == "worker" for job, _ in self._processes):
                    raise _CannotGoOnError("no worker is left")
        return None

    def _ended(self):
        """Exit statuses of the processes that have ended, by task."""
        return {task: process.exitcode for task, process in self._processes.items() if process.exitcode is not None}

    def stop_chief(self):
        """Let the chief end its step and write a checkpoint."""
        self._stopping = True
        if self._chief:
            os.kill(self._processes[self._chief].pid, signal.SIGTERM)

    def kill(self):
        """End all."""
        for process in self._processes.values():
            process.kill()
            process.join()


class _Others:
    """The other hosts and, until all is up, the addresses that are not reachable yet.

    The chief's supervisor keeps a connection to every other host's, on which nothing is said: it ends when one does.
    """

    def __init__(self, layout, host, startup_seconds):
        self._is_chief, self._seconds = host == 0, startup_seconds
        self._deadline = time.monotonic() + startup_seconds
        self.connections, self._missing, self._listener = {}, {}, None
        if self._is_chief:
            servers = [task for task in layout.tasks if task != "chief"]
            self._missing = {(job, i): layout.tasks[job][i] for job in servers for i in range(len(layout.tasks[job]))}
            self._missing |= {("host", k): address for k, address in enumerate(layout.watches) if k > 0}
        else:
            self._listener = socket.create_server(("", int(layout.watches[host].rpartition(":")[2])))
            self._listener.settimeout(0)

    def await_startup(self):
        """Look again for what is missing.

        Raises:
            _CannotGoOnError: it has been for too long.
        """
        if self._listener:
            with contextlib.suppress(BlockingIOError):
                caller, _ = self._listener.accept()
                self.connections[_kept_alive(caller)] = "of the chief"
                self._listener.close()
                self._listener = None
        for (job, i), address in list(self._missing.items()):
            host, _, port = address.rpartition(":")
            with contextlib.suppress(OSError):
                reached = socket.create_connection((host, int(port)), timeout=1)
                del self._missing[job, i]
                if job == "host":
                    self.connections[_kept_alive(reached)] = host
                else:
                    reached.close()
        if (self._missing or self._listener) and time.monotonic() > self._deadline:
            names = [f"{_name(task)} at {address}" for task, address in self._missing.items()] or ["the chief"]
            raise _CannotGoOnError(
                f"expected an answer within {self._seconds} s. Received: none from {', '.join(names)}"
            )

    def gone(self, ready):
        """Names of the hosts whose connection has ended, among what is ready."""
        return [name for each, name in self.connections.items() if each in ready]


def _kept_alive(connected):
    """The socket, which notices within half a minute that the other side is not there any more."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return connected


def _name(task):
    """A task in words."""
    return f"{ {'ps': 'parameter server'}.get(task[0], task[0]) } {task[1]}"
