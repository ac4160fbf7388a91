"""Recipes against the published table, the schedule against the recorded rates."""

import dataclasses
import json
import math

import pytest

from autoaug import recipes
from autoaug.files import ROOT

REFERENCE = ROOT.parent / "shared" / "reference"

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


def test_unknown_names_list_the_known_ones():
    with pytest.raises(ValueError, match=r"shake_shake_32 \(ss32\).*Received: 'resnet'"):
        recipes.get("resnet")
    with pytest.raises(ValueError, match=r"quick, small, paper. Received: preset='fast'"):
        recipes.get("wrn", "fast")


def test_a_name_that_resembles_a_known_one_is_suggested():
    for model, meant in (("wnr", "wrn"), ("shakeshake_32", "shake_shake_32"), ("pyramidnet", "pyramid_net")):
        with pytest.raises(ValueError, match=rf"Received: '{model}'\. Did you mean {meant}\?"):
            recipes.get(model)
    with pytest.raises(ValueError, match=r"Received: preset='papr'\. Did you mean paper\?"):
        recipes.get("wrn", "papr")
    with pytest.raises(ValueError, match=r"augmentation='auto_augment'\. Did you mean autoaugment\?"):
        recipes.variant("wrn", augmentation="auto_augment")
    assert recipes.did_you_mean("vgg", recipes.SHORT_NAMES) == ""


@pytest.mark.parametrize("seed", [-1, 2**31, 1.0, True, "0"])
@pytest.mark.usefixtures("wrong_types")
def test_a_seed_out_of_range_is_refused_with_the_range(seed):
    with pytest.raises(ValueError, match=r"Expected seed, an integer from 0 to 2,147,483,647\. Received: seed="):
        recipes.check_seed(seed)
    recipes.check_seed(0)
    recipes.check_seed(2**31 - 1)


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"epochs": 2.5},
        {"epochs": 10**18},
        {"epochs": True},
        {"batch_size": 0},
        {"preset": "slow"},
        {"augmentation": "none"},
        {"model": "ss32"},
        {"learning_rate": 0.0},
        {"learning_rate": math.inf},
        {"learning_rate": "0.1"},
        {"momentum": 5},
        {"momentum": 1.0},
        {"momentum": -0.1},
        {"clip_norm": 0.0},
        {"clip_norm": -1},
        {"clip_norm": math.nan},
        {"batch_size": 10**18},
        {"validation_size": 10**18},
        {"size": {"depth": 10**9}},
        {"size": {"depth": "10"}},
        {"size": []},
        {"weight_decay": -1e-4},
    ],
)
@pytest.mark.usefixtures("wrong_types")
def test_values_out_of_range_are_refused(change):
    (name,) = change
    with pytest.raises(ValueError, match=f"Expected {name}"):
        dataclasses.replace(recipes.get("wrn"), **change)


def test_steps_drop_the_last_incomplete_batch_and_divide_among_workers():
    recipe = recipes.get("wrn", "paper")
    assert recipe.steps_per_epoch(50_000) == 390
    assert recipe.steps_per_epoch(50_000, workers=4) == 97
    assert recipe.total_steps(50_000) == 200 * 390
    with pytest.raises(ValueError, match="at least 256 training images"):
        recipe.steps_per_epoch(255, workers=2)


def test_schedule_begins_below_base_and_ends_at_exactly_zero():
    assert recipes.learning_rate_at(0.1, 1, 78_000) < 0.1
    for total in (1, 7, 78_000, 702_000):
        assert recipes.learning_rate_at(0.05, total, total) == 0.0


@pytest.mark.skipif(not REFERENCE.exists(), reason="needs ../shared/reference")
def test_schedule_gives_the_recorded_rates():
    golden = json.loads((REFERENCE / "training.json").read_text())
    rates = [recipes.learning_rate_at(golden["base_lr"], step, 10) for step in range(1, 11)]
    assert rates == pytest.approx([row[0] for row in golden["rows"]], rel=1e-7, abs=0)


def test_a_recipe_goes_through_json():
    recipe = recipes.get("pyramid_net")
    assert recipes.Recipe(**json.loads(json.dumps(dataclasses.asdict(recipe)))) == recipe


@pytest.mark.parametrize("recipe", recipes.RECIPES, ids=lambda recipe: f"{recipe.model}-{recipe.preset}")
def test_a_variant_and_its_changes_lead_to_each_other(recipe):
    assert recipes.variant(recipe.model, recipe.preset, epochs=0, size={}, augmentation="", xla=False) == recipe
    changes = {"epochs": 7, "size": {"depth": 34}, "precision": "mixed_bfloat16"}
    variant = recipes.variant(recipe.model, recipe.preset, **changes)
    assert (variant.epochs, variant.size) == (7, recipe.size | {"depth": 34})
    assert recipes.variant(recipe.model, recipe.preset, **recipes.changes(variant)) == variant


def test_what_the_notebook_has_no_parameter_for_is_no_change():
    with pytest.raises(ValueError, match="with changes of epochs, size"):
        recipes.changes(dataclasses.replace(recipes.get("wrn"), batch_size=64))
    with pytest.raises(TypeError, match="Received: batch_size"):
        recipes.variant("wrn", batch_size=64)
