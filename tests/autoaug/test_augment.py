"""The augmentation kernel against the reference's cases."""

import json
import pathlib

import numpy as np
import pytest

from autoaug import augment

SHARED = pathlib.Path(__file__).resolve().parents[2].parent / "shared"


def test_every_case_of_the_reference_is_equal():
    path = SHARED / "reference" / "augment.npz"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    with np.load(path) as reference:
        images, outputs, cases = reference["images"], reference["outputs"], json.loads(str(reference["cases"]))
    assert len(cases) == len(outputs) == 985
    for case, output in zip(cases, outputs, strict=True):
        image, opaque = augment.apply_operations(images[case["image"]], case["ops"])
        np.testing.assert_array_equal(image, output[..., :3], err_msg=str(case))
        np.testing.assert_array_equal(opaque, output[..., 3] == 255, err_msg=str(case))
