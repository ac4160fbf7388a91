"""What tests of the report share: finished runs of known accuracies, and their table."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import pytest
from run_files import SHAPES, write_study

from autoaug import runs


@pytest.fixture(scope="session")
def shapes(tmp_path_factory):
    """Folder of three seeds on drawn shapes and on harder ones."""
    folder = tmp_path_factory.mktemp("shapes")
    write_study(folder, dict.fromkeys(SHAPES, SHAPES))
    return folder


@pytest.fixture(scope="session")
def photographs(tmp_path_factory):
    """Folder of runs on sets of photographs: both sides of CINIC-10, a subset of CIFAR-10."""
    folder = tmp_path_factory.mktemp("photographs")
    on = {"cifar10": 0.7, "cinic10_5k": 0.5, "cifar10.1-v4": 0.55, "cifar10.1-v6": 0.6, "cifar10_5k": 0.9}
    write_study(folder, {"cifar10_5k": on, "cinic10_5k": on | {"cifar10": 0.6}}, preset="small")
    write_study(folder, {"cifar10_10k": {"cifar10_10k": 0.8}}, seeds=1, preset="small")
    return folder


@pytest.fixture(scope="session")
def table(photographs, shapes):
    return runs.collect(photographs, shapes)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")
