"""Each statement's random numbers are its own."""

import numpy as np

from autoaug.shift import Cells, compare
from autoaug.shift.intervals import stream


def test_a_stream_is_fixed_by_the_seed_and_all_names():
    names = [("verdict", "cifar102"), ("verdict", "cifar105"), ("verdictcifar", "102"), ("verdict",)]
    first = {stream(0, *name).integers(2**60) for name in names} | {stream(1, *names[0]).integers(2**60)}
    assert len(first) == 5
    np.testing.assert_array_equal(stream(3, "a", "b").random(4), stream(3, "a", "b").random(4))


def test_intervals_do_not_depend_on_the_signs_of_eigenvectors_which_differ_between_processors(monkeypatch):
    rng = np.random.default_rng(3)
    family = Cells(*(rng.random((4, 3, 500)) < 0.8))
    here = compare([family], 0.95, np.random.default_rng(0))
    eigh = np.linalg.eigh
    monkeypatch.setattr(
        np.linalg, "eigh", lambda matrix: (eigh(matrix)[0], eigh(matrix)[1] * np.resize([1, -1], len(matrix)))
    )
    assert compare([family], 0.95, np.random.default_rng(0)) == here
