"""Runs a script of this folder in a process forked from one that has imported TensorFlow, which would take seconds."""

import multiprocessing
import os
import pathlib
import runpy
import sys

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["autoaug.training.mirrored", "autoaug.training.servers", "tiny"])


def run(output, script, *arguments):
    """Run the script to its end, and write what it prints to `output`. Returns its exit code, as of a subprocess."""
    return end(start(output, script, *arguments))


def start(output, script, *arguments):
    """Start the script; returns its process."""
    process = _CONTEXT.Process(target=_run, args=(output, script, arguments, dict(os.environ)))
    process.start()
    return process


def end(process):
    """Wait until the process ends. Returns its exit code."""
    process.join(300)
    process.kill()
    process.join()
    return process.exitcode


def _run(output, script, arguments, environment):
    os.environ.clear()
    os.environ.update(environment)
    with output.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.argv = [script, *map(str, arguments)]
    runpy.run_path(str(pathlib.Path(__file__).parent / script), run_name="__main__")
