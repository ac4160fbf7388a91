"""What benchmarks share: turns, ratios with their spread, and a file with the machine's name."""

import datetime
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from autoaug.devices import bfloat16_units
from autoaug.files import ROOT, write_atomically
from autoaug.runs import record


class Spread(NamedTuple):
    """The median of the rounds, and the lowest and highest of them."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(float(np.nanmedian(values)), float(np.nanmin(values)), float(np.nanmax(values)))

    def text(self) -> str:
        """The three numbers; one where they are the same."""
        kind = ".1e" if 0 < max(map(abs, self)) < 0.005 else f",.{0 if self.median >= 10 else 2}f"
        if self.low == self.high:
            return f"{self.median:{kind}}"
        return f"{self.median:{kind}} ({self.low:{kind}} to {self.high:{kind}})"


def turns(steps: Sequence[Callable[[], object]], rounds: int, seconds: float) -> np.ndarray:
    """Seconds per call of each contender in each round, float [rounds, contenders]; they take turns.

    Each is called once before, which may compile it. A turn lasts so many seconds; a call is not cut short.
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
    """Figures of one benchmark, printed as they come and written as JSON at the end."""

    def __init__(self, topic: str) -> None:
        self._topic, self._rows = topic, {}
        print(f"{record.processor()}; units for bfloat16: {bfloat16_units() or 'none'}", flush=True)

    def row(self, name: str, **figures: Spread | float) -> None:
        """Print and keep the figures of one row."""
        spreads = {
            key: value if isinstance(value, Spread) else Spread(*[float(value)] * 3) for key, value in figures.items()
        }
        print(f"{name:40}", "; ".join(f"{key.replace('_', ' ')} {spread.text()}" for key, spread in spreads.items()))
        sys.stdout.flush()
        self._rows[name] = {key: list(spread) for key, spread in spreads.items()}

    def write(self) -> None:
        """Write `results/benchmarks/<topic>-<time>.json`."""
        now = datetime.datetime.now(datetime.UTC)
        content = {
            "topic": self._topic,
            "date": now.isoformat(timespec="seconds"),
            "machine": {"processor": record.processor(), "bfloat16_units": bfloat16_units()},
            "code": msgspec.to_builtins(record.code_version()),
            "packages": record.package_versions(),
            "rows": self._rows,
        }
        path = ROOT / "results" / "benchmarks" / f"{self._topic}-{now:%Y%m%dT%H%M%S}.json"
        write_atomically(path, json.dumps(content, indent=1).encode() + b"\n")
        print(path)
