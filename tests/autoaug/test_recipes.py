"""Recipes are the published ones, refuse what is out of range, and are named and changed from one place."""

import dataclasses
import json
import math

import pytest

from autoaug import recipes

PUBLISHED = {  # epochs, batch, base learning rate, weight decay
    "wrn": (200, 128, 0.1, 5e-4),
    "shake_shake_32": (1800, 128, 0.01, 1e-3),
    "shake_shake_96": (1800, 128, 0.01, 1e-3),
    "shake_shake_112": (1800, 128, 0.01, 1e-3),
    "pyramid_net": (1800, 64, 0.05, 5e-5),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_paper_recipes_are_the_published_ones(name):
    recipe = recipes.get(name, "paper")
    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate, recipe.weight_decay) == PUBLISHED[name]
    assert (recipe.size, recipe.momentum, recipe.clip_norm, recipe.augmentation) == ({}, 0.9, 5.0, "autoaugment")


@pytest.mark.parametrize("preset", recipes.PRESETS)
@pytest.mark.parametrize(("long", "short"), recipes.SHORT_NAMES.items())
def test_either_name_gives_the_recipe(long, short, preset):
    assert recipes.get(short, preset) is recipes.get(long, preset)
    assert (recipes.get(long, preset).model, recipes.get(long, preset).preset) == (long, preset)


QUICK = recipes.get("wrn")
EVERY = [recipe for of_models in recipes.RECIPES.values() for recipe in of_models.values()]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        *(
            (lambda change=change: dataclasses.replace(QUICK, **change), f"Expected {min(change)}[:,] .*Received")
            for change in (
                *({"epochs": value} for value in (0, 2.5, 10**18, True)),
                *({"learning_rate": value} for value in (0.0, math.inf, math.nan, "0.1")),
                *({"momentum": value} for value in (5, 1.0, -0.1)),
                *({"clip_norm": value} for value in (0.0, -1, math.nan)),
                *({"size": value} for value in ({"depth": 10**9}, {"depth": "10"}, [], {1: 2})),
                *({"model": value} for value in ("ss32", "<b>", [])),
                *({name: 10**18} for name in ("batch_size", "validation_size")),
                {"batch_size": 0}, {"weight_decay": -1e-4}, {"preset": "slow"}, {"augmentation": "none"}, {"xla": 1},
            )
        ),
        *((lambda seed=seed: recipes.check("seed", seed, recipes.Seed), "Expected seed: .*Received: seed=")
          for seed in (-1, 2**31, 1.0, True, "0")),
        (lambda: recipes.get("resnet"), "model, one of wrn, shake_shake_32, ss32,.*Received: model='resnet'"),
        (lambda: recipes.get("wrn", "fast"), "one of quick, small, paper. Received: preset='fast'"),
        (lambda: recipes.get("wnr"), r"Did you mean wrn\?"),
        (lambda: recipes.get("pyramidnet"), r"Did you mean pyramid_net\?"),
        (lambda: recipes.get("wrn", "papr"), r"preset='papr'\. Did you mean paper\?"),
        (lambda: recipes.variant("wrn", augmentation="auto_augment"), r"Did you mean autoaugment\?"),
        (lambda: recipes.variant("wrn", learning_rate=-1), "Expected learning_rate"),
        (lambda: QUICK.steps_per_epoch(255, workers=2), "at least 256 training images"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("wrong_types")
def test_what_is_out_of_range_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_steps_drop_the_last_incomplete_batch_and_divide_among_workers():
    recipe = recipes.get("wrn", "paper")
    assert (recipe.steps_per_epoch(50_000), recipe.total_steps(50_000)) == (390, 78_000)
    assert (recipe.steps_per_epoch(50_000, workers=4), recipe.total_steps(50_000, 4)) == (97, 19_400)


@pytest.mark.parametrize("recipe", EVERY, ids=lambda recipe: f"{recipe.model}-{recipe.preset}")
def test_a_variant_has_what_is_changed_and_the_rest_of_its_preset(recipe):
    nothing = {"epochs": 0, "size": {}, "augmentation": "", "xla": False, "learning_rate": 0.0, "batch_size": 0}
    assert recipes.variant(recipe.model, recipe.preset, **nothing) == recipe
    depth = 34 if recipe.model == "wrn" else 38
    changes = {"epochs": 7, "size": {"depth": depth}, "precision": "mixed_bfloat16", "weight_decay": 1, "batch_size": 8}
    variant = recipes.variant(recipe.model, recipe.preset, **changes)
    assert (variant.epochs, variant.size) == (7, recipe.size | {"depth": depth})
    assert recipes.Recipe(**json.loads(json.dumps(dataclasses.asdict(variant)))) == variant
    assert recipes.variant("wrn", "paper", size={"depth": 28}) == recipes.get("wrn", "paper")
    assert [*recipes.variant("wrn", "paper", size={"widen_factor": 1, "depth": 10}).size] == ["depth", "widen_factor"]


@pytest.mark.parametrize(
    ("preset", "changes", "title"),
    [
        ("paper", {}, "WRN-28-10, 200 epochs"),
        ("paper", {"size": {"depth": 28}}, "WRN-28-10, 200 epochs"),  # the same network
        ("small", {"epochs": 1}, "WRN-10-2, 1 epoch"),
        ("small", {"epochs": 9, "augmentation": "autoaugment"}, "WRN-10-2, 9 epochs, AutoAugment"),
        ("quick", {"augmentation": "crop_flip_cutout"}, "WRN-10-1, 10 epochs, without AutoAugment"),
        ("small", {"precision": "mixed_bfloat16", "xla": True}, "WRN-10-2, 12 epochs, bfloat16, XLA"),
        ("small", {"learning_rate": 0.2, "batch_size": 8}, "WRN-10-2, 12 epochs, learning rate 0.2, batch size 8"),
        ("small", {"size": {"depth": 16}}, "WRN-16-2, 12 epochs"),
        ("paper", {"size": {"depth": 16, "widen_factor": 2}, "epochs": 12}, "WRN-16-2, 12 epochs (wrn, paper)"),
        ("quick", {"size": {"widen_factor": 2}}, "WRN-10-2, 10 epochs (wrn, quick)"),
    ],
)
def test_a_title_tells_the_network_the_epochs_and_what_differs_from_the_preset(preset, changes, title):
    assert recipes.title(recipes.variant("wrn", preset, **changes)) == title


def test_no_two_recipes_have_one_title():
    made = [
        recipes.variant(model, preset, epochs=12, size=size)
        for model in recipes.SHORT_NAMES
        for preset in recipes.PRESETS
        for depth in [40 if model == "wrn" else 38]
        for size in ({}, {"depth": depth}, {"depth": depth, "alpha" if model == "pyramid_net" else "widen_factor": 5})
    ]
    assert len({recipes.title(recipe) for recipe in made}) == len(made)
    assert recipes.title(recipes.get("ss96")) == "Shake-Shake-8 2×16d, 4 epochs (ss96, quick)"
    assert recipes.title(recipes.get("pyramid", "paper")) == "PyramidNet-272 (α 200), 1800 epochs"
