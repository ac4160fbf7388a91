"""The data sets: their files and classes, which set reproduces which, known truths; read from `catalogue.yml`."""

import dataclasses
import pathlib
from typing import Annotated, Any

import msgspec

_HIDDEN = "\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff0-\uffff"
Label = Annotated[str, msgspec.Meta(pattern=rf"^[^<>&${_HIDDEN}]{{1,200}}\Z")]
"""A text for readers: 1 to 200 characters, none of them markup, of a formula, or hidden."""


@dataclasses.dataclass(frozen=True)
class Truth:
    """The truth of a reproduction that was made to be harder, different, both or neither.

    Args:
        harder: whether the statement "harder" must be made; None if the design does not determine it.
        different: the same for "different".
        sentence: what is expected, for a report.
    """

    harder: bool | None
    different: bool | None
    sentence: str


@dataclasses.dataclass(frozen=True)
class Spec:
    """What is known of a data set.

    Args:
        title: its name for readers.
        training_files, train_size: files and images of the training part; none in a test set only.
        test_file, test_size: of the test part; empty and 0 in a training set only.
        family: sets of one family have the same classes; a model is evaluated on all test sets of its family.
        label_key: of the labels in the files.
        classes: names, if not those of the family: of a set of the user's own.
        original: the set that it reproduces, if any.
        original_test: the test set of its original's side, if this is not the original's own test part. CIFAR-10's
            10,000 test images are more than a subsample's; `photo_original` has those that no design draws from.
        judges: the sets whose models judge its difficulty, where other judges would share training images with it.
        part_of: the data set whose test part it is, if it is one.
        truth: of a reproduction that was made to be harder or different.
        design: how it was made of photographs (`data_prep.known_truth.Design`).
    """

    title: str
    training_files: tuple[str, ...] = ()
    test_file: str = ""
    train_size: int = 0
    test_size: int = 0
    family: str = "cifar10"
    label_key: str = "labels"
    classes: tuple[str, ...] = ()
    original: str = ""
    original_test: str = ""
    judges: tuple[str, ...] = ()
    part_of: str = ""
    truth: Truth | None = None
    design: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Of the labels 0, 1, 2, …"""
        return self.classes or CLASS_NAMES[self.family]

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def sizes(self) -> dict[str, int]:
        """Number of images of the parts that it has, "training" and "test"."""
        return {part: size for part, size in (("training", self.train_size), ("test", self.test_size)) if size}

    def files(self, part: str) -> tuple[str, ...]:
        """The files of a part, in order."""
        return self.training_files if part == "training" else (self.test_file,) if self.test_file else ()


class _Catalogue(msgspec.Struct):
    classes: dict[str, tuple[str, ...]]
    sets: dict[str, Spec]


_READ = msgspec.yaml.decode(pathlib.Path(__file__).with_suffix(".yml").read_bytes(), type=_Catalogue)
CLASS_NAMES, DATASETS = _READ.classes, _READ.sets

JUDGES = ("cifar10_rest_a", "cifar10_rest_b")
"""Two disjoint sets of CIFAR-10's training images outside of `cifar10_12k`; models of them judge difficulty."""

TITLES = {name: spec.title for name, spec in DATASETS.items()}
ORIGINALS = {name: spec.original for name, spec in DATASETS.items() if spec.original}
KNOWN_TRUTH = {name: spec.truth for name, spec in DATASETS.items() if spec.truth}

EMBEDDED = tuple(name for name, spec in DATASETS.items() if spec.family == "synthetic10")
"""The sets that are drawn, not downloaded: they can be built anywhere in a second."""

DESIGNS = tuple(name for name in KNOWN_TRUTH if name not in EMBEDDED)
"""Reproductions of `cifar10_12k` whose truth is known, from other images of CIFAR-10 (data_prep/known_truth.py)."""
