"""Recognises original files in place of built ones, by hashes, content or statistics, and leaves them untouched."""

import pathlib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from autoaug import datasets
from autoaug.datasets import DatasetError
from autoaug.datasets import manifest as manifests
from data_prep import folders
from data_prep.sources import FILES, REPORTED_STATISTICS, Source


def examine(data_dir: pathlib.Path, names: Iterable[str], again: Collection[str], unverified: str) -> dict[str, str]:
    """Looks for original files in the folders of data sets, and leaves a manifest beside those that it recognises.

    Args:
        data_dir: folder of the data sets.
        names: of the sets.
        again: names of the sets to build again.
        unverified: a label that allows files other than the original ones; may be empty.

    Returns:
        Name of each recognised set → "recognised".

    Raises:
        DatasetError: folders are damaged or hold other files; one error lists them all.
    """
    done, problems = {}, []
    for name in names:
        folder = datasets.training_folder(name, data_dir)
        condition, recognised = folders.condition(folder, {"name": name}), _is_recognised(folder)
        if name in again and (condition == "foreign" or recognised):
            problems.append(f"{folder}: Expected what was built here. Received: other files; move them")
        elif condition == "foreign":
            _recognise(name, data_dir, unverified)
            done[name] = "recognised"
        elif condition == "damaged" and name not in again:
            remedy = manifests.build_command(name, data_dir, rebuild=True)
            remedy = "Restore or move them" if recognised else remedy
            problems.append(
                f"{folder}: Expected the files of its manifest. Received: damaged or changed ones. {remedy}"
            )
    if problems:
        raise DatasetError("\n".join(problems))
    return done


def _is_recognised(folder: pathlib.Path) -> bool:
    """Whether the manifest, which may be damaged, says that the folder holds original files."""
    try:
        return "recognised" in (manifests.read(folder) or {})
    except DatasetError:
        return False


def _recognise(name: str, data_dir: pathlib.Path, unverified: str) -> None:
    """Leaves a manifest beside original files.

    Files with the published hashes or the published content are CIFAR-10 or CIFAR-100. Files with the channel
    statistics that the research reported are the research's files. Others get the label as their source.
    """
    folder, spec = datasets.training_folder(name, data_dir), datasets.DATASETS[name]
    test = datasets.load_test(name, data_dir)
    parts = {"test": folders.describe(test.images, test.labels, spec.num_classes)}
    if spec.training_files:
        dataset = datasets.load(name, data_dir)
        described = folders.describe(dataset.train_images, dataset.train_labels, spec.num_classes)
        parts = {"training": described} | parts
    expected = REPORTED_STATISTICS.get(name)
    if name in FILES and _is_published(FILES[name][0], folder, parts):
        source = title(name)
    elif expected and np.allclose([described["mean"], described["std"]], expected, rtol=0, atol=1e-6):
        source = f"{name}, the research's own files"
    elif unverified:
        source = f"{title(name)} ({unverified})"
    else:
        statistics = f" with the channel mean and deviation {expected}" if expected else ""
        raise DatasetError(
            f"{folder}: Expected what was built here, or the original files{statistics}. Received: others. "
            "Move them, or give them a label, for example: -p unverified 'JPEG copy'"
        )
    folders.write_manifest(folder, {"name": name, "source": source, "recognised": True, "parts": parts})


def _is_published(source: Source, folder: pathlib.Path, parts: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether the files in a folder, or their images and labels, are those of the source."""
    members = source.members.items()
    files = members and all(folders.file_hash(folder / file, "md5") == md5 for file, md5 in members)
    return bool(files) or (bool(source.content) and content(parts) == source.content)


def content(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The content hashes of described parts."""
    return {part: described["sha256"] for part, described in parts.items()}


def title(name: str) -> str:
    """The name of a set's source in a manifest."""
    return FILES[name][0].title if name in FILES else name
