"""A training as a SageMaker job, on paper: pure functions from a recipe and options to what the job is told.

The dictionary that `describe` returns has the names and the nesting of the SDK's `ModelTrainer` and its configurations;
`launch` checks and submits it. In S3 a study is one bucket:

    data/<name>/training/               the data sets, as on disk
    checkpoints/<job>-<preset>-<hash>/  what SageMaker keeps in step with /opt/ml/checkpoints: the run in the making
    jobs/<job>-<timestamp>/             input/code: the source that was sent; output/: model.tar.gz (record and last
                                        checkpoint), output.tar.gz (record, history, predictions, executed notebook)
"""

import dataclasses
import hashlib
import json
import math
import re

from autoaug import duration, recipes
from autoaug.datasets import DATASETS, EMBEDDED

CHECKPOINTS = "/opt/ml/checkpoints"
SOURCE = ("autoaug", "data_prep", "notebooks/train.ipynb", "requirements.lock", "requirements-container.txt")
ENTRY_SCRIPT = "autoaug/sagemaker/container.py"
LIMIT_HOURS = 28 * 24  # SageMaker ends a training job after 28 days
LONG_HOURS = 48  # what the original allowed
_ROLE = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/[\w+=,.@/-]+")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_INSTANCE = re.compile(r"ml\.(\w+)\.\w+")

# What `train` prints (see `progress` and `container`), as CloudWatch metrics.
_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_METRICS = {"train:loss": rf"  loss {_NUMBER}", "train:accuracy": rf"  accuracy {_NUMBER}"}

_DEVICES = {"g4dn": "NVIDIA T4", "p3": "NVIDIA V100 SXM2", "g5": "NVIDIA A10", "p4d": "NVIDIA A100",
            "p4de": "NVIDIA A100", "p5": "NVIDIA H100 SXM"}  # fmt: skip


class LaunchError(ValueError):
    """A job cannot be launched as asked; nothing was created."""


@dataclasses.dataclass(frozen=True)
class Options:
    """Where and how a job runs; what is empty or 0 is chosen by `describe`.

    Args:
        bucket: name of the S3 bucket that holds data, checkpoints and results.
        role: ARN of the IAM role that the job assumes.
        instance_type: of every host; one device of each is used.
        image: URI of the training image; empty: SageMaker's TensorFlow 2.21 image for the instance type.
        volume_gb: disk of every host.
        max_run_hours: 0: twice the estimate, at least 48 hours with the paper preset, 2 with the quick one.
        spot: "auto" (where more than an hour is estimated), "yes" or "no".
        checkpoints: S3 path of the run in the making; empty: one that belongs to this run alone.
        output: S3 path of the results; empty: `s3://<bucket>/jobs`.
        test_sets: names of test sets to evaluate on, besides that of the training data.
        kms_key: encrypts results and source in S3.
        volume_kms_key: encrypts the disks.
        subnets, security_groups: ids, of a VPC.
        encrypt_traffic: whether traffic between hosts is encrypted, which slows several workers.
        tags: names with values.
        wait: whether to show the log until the job ends.
    Raises:
        LaunchError: an option is not what it should be.
    """

    bucket: str
    role: str
    instance_type: str = "ml.g5.2xlarge"
    image: str = ""
    volume_gb: int = 50
    max_run_hours: float = 0
    spot: str = "auto"
    checkpoints: str = ""
    output: str = ""
    test_sets: tuple = ()
    kms_key: str = ""
    volume_kms_key: str = ""
    subnets: tuple = ()
    security_groups: tuple = ()
    encrypt_traffic: bool = False
    tags: dict = dataclasses.field(default_factory=dict)
    wait: bool = False

    def __post_init__(self):
        _expect(_BUCKET.fullmatch(self.bucket), "bucket, the name of an S3 bucket", self.bucket)
        _expect(_ROLE.fullmatch(self.role), "role, an ARN such as arn:aws:iam::123456789012:role/training", self.role)
        _expect(_INSTANCE.fullmatch(self.instance_type), "instance_type, such as ml.g5.2xlarge", self.instance_type)
        _expect(1 <= self.volume_gb <= 16_384, "volume_gb of 1 to 16384", self.volume_gb)
        _expect(0 <= self.max_run_hours <= LIMIT_HOURS, f"max_run_hours of 0 to {LIMIT_HOURS}", self.max_run_hours)
        _expect(self.spot in ("auto", "yes", "no"), "spot, one of auto, yes, no", self.spot)
        for path in (self.checkpoints, self.output):
            _expect(not path or re.fullmatch(r"s3://[^/]+/.+", path), "a path such as s3://bucket/folder", path)
        for name in self.test_sets:
            _expect(name in DATASETS, f"test_sets of {', '.join(DATASETS)}", name)
        _expect(bool(self.subnets) == bool(self.security_groups), "subnets and security_groups, both or neither",
                [*self.subnets, *self.security_groups])  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Training:
    """What a job trains.

    Args:
        recipe: `recipes.Recipe`.
        train_data: name of the data set.
        seed: of all random choices, of `recipes.SEEDS`.
        workers: number of hosts.
        update: "async" or "sync", how several workers update the model.
    Raises:
        LaunchError: an argument is not what it should be, or the notebook cannot be told this recipe.
        ValueError: the seed is out of range, or the training set is smaller than a batch for each worker.
    """

    recipe: recipes.Recipe
    train_data: str
    seed: int = 0
    workers: int = 1
    update: str = "async"

    def __post_init__(self):
        known = [name for name, spec in DATASETS.items() if spec.training_files]
        _expect(self.train_data in known, f"train_data, one of {', '.join(known)}", self.train_data)
        recipes.check_seed(self.seed)
        _expect(isinstance(self.workers, int) and self.workers >= 1, "workers of at least 1", self.workers)
        _expect(self.update in ("async", "sync"), "update, async or sync", self.update)
        self.recipe.steps_per_epoch(self.train_size, self.workers)

    @property
    def train_size(self):
        """Images that are trained on."""
        return DATASETS[self.train_data].train_size - self.recipe.validation_size

    @property
    def name(self):
        """`<short model>-<data set>-<workers>`, as the original named its jobs."""
        return f"{recipes.SHORT_NAMES[self.recipe.model]}-{self.train_data.replace('_', '-')}-{self.workers}"

    def parameters(self):
        """The parameters of the training notebook: the main ones, and those in which the recipe is not the preset's."""
        recipe = self.recipe
        try:
            changed = recipes.changes(recipe)
        except ValueError as error:
            raise LaunchError(str(error)) from error
        parameters = {"model": recipe.model, "train_data": self.train_data, "preset": recipe.preset}
        parameters |= {"epochs": recipe.epochs, "seed": self.seed, "workers": self.workers}
        if self.workers > 1:
            parameters["update"] = self.update
        return parameters | {"checkpoint_epochs": recipe.epochs} | changed  # inside epochs, every checkpoint_minutes

    def hours(self, instance_type):
        """Estimated hours on hosts of a type, all workers at once; None for an unknown size or device.

        A guess from published rates (see `estimate`), not a measurement.
        """
        recipe = self.recipe
        if recipe.size != recipes.get(recipe.model, recipe.preset).size:
            return None
        device = _DEVICES.get(_INSTANCE.fullmatch(instance_type)[1])
        flops = recipes.TRAINING_FLOPS[recipe.preset][recipe.model] * self.train_size * recipe.epochs / self.workers
        return duration.durations(flops)[device].total_seconds() / 3600 if device else None

    def digest(self):
        """Hash of all that defines the run, its data's content aside."""
        identity = [dataclasses.asdict(self.recipe), self.train_data, self.seed, self.workers, self.update]
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8]


def is_here(launch):
    """Whether the notebook's parameter `launch` says to train here.

    Raises:
        LaunchError: it is neither "here" nor "sagemaker".
    """
    _expect(launch in ("here", "sagemaker"), "launch, here or sagemaker", launch)
    return launch == "here"


def channels(training, options):
    """Data set → S3 path of its channel; the synthetic sets have none, they are built in the container."""
    names = dict.fromkeys([training.train_data, *options.test_sets])
    return {name: f"s3://{options.bucket}/data/{name}/training" for name in names if not is_built(name)}


def is_built(name):
    """Whether a data set is built on the spot by the training notebook."""
    return name in EMBEDDED


def channel_name(data_name):
    """The channel of a data set; SM_CHANNEL_<name> must be a name that a shell takes."""
    return re.sub(r"\W", "_", data_name)


def describe(training, options):
    """The configuration of a job: a dictionary of `ModelTrainer`'s arguments, `source_code.source_dir` left out.

    Args:
        training: `Training`.
        options: `Options`.

    Raises:
        LaunchError: a value holds an apostrophe, on which the drivers of the container break.
    """
    hyperparameters = training.parameters()
    for name, value in hyperparameters.items():
        _expect("'" not in json.dumps(value), f"{name} without an apostrophe", value)
    seconds, spot = _run_time(training, options)
    stopping = {"max_runtime_in_seconds": seconds}
    if spot:
        stopping["max_wait_time_in_seconds"] = min(2 * seconds, LIMIT_HOURS * 3600)
    configuration = {
        "base_job_name": training.name,
        "role": options.role,
        "training_image": options.image or None,
        "source_code": {"entry_script": ENTRY_SCRIPT, "requirements": "requirements-container.txt"},
        "compute": {
            "instance_type": options.instance_type,
            "instance_count": training.workers,
            "volume_size_in_gb": options.volume_gb,
            "enable_managed_spot_training": spot,
        },
        "stopping_condition": stopping,
        "input_data_config": [
            {"channel_name": channel_name(name), "data_source": path}
            for name, path in channels(training, options).items()
        ],
        "output_data_config": {"s3_output_path": options.output or f"s3://{options.bucket}/jobs"},
        "checkpoint_config": {"s3_uri": checkpoint_path(training, options), "local_path": CHECKPOINTS},
        "hyperparameters": hyperparameters,
        "metric_definitions": [{"name": name, "regex": regex} for name, regex in _metrics(training, options).items()],
        "tags": [{"key": key, "value": value} for key, value in options.tags.items()],
    }
    if options.volume_kms_key:
        configuration["compute"]["volume_kms_key_id"] = options.volume_kms_key
    if options.kms_key:
        configuration["output_data_config"]["kms_key_id"] = options.kms_key
    if options.subnets or options.encrypt_traffic:
        configuration["networking"] = {
            "subnets": list(options.subnets) or None,
            "security_group_ids": list(options.security_groups) or None,
            "enable_inter_container_traffic_encryption": options.encrypt_traffic,
        }
    return configuration


def checkpoint_path(training, options):
    """S3 path of the run in the making."""
    default = f"s3://{options.bucket}/checkpoints/{training.name}-{training.recipe.preset}-{training.digest()}"
    return options.checkpoints or default


def _run_time(training, options):
    """Longest time of the job in seconds, and whether it runs on spot instances."""
    hours, paper = training.hours(options.instance_type), training.recipe.preset == "paper"
    if hours is None:
        hours = LONG_HOURS if paper else 0
    longest = options.max_run_hours or min(LIMIT_HOURS, max(math.ceil(2 * hours), LONG_HOURS if paper else 2))
    return round(3600 * longest), hours > 1 if options.spot == "auto" else options.spot == "yes"


def _metrics(training, options):
    names = dict.fromkeys([training.train_data, *options.test_sets])
    tests = {f"test:accuracy:{name}": rf"test accuracy {re.escape(name)} {_NUMBER}" for name in names}
    return _METRICS | tests


def _expect(fulfilled, expected, received):
    if not fulfilled:
        raise LaunchError(f"Expected {expected}. Received: {received!r}")
