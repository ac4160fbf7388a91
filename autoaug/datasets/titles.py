"""The names of the data sets for readers."""

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
    "cifar10_half_a": "one half of CIFAR-10",
    "cifar10_half_b": "the other half of CIFAR-10",
    "synthetic10": "shapes",
    "synthetic10_harder": "shapes, harder",
    "synthetic10_different": "shapes, different",
    "synthetic10_broader": "shapes, broader",
    "known_same": "photographs, same",
    "known_harder": "photographs, harder",
    "known_different": "photographs, different",
    "known_diluted": "photographs, diluted",
    "known_both": "photographs, hard and different",
    "known_half": "photographs, half hard, half different",
    "known_noisy": "photographs, noisy labels",
}
"""Name of each data set → its name for readers; the sets of known truth are named by how they are made."""


def title(name: str) -> str:
    """The name of a data set for readers; the name in the code if it has no other."""
    return TITLES.get(name, name)
