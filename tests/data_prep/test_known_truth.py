"""The designs of known truth: which images they draw, and what is done to them."""

import numpy as np
import pytest

from data_prep import known_truth

RNG = np.random.default_rng
LABELS = np.repeat(np.arange(10), 50)


@pytest.mark.parametrize(
    ("design", "new_look", "wrong"),
    [
        (known_truth.Design(), 0, 0),
        (known_truth.Design(new_look=0.2), 40, 0),
        (known_truth.Design(wrong_labels=0.1), 0, 20),
    ],
)
def test_classes_stay_balanced_and_shares_are_exact(design, new_look, wrong):
    rows, looks, labels = known_truth.choose(design, LABELS, None, 200, 10, RNG(0))
    assert len(set(rows)) == 200
    assert (np.bincount(LABELS[rows]) == 20).all()
    assert (looks.sum(), (labels != LABELS[rows]).sum()) == (new_look, wrong)


def test_sharpness_prefers_images_with_high_scores_in_each_class():
    scores = RNG(1).normal(size=500) + 10 * LABELS  # classes differ, which must not matter
    means = []
    for sharpness in (0.0, 1.0, 100.0):
        rows, *_ = known_truth.choose(known_truth.Design("entropy", sharpness), LABELS, scores, 200, 10, RNG(2))
        means.append((scores - 10 * LABELS)[rows].mean())
    assert means[0] + 0.3 < means[1] < means[2]
    hardest = [np.sort((scores - 10 * LABELS)[label == LABELS])[-20:].mean() for label in range(10)]
    assert means[2] == pytest.approx(np.mean(hardest))
