"""Reproductions of `cifar10_12k` whose truth is known, made of other photographs of CIFAR-10.

The expected answers are in `autoaug.datasets.KNOWN_TRUTH`, written before any run. No image of a reproduction is in the
original. Both parts of the original come from CIFAR-10's training part. The training images of a reproduction come from
there too, but its test images come from CIFAR-10's test part. For this part there are people's labels and answers of
published models, so the hardness of `known_harder` can be checked without our models. CIFAR-10's two parts are a random
split of one collection.
"""

import dataclasses
import os
import pathlib
from typing import Any, NamedTuple

import numpy as np
import scipy.stats
from jaxtyping import Bool, Float, Int, UInt8

from autoaug import datasets
from autoaug.datasets import manifest as manifests
from autoaug.datasets.batch_file import DatasetError
from data_prep import download, drawing, folders, sources
from data_prep.margins import Margins
from data_prep.reading import load_arrays

SHARPNESS = 5.0  # weight of an image drawn hard: exp(-SHARPNESS · margin)


@dataclasses.dataclass(frozen=True)
class Design:
    """How the images of a reproduction are made; all numbers are fractions of each class in each part.

    Args:
        hard: share of images drawn with weights exp(-5 · margin), without replacement; the rest is drawn at random.
        new_look: share of colour negatives with exchanged channels; images drawn at random come first.
        wrong_labels: share of images with the label of another class, chosen at random.
    """

    hard: float = 0.0
    new_look: float = 0.0
    wrong_labels: float = 0.0


DESIGNS = {
    "known_same": Design(),
    "known_harder": Design(hard=1),
    "known_different": Design(new_look=1),
    "known_diluted": Design(new_look=0.4),
    "known_both": Design(hard=1, new_look=1),
    "known_half": Design(hard=0.5, new_look=0.5),
    "known_noisy": Design(wrong_labels=0.1),
}
NEED_MARGINS = tuple(name for name, design in DESIGNS.items() if design.hard)


class Images(NamedTuple):
    """The images of one part: indices into CIFAR-10's part, and what is done to each image."""

    indices: Int[np.ndarray, " n"]
    new_look: Bool[np.ndarray, " n"]
    wrong_label: Bool[np.ndarray, " n"]
    labels: Int[np.ndarray, " n"]


def choose(
    design: Design,
    labels: Int[np.ndarray, " pool"],
    size: int,
    num_classes: int,
    margins: Float[np.ndarray, " pool"] | None,
    seed: int,
    part: str,
) -> Images:
    """Chooses the images of one part, equally many of each class.

    Designs with one seed share their random numbers. So all designs without hard images have the same images in the
    same order, and so have all designs with hard images only.

    Args:
        design: the design.
        labels: of the images of CIFAR-10's part; images labelled -1 are not drawn.
        size: number of images, a multiple of the number of classes.
        num_classes: number of classes.
        margins: of the same images; needed for hard images.
        seed: of the random choices.
        part: "training" or "test", which names the random streams.
    """
    hardness = 0.0 if margins is None else -SHARPNESS * margins
    by_hardness = hardness + drawing.generator(seed, f"{part} hard").gumbel(size=len(labels))
    at_random = drawing.generator(seed, f"{part} random").random(len(labels))
    per_class = size // num_classes
    hard, new_look, wrong = (round(share * per_class) for share in dataclasses.astuple(design))
    chosen = []
    for label in range(num_classes):
        candidates = np.flatnonzero(labels == label)
        first = candidates[np.argsort(-by_hardness[candidates])][:hard]
        others = np.setdiff1d(candidates, first)
        chosen += [first, others[np.argsort(at_random[others])][: per_class - hard]]
    place = np.tile(np.arange(per_class), num_classes)  # within the class: hard images come first
    indices = np.concatenate(chosen)
    is_wrong = place >= per_class - wrong
    turn = drawing.generator(seed, f"{part} labels").integers(1, num_classes, size)
    new_labels = np.where(is_wrong, (labels[indices] + turn) % num_classes, labels[indices])
    order = drawing.generator(seed, f"{part} order").permutation(size)
    return Images(*(values[order] for values in (indices, place >= per_class - new_look, is_wrong, new_labels)))


def in_new_look(images: UInt8[np.ndarray, "n 32 32 3"]) -> UInt8[np.ndarray, "n 32 32 3"]:
    """Colour negatives with exchanged channels: red, green, blue become 255 - green, 255 - blue, 255 - red."""
    return 255 - images[..., [1, 2, 0]]


def write(
    name: str,
    folder: pathlib.Path,
    old: datasets.Dataset,
    original: datasets.Dataset,
    margins: Margins | None,
    seed: int,
    checks_dir: str | os.PathLike[str] = "",
) -> dict[str, Any]:
    """Writes a design's batch files, and for each file where its images come from and what was done to them.

    Each batch has a file `…_origins.npy` (drawing.ORIGIN) and, if the design needs them, `…_new_look.npy` and
    `…_wrong_labels.npy` (bool) and `…_margins.npy` (float32).

    Args:
        name: of DESIGNS.
        folder: where the files go.
        old: `cifar10`.
        original: `cifar10_12k`, whose images are left out.
        margins: of CIFAR-10's images, for NEED_MARGINS.
        seed: of the random choices.
        checks_dir: for `known_harder`, a folder of files for `hardness_checks`; empty: no checks.

    Returns:
        Entries for the manifest: expected answer, runs behind the margins, checks, parts.
    """
    pools = _eligible(old, original)
    parts = {part: _choose(name, part, pools[part][1], margins, seed) for part in pools}
    arrays = {}
    for part, chosen in parts.items():
        images = pools[part][0][chosen.indices]
        images[chosen.new_look] = in_new_look(images[chosen.new_look])
        arrays[part] = images, chosen.labels
    content = {"expected": dataclasses.asdict(datasets.KNOWN_TRUTH[name])}
    described = folders.write_parts(name, folder, arrays)
    for part, chosen in parts.items():
        described[part] |= _write_origins(folder / folders.part_file(name, part), part, chosen, margins)
    if margins is not None:
        content["margins"] = {"sharpness": SHARPNESS, "runs": margins.runs}
    if name == "known_harder" and checks_dir:
        same = _choose("known_same", "test", pools["test"][1], None, seed)
        drawn = {"known_same": same.indices, name: parts["test"].indices}
        content["checks"] = hardness_checks(drawn, pathlib.Path(checks_dir))
    return content | {"parts": described}


def _eligible(old: datasets.Dataset, original: datasets.Dataset) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Part → images and labels of CIFAR-10's part; labels are -1 for repeated images and those in the original."""
    taken = datasets.overlap(old.train_images, np.concatenate([original.train_images, original.test_images]))
    taken |= datasets.repeated(old.train_images)
    twice = datasets.overlap(old.test_images, old.train_images) | datasets.repeated(old.test_images)
    return {
        "training": (old.train_images, np.where(taken, -1, old.train_labels)),
        "test": (old.test_images, np.where(twice, -1, old.test_labels)),
    }


def _choose(name: str, part: str, labels: Int[np.ndarray, " pool"], margins: Margins | None, seed: int) -> Images:
    spec = datasets.DATASETS[name]
    size = spec.train_size if part == "training" else spec.test_size
    return choose(DESIGNS[name], labels, size, spec.num_classes, getattr(margins, part, None), seed, part)


def _write_origins(path: pathlib.Path, part: str, chosen: Images, margins: Margins | None) -> dict[str, Any]:
    """Writes the small files beside a batch; returns their description for the manifest."""
    pool = f"cifar10 {part}"
    files = {"origins": drawing.origins(drawing.POOLS.index(pool), chosen.indices)}
    said: dict[str, Any] = {"origins": {pool: len(chosen.indices)}}
    for what, marked in (("new_look", chosen.new_look), ("wrong_labels", chosen.wrong_label)):
        if marked.any():
            files[what], said[what] = marked, int(marked.sum())
    if margins is not None:
        files["margins"] = getattr(margins, part)[chosen.indices].astype(np.float32)
        said["mean_margin"] = float(files["margins"].mean())
    for what, values in files.items():
        np.save(path.with_name(f"{path.name}_{what}.npy"), values)
    return said


def require_same_runs(runs: dict[str, list[str]], names: list[str], data_dir: str | os.PathLike[str]) -> None:
    """Raises DatasetError if one of these sets is on disk and was made with the margins of other runs."""
    for name in names:
        made_with = (
            (manifests.read(datasets.training_folder(name, data_dir)) or {}).get("margins", {}).get("runs", runs)
        )
        if made_with != runs:
            remedy = f"Build them together: -y '{{sets: [{', '.join(NEED_MARGINS)}]}}' -p rebuild True"
            raise DatasetError(f"{name}: Expected margins of the runs {runs}. Received: those of {made_with}. {remedy}")


def peoples_labels(source_dir: str | os.PathLike[str]) -> Int[np.ndarray, "images classes"]:
    """CIFAR-10H: how many people chose each class, for each image of CIFAR-10's test part, in its order.

    Args:
        source_dir: folder of the file, which is downloaded if it is missing. Its terms are in `sources.CIFAR10H`.

    Raises:
        DatasetError: the file is not the published one, or could not be downloaded.
    """
    source = sources.CIFAR10H
    path = download.obtain([source], source_dir)[source.file].path
    return load_arrays(path, lambda array: array[...])


def hardness_checks(drawn: dict[str, Int[np.ndarray, " n"]], folder: pathlib.Path) -> dict[str, dict[str, float]]:
    """The hardness of test images for published models and for people.

    Args:
        drawn: data set → indices into CIFAR-10's test part.
        folder: of `cifar10.1-predictions.npz` (as for `data_prep.published`), and of CIFAR-10H, which is downloaded if
            it is missing.

    Returns:
        Mean accuracy of the published models, a fraction, and mean entropy of people's labels, in nats, by data set.

    Raises:
        DatasetError: a file is missing or is not the published one.
    """
    right = load_arrays(
        folder / "cifar10.1-predictions.npz", lambda arrays: arrays["predictions/cifar10"] == arrays["labels/cifar10"]
    )
    entropy = scipy.stats.entropy(peoples_labels(folder), axis=1)
    return {
        "mean accuracy of published models": {name: float(right[:, rows].mean()) for name, rows in drawn.items()},
        "mean entropy of people's labels, nats": {name: float(entropy[rows].mean()) for name, rows in drawn.items()},
    }
