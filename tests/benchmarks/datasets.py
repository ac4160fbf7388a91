"""Time to build CIFAR-10, and time and memory to load it, beside plain unpickling of the same files.

python tests/benchmarks/datasets.py                 # about a minute, most of it writing the files

Uses the JPEG copy of CIFAR-10 kept beside the project, and says so where it is absent.
"""

import subprocess
import sys
import tempfile
import time

import measuring
import numpy as np

from autoaug.files import ROOT
from data_prep import build

SHARED = ROOT.parent / "shared"
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
    if not (SHARED / "data" / "make_batches.py").is_file():
        print(f"Loading CIFAR-10: skipped, needs {SHARED / 'data'}")
        return
    sheet = measuring.Sheet("datasets")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, SHARED / "data" / "make_batches.py", folder], check=True)
        started, drawn = time.perf_counter(), ["cifar10", "cifar10_10k", "cifar10_12k", "cifar10_30k"]
        build.build(folder, drawn, folder, unverified="JPEG copy")
        sheet.row("build CIFAR-10 and three subsamples", seconds=time.perf_counter() - started)
        rounds = [[measure(statement, folder) for statement in STATEMENTS.values()] for _ in range(ROUNDS)]
    seconds, busy, memory = np.array(rounds).T
    for place, name in enumerate(STATEMENTS):  # of CIFAR-10 in its JPEG copy, 60,000 images that were read before
        sheet.row(
            name,
            seconds=measuring.Spread.of(seconds[place]),
            of_pickle=measuring.Spread.of(seconds[place] / seconds[0]),
            processor_seconds=measuring.Spread.of(busy[place]),
            MB=measuring.Spread.of(memory[place]),
        )
    sheet.write()


if __name__ == "__main__":
    main()
