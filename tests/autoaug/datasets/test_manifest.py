"""The command that builds a data set can be typed in a shell as it is written."""

import shlex

from autoaug.datasets import manifest as manifests


def test_the_command_survives_a_shell():
    command = manifests.build_command("cifar10_10k", "my data/it's", rebuild=True).split("run: ")[1]
    assert shlex.split(command) == [
        "papermill", "notebooks/build_datasets.ipynb", "-y", "{sets: [cifar10_10k]}", "-p", "data_dir", "my data/it's",
        "-p", "rebuild", "True",
    ]  # fmt: skip
