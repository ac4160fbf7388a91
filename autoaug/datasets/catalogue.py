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


_CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

CLASS_NAMES = {
    "cifar10": _CIFAR10_CLASSES,
    "cifar10_half": _CIFAR10_CLASSES,  # a family of their own: else models would be tested on CIFAR-10 twice
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

    A set without training files is a test set only.
    """

    training_files: tuple[str, ...]
    test_file: str
    train_size: int
    test_size: int
    family: str = "cifar10"
    label_key: str = "labels"

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(CLASS_NAMES[self.family])


DESIGNS = (
    *("known_same", "known_harder", "known_different", "known_diluted", "known_both", "known_half", "known_noisy"),
)
"""Reproductions of `cifar10_12k` whose truth is known, from other images of CIFAR-10 (data_prep/known_truth.py)."""

HALVES = ("cifar10_half_a", "cifar10_half_b")
"""CIFAR-10 in two halves; each is the training part of one set and the test part of the other."""

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
    **{name: _pair(name, 30_000, 30_000, "cifar10_half") for name in HALVES},
    **{name: _pair(name, 10_000, 2_000) for name in DESIGNS},
    "synthetic10": _SYNTHETIC,
    "synthetic10_harder": _SYNTHETIC,
    "synthetic10_different": _SYNTHETIC,
    "synthetic10_broader": _SYNTHETIC,
}

EMBEDDED = tuple(name for name, spec in DATASETS.items() if spec.family == "synthetic10")
"""The sets that are drawn, not downloaded: they can be built anywhere in a second."""

KNOWN_TRUTH = {
    "synthetic10_harder": Truth(True, False, "B is harder, not different: it has more of A's hard images."),
    "synthetic10_different": Truth(False, True, "B is different, not harder: it has A's difficulties in another look."),
    "synthetic10_broader": Truth(
        False,
        False,
        "B covers more, it is not harder: models of A lose on its faint shapes, models of B on neither set.",
    ),
    "known_same": Truth(
        False, False, "Nothing is shown, and the interval of the gap holds 0: B has other images of A's kind."
    ),
    "known_harder": Truth(True, False, "B is harder, not different: its images are the ones that models find hard."),
    "known_different": Truth(
        False, True, "B is different, not harder: random images as colour negatives with turned channels."
    ),
    "known_diluted": Truth(
        False, True, "B is different, not harder: 40 % of its images are of the new look, 60 % are like A's."
    ),
    "known_both": Truth(
        None, True, "B is different: hard images, all of the new look. Harder on B's side is not required."
    ),
    "known_half": Truth(
        None, True, "B is different: half of it is of the new look. By origin, its other half is harder."
    ),
    "known_noisy": Truth(
        True, False, "B is harder on order alone: 10 % of its labels are wrong. The noise row finds them."
    ),
}
"""Reproduction → what must come out, written down before any model was trained on it."""

ORIGINALS = {
    "synthetic10_harder": "synthetic10",
    "synthetic10_different": "synthetic10",
    "synthetic10_broader": "synthetic10",
    "cifar102": "cifar10_10k",
    "cifar102_30k": "cifar10_30k",
    "cifar105": "cifar10_12k",
    **dict.fromkeys(DESIGNS, "cifar10_12k"),
}
"""Reproduction → the data set that it reproduces, of the same size."""

TEST_PARTS = {"cifar10.2": "cifar105"}
"""Test set → the data set whose test part it is."""


def partners(name: str) -> tuple[str, ...]:
    """The sets whose models are compared with those of this set: its original, or its reproductions; often none."""
    original = (ORIGINALS[name],) if name in ORIGINALS else ()
    return original + tuple(reproduction for reproduction, original in ORIGINALS.items() if original == name)
