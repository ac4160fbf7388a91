"""Where a run's numbers come from: the code, the packages and the machine that compute them."""

import importlib.metadata
import json
import os
import pathlib
import platform
import subprocess
from typing import Any

from autoaug.files import ROOT

_PACKAGES = ("tensorflow", "tensorflow-cpu", "keras", "numpy", "numba")


def code_version() -> dict[str, Any]:
    """The package's version; in a git checkout also the commit, and whether files differ from it (else None)."""
    if (sent := ROOT / "code_version.json").exists():  # the source of a job, from `launch.stage`, is no checkout
        return json.loads(sent.read_text())
    version = importlib.metadata.version("autoaug")
    try:
        _git("ls-files", "--error-unmatch", "autoaug/provenance.py")  # else ROOT may lie in another repository
        commit = _git("rev-parse", "HEAD")
        dirty = bool(_git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return {"version": version, "commit": None, "dirty": None}
    return {"version": version, "commit": commit, "dirty": dirty}


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def machine() -> dict[str, Any]:
    """The machine that computes the numbers."""
    return {
        "platform": platform.platform(),
        "processor": processor(),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
    }


def processor() -> str:
    """The processor's name, as the system reports it."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def package_versions() -> dict[str, str]:
    """Versions of the installed packages that the numbers depend on."""
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
