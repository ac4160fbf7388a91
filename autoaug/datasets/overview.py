"""An overview of the sets of photographs, and of the sets that they are compared with."""

import pandas as pd

from autoaug.datasets.catalogue import DATASETS, partners

_PHOTOGRAPHS = {
    "cifar105": "CIFAR-10.2, as published",
    "cifar10_12k": "drawn from CIFAR-10's training part, of CIFAR-10.2's size",
    "cifar10.2": "the test part of `cifar105` by itself",
    "cifar10": "CIFAR-10, as published",
    "cifar10_10k": "drawn from CIFAR-10's training part",
    "cifar102": "the research's mixture: CIFAR-10 with a share of CIFAR-10.2",
    "cifar10_30k": "drawn from CIFAR-10's training part",
    "cifar102_30k": "the research's mixture, larger",
    "cifar10.1-v4": "CIFAR-10.1, version 4, as published",
    "cifar10.1-v6": "CIFAR-10.1, version 6, as published",
}
"""Name in the code → what it is; sets that are compared stand together."""


def overview() -> pd.DataFrame:
    """The data sets of the study: a row each, by its name in the code.

    Returns:
        The columns `what it is`; `training` and `test`, the numbers of images; and `compare with`, the other set that a
        comparison needs models of, empty if there is none. Designs of known truth are left out.
    """
    rows = {
        name: {
            "what it is": text,
            "training": DATASETS[name].train_size,
            "test": DATASETS[name].test_size,
            "compare with": ", ".join(other for other in partners(name) if other in _PHOTOGRAPHS),
        }
        for name, text in _PHOTOGRAPHS.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("name")
