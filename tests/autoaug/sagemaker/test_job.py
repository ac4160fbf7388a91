"""A training as a SageMaker job, on paper."""

import dataclasses
import json
import re

import pytest

from autoaug import recipes
from autoaug.files import ROOT
from autoaug.sagemaker import job, options

OPTIONS = options.Options("my-bucket", "arn:aws:iam::123456789012:role/training")
OLDER = ("cifar10.1-v4", "cifar10.1-v6")
TEST_ONLY = (*OLDER, "cifar10.2")
PAPER = {"model": "ss112", "train_data": "cifar102_30k", "preset": "paper"}


def describe(changes=(), **chosen):
    return job.describe(job.training(PAPER | dict(changes)), dataclasses.replace(OPTIONS, **chosen))


def test_what_is_given_is_sent_and_nothing_else():
    main = {"model", "train_data", "preset", "epochs", "seed", "workers", "checkpoint_epochs"}
    quick = job.training({}).hyperparameters()
    assert set(quick) == main and quick["preset"] == json.loads(json.dumps(job.parameters()["preset"])) == "quick"
    given = {"checkpoint_minutes": "3", "size": "depth=10,widen_factor=2", "xla": "yes", "seed": "7", "epochs": 0}
    told = job.training({"model": "wrn"} | given).hyperparameters()
    assert set(told) == main | {"checkpoint_minutes", "size", "xla"} and told["epochs"] == 10
    assert (told["checkpoint_minutes"], told["seed"], told["xla"]) == (3, 7, True)
    assert told["size"] == {"depth": 10, "widen_factor": 2}


def test_the_launching_notebook_has_the_parameters_of_the_training_notebook():
    launching, training = (
        "".join(json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text())["cells"][1]["source"]).splitlines()
        for name in ("launch", "train")
    )
    assert launching[:-4] == [line for line in training if not line.startswith(("data_dir", "results_dir"))]
    assert [line.partition(":")[0] for line in launching[-4:]] == ["bucket", "role", "instance_type", "job_options"]
    assert job.changed(job.parameters() | {"seed": 3, "bucket": "b"}) == {"seed": 3}


@pytest.mark.parametrize(
    ("train_data", "studied", "expected"),
    [
        ("cifar105", (), ("cifar10_12k", "cifar10", *OLDER)),  # of which cifar10.2 is the test part
        ("cifar10_12k", (), ("cifar105", "cifar10", *OLDER)),
        ("cifar10_12k", ("photo_same",), ("cifar105", "cifar10", "photo_same", "photo_original", *OLDER)),
        ("photo_same", (), ("cifar10_12k", "photo_original", *TEST_ONLY)),
        ("cifar10_rest_a", ("cifar10_rest_b", "cinic10_5k"), ("cinic10_5k", "cifar10", *TEST_ONLY)),
        ("photo_judges_a", ("photo_judges_b", "photo_same"), ("photo_same", "photo_original", *TEST_ONLY)),
        ("cifar10", (), TEST_ONLY),
        ("cifar10", ("cinic10",), ("cinic10", *TEST_ONLY)),
        ("synthetic10_harder", (), ("synthetic10",)),
    ],
)
def test_a_model_is_tested_on_what_it_is_compared_with(train_data, studied, expected):
    assert sorted(job.default_test_sets(train_data, studied)) == sorted(expected)


@pytest.mark.parametrize(
    ("instance_type", "workers", "hosts"),
    [("ml.g5.2xlarge", 1, 1), ("ml.g5.2xlarge", 4, 4), ("ml.c7i.4xlarge", 2, 2), ("ml.g5.12xlarge", 4, 1),
     ("ml.p2.8xlarge", 8, 1), ("ml.p5.4xlarge", 1, 1), ("ml.g7e.12xlarge", 2, 1), ("ml.p6-b200.48xlarge", 8, 1)],
)  # fmt: skip
def test_an_instance_with_several_gpus_is_used_whole(instance_type, workers, hosts):
    device = "cpu" if instance_type.startswith("ml.c") else "auto"
    configuration = describe({"workers": workers, "device": device}, instance_type=instance_type)
    assert configuration["compute"]["instance_count"] == hosts
    assert configuration["hyperparameters"]["workers"] == workers
    if (instance_type, workers) == ("ml.g5.2xlarge", 4):
        assert configuration["base_job_name"] == "ss112-cifar102-30k-4"
        assert configuration["stopping_condition"]["max_runtime_in_seconds"] == 48 * 3600


@pytest.mark.parametrize(
    ("changes", "chosen", "message"),
    [
        ({"workers": 4, "batch_size": 130}, {"instance_type": "ml.g5.12xlarge"}, "share equally.*workers 4, .*, 130"),
        ({}, {"instance_type": "ml.g5.12xlarge"}, "Expected workers 4, one for each GPU.*12xlarge, workers 1,"),
        ({"workers": 4}, {"instance_type": "ml.p4d.24xlarge"}, "Expected workers 8"),
        ({}, {"instance_type": "ml.m5.4xlarge"}, "with a GPU for the preset paper.*'ml.m5.4xlarge, .* device auto'"),
        ({"device": "cpu"}, {}, "Expected an instance type without GPU.*device cpu'"),
        ({}, {"subnets": ("subnet-1",)}, r"Expected subnets and security_groups, or neither.*\['subnet-1'\]"),
        ({}, {"network_isolation": True}, "Expected with network_isolation an image of your own"),
        ({}, {"test_sets": ("cifar10.3",)}, "Did you mean cifar10.2"),
        ({}, {"test_sets": ("cifar10_rest_a",)}, "Received: test_sets='cifar10_rest_a'"),
        ({"train_data": "cifar11"}, {}, "cifar11"),
        ({"train_data": "cifar10.2"}, {}, "Expected train_data"),
        ({"model": "vgg"}, {}, "model='vgg'"),
        ({"workers": 0}, {}, "Expected workers above 0. Received: workers=0"),
        ({"workers": 2, "xla": True}, {}, "Expected xla=False with several workers"),
        ({"workers": "two"}, {}, "workers: Expected `int`"),
        ({"seed": -1}, {}, "Expected seed"),
        ({"device": "tpu"}, {}, "Expected device, one of auto, cpu"),
        ({"modle": "wrn"}, {}, "Expected parameter, one of model, .*Did you mean model"),
        ({"data_dir": "x"}, {}, "Received: parameter='data_dir'"),
        ({"size": {"depth": 17}}, {}, "Expected depth"),
        ({}, {"max_run_hours": 0.0001}, "Expected max_run_hours of at least 0.1, or 0. Received: 0.0001"),
    ],
)
def test_what_is_wrong_or_does_not_fit_together_is_refused(changes, chosen, message):
    with pytest.raises(ValueError, match=message):
        describe(changes, **chosen)


def test_a_quick_job_is_short_and_not_on_spot_and_synthetic_data_is_no_channel():
    configuration = describe({"preset": "quick", "train_data": "synthetic10"}, instance_type="ml.m5.4xlarge")
    assert configuration["stopping_condition"] == {"max_runtime_in_seconds": 7200}
    assert not configuration["compute"]["enable_managed_spot_training"]
    assert configuration["input_data_config"] == []


def test_a_jobs_name_is_one_that_sagemaker_takes(monkeypatch):
    monkeypatch.setitem(recipes.SHORT_NAMES, "wrn", "two_layers")  # as a model that a user adds
    assert job.training({"model": "wrn", "train_data": "cifar102_30k"}).name == "two-layers-cifar102-30k-1"


def test_the_checkpoint_path_belongs_to_one_run():
    trainings = [job.training(PAPER | change) for change in ({}, {"seed": 1}, {"workers": 2}, {"model": "ss96"})]
    assert len({job.checkpoint_path(training, OPTIONS) for training in trainings}) == 4
    same = job.training(PAPER | {"model": "shake_shake_112", "epochs": 1800, "checkpoint_minutes": 5})
    assert job.checkpoint_path(same, OPTIONS) == job.checkpoint_path(trainings[0], OPTIONS)


def test_metrics_are_found_in_what_training_prints_and_a_set_without_test_part_has_none():
    line = "step 20/400  loss 1.234  accuracy 0.567  380 images/s  0:01:00 left"
    found = {m["name"]: re.search(m["regex"], line) for m in describe()["metric_definitions"]}
    assert found["train:loss"][1] == "1.234" and found["train:accuracy"][1] == "0.567"
    assert found["test:accuracy:cifar102_30k"] is None
    configuration = describe({"train_data": "cifar10_rest_a"})
    assert configuration["input_data_config"][0]["channel_name"] == "cifar10_rest_a"
    assert "cifar10_rest_a" not in str(configuration["metric_definitions"])
