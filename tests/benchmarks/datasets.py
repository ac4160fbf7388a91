"""Time to build CIFAR-10, and time and memory to load it, beside plain unpickling of the same files.

python tests/benchmarks/datasets.py                 # about a minute, most of it writing the files

Uses the JPEG copy of CIFAR-10 kept beside the project, and says so where it is absent.
"""

import subprocess
import sys
import tempfile
import time

from autoaug.files import ROOT
from data_prep import subsets

SHARED = ROOT.parent / "shared"
RUNS = 5  # processes of each kind, taking turns; the best time and the highest memory count

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
    "autoaug.datasets.load, manifest and statistics": 'dataset = datasets.load("cifar10", folder)',
    "pickle.load of the same files, nothing else": (
        "batches = [pickle.load(open(f'{folder}/cifar10/training/{file}', 'rb'), encoding='bytes') for file in"
        " (*datasets.DATASETS['cifar10'].training_files, 'test_batch')]"
    ),
    "load, then overlap of test and training part": (
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
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, SHARED / "data" / "make_batches.py", folder], check=True)
        started, drawn = time.perf_counter(), ["cifar10", "cifar10_10k", "cifar10_12k", "cifar10_30k"]
        subsets.build(folder, drawn, folder, unverified="JPEG copy")
        print(f"{', '.join(drawn)} built in {time.perf_counter() - started:.1f} s")
        rounds = [[measure(statement, folder) for statement in STATEMENTS.values()] for _ in range(RUNS)]
    print(f"{'CIFAR-10 (JPEG copy), 60,000 images, warm cache':50}{'s':>8}{'CPU s':>8}{'MB':>8}")
    for title, runs in zip(STATEMENTS, zip(*rounds, strict=True), strict=True):
        seconds, busy, memory = zip(*runs, strict=True)
        print(f"{title:50}{min(seconds):8.2f}{min(busy):8.2f}{max(memory):8.0f}")


if __name__ == "__main__":
    main()
