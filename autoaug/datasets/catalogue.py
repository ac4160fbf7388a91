"""The data sets: their files and classes, which set reproduces which, and the known truth of some."""

import dataclasses
from typing import Annotated

import msgspec

_HIDDEN = "\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff0-\uffff"
Label = Annotated[str, msgspec.Meta(pattern=rf"^[^<>&{_HIDDEN}]{{1,200}}\Z")]
"""A text for readers: 1 to 200 characters, none of them markup or hidden."""


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


CLASS_NAMES = {
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    "cifar100": tuple(
        """
        apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
        castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
        elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster
        man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck
        pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
        skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger
        tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
        """.split()  # noqa: SIM905
    ),
    "synthetic10": ("disc", "ring", "square", "triangle", "cross", "star", "crescent", "bar", "chevron", "dumbbell"),
}


@dataclasses.dataclass(frozen=True)
class Spec:
    """The files of a data set. A model is evaluated on all test sets of its `family`, which have the same classes.

    A set without training files is a test set only; a set with an empty `test_file` is a training set only. `title` is
    its name for readers, and `original` the set that it reproduces, if any. A set of the user's own has `classes`.
    """

    training_files: tuple[str, ...]
    test_file: str
    train_size: int
    test_size: int
    family: str = "cifar10"
    label_key: str = "labels"
    title: str = ""
    classes: tuple[str, ...] = ()
    original: str = ""

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


_DESIGNS = {
    "photo_same": "same",
    "photo_harder_5": "harder by 5 points",
    "photo_harder_15": "harder by 15 points",
    "photo_harder_margin": "harder, by margin",
    "photo_look_10": "new look, 10 %",
    "photo_look_20": "new look, 20 %",
    "photo_look_100": "new look, 100 %",
    "photo_noise_10": "wrong labels, 10 %",
}
DESIGNS = tuple(_DESIGNS)
"""Reproductions of `cifar10_12k` whose truth is known, from other images of CIFAR-10 (data_prep/known_truth.py)."""

JUDGES = ("cifar10_rest_a", "cifar10_rest_b")
"""Two disjoint sets of CIFAR-10's training images outside of `cifar10_12k`; models of them judge difficulty."""

_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
_SHAPES = Spec(("train_batch",), "test_batch", 5_120, 2_000, family="synthetic10", title="shapes")


def _pair(title: str, stem: str, train_size: int, test_size: int, suffix: str = "", original: str = "") -> Spec:
    """A set of one training and one test file."""
    files = (f"{stem}_train{suffix}",), f"{stem}_test{suffix}"
    return Spec(*files, train_size, test_size, title=title, original=original)


DATASETS = {
    "cifar10": Spec(_BATCHES, "test_batch", 50_000, 10_000, title="CIFAR-10"),
    "cifar100": Spec(("train",), "test", 50_000, 10_000, "cifar100", "fine_labels", title="CIFAR-100"),
    "cifar10_10k": _pair("CIFAR-10 (8,000 images)", "cifar10_10k", 8_000, 2_000, "_py27"),
    "cifar10_30k": _pair("CIFAR-10 (24,000 images)", "cifar10_30k", 24_000, 6_000, "_py27"),
    "cifar102": _pair(
        "CIFAR-10.2 mixture (8,000 images)", "cifar102_min_overlap", 8_000, 2_000, "_v4_py27", "cifar10_10k"
    ),
    "cifar102_30k": _pair("CIFAR-10.2 mixture (24,000 images)", "cifar102_30k", 24_000, 6_000, "_py27", "cifar10_30k"),
    "cifar10_12k": _pair("CIFAR-10 (10,000 images)", "cifar10_12k", 10_000, 2_000),
    "cifar105": _pair("CIFAR-10.2 (10,000 images)", "cifar105", 10_000, 2_000, original="cifar10_12k"),
    "cifar10.1-v4": Spec((), "cifar10.1-v4_test", 0, 2_021, title="CIFAR-10.1 v4"),
    "cifar10.1-v6": Spec((), "cifar10.1-v6_test", 0, 2_000, title="CIFAR-10.1 v6"),
    "cifar10.2": Spec((), "cifar10.2_test", 0, 2_000, title="CIFAR-10.2"),
    "cifar10_rest_a": Spec(("cifar10_rest_a_train",), "", 19_000, 0, title="CIFAR-10's other images, first half"),
    "cifar10_rest_b": Spec(("cifar10_rest_b_train",), "", 19_000, 0, title="CIFAR-10's other images, second half"),
    "cinic10": _pair("CINIC-10", "cinic10", 70_000, 70_000, original="cifar10"),  # larger than its original
    "cifar10_5k": _pair("CIFAR-10 (2,460 images)", "cifar10_5k", 2_460, 2_000),
    "cinic10_5k": _pair("CINIC-10 (2,460 images)", "cinic10_5k", 2_460, 2_000, original="cifar10_5k"),
    "photo_original": Spec((), "photo_original_test", 0, 5_000, title="CIFAR-10's test part (5,000 images)"),
    **{name: _pair(title, name, 10_000, 2_000, original="cifar10_12k") for name, title in _DESIGNS.items()},
    "synthetic10": _SHAPES,
    "synthetic10_harder": dataclasses.replace(_SHAPES, title="shapes, harder", original="synthetic10"),
    "synthetic10_different": dataclasses.replace(_SHAPES, title="shapes, different", original="synthetic10"),
}

TITLES = {name: spec.title for name, spec in DATASETS.items()}
"""Name of each data set → its name for readers."""

ORIGINALS = {name: spec.original for name, spec in DATASETS.items() if spec.original}
"""Reproduction → the data set that it reproduces."""

EMBEDDED = tuple(name for name, spec in DATASETS.items() if spec.family == "synthetic10")
"""The sets that are drawn, not downloaded: they can be built anywhere in a second."""

KNOWN_TRUTH = {
    "synthetic10_harder": Truth(True, False, "B is harder, not different: it has more of A's hard images."),
    "synthetic10_different": Truth(False, True, "B is different, not harder: it has A's difficulties in another look."),
    "photo_same": Truth(False, False, "Neither: other images of A's kind."),
    "photo_harder_5": Truth(True, False, "Harder by about 5 points: images that outside models are unsure of."),
    "photo_harder_15": Truth(True, False, "Harder by about 15 points: more of the images that they are unsure of."),
    "photo_harder_margin": Truth(
        True, None, "Harder by about 15 points. Chosen by margins, which contain the label, so different is left open."
    ),
    "photo_look_10": Truth(None, True, "Different: 10 % of the images are negatives with exchanged channels."),
    "photo_look_20": Truth(None, True, "Different: 20 % of the images are negatives with exchanged channels."),
    "photo_look_100": Truth(False, True, "Different, not harder: all images are negatives with exchanged channels."),
    "photo_noise_10": Truth(True, False, "Harder: 10 % of the labels are wrong."),
}
"""Reproduction → what must come out, written down before any model was trained on it."""

ORIGINAL_TESTS = {
    "cifar105": "cifar10",
    "cinic10_5k": "cifar10",
    **dict.fromkeys(DESIGNS, "photo_original"),
}
"""Reproduction → the test set of its original's side, if this is not the original's own test part. CIFAR-10's 10,000
test images are more than a subsample's, and `photo_original` has those that no design draws from."""

TEST_PARTS = {"cifar10.2": "cifar105"}
"""Test set → the data set whose test part it is."""
