"""A history is read as it was written, or refused with the file's name."""

import os

import numpy as np
import pandas as pd
import pytest

from autoaug import histories, records


def test_what_is_written_is_read(tmp_path):
    rows = [
        {"epoch": 1, "loss": 1 / 3, "accuracy": 0.1, "gradient_norm": np.inf},
        {"epoch": 2, "loss": 2e-17, "accuracy": 1.0, "gradient_norm": 5.0, "test_accuracy:cifar10.1-v6": 0.25},
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "history.csv", index=False)
    pd.testing.assert_frame_equal(histories.read(tmp_path), pd.DataFrame(rows), check_exact=True)
    assert histories.read(tmp_path / "absent").empty


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the columns ''"),
        (b"\xff\xfe\x00garbage", "can't decode"),
        (b"not a history", "the columns 'not a history'"),
        (b"epoch,loss\n1,high\n", "could not convert string to float: 'high'"),
        (b"epoch,loss\n1\n", "shorter"),
        (b"epoch,loss\n1,2,3\n", "longer"),
        (b"epoch,loss\n2,0.5\n", "epochs that do not count from 1"),
        (b"epoch,loss\n1,0.5\n1,0.5\n", "epochs that do not count from 1"),
        (b"epoch,epoch\n1,1\n", "the columns"),
        (b"epoch,<b>\n1,1\n", "the columns"),
        (b"epoch,accuracy\n1,1.5\n", "accuracies outside of 0 to 1"),
        (b'epoch,loss\n1,"0.5', "unexpected end of data"),
        (b"epoch\n" + b"1" * 200_000, "field larger than field limit"),
    ],
)
def test_another_file_is_refused_by_name(content, message, tmp_path):
    (tmp_path / "history.csv").write_bytes(content)
    with pytest.raises(
        records.RecordError, match=rf"history\.csv: Expected the history of a run\. Received: .*{message}"
    ):
        histories.read(tmp_path)


def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "history.csv")
    with pytest.raises(records.RecordError, match="no regular file"):
        histories.read(tmp_path)
