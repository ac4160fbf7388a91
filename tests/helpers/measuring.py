"""What benchmarks share: turns, ratios with their spread, the machine, and a file to compare with an earlier one.

python tests/helpers/measuring.py results/benchmarks/OLD.json results/benchmarks/NEW.json       # side by side
"""

import datetime
import json
import pathlib
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import psutil

from autoaug import devices
from autoaug.files import ROOT, write_atomically
from autoaug.runs import record


class Spread(NamedTuple):
    """The median of the rounds, and the lowest and highest of them."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(float(np.median(values)), float(np.min(values)), float(np.max(values)))

    def text(self, digits: int = 0) -> str:
        """The three numbers; one where they are the same."""
        kind = ".1e" if 0 < max(map(abs, self)) < 0.005 else f",.{digits}f"
        if self.low == self.high:
            return f"{self.median:{kind}}"
        return f"{self.median:{kind}} ({self.low:{kind}} to {self.high:{kind}})"


def turns(steps: Sequence[Callable[[], object]], rounds: int, seconds: float) -> np.ndarray:
    """Seconds per call of each contender in each round, float [rounds, contenders]; they take turns.

    Args:
        steps: the contenders; each is called once before, which may compile it.
        rounds: how many turns each has.
        seconds: of each turn; a call is not cut short.
    """
    for step in steps:
        step()
    measured = np.empty((rounds, len(steps)))
    for turn in measured:
        for place, step in enumerate(steps):
            count, started = 0, time.perf_counter()
            while (passed := time.perf_counter() - started) < seconds or not count:
                step()
                count += 1
            turn[place] = passed / count
    return measured


class Sheet:
    """Figures of one benchmark, printed as they come and written as JSON at the end.

    Args:
        topic: of the benchmark, in the file's name.
    """

    def __init__(self, topic: str) -> None:
        self._topic, self._rows = topic, {}
        units = devices.bfloat16_units() or "none"
        print(f"{record.processor()}, {psutil.cpu_count()} cores; units for bfloat16: {units}", flush=True)

    def row(self, name: str, **figures: Spread | float) -> None:
        """Print and keep the figures of one row."""
        spreads = {
            key: value if isinstance(value, Spread) else Spread(*[float(value)] * 3) for key, value in figures.items()
        }
        texts = [f"{key} {spread.text(0 if spread.median >= 10 else 2)}" for key, spread in spreads.items()]
        print(f"{name:40}", "; ".join(texts).replace("_", " "), flush=True)
        self._rows[name] = {key: list(spread) for key, spread in spreads.items()}

    def write(self) -> pathlib.Path:
        """Write `results/benchmarks/<topic>-<time>.json`; returns the file."""
        now = datetime.datetime.now(datetime.UTC)
        content = {
            "topic": self._topic,
            "date": now.isoformat(timespec="seconds"),
            "machine": {
                "processor": record.processor(),
                "cpus": psutil.cpu_count(),
                "bfloat16_units": devices.bfloat16_units(),
            },
            "code": msgspec.to_builtins(record.code_version()[0]),
            "packages": record.package_versions(),
            "rows": self._rows,
        }
        path = ROOT / "results" / "benchmarks" / f"{self._topic}-{now:%Y%m%dT%H%M%S}.json"
        write_atomically(path, json.dumps(content, indent=1).encode() + b"\n")
        print(path)
        return path


def compare(old: pathlib.Path, new: pathlib.Path) -> None:
    """Print the figures of two files side by side, and the new median over the old one."""
    before, after = (json.loads(path.read_text()) for path in (old, new))
    for side in (before, after):
        print(f"{side['date']}, {side['machine']['processor']}, commit {side['code']['commit']}")
    if before["machine"]["processor"] != after["machine"]["processor"]:
        print("Two kinds of processors: the figures cannot be compared.")
    for name, figures in after["rows"].items():
        for figure, values in figures.items():
            if earlier := before["rows"].get(name, {}).get(figure):
                texts = [f"{Spread(*spread).text(2):>32}" for spread in (earlier, values)]
                print(f"{name[:40]:40} {figure:20}", *texts, f"× {values[0] / earlier[0]:.2f}")


if __name__ == "__main__":
    compare(*map(pathlib.Path, sys.argv[1:3]))
