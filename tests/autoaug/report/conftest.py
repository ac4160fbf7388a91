"""What tests of the report share: finished runs of known accuracies, and their table."""

import matplotlib
import pytest
from run_files import SHAPES, write_study

from autoaug import runs

matplotlib.use("agg")


@pytest.fixture(scope="session")
def table(tmp_path_factory):
    """Three seeds on drawn shapes and on harder ones; on photographs: both sides of CINIC-10, a subset of CIFAR-10."""
    folder = tmp_path_factory.mktemp("results")
    write_study(folder, dict.fromkeys(SHAPES, SHAPES))
    on = {"cifar10": 0.7, "cinic10_5k": 0.5, "cifar10.1-v4": 0.55, "cifar10.1-v6": 0.6, "cifar10_5k": 0.9}
    write_study(folder, {"cifar10_5k": on, "cinic10_5k": on | {"cifar10": 0.6}}, preset="small")
    write_study(folder, {"cifar10_10k": {"cifar10_10k": 0.8}}, seeds=1, preset="small")
    return runs.collect(folder)
