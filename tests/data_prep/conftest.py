"""The published files in miniature, and sets as small."""

import pathlib
import shutil

import pytest
import stand_ins

from autoaug import datasets
from data_prep import sources


@pytest.fixture(scope="session")
def published_once(tmp_path_factory):
    """A folder of sources with all published files, and what `sources.FILES` has to say of them."""
    folder = tmp_path_factory.mktemp("published")
    with pytest.MonkeyPatch.context() as monkeypatch:
        _make_small(monkeypatch)
        return folder, stand_ins.write(folder)


@pytest.fixture
def published(published_once, tmp_path, monkeypatch):
    """A copy of that folder; the sets are small, and the published files are these."""
    _make_small(monkeypatch)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    for name, described in published_once[1].items():
        monkeypatch.setitem(sources.FILES, name, described)
    return pathlib.Path(shutil.copytree(published_once[0], tmp_path / "sources"))


def _make_small(monkeypatch):
    for name, spec in stand_ins.small(datasets.DATASETS).items():
        monkeypatch.setitem(datasets.DATASETS, name, spec)
