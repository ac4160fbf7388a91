"""How notebooks are executed: by this environment's Python, with sockets in a private folder, passing on signals."""

import asyncio
import contextlib
import logging
import os
import pathlib
import signal
import sys
import tempfile
from collections.abc import Iterator
from typing import IO, Any

import ipykernel.kernelspec
import zmq
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, NotebookExecutionManager, papermill_engines

KERNEL = "autoaug"
"""The name of the Jupyter kernel that the project's notebooks carry; `make setup` registers it."""

_OWN_KERNELS = (KERNEL, "python3")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_QUIET = [  # else a kernel that ends in the middle of a message may print its own traceback after the error
    "--IPKernelApp.log_level=CRITICAL",
    "--IPKernelApp.exec_lines=__import__('logging').getLogger('tornado').setLevel('CRITICAL')",
]
_PATIENCE = 20.0  # seconds; a kernel that takes more than half of this to end is killed, and leaves files in /tmp
_WITHOUT_TEXT = ("image/png", "application/vnd.jupyter.widget-view+json")


class Execution:
    """The state of a notebook's execution.

    Attributes:
        signal: number of the first signal received; None before.
        stopped_at: where the notebook says that it stopped.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self.stopped_at = "Stopped. The same command goes on:"
        self._kernel: int | None = None

    @contextlib.contextmanager
    def cell(self, kernel: int) -> Iterator[None]:
        """While a cell runs, a signal interrupts it, so that it can write a checkpoint; a second signal ends it.

        Args:
            kernel: process group of the kernel.
        """
        self._kernel = kernel
        try:
            yield
        finally:
            self._kernel = None

    def on_signal(self, number: int, _frame: object) -> None:
        """Python's handler of the signals."""
        first = self.signal is None
        self.signal = self.signal or number
        if not first or self._kernel is None:
            raise KeyboardInterrupt
        os.killpg(self._kernel, signal.SIGINT)


@contextlib.contextmanager
def registered() -> Iterator[Execution]:
    """In this context, papermill executes notebooks by this module; its engine "shown" shows what they print."""
    execution = Execution()
    for name, shown in ((None, False), ("shown", True)):
        papermill_engines.register(name, type("Engine", (_Engine,), {"execution": execution, "shown": shown}))
    earlier = {number: signal.signal(number, execution.on_signal) for number in _SIGNALS}
    try:
        yield execution
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def lead_nowhere(stream: IO[str]) -> None:
    """Redirect a stream that has lost its reader to nowhere, so that later output and the exit do not fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


class _Engine(Engine):
    execution: Execution
    shown: bool

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: NotebookExecutionManager,
        kernel_name: str,
        start_timeout: int = 60,
        execution_timeout: int | None = None,
        stdout_file: Any = None,
        stderr_file: Any = None,
        **options: Any,
    ) -> None:
        if cls.shown:
            stdout_file, stderr_file = stdout_file or sys.stdout, stderr_file or sys.stderr
        client = _Client(
            nb_man,
            kernel_name=kernel_name,
            startup_timeout=start_timeout,
            timeout=execution_timeout,
            log_output=options["log_output"],
            stdout_file=stdout_file,
            stderr_file=stderr_file,
            log=logging.getLogger("papermill"),
            extra_arguments=_QUIET,
        )
        client.execution, client.shown = cls.execution, cls.shown
        with tempfile.TemporaryDirectory(prefix="autoaug-") as folder:
            client.folder = pathlib.Path(folder)
            client.execute()


class _ThisEnvironment(KernelSpecManager):
    """Knows one kernel: `autoaug.kernel`, in the Python of this process."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        command = ipykernel.kernelspec.make_ipkernel_cmd("autoaug.kernel", python_arguments=["-P"])
        return KernelSpec(argv=command, display_name=KERNEL, language="python")


class _Client(PapermillNotebookClient):
    execution: Execution
    shown: bool
    folder: pathlib.Path

    def create_kernel_manager(self) -> Any:
        """A manager whose kernel listens on sockets in a folder that only this user can open, not over TCP.

        The kernel is always that of this environment, even if another checkout has registered the name.
        """
        manager = super().create_kernel_manager()
        if manager.kernel_name in _OWN_KERNELS:
            manager.kernel_spec_manager = _ThisEnvironment()
        manager.transport, manager.ip = "ipc", str(self.folder / "kernel")
        manager.shutdown_wait_time = _PATIENCE
        return manager

    async def async_start_new_kernel(self, **options: Any) -> None:
        """Replace the handlers that nbclient has just set, which would kill a slow kernel, by ours."""
        for number in _SIGNALS:
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, self.execution.on_signal)
        await super().async_start_new_kernel(**options)

    def execute_cell(self, cell: NotebookNode, cell_index: int, **options: Any) -> NotebookNode:
        with self.execution.cell(self.km.provisioner.pgid):
            return super().execute_cell(cell, cell_index, **options)

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        """After each message, look whether the cell's reply has come too.

        When nbclient answers a widget, it may swallow the signal that the reply has come. Then the cell would never end
        (github.com/jupyter/nbclient/issues/312).
        """
        output = super().process_message(msg, cell, cell_index)
        self.kc.shell_channel.socket.get(zmq.EVENTS)
        return output

    def log_output_message(self, output: NotebookNode) -> None:
        """Show an output as it comes: printed text, and tables as text. Pictures are only in the executed copy."""
        if output.output_type == "stream" and output.text.startswith("Stopped after step"):
            self.execution.stopped_at = output.text.splitlines()[0]
        text = output.get("data", {}).get("text/plain", "<")
        try:
            super().log_output_message(output)
            if self.shown and not text.startswith("<") and not set(_WITHOUT_TEXT) & set(output.data):
                self.stdout_file.write(f"{text}\n")
                self.stdout_file.flush()
        except BrokenPipeError:  # of `| tee`, say, which Ctrl-C has ended too
            if self.execution.signal is None:
                raise
            lead_nowhere(self.stdout_file)
