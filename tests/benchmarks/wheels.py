"""Whether every pin of every lock has a wheel, for every platform and Python version that the README names.

    python tests/benchmarks/wheels.py       # needs uv, and asks the package registry: a minute or two

uv resolves each lock as it would be on the platform, by the lock's markers, with wheels only. pip's configuration says
where the registry is. Nothing is downloaded but what the registry says of each package. The exit status is 1 if a wheel
is missing.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

from autoaug.files import ROOT

PYTHONS = ("3.11", "3.12", "3.13")
LINUX = {"Linux x86-64": "x86_64-manylinux_2_28", "Linux aarch64": "aarch64-manylinux_2_28"}
PLATFORMS = LINUX | {"macOS arm64": "aarch64-apple-darwin"}
LOCKS = {"requirements.lock": PLATFORMS, "requirements-sagemaker.lock": PLATFORMS, "requirements-gpu.lock": LINUX}
MISSING = re.compile(r"Because (?:only )?([\w.-]+)==\S+ has no wheels|there is no version of ([\w.-]+)==")


def environment():
    """The environment variables for uv: pip's registry and certificates."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    configured = subprocess.run(command, capture_output=True, text=True, check=True)
    found = dict(re.findall(r"^[\w:.]+?\.'?(index-url|cert)'?='(.*)'$", configured.stdout, re.MULTILINE))
    ours = {"UV_DEFAULT_INDEX": found.get("index-url"), "SSL_CERT_FILE": found.get("cert")}
    return os.environ | {name: value for name, value in ours.items() if value}


def resolve(pins, platform, python):
    """The pins that are installed on a platform by their markers, and what uv says where it cannot."""
    with tempfile.TemporaryDirectory() as folder:
        lock = pathlib.Path(folder) / "lock.txt"
        lock.write_text("\n".join(pins))
        command = ["uv", "pip", "compile", lock, "--no-deps", "--no-annotate", "--no-header", "--only-binary", ":all:"]
        command += ["--python-platform", platform, "--python-version", python, "--no-python-downloads"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    return done.stdout.splitlines(), done.stderr if done.returncode else ""


def check(lock, platform, python):
    """How many packages the lock installs on the platform, and which of them have no wheel for it."""
    pins, missing = (ROOT / lock).read_text().splitlines(), []
    while True:
        installed, error = resolve(pins, platform, python)
        if not error:
            return len(installed) + len(missing), missing
        found = MISSING.search(error)
        if not found:
            raise RuntimeError(error)
        name = found[1] or found[2]
        missing.append(name)
        pins = [pin for pin in pins if not pin.startswith(f"{name}==")]


def main():
    """Print a table; returns whether any pin lacks a wheel."""
    print(f"{'lock':30}{'platform':15}" + "".join(f"{'Python ' + python:>26}" for python in PYTHONS))
    lacking = False
    for lock, platforms in LOCKS.items():
        for title, platform in platforms.items():
            cells = [check(lock, platform, python) for python in PYTHONS]
            texts = [f"{total} of {total}" if not gone else f"without {', '.join(gone)}" for total, gone in cells]
            print(f"{lock:30}{title:15}" + "".join(f"{text:>26}" for text in texts), flush=True)
            lacking |= any(gone for _, gone in cells)
    return lacking


if __name__ == "__main__":
    sys.exit(main())
