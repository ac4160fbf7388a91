"""The report's tables of provenance: recipe, code and machine of each run, and the data that they read."""

from collections.abc import Iterable, Mapping

import msgspec
import pandas as pd

from autoaug.report import page
from autoaug.runs.record import Code, Record


def runs(records: Iterable[Record], labels: Mapping[str, str]) -> pd.DataFrame:
    """A row per run's record (`record.read`): the record itself, recipe, seed, code, packages, wall time.

    Args:
        records: of finished runs.
        labels: name of each data set → its name for readers.
    """
    rows = [
        (
            page.record_link(record.run_id, msgspec.json.encode(record)),
            recipe_text(record),
            record.seed,
            code_text(record.code),
            ", ".join(f"{name} {version}" for name, version in record.packages.items()),
            f"{labels[record.train_data.name]}: {(record.train_data.sha256 or '')[:12]}",
            page.Number(f"{record.wall_seconds:,.0f} s", record.wall_seconds),
        )
        for record in records
    ]
    names = ["Run", "Recipe", "Seed", "Code", "Packages", "Training data, SHA-256", "Wall time"]
    return pd.DataFrame(rows, columns=names, dtype=object)  # keeps links what they are, with pyarrow too


def recipe_text(record: Record) -> str:
    """The recipe of a run in words."""
    recipe = record.recipe
    if recipe is None:
        return f"{record.title()}; trained elsewhere"
    workers = "1 worker" if record.workers == 1 else f"{record.workers} workers"
    return (
        f"{record.title()}, {record.parameters:,} parameters; "
        f"batch {recipe.batch_size}, learning rate {recipe.learning_rate:g}, weight decay {recipe.weight_decay:g}, "
        f"{recipe.augmentation.replace('_', ', ')}; {workers}"
    )


def code_text(code: Code) -> str:
    """Version, commit, and whether files differed from the commit."""
    if code.commit is None:
        return "of an unknown commit"
    return f"commit {code.commit[:10]}" + (" with changes" if code.dirty else "")


def data(runs: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    """A row per data set part that the runs read, with the SHA-256 of its pixels and labels; `labels` as for `runs`."""
    rows = set()
    for run in runs.itertuples():
        rows.add(
            (labels[run.train_data], run.train_data, "training", run.train_source, run.train_size, run.train_sha256)
        )
        images = run.total + run.overlap
        rows.add((labels[run.test_set], run.test_set, "test", run.test_source, images, run.test_sha256))
    columns = ["Data set", "Name in the code", "Part", "Source", "Images", "SHA-256 of pixels and labels"]
    return pd.DataFrame(sorted(rows), columns=columns, dtype=object)
