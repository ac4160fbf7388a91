"""What is computed from images: channel statistics, hashes, and which images are the same."""

import hashlib

import numpy as np
from jaxtyping import Bool, Float64, Int, UInt8


def channel_statistics(
    images: UInt8[np.ndarray, "n 32 32 3"],
) -> tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "3"]]:
    """Mean and population standard deviation of each channel, as fractions of 255.

    Exact: the squares of 256 values of at most 255 add up to less than 2²⁴, and float32 holds every integer below that.
    """
    total, squares = np.zeros(images[0].size, int), np.zeros(images[0].size, int)
    for start in range(0, len(images), 256):
        chunk = images[start : start + 256].reshape(-1, images[0].size).astype(np.float32)
        total += chunk.sum(axis=0).astype(int)
        squares += np.square(chunk, out=chunk).sum(axis=0).astype(int)
    pixels = len(images) * 32 * 32
    total, squares = (sums.reshape(-1, 3).sum(axis=0).tolist() for sums in (total, squares))
    variance = [(pixels * square - linear**2) / pixels**2 for linear, square in zip(total, squares, strict=True)]
    return np.array(total) / pixels / 255, np.sqrt(variance) / 255


def content_hash(images: UInt8[np.ndarray, "n 32 32 3"], labels: Int[np.ndarray, " n"]) -> str:
    """SHA-256, in hexadecimal, of the pixels in row-major order followed by the labels as little-endian int64."""
    digest = hashlib.sha256(np.ascontiguousarray(images).data)
    digest.update(np.ascontiguousarray(labels, dtype="<i8").data)
    return digest.hexdigest()


def image_hashes(images: UInt8[np.ndarray, "n 32 32 3"]) -> list[bytes]:
    """A hash of each image's pixels."""
    return [hashlib.blake2b(image.data, digest_size=16).digest() for image in np.ascontiguousarray(images)]


def overlap(
    test_images: UInt8[np.ndarray, "test 32 32 3"], train_images: UInt8[np.ndarray, "train 32 32 3"]
) -> Bool[np.ndarray, " test"]:
    """Whether each test image has the same pixels as some training image."""
    known = set(image_hashes(train_images))
    return np.array([image in known for image in image_hashes(test_images)], bool)


def repeated(images: UInt8[np.ndarray, "n 32 32 3"]) -> Bool[np.ndarray, " n"]:
    """Whether each image has the same pixels as an earlier image."""
    first: dict[bytes, int] = {}
    return np.array([first.setdefault(image, index) != index for index, image in enumerate(image_hashes(images))], bool)
