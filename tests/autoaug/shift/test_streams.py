"""Each statement's random numbers are its own."""

import numpy as np

from autoaug.shift.intervals import stream


def test_a_stream_is_fixed_by_the_seed_and_all_names():
    names = [("verdict", "cifar102"), ("verdict", "cifar105"), ("verdictcifar", "102"), ("verdict",)]
    first = {stream(0, *name).integers(2**60) for name in names} | {stream(1, *names[0]).integers(2**60)}
    assert len(first) == 5
    np.testing.assert_array_equal(stream(3, "a", "b").random(4), stream(3, "a", "b").random(4))
