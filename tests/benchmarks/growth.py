"""How cost grows with images, epochs, test sets and runs: seconds, the page's size, and the exponent of each.

python tests/benchmarks/growth.py
python tests/benchmarks/growth.py images epochs            # some parts only; the others: test_sets runs

An exponent of 1 is linear; it is that of the last step, from one row to the next. Hosts are not among them: here they
would share the cores. What each host adds to a step is in the README.
"""

import contextlib
import io
import pathlib
import sys
import tempfile
import time

import measuring
import numpy as np
import pandas as pd
import report_runs
import run_files

from autoaug import augment, datasets, models, recipes, shift
from autoaug.files import ROOT
from autoaug.report import build
from autoaug.runs import collect, evaluation
from autoaug.runs import history as read_history

NAMES = ("cifar10_12k", *datasets.DESIGNS)


def seconds(call):
    """Seconds that a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def images(number):
    """Work on so many images."""
    rng, mean, std = np.random.default_rng(0), np.full(3, 0.5), np.full(3, 0.25)
    pixels = rng.integers(0, 256, (number, 32, 32, 3), dtype=np.uint8)
    plan = augment.sample_plan(rng, number)
    augment.augment_batch(pixels[:1], plan[:1], mean, std)  # compiles
    predict = evaluation.Predictor(models.build_model("wrn", **recipes.get("wrn").size), mean, std)
    predict(pixels[:1])
    right = rng.random((4, 3, number)) < 0.8
    return {
        "hashing_s": seconds(lambda: datasets.content_hash(pixels, np.zeros(number, np.int64))),
        "overlap_s": seconds(lambda: datasets.overlap(pixels, pixels)),
        "augmenting_s": seconds(lambda: augment.augment_batch(pixels, plan, mean, std)),
        "predicting_s": seconds(lambda: predict(pixels)),
        "statements_s": seconds(lambda: shift.compare([shift.Cells(*right)], 0.95, rng)),
    }


def epochs(number):
    """A history of so many epochs: the row that the last of them adds, and reading it."""
    row = dict.fromkeys(("learning_rate", "loss", "cost", "accuracy", "images_per_second", "seconds"), 0.123456789)
    rows = [{"epoch": epoch} | row for epoch in range(1, number + 1)]
    with tempfile.TemporaryDirectory() as name:
        table = pd.DataFrame(rows)
        return {
            "writing_s": seconds(lambda: table.to_csv(pathlib.Path(name) / "history.csv", index=False)),
            "reading_s": seconds(lambda: read_history(name)),
        }


def test_sets(number):
    """Three runs on each of so many training sets, each with as many test sets."""
    names = NAMES[:number]
    with tempfile.TemporaryDirectory() as name:
        report_runs.write_study(pathlib.Path(name), {train: dict.fromkeys(names, 0.8) for train in names})
        return report_of(pathlib.Path(name))


def runs(number):
    """As many quick runs, in turn on each of the drawn sets, then of each model, then of each seed."""
    labels, names = np.arange(2_000) % 10, datasets.EMBEDDED
    with tempfile.TemporaryDirectory() as name:
        for run in range(number):
            rng, train_data = np.random.default_rng(run), names[run % 4]
            tests = {test: run_files.predictions(rng, labels, 0.9 if test == train_data else 0.7) for test in names}
            recipe = recipes.get(list(models.MODELS)[run // 4 % 5])
            run_files.write(pathlib.Path(name), train_data, tests, run // 20, recipe)
        return report_of(pathlib.Path(name))


def report_of(folder):
    """What the report of a folder takes: reading the records, the statements, and the whole page."""
    study = ["--runs", str(ROOT / "notebooks" / "measured.yml"), "--results", str(folder), "--data", f"{folder}/data"]
    figures = {
        "reading_s": seconds(lambda: collect(folder)),
        "statements_s": seconds(lambda: report_runs.load(folder).pairs),
    }
    with contextlib.redirect_stdout(io.StringIO()):
        figures["page_s"] = seconds(lambda: build.main(study))
    return figures | {"page_MB": (folder / "report" / "index.html").stat().st_size / 1e6}


PARTS = {
    images: (1_000, 10_000, 50_000),
    epochs: (10, 100, 1_000, 10_000),
    test_sets: (2, 4, 8),
    runs: (1, 10, 100, 1_000),
}


def main():
    """Print a row for each size, with the exponent from the one before."""
    sheet = measuring.Sheet("growth")
    for part, sizes in PARTS.items():
        before = {}
        for size in sizes if part.__name__ in (sys.argv[1:] or [part.__name__]) else ():
            figures = part(size)
            steps = {
                key: np.log(figures[key] / before[key]) / np.log(size / before["size"])
                for key in before
                if key != "size"
            }
            sheet.row(
                f"{size:,} {part.__name__}",
                **figures,
                **{f"exponent_{key}": float(step) for key, step in steps.items()},
            )
            before = figures | {"size": size}
    sheet.write()


if __name__ == "__main__":
    main()
