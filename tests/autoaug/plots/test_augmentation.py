"""What the pictures of the augmentation are drawn from, and that each is drawn."""

import numpy as np
import pytest

from autoaug import augment
from autoaug.augment import policies
from autoaug.plots import augmentation as augment_plots

MEAN, STD = np.array([0.5, 0.4, 0.2]), np.array([0.25, 0.2, 0.3])


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)


def test_transparent_pixels_are_shown_in_the_mean_colour(images):
    picture = augment_plots.augmented(images[0], [{"op": "TranslateX", "level": 3}], MEAN)
    assert (picture[:, 29:] == (128, 102, 51)).all()
    np.testing.assert_array_equal(picture[:, :29], images[0][:, 3:])


def test_effects_count_and_measure_each_operation(images):
    policy = ((("Invert", 1.0, 0), ("TranslateX", 0.0, 9)), (("Invert", 1.0, 0), ("Posterize", 1.0, 0)))
    plan = augment.sample_plan(augment.epoch_generator(0, 0), len(images), policy)
    effects = augment_plots.effects(images, plan, MEAN)
    expected = {"Invert": 1, "Posterize": (plan["sub_policy"] == 1).mean(), "TranslateX": 0}
    assert effects["share"][list(expected)].to_dict() == expected
    assert np.isnan(effects["change"]["TranslateX"])  # it never acts
    assert effects["change"]["Invert"] == pytest.approx(np.abs(255 - 2 * images.astype(int)).mean())
    assert effects["change"]["Posterize"] > 0
    assert effects["untouched"]["Invert"] == 0


def test_every_picture_is_drawn_with_its_labels(images):
    def labels(axes):
        return [text.get_text() for text in axes.texts]

    assert labels(augment_plots.operation(images, MEAN, 7, "Rotate", 9)) == ["image 7", "Rotate 9", "difference"]
    assert len(labels(augment_plots.operations_by_level(images[0], MEAN))) == 150
    assert labels(augment_plots.sub_policies(images[0], MEAN))[0] == "Invert 7, 0.1\nContrast 6, 0.2"
    assert len(labels(augment_plots.sub_policies(images[0], MEAN, policies.CIFAR10[:3]))) == 3


def test_a_plan_is_shown_as_words_with_a_dash_for_what_does_not_act(images):
    policy = ((("Invert", 1.0, 0), ("TranslateX", 0.0, 9)),)
    plan = augment.sample_plan(augment.epoch_generator(0, 0), len(images), policy)
    table = augment_plots.plan_table(plan)
    assert set(table["first operation"]) == {"Invert 0"} and set(table["second operation"]) == {"–"}
    assert list(table["sub-policy"]) == [0] * len(images) and "flip" in table.columns


def test_the_widgets_draw_what_is_chosen_and_only_geometric_operations_have_a_sign(images):
    box = augment_plots.choose(images, MEAN, image_index=3, name="Rotate", level=9, negate=True)
    image, choices = box.children[0], box.children[1].children
    assert image.value == 3 and image.max == len(images) - 1
    operation, level, negate = choices
    assert (operation.value, level.value, negate.value, negate.disabled) == ("Rotate", 9, True, False)
    operation.value = "Solarize"
    assert negate.disabled
