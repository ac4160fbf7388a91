"""The processes of a cluster and their addresses.

update="async"   a chief, which coordinates; on every host a worker and a parameter server (on a single host: several
                 workers and one server)
update="sync"    a worker on every host; the first one is the chief
"""

import dataclasses
import json
import os
import socket
from typing import NamedTuple

_FIRST_PORT = 22220  # of a SageMaker job; host k has four ports from _FIRST_PORT + 4k


class Task(NamedTuple):
    """A process of the cluster: its role in TensorFlow's terms ("chief", "worker" or "ps"), and its number."""

    role: str
    number: int

    def __str__(self) -> str:
        return f"{'parameter server' if self.role == 'ps' else self.role} {self.number}"


@dataclasses.dataclass(frozen=True)
class Layout:
    """The addresses of a cluster.

    The chief's supervisor connects to the watch address of every other host. Nothing is sent; the connection ends when
    one of the two ends.

    Args:
        update: one of `recipes.UPDATES`.
        hosts: number of hosts.
        tasks: role → addresses, in order.
        watches: an address for every host; empty with a single host.
    """

    update: str
    hosts: int
    tasks: dict[str, list[str]]
    watches: list[str]

    @property
    def chief(self) -> Task:
        """The task that trains, writes the run's files, and reports."""
        return Task("chief" if self.update == "async" else "worker", 0)

    @property
    def workers(self) -> int:
        """Number of tasks that compute steps."""
        return len(self.tasks["worker"])

    def of_host(self, host: int) -> list[Task]:
        """The tasks of a host. Each of several hosts has one task of every role; only the first host has the chief."""
        return [
            Task(role, number)
            for role, addresses in self.tasks.items()
            for number in range(len(addresses))
            if self.hosts == 1 or number == host
        ]

    def place_on_host(self, worker: int) -> int:
        """The worker's number among the workers of its host."""
        return worker if self.hosts == 1 else 0


def from_environment() -> tuple[list[str], int]:
    """The hosts of this SageMaker job, and the position of this host; outside of a job, this machine alone.

    Raises:
        ValueError: SM_CURRENT_HOST is not in SM_HOSTS.
    """
    hosts = json.loads(os.environ.get("SM_HOSTS", "[]"))
    current = os.environ.get("SM_CURRENT_HOST")
    if len(hosts) < 2:
        return ["127.0.0.1"], 0
    if current not in hosts:
        raise ValueError(f"SM_CURRENT_HOST: expected one of SM_HOSTS, {', '.join(hosts)}. Received: {current!r}")
    return hosts, hosts.index(current)


def lay_out(hosts: list[str], workers: int, update: str) -> Layout:
    """The layout for asynchronous workers on this host; with several hosts, for one worker on each host."""
    if len(hosts) == 1:
        counts = {"ps": 1, "worker": workers, "chief": 1}
        return Layout(update, 1, {role: _free_addresses(count) for role, count in counts.items()}, [])
    ps, worker, watch, chief = (
        [f"{host}:{_FIRST_PORT + 4 * number + offset}" for number, host in enumerate(hosts)] for offset in range(4)
    )
    tasks = {"ps": ps, "worker": worker, "chief": chief[:1]} if update == "async" else {"worker": worker}
    return Layout(update, len(hosts), tasks, watch)


def _free_addresses(count: int) -> list[str]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{server.getsockname()[1]}" for server in sockets]
    for server in sockets:
        server.close()
    return addresses
