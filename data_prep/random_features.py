"""Random-feature models on CIFAR-10, made anew with 50,000 and with 10,000 training images: what does the size cost?

The models are those of the testbed in `results/published`, small enough to train in seconds: filters are random patches
of 6×6 pixels (fractions of 255), each without its mean and of length 1, times the inverse of the patches' covariance
plus .001. A feature is the mean over a pool of 15×15 (stride 6) of max(r − 1, 0) or max(−r − 1, 0), where r is the
filter's answer to the image: 18 for each filter. A ridge regression (regulariser 1e-4, no intercept) gives the class.

    python -m data_prep.random_features DATA_DIR > results/measured/random_features.csv
"""

import sys

import numpy as np
import tensorflow as tf

from autoaug import datasets

FILTERS = (1, 2, 4, 8, 16, 32, 64)
SEEDS = range(8)
SMALL = 10_000
_REGULARIZER = 1e-4


def filters(images: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` filters from the images' patches, float32 [6, 6, 3, count]."""
    total = 100_000
    which, rows, columns = rng.integers(len(images), size=total), *rng.integers(27, size=(2, total))
    at = np.arange(6)
    patches = images[which[:, None, None], (rows[:, None] + at)[:, :, None], (columns[:, None] + at)[:, None, :]]
    patches = patches.reshape(total, -1) / 255
    patches -= patches.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(patches, axis=1, keepdims=True)
    patches /= np.where(norms < 1e-8, 1, norms)
    covariance = patches.T @ patches / total + 1e-3 * np.eye(patches.shape[1])
    chosen = np.linalg.solve(covariance, patches[rng.choice(total, count, replace=False)].T)
    return chosen.reshape(6, 6, 3, count).astype(np.float32)


def features(images: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """float64 [images, 18 · filters]."""
    parts = []
    for start in range(0, len(images), 500):
        answer = tf.nn.conv2d(images[start : start + 500].astype(np.float32) / 255, kernel, 1, "VALID")
        both = tf.nn.relu(tf.concat([answer, -answer], axis=-1) - 1)
        parts.append(tf.nn.avg_pool2d(both, 15, 6, "VALID").numpy().reshape(len(answer), -1))
    return np.concatenate(parts).astype(float)


def correct(train: np.ndarray, labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray) -> int:
    """How many test images the ridge regression gets right."""
    gram = train.T @ train
    gram[np.diag_indices_from(gram)] += _REGULARIZER
    weights = np.linalg.solve(gram, train.T @ np.eye(10)[labels])
    return int(((test @ weights).argmax(axis=1) == test_labels).sum())


def main(data_dir: str) -> None:
    """Print a row for each number of filters and seed: images of CIFAR-10's test part that are right, of 10,000."""
    data = datasets.load("cifar10", data_dir)
    print("filters,seed,train_size,correct")
    for seed in SEEDS:
        for count in FILTERS:
            rng = np.random.default_rng([seed, count])
            kernel = filters(data.train_images, count, rng)
            train, test = features(data.train_images, kernel), features(data.test_images, kernel)
            order = rng.permutation(len(train))
            for size in (len(train), SMALL):
                rows = order[:size]
                found = correct(train[rows], data.train_labels[rows], test, data.test_labels)
                print(f"{count},{seed},{size},{found}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
