"""What a cluster's processes report arrives whole and in order, and an error keeps its type."""

import json
import os

import pandas as pd
import pytest

from autoaug import records
from autoaug.training.cluster import messages
from autoaug.training.run_checkpoints import DamagedCheckpointError


@pytest.fixture
def pipe():
    """Messages, and a function that returns those that have arrived."""
    read_end, write_end = os.pipe()
    with open(read_end) as file:  # noqa: PTH123
        os.set_blocking(read_end, False)
        yield messages.Messages(write_end), lambda: [json.loads(line) for line in file]
        os.close(write_end)


def test_rows_are_sent_once_and_say_how_many_there_are(pipe):
    sender, arrived = pipe
    history = pd.DataFrame({"epoch": [1, 2, 3], "loss": [0.5, 0.25, 0.125]})
    sender.send_history(history[:2])
    sender.send_history(history)
    rows = arrived()
    assert [message["rows"] for message in rows] == [2, 2, 3]
    assert [message["row"] for message in rows] == history.to_dict("records")


def test_without_a_pipe_messages_are_printed(capsys):
    messages.Messages().send(warning="worker 1 ended")
    assert capsys.readouterr().out == "warning: worker 1 ended\n"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (DamagedCheckpointError("a"), DamagedCheckpointError),
        (records.RecordError("a"), records.RecordError),
        (FileNotFoundError("a"), OSError),
        (UnicodeError("a"), ValueError),
        (messages.ClusterError("a"), messages.ClusterError),
    ],
)
def test_an_error_is_raised_again_as_the_nearest_type(error, kind):
    assert messages.ERRORS[messages.kind_of(error)] is kind


def test_an_error_of_an_unknown_type_keeps_its_name():
    assert messages.kind_of(ZeroDivisionError()) == "ZeroDivisionError" not in messages.ERRORS
