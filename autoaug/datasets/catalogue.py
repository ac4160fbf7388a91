"""The data sets: their files and classes, which set reproduces which, and the known truth of some."""

import dataclasses


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

    A set without training files is a test set only; a set with an empty `test_file` is a training set only. Sets of the
    user's own have a name for readers, names of classes, and the set that they reproduce, if any.
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
    def test_files(self) -> tuple[str, ...]:
        """The test file, if there is one."""
        return (self.test_file,) if self.test_file else ()


DESIGNS = (
    *("photo_same", "photo_harder_5", "photo_harder_15", "photo_harder_margin"),
    *("photo_look_10", "photo_look_20", "photo_look_100", "photo_noise_10"),
)
"""Reproductions of `cifar10_12k` whose truth is known, from other images of CIFAR-10 (data_prep/known_truth.py)."""

JUDGES = ("cifar10_rest_a", "cifar10_rest_b")
"""Two disjoint sets of CIFAR-10's training images outside of `cifar10_12k`; models of them judge difficulty."""

_CIFAR10_FILES = tuple(f"data_batch_{number}" for number in range(1, 6))
_SYNTHETIC = Spec(("train_batch",), "test_batch", 5_120, 2_000, family="synthetic10")


def _pair(name: str, train_size: int, test_size: int, family: str = "cifar10") -> Spec:
    """A set of one training and one test file."""
    return Spec((f"{name}_train",), f"{name}_test", train_size, test_size, family)


DATASETS = {
    "cifar10": Spec(_CIFAR10_FILES, "test_batch", 50_000, 10_000),
    "cifar100": Spec(("train",), "test", 50_000, 10_000, family="cifar100", label_key="fine_labels"),
    "cifar10_10k": Spec(("cifar10_10k_train_py27",), "cifar10_10k_test_py27", 8_000, 2_000),
    "cifar10_30k": Spec(("cifar10_30k_train_py27",), "cifar10_30k_test_py27", 24_000, 6_000),
    "cifar102": Spec(("cifar102_min_overlap_train_v4_py27",), "cifar102_min_overlap_test_v4_py27", 8_000, 2_000),
    "cifar102_30k": Spec(("cifar102_30k_train_py27",), "cifar102_30k_test_py27", 24_000, 6_000),
    "cifar10_12k": _pair("cifar10_12k", 10_000, 2_000),
    "cifar105": _pair("cifar105", 10_000, 2_000),
    "cifar10.1-v4": Spec((), "cifar10.1-v4_test", 0, 2_021),
    "cifar10.1-v6": Spec((), "cifar10.1-v6_test", 0, 2_000),
    "cifar10.2": Spec((), "cifar10.2_test", 0, 2_000),
    **{name: Spec((f"{name}_train",), "", 19_000, 0) for name in JUDGES},
    "cinic10": _pair("cinic10", 70_000, 70_000),
    "cifar10_5k": _pair("cifar10_5k", 2_460, 2_000),
    "cinic10_5k": _pair("cinic10_5k", 2_460, 2_000),
    "photo_original": Spec((), "photo_original_test", 0, 5_000),
    **{name: _pair(name, 10_000, 2_000) for name in DESIGNS},
    "synthetic10": _SYNTHETIC,
    "synthetic10_harder": _SYNTHETIC,
    "synthetic10_different": _SYNTHETIC,
}

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

ORIGINALS = {
    "synthetic10_harder": "synthetic10",
    "synthetic10_different": "synthetic10",
    "cifar102": "cifar10_10k",
    "cifar102_30k": "cifar10_30k",
    "cifar105": "cifar10_12k",
    "cinic10_5k": "cifar10_5k",
    "cinic10": "cifar10",
    **dict.fromkeys(DESIGNS, "cifar10_12k"),
}
"""Reproduction → the data set that it reproduces, of the same size (`cinic10`: larger)."""

ORIGINAL_TESTS = {
    "cifar105": "cifar10",
    "cinic10_5k": "cifar10",
    **dict.fromkeys(DESIGNS, "photo_original"),
}
"""Reproduction → the test set of its original's side, if this is not the original's own test part. CIFAR-10's 10,000
test images are more than a subsample's, and `photo_original` has those that no design draws from."""

TEST_PARTS = {"cifar10.2": "cifar105"}
"""Test set → the data set whose test part it is."""

TITLES = {
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "cifar10_10k": "CIFAR-10 (10,000 images)",
    "cifar10_30k": "CIFAR-10 (30,000 images)",
    "cifar10_12k": "CIFAR-10 (12,000 images)",
    "cifar102": "CIFAR-10.2 mixture (10,000 images)",
    "cifar102_30k": "CIFAR-10.2 mixture (30,000 images)",
    "cifar105": "CIFAR-10.2 (12,000 images)",
    "cifar10.1-v4": "CIFAR-10.1 v4",
    "cifar10.1-v6": "CIFAR-10.1 v6",
    "cifar10.2": "CIFAR-10.2",
    "synthetic10": "shapes",
    "synthetic10_harder": "shapes, harder",
    "synthetic10_different": "shapes, different",
    "cifar10_rest_a": "CIFAR-10's other images, first half",
    "cifar10_rest_b": "CIFAR-10's other images, second half",
    "cifar10_5k": "CIFAR-10 (4,460 images)",
    "cinic10": "CINIC-10",
    "cinic10_5k": "CINIC-10 (4,460 images)",
    "photo_original": "CIFAR-10's test part (5,000 images)",
    "photo_same": "same",
    "photo_harder_5": "harder by 5 points",
    "photo_harder_15": "harder by 15 points",
    "photo_harder_margin": "harder, by margin",
    "photo_look_10": "new look, 10 %",
    "photo_look_20": "new look, 20 %",
    "photo_look_100": "new look, 100 %",
    "photo_noise_10": "wrong labels, 10 %",
}
"""Name of each data set → its name for readers."""
