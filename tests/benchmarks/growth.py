"""How the report's time and size grow with its runs: reading them, the statements, and the whole page.

python tests/benchmarks/growth.py                          # ten minutes on two slow cores
python tests/benchmarks/growth.py 1 10                     # with so many runs only
"""

import pathlib
import sys
import tempfile
import time

import measuring
import numpy as np
import report_runs
import run_files

from autoaug import datasets, models, recipes, records
from autoaug.files import ROOT
from autoaug.report import build

SIZES = (1, 10, 100, 1_000)


def write_runs(folder: pathlib.Path, number: int) -> None:
    """As many quick runs, in turn on each of the drawn sets, then of each model, then of each seed."""
    labels, models_of_runs = np.arange(2_000) % 10, list(models.MODELS)
    for run in range(number):
        rng, train_data = np.random.default_rng(run), datasets.EMBEDDED[run % 4]
        chances = {name: 0.9 if name == train_data else 0.7 for name in datasets.EMBEDDED}
        tests = {name: run_files.predictions(rng, labels, chance) for name, chance in chances.items()}
        run_files.write(folder, train_data, tests, run // 20, recipes.get(models_of_runs[run // 4 % 5]))


def seconds(call):
    """Seconds that a call takes, and what it returns."""
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


def main():
    """Print a row for each number of runs, and the exponent from each to the next."""
    sheet, before = measuring.Sheet("growth"), {}
    for number in map(int, sys.argv[1:] or SIZES):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            write_runs(folder, number)
            reading, _ = seconds(lambda folder=folder: records.collect(folder))
            stating, _ = seconds(lambda folder=folder: report_runs.load(folder).pairs)
            arguments = [
                "--runs",
                str(ROOT / "notebooks" / "measured.yml"),
                "--results",
                name,
                "--data",
                f"{name}/data",
            ]
            rendering, status = seconds(lambda arguments=arguments: build.main(arguments))
            megabytes = (folder / "report" / "index.html").stat().st_size / 1e6
        assert status == 0
        figures = {"reading_s": reading, "statements_s": stating, "page_s": rendering, "page_MB": megabytes}
        if before:
            growth = np.log(number / before["runs"])
            figures |= {f"exponent_{key}": float(np.log(figures[key] / before[key]) / growth) for key in list(figures)}
        sheet.row(f"{number:,} runs", **figures)
        before = figures | {"runs": number}
    sheet.write()


if __name__ == "__main__":
    main()
