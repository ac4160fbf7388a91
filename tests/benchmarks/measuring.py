"""What benchmarks share: turns, and rows with the median of the rounds, the lowest and the highest."""

import pathlib
import time
from collections.abc import Callable, Sequence

import numpy as np

from autoaug.runs import record


def processor() -> tuple[str, list[str]]:
    """The processor's name and its units for products of bfloat16 numbers, as Linux tells them."""
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    name, flags = (next((line for line in lines if line.startswith(key)), "") for key in ("model name", "flags"))
    units = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512 BF16"}
    return name.partition(": ")[2], [unit for flag, unit in units.items() if flag in flags.split()]


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


def show_machine() -> None:
    """Print what the figures were measured on, and by which code."""
    code = record.code_version()
    state = f"{code.commit}{', with changes' if code.dirty else ''}"
    name, units = processor()
    print(f"{name}; units for bfloat16: {' and '.join(units) or 'none'}; {state}", flush=True)


def show(name: str, **figures: Sequence[float] | float) -> None:
    """Print a row: of each figure the median of its rounds (lowest to highest), NaN left out."""
    print(f"{name:40}", "; ".join(f"{key.replace('_', ' ')} {_text(np.ravel(of))}" for key, of in figures.items()))


def _text(rounds: np.ndarray) -> str:
    median, low, high = (of(rounds) for of in (np.nanmedian, np.nanmin, np.nanmax))
    kind = f",.{0 if median >= 10 else 2}f"
    return f"{median:{kind}}" + (f" ({low:{kind}} to {high:{kind}})" if low < high else "")
