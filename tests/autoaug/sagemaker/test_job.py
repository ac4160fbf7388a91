"""A training as a SageMaker job, on paper."""

import dataclasses
import re

import pytest

from autoaug import recipes
from autoaug.sagemaker import instances, job, options

ROLE = "arn:aws:iam::123456789012:role/training"
OPTIONS = options.Options("my-bucket", ROLE)
OLDER = ("cifar10.1-v4", "cifar10.1-v6")
TEST_ONLY = (*OLDER, "cifar10.2")
TRAINING = job.Training(recipes.get("ss112", "paper"), "cifar102_30k")


def test_the_job_of_the_original_launcher():
    configuration = job.describe(TRAINING, OPTIONS)
    assert configuration["base_job_name"] == "ss112-cifar102-30k-1"
    assert configuration["compute"] == {
        "instance_type": "ml.g5.2xlarge",
        "instance_count": 1,
        "volume_size_in_gb": 50,
        "enable_managed_spot_training": True,
    }
    names = ["cifar102_30k", "cifar10_30k", *TEST_ONLY]  # the set that it reproduces too, for the four accuracies
    assert configuration["input_data_config"] == [
        {"channel_name": re.sub(r"\W", "_", name), "data_source": f"s3://my-bucket/data/{name}/training"}
        for name in names
    ]
    assert configuration["hyperparameters"] == {
        "model": "shake_shake_112",
        "train_data": "cifar102_30k",
        "preset": "paper",
        "epochs": 1800,
        "seed": 0,
        "workers": 1,
        "checkpoint_epochs": 1800,
    }
    assert configuration["stopping_condition"] == {
        "max_runtime_in_seconds": 60 * 3600,  # 2 × 29.6 hours, rounded up
        "max_wait_time_in_seconds": 120 * 3600,
    }


def test_four_workers_take_a_quarter_of_the_time_on_four_hosts():
    four = dataclasses.replace(TRAINING, workers=4)
    configuration = job.describe(four, OPTIONS)
    assert configuration["compute"]["instance_count"] == 4
    assert four.hours("ml.g5.2xlarge") == pytest.approx(TRAINING.hours("ml.g5.2xlarge") / 4, abs=1e-3)
    assert configuration["stopping_condition"]["max_runtime_in_seconds"] == 48 * 3600


@pytest.mark.parametrize(
    ("train_data", "studied", "expected"),
    [
        ("cifar105", (), ("cifar10_12k", *OLDER)),  # of which cifar10.2 is the test part
        ("cifar10_12k", (), ("cifar105", *OLDER)),
        ("cifar10_12k", ("cifar10_12k", "known_same"), ("cifar105", "known_same", *OLDER)),
        ("known_same", (), ("cifar10_12k", *TEST_ONLY)),
        ("cifar10", (), TEST_ONLY),
        ("synthetic10_harder", (), ("synthetic10",)),
    ],
)
def test_a_model_is_tested_on_what_it_is_compared_with(train_data, studied, expected):
    assert set(job.default_test_sets(train_data, studied)) == set(expected)


@pytest.mark.parametrize(
    ("instance_type", "workers", "update", "hosts"),
    [
        ("ml.g5.2xlarge", 1, "async", 1), ("ml.g5.2xlarge", 4, "async", 4), ("ml.c7i.4xlarge", 2, "sync", 2),
        ("ml.g5.12xlarge", 4, "sync", 1), ("ml.p4d.24xlarge", 8, "sync", 1),
    ],
)  # fmt: skip
def test_an_instance_with_several_gpus_is_used_whole(instance_type, workers, update, hosts):
    device = "auto" if instances.gpus(instance_type) else "cpu"
    training = dataclasses.replace(TRAINING, workers=workers, update=update, device=device)
    configuration = job.describe(training, dataclasses.replace(OPTIONS, instance_type=instance_type))
    assert configuration["compute"]["instance_count"] == hosts
    assert configuration["hyperparameters"]["workers"] == workers


@pytest.mark.parametrize(("workers", "update"), [(1, "async"), (2, "sync"), (4, "async"), (8, "sync")])
def test_an_instance_whose_gpus_would_be_paid_for_in_vain_is_refused(workers, update):
    training = dataclasses.replace(TRAINING, workers=workers, update=update)
    with pytest.raises(options.LaunchError, match=r"Expected workers=4 and update=sync for ml\.g5\.12xlarge"):
        job.describe(training, dataclasses.replace(OPTIONS, instance_type="ml.g5.12xlarge"))


@pytest.mark.parametrize(
    ("instance_type", "device", "told"),
    [("ml.g5.2xlarge", "auto", None), ("ml.g6.xlarge", "auto", None), ("ml.m5.4xlarge", "cpu", "cpu")],
)
def test_a_published_recipe_needs_a_gpu_or_the_word_cpu(instance_type, device, told):
    training = dataclasses.replace(TRAINING, device=device)
    chosen = dataclasses.replace(OPTIONS, instance_type=instance_type)
    assert job.describe(training, chosen)["hyperparameters"].get("device") == told
    other = dataclasses.replace(training, device="auto" if device == "cpu" else "cpu")
    with pytest.raises(options.LaunchError, match=f"Expected .*Received: .*device='{other.device}'"):
        job.describe(other, chosen)
    quick = dataclasses.replace(other, recipe=recipes.get("wrn"), device="auto")
    assert "device" not in job.describe(quick, chosen)["hyperparameters"]


def test_every_type_of_instance_that_is_compared_has_an_estimate():
    assert None not in [TRAINING.hours(name) for name in instances.COMPARED]


def test_a_quick_job_is_short_and_not_on_spot_and_synthetic_data_is_no_channel():
    configuration = job.describe(job.Training(recipes.get("wrn"), "synthetic10"), OPTIONS)
    assert configuration["stopping_condition"] == {"max_runtime_in_seconds": 7200}
    assert not configuration["compute"]["enable_managed_spot_training"]
    assert configuration["input_data_config"] == []


def test_options_reach_the_configuration():
    chosen = dataclasses.replace(
        OPTIONS, test_sets=("cifar10.1-v4",), kms_key="key", volume_kms_key="disk", subnets=("subnet-1",),
        security_groups=("sg-1",), encrypt_traffic=True, tags={"project": "shift"}, spot="no", max_run_hours=3,
    )  # fmt: skip
    configuration = job.describe(TRAINING, chosen)
    assert configuration["input_data_config"][1]["channel_name"] == "cifar10_1_v4"  # a name that a shell takes
    assert configuration["output_data_config"]["kms_key_id"] == "key"
    assert configuration["compute"]["volume_kms_key_id"] == "disk"
    assert configuration["networking"]["subnets"] == ["subnet-1"]
    assert configuration["tags"] == [{"key": "project", "value": "shift"}]
    assert configuration["stopping_condition"] == {"max_runtime_in_seconds": 3 * 3600}


def test_the_checkpoint_path_belongs_to_one_run():
    others = [dataclasses.replace(TRAINING, seed=1), dataclasses.replace(TRAINING, workers=2)]
    assert len({job.checkpoint_path(training, OPTIONS) for training in [TRAINING, *others]}) == 3


def test_metrics_are_found_in_what_training_prints():
    line = "step 20/400  loss 1.234  accuracy 0.567  380 images/s  0:01:00 left"
    found = {m["name"]: re.search(m["regex"], line) for m in job.describe(TRAINING, OPTIONS)["metric_definitions"]}
    assert found["train:loss"][1] == "1.234" and found["train:accuracy"][1] == "0.567"
    assert found["test:accuracy:cifar102_30k"] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bucket": "My Bucket"}, "Expected bucket.*Received: 'My Bucket'"),
        ({"role": "training"}, "Expected role, an ARN.*Received: 'training'"),
        ({"instance_type": "p3"}, "Expected instance_type"),
        ({"spot": "perhaps"}, "Expected spot"),
        ({"max_run_hours": 1000}, "Expected max_run_hours of 0 to 672"),
        ({"checkpoints": "/tmp"}, "Expected a path such as s3://"),
        ({"test_sets": ("cifar11",)}, "Received: 'cifar11'"),
        ({"subnets": ("subnet-1",)}, "both or neither"),
    ],
)
def test_wrong_options(change, message):
    with pytest.raises(options.LaunchError, match=message):
        dataclasses.replace(OPTIONS, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_data": "cifar11"}, "Received: 'cifar11'"),
        ({"train_data": "cifar10.2"}, "Received: 'cifar10.2'"),  # a test set
        ({"workers": 0}, "Expected workers of at least 1. Received: 0"),
        ({"update": "later"}, "Received: 'later'"),
        ({"workers": 3, "update": "sync"}, "Expected workers that can share a batch of 128 equally. Received: 3"),
    ],
)
def test_wrong_trainings(change, message):
    with pytest.raises(options.LaunchError, match=message):
        dataclasses.replace(TRAINING, **change)


def test_what_the_notebook_cannot_be_told_is_refused():
    odd = dataclasses.replace(TRAINING, recipe=dataclasses.replace(TRAINING.recipe, batch_size=64))
    with pytest.raises(options.LaunchError, match="with changes of epochs, size"):
        job.describe(odd, OPTIONS)


def test_apostrophes_are_refused():
    odd = dataclasses.replace(TRAINING, recipe=dataclasses.replace(TRAINING.recipe, size={"it's": 1}))
    with pytest.raises(options.LaunchError, match="size without an apostrophe"):
        job.describe(odd, OPTIONS)
