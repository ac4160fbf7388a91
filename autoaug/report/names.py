"""Names for readers: of data sets, with a remark on their source, and of presets."""

import pandas as pd

from autoaug import datasets
from autoaug.datasets import title

PRESETS = {
    "paper": "the published recipe",
    "imported": "weights trained elsewhere, evaluated here",
    "small": "the same architectures made small, for photographs on two cores",
    "quick": "the same architectures made small and trained briefly",
}
"""Preset of runs → what it means, in the order in which runs are shown."""


def data_label(name: str, source: str) -> str:
    """A data set's title, and where its images come from unless from the original files: `CIFAR-10 (JPEG copy)`."""
    if source in ("", "embedded images"):
        return title(name)
    remark = source.partition("(")[2].rstrip(")") or ("" if source.startswith("CIFAR") else source)
    if not remark:
        return title(name)
    if title(name).endswith(")"):
        return f"{title(name)[:-1]}, {remark})"
    return f"{title(name)} ({remark})"


def data_labels(runs: pd.DataFrame) -> dict[str, str]:
    """`data_label` of every data set that `runs.collect`'s table names."""
    sides = [runs[["train_data", "train_source"]], runs[["test_set", "test_source"]]]
    rows = sorted({row for side in sides for row in side.itertuples(index=False, name=None)}, reverse=True)
    return {name: data_label(name, source) for name, source in rows}


def group(name: str) -> str:
    """The heading under which a data set is shown."""
    family = datasets.DATASETS[name].family if name in datasets.DATASETS else ""
    groups = {"cifar10": "Photographs", "cifar10_half": "Photographs, in halves", "synthetic10": "Drawn shapes"}
    return groups.get(family, title(family))


def presets_of_runs(runs: pd.DataFrame) -> str:
    """The presets that the numbers come from, in a sentence; empty without runs."""
    presets = runs.drop_duplicates("run_id")["preset"]
    counts = [(int(presets.eq(preset).sum()), preset, meaning) for preset, meaning in PRESETS.items()]
    parts = [f"{n} {preset} {'run' if n == 1 else 'runs'} ({meaning})" for n, preset, meaning in counts if n]
    warning = (
        " Small and quick runs say nothing about published accuracies." if set(presets) & {"small", "quick"} else ""
    )
    return f"Measured in {', '.join(parts)}.{warning}" if parts else ""
