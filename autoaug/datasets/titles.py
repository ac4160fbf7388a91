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
    "cifar10_rest_a": "CIFAR-10's other images, first half",
    "cifar10_rest_b": "CIFAR-10's other images, second half",
    "cifar10_5k": "CIFAR-10 (4,460 images)",
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
"""Name of each data set → its name for readers; the sets of known truth are named by how they are made."""


def title(name: str) -> str:
    """The name of a data set for readers; the name in the code if it has no other."""
    return TITLES.get(name, name)
