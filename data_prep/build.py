"""Builds data sets into a folder: drawn shapes, published sets, sets drawn from these, and the user's own.

An existing set is kept if it is undamaged and was made in the same way. Files that somebody put into a set's folder
under the right names are used as they are: without a manifest, they count as unverified.
"""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Collection, Mapping
from typing import Annotated, Any

import msgspec
import pandas as pd

from autoaug import datasets
from autoaug.datasets import DATASETS, DatasetError
from autoaug.datasets import manifest as manifests
from autoaug.files import absolute
from autoaug.recipes import did_you_mean
from data_prep import drawing, fetch, folders, known_truth, reading, synthetic
from data_prep import own as own_sets
from data_prep.sources import CINIC10_SHEETS, FILES

GENERATOR_VERSION = 1  # raise it with every change of the written files: sets of another version are built again
_TRUTHS = (known_truth.ORIGINAL_TEST, *known_truth.JUDGES, *known_truth.DESIGNS)
DRAWN_FROM: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("cifar10_10k", "cifar10_30k", "cifar10_12k"), ("cifar10",)),
    **dict.fromkeys(drawing.MIXED, ("cifar10", "cifar105")),
    **dict.fromkeys((*datasets.JUDGES, "cifar10_5k"), ("cifar10", "cifar10_12k")),
    "cinic10_5k": ("cifar10",),
    **dict.fromkeys(_TRUTHS, ("cifar10", "cifar10_12k")),
}
SETS = (*datasets.EMBEDDED, *FILES, *DRAWN_FROM)  # in the order of building


class Choices(msgspec.Struct, frozen=True):
    """How sets are to be built: the arguments of `build`."""

    data_dir: pathlib.Path
    source_dir: pathlib.Path
    sets: list[str]
    seed: Annotated[int, msgspec.Meta(ge=0)]
    new_fraction: Annotated[float, msgspec.Meta(ge=0, le=1)]
    unverified: Annotated[datasets.Label, msgspec.Meta(max_length=100)] | None
    rebuild: bool


def build(
    data_dir: str | os.PathLike[str],
    sets: Collection[str],
    source_dir: str | os.PathLike[str] = "data/sources",
    seed: int = 0,
    new_fraction: float = 0.4,
    unverified: str = "",
    rebuild: bool = False,
    own: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Writes `data_dir/<name>/training/` for each name, and for the sets that it is drawn from.

    Args:
        data_dir: folder of the data sets.
        sets: names of data sets.
        source_dir: folder of the published files; missing files are downloaded into it (`fetch.obtain`).
        seed: of the random choices.
        new_fraction: share of CIFAR-10.2 in `cifar102` and `cifar102_30k`, 0…1.
        unverified: a label such as "JPEG copy", which allows files that are not the published data; every set built
            from them is marked with it.
        rebuild: whether to write the named sets again; files that were not built here are never replaced.
        own: name → description of a set of the user's own (`own.check`).

    Returns:
        A row for each name, and for what it is drawn from; `this run` is "written", "replaced", "there already" or
        "unverified files, left as they are".

    Raises:
        DatasetError: an argument is wrong (before anything is written), a source is missing or
            differs, a folder is damaged or holds other files.
    """
    values = (absolute(data_dir), absolute(source_dir), sets, seed, new_fraction, unverified or None, rebuild)
    given = dict(zip(Choices.__struct_fields__, values, strict=True))
    try:
        choices = msgspec.convert(given, Choices)
    except msgspec.ValidationError as error:
        said, _, place = str(error).partition(" - at `$.")
        said = "Expected a label without <, >, & and $" if "regex" in said else said
        name = place.strip("`").partition("[")[0]
        raise DatasetError(f"{name}: {said}. Received: {given[name]!r}") from error
    if unknown := [name for name in sets if name not in SETS]:
        meant = did_you_mean(unknown[0], SETS)
        raise DatasetError(f"sets: Expected some of {', '.join(SETS)}. Received: {unknown[0]!r}{meant}")
    own = own_sets.check(own or {}, choices.data_dir)
    wanted = [name for name in SETS if name in sets or any(name in DRAWN_FROM.get(other, ()) for other in sets)]
    done = {name: _build(name, choices) for name in wanted}
    for name in sorted(own, key=lambda name: own[name].original in own):  # originals first
        done[name] = own_sets.build(name, own[name], choices.data_dir, rebuild)
    return pd.Series(done, name="this run", dtype=str).rename_axis("data set").to_frame()


def _build(name: str, choices: Choices) -> str:
    """Builds a set, whose inputs are built; returns what `build` shows."""
    rebuild = choices.rebuild and name in choices.sets
    if name in datasets.EMBEDDED:
        return synthetic.build(choices.data_dir, [name], choices.seed, rebuild)[name]
    folder = datasets.training_folder(name, choices.data_dir)
    if name in datasets.available(choices.data_dir) and not (folder / "manifest.json").exists():
        return "unverified files, left as they are"
    write_files = functools.partial(_write, name, choices)
    return folders.update(folder, _recipe(name, choices), write_files, rebuild)


def _recipe(name: str, choices: Choices) -> dict[str, Any]:
    """Everything that determines the content of a set, as entries of its manifest."""
    said: dict[str, Any] = {"name": name, "generator_version": GENERATOR_VERSION}
    if name in FILES:
        return said
    inputs = {}
    for source in DRAWN_FROM[name]:
        folder = datasets.training_folder(source, choices.data_dir)
        manifest: Any = manifests.read(folder) or {"source": manifests.UNVERIFIED, "parts": {}}
        hashes = {part: described["sha256"] for part, described in manifest["parts"].items()}
        inputs[source] = {"source": manifest["source"], "sha256": hashes}
    named = dict.fromkeys(values["source"] for values in inputs.values())
    said |= {"source": "CINIC-10" if name == "cinic10_5k" else " and ".join(named), "seed": choices.seed}
    if name in known_truth.DESIGNS:
        said["design"] = dataclasses.asdict(known_truth.DESIGNS[name])
    return said | ({"new_fraction": choices.new_fraction} if name in drawing.MIXED else {}) | {"inputs": inputs}


def _write(name: str, choices: Choices, folder: pathlib.Path) -> dict[str, Any]:
    """Writes the files of a set; returns the second part of its manifest."""
    load = functools.cache(lambda name: datasets.load(name, choices.data_dir))
    if name in FILES:
        obtained = fetch.obtain(FILES[name], choices.source_dir, choices.unverified)
        parts = reading.read_published(name, [copy.path for copy in obtained])
        doubt = f" ({choices.unverified})" if any(copy.difference for copy in obtained) else ""
        return {"source": FILES[name][0].title + doubt} | folders.write_parts(DATASETS[name], folder, parts)
    if name in _TRUTHS:
        drawn = known_truth.draw(name, load("cifar10"), load("cifar10_12k"), choices.seed)
    elif name == "cinic10_5k":
        sheets = fetch.obtain(CINIC10_SHEETS, choices.source_dir, choices.unverified)
        tiles = reading.read_sheets([copy.path for copy in sheets], DATASETS[name].class_names)
        drawn = drawing.of_cinic10(tiles, load("cifar10"), choices.seed)
    elif name in datasets.JUDGES:
        drawn = drawing.of_judges(name, load, choices.seed)
    else:
        drawn = drawing.subset(name, load, choices.seed, choices.new_fraction)
    return folders.write_parts(DATASETS[name], folder, drawn)
