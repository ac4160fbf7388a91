"""Two hosts, each with processes of its own on this machine: they train one model, are killed, and come to an end."""

import dataclasses
import os
import re
import signal
import time

import forked
import numpy as np
import pandas as pd
import psutil
import pytest

from autoaug import recipes, training
from autoaug.runs import record as records
from autoaug.training import loop, servers
from autoaug.training.step import Engine


@pytest.fixture
def train_on_two_hosts(ports_of_hosts, tmp_path, monkeypatch):
    """A function: the exit codes of both hosts, and what the chief says; no process may be left."""
    monkeypatch.setenv("AUTOAUG_TEST_HOSTS", mark := f"{os.getpid()} {tmp_path}")
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)  # each start imports TensorFlow

    def train(*arguments):
        other = forked.start(tmp_path / "other", "train_and_die.py", tmp_path / "run", "host", 1, 0)
        code = forked.run(tmp_path / "said", "train_and_die.py", tmp_path / "run", "host", 0, *arguments)
        codes = code, forked.end(other)
        deadline = time.monotonic() + 10
        while left := [process for process in psutil.process_iter() if is_marked(process, mark)]:
            assert time.monotonic() < deadline, left
            time.sleep(0.1)
        return codes, (tmp_path / "said").read_text()

    return train


def is_marked(process, mark):
    """Whether it belongs to this test and runs, this process and its forks of scripts left out."""
    try:
        command, environment = process.cmdline(), process.environ()
        return environment.get("AUTOAUG_TEST_HOSTS") == mark and "autoaug.training.servers" in command
    except psutil.Error:
        return False


def test_a_killed_worker_does_not_stop_the_run_and_after_a_killed_server_or_chief_it_goes_on(
    train_on_two_hosts, tiny_dataset, tiny_recipe, tmp_path
):
    codes, said = train_on_two_hosts(16, "2:worker", "8:ps")
    assert codes[0] == 1 and codes[1] in (0, 1), said  # the second host sees its own loss or the chief's end first
    assert "their ports 22220 to 22225 are open. Whoever can connect to one can read and write files" in said
    assert said.index("killing worker") < said.index("epoch 8") < said.index("killing ps")
    assert "Host 127.0.0.2: the worker ended (exit code -9)." in (tmp_path / "other").read_text()
    assert re.search(r"ServersError: .*run: parameter server 1 is lost.* goes on from the newest checkpoint\.", said)
    epochs = len(pd.read_csv(tmp_path / "run" / "history.csv"))
    assert epochs >= 7
    codes, said = train_on_two_hosts(16, f"{epochs + 3}:chief")
    assert codes == (-signal.SIGKILL, 0), said
    assert f"going on after step {4 * epochs} of 64" in said
    assert records.read(tmp_path / "run").status == "unfinished"
    codes, said = train_on_two_hosts(16)
    assert codes == (0, 0), said
    assert f"going on after step {4 * (epochs + 2)} of 64" in said  # the chief had not written its third epoch down
    record, history = records.read(tmp_path / "run"), pd.read_csv(tmp_path / "run" / "history.csv")
    assert (record.status, record.workers) == ("finished", 2)
    assert [*history.epoch] == [*range(1, 17)] and history.loss.iloc[-1] < history.loss.iloc[0]
    rates = [recipes.learning_rate_at(0.1, 2 * epoch, 32) for epoch in history.epoch]  # of 32 steps of each worker
    np.testing.assert_allclose(history.learning_rate, rates, atol=1e-12)
    with pytest.raises(records.RecordError, match="Expected a run of 2 hosts"):
        loop.Run(dataclasses.replace(tiny_recipe, epochs=16), tiny_dataset, tmp_path / "run", 3, 2, Engine())


def test_a_host_that_never_comes_up_is_named(ports_of_hosts, monkeypatch):
    monkeypatch.setattr(servers.subprocess, "Popen", lambda *_, **__: None)
    monkeypatch.setattr(servers, "SERVER_SECONDS", 1)
    with pytest.raises(servers.ServersError, match=r"every host within 1 s\. Received: none from 127\.0\.0\.1:22220,"):
        servers.Servers(["127.0.0.1", "127.0.0.2"])


def test_hosts_of_a_job_are_counted_by_their_position(monkeypatch, tiny_recipe, tiny_dataset, tmp_path):
    monkeypatch.setenv("SM_HOSTS", '["algo-3", "algo-1"]')
    monkeypatch.setenv("SM_CURRENT_HOST", "algo-1")
    assert servers.from_environment() == (["algo-3", "algo-1"], 1)
    with pytest.raises(ValueError, match="Expected workers=2, one on each host of SM_HOSTS, and the first host to"):
        training.train(tiny_recipe, tiny_dataset, tmp_path / "run", workers=2)
    assert servers.addresses(["algo-3", "algo-1"]) == {
        "ps": ["algo-3:22220", "algo-1:22223"], "worker": ["algo-3:22221", "algo-1:22224"], "chief": ["algo-3:22222"]
    }  # fmt: skip
    monkeypatch.setenv("SM_CURRENT_HOST", "algo-2")
    with pytest.raises(ValueError, match=r"expected one of SM_HOSTS, algo-3, algo-1\. Received: 'algo-2'"):
        servers.from_environment()
    assert not (tmp_path / "run").exists()
