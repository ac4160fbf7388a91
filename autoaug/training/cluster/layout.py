"""Who the processes of a cluster are, and where.

update="async"   a coordinator, which is the chief; a worker and a parameter server on every host (on one host alone:
                 several workers and one server)
update="sync"    a worker on every host, of which the first is the chief
"""

import dataclasses
import json
import os
import socket
from typing import NamedTuple

_FIRST_PORT = 22220  # of a SageMaker job; host k has four from _FIRST_PORT + 4k


class Task(NamedTuple):
    """A process of the cluster: its role in TensorFlow's words, "chief", "worker" or "ps", and its number there."""

    role: str
    number: int

    def __str__(self) -> str:
        return f"{'parameter server' if self.role == 'ps' else self.role} {self.number}"


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where everything is.

    A supervisor listens on its host's watch address for the chief's, which says nothing: the connection ends with it.

    Args:
        update: one of `recipes.UPDATES`.
        hosts: how many.
        tasks: role → addresses, in order.
        watches: an address for every host; empty where there is one.
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
        """How many compute steps."""
        return len(self.tasks["worker"])

    def of_host(self, host: int) -> list[Task]:
        """The tasks of a host. Of several hosts each has one of every role, the chief its first."""
        return [
            Task(role, number)
            for role, addresses in self.tasks.items()
            for number in range(len(addresses))
            if self.hosts == 1 or number == host
        ]

    def place_on_host(self, worker: int) -> int:
        """The worker's number among those of its host."""
        return worker if self.hosts == 1 else 0


def from_environment() -> tuple[list[str], int]:
    """The hosts of the SageMaker job that this process is in, and the position of its own; outside of one, itself.

    Raises:
        ValueError: SM_CURRENT_HOST is none of SM_HOSTS.
    """
    hosts = json.loads(os.environ.get("SM_HOSTS", "[]"))
    current = os.environ.get("SM_CURRENT_HOST")
    if len(hosts) < 2:
        return ["127.0.0.1"], 0
    if current not in hosts:
        raise ValueError(f"SM_CURRENT_HOST: expected one of SM_HOSTS, {', '.join(hosts)}. Received: {current!r}")
    return hosts, hosts.index(current)


def lay_out(hosts: list[str], workers: int, update: str) -> Layout:
    """The layout for asynchronous workers on this host, or, where there are several, for one worker on each of them."""
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
