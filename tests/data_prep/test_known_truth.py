"""The designs of known truth: which images they prefer (shares and classes: `test_build`)."""

import numpy as np
import pytest

from data_prep import known_truth

RNG = np.random.default_rng
LABELS = np.repeat(np.arange(10), 50)


def test_sharpness_prefers_images_with_high_scores_in_each_class():
    scores = RNG(1).normal(size=500) + 10 * LABELS  # classes differ, which must not matter
    means = []
    for sharpness in (0.0, 1.0, 100.0):
        rows, *_ = known_truth.choose(known_truth.Design("entropy", sharpness), LABELS, scores, 200, 10, RNG(2))
        means.append((scores - 10 * LABELS)[rows].mean())
    assert means[0] + 0.3 < means[1] < means[2]
    hardest = [np.sort((scores - 10 * LABELS)[label == LABELS])[-20:].mean() for label in range(10)]
    assert means[2] == pytest.approx(np.mean(hardest))
