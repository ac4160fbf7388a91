"""Time and memory to load CIFAR-10, beside plain unpickling of the same files: `datasets.py DATA`.

DATA, by default `data`, is a folder with `cifar10/training/`, as `build_datasets.ipynb` writes it.
"""

import subprocess
import sys

import measuring
import numpy as np

ROUNDS = 5  # processes of each kind, taking turns; the median counts

MEASURED = """
import pathlib, pickle, re, sys, time
import numpy as np
from autoaug import datasets
def peak():  # MB; ru_maxrss would begin with that of the process which started this one
    return int(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]) / 1024
folder = sys.argv[1]
before, started, busy = peak(), time.perf_counter(), time.process_time()
{statement}
print(time.perf_counter() - started, time.process_time() - busy, peak() - before)
"""
STATEMENTS = {
    "pickle.load of the same files": (
        "batches = [pickle.load(open(f'{folder}/cifar10/training/{file}', 'rb'), encoding='bytes') for file in"
        " (*datasets.DATASETS['cifar10'].training_files, 'test_batch')]"
    ),
    "load, manifest and statistics": 'dataset = datasets.load("cifar10", folder)',
    "load, then overlap of its parts": (
        'dataset = datasets.load("cifar10", folder); datasets.overlap(dataset.test_images, dataset.train_images)'
    ),
}


def measure(statement, folder):
    """Seconds passed, seconds of processor time, and MB of resident memory beyond the imports, in a new process."""
    command = [sys.executable, "-c", MEASURED.format(statement=statement), folder]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [float(value) for value in output.split()]


def main():
    sheet = measuring.Sheet("datasets")
    rounds = [
        [measure(statement, *(sys.argv[1:] or ["data"])) for statement in STATEMENTS.values()] for _ in range(ROUNDS)
    ]
    for name, (seconds, busy, memory) in zip(STATEMENTS, np.array(rounds).transpose(1, 2, 0), strict=True):
        spreads = {"seconds": seconds, "processor_seconds": busy, "MB": memory}
        sheet.row(name, **{figure: measuring.Spread.of(values) for figure, values in spreads.items()})
    sheet.write()


if __name__ == "__main__":
    main()
