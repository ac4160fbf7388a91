"""Sets of the published sizes from real photographs, through the way for files whose hashes are not the published."""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import pytest

from autoaug import datasets
from autoaug.datasets.batch_file import DatasetError
from autoaug.files import ROOT
from data_prep import build, sources

SCRIPT = ROOT.parent / "shared" / "data" / "make_batches.py"


@pytest.fixture
def folder():
    """Removed at once, unlike `tmp_path`: the files take 400 MB."""
    with tempfile.TemporaryDirectory() as folder:
        yield pathlib.Path(folder)


@pytest.mark.skipif(not SCRIPT.exists(), reason="needs ../shared/data, the JPEG copy of CIFAR-10")
def test_a_subsample_of_the_jpeg_copy(folder):
    """Its channel statistics are near those of the research's subsample, which was drawn with another seed."""
    subprocess.run([sys.executable, SCRIPT, folder / "sources"], check=True)
    name, arguments = "cifar10_10k", (folder / "data", ["cifar10_10k"], folder / "sources")
    with pytest.raises(DatasetError, match=r"Expected md5 c99cafc152244af753f735de768cd75f\. Received: "):
        build.build(*arguments)
    assert not (folder / "data" / "cifar10").exists()
    build.build(*arguments, unverified="JPEG copy")
    dataset = datasets.load(name, folder / "data")
    assert dataset.source == "CIFAR-10 (JPEG copy)"
    np.testing.assert_array_equal(np.bincount(dataset.train_labels), [800] * 10)
    np.testing.assert_array_equal(np.bincount(dataset.test_labels), [200] * 10)
    np.testing.assert_allclose([dataset.mean, dataset.std], sources.REPORTED_STATISTICS[name], atol=0.005)
    manifest = json.loads((folder / "data" / "cifar10" / "training" / "manifest.json").read_text())
    assert manifest["inputs"]["cifar-10-python.tar.gz"]["verified"] is False
    assert manifest["parts"]["training"]["images_per_class"] == [5_000] * 10
