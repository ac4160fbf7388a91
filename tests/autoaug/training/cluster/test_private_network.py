"""Workers on one machine are out of reach of its other processes and of the network, or do not train."""

import json
import os
import re
import socket
import subprocess
import sys

import pytest

from autoaug import training
from autoaug.training.cluster import launcher, private_network
from autoaug.training.cluster.layout import lay_out

INSIDE = """
import json, os, socket, sys
with socket.create_server(("127.0.0.1", 0)) as server:
    socket.create_connection(server.getsockname()).close()  # its own loopback is up
    with socket.socket() as outwards:
        outwards.settimeout(2)
        reached = outwards.connect_ex(("127.0.0.1", int(sys.argv[1]))) == 0
    interfaces = [name for _, name in socket.if_nameindex()]
    print(json.dumps([interfaces, os.getuid(), server.getsockname()[1], reached]), flush=True)
    sys.stdin.read()
"""


def test_inside_there_is_only_a_loopback_that_nobody_else_has():
    if reason := private_network.refusal():
        pytest.skip(reason)
    with socket.create_server(("127.0.0.1", 0)) as outside:
        command = private_network.command([sys.executable, "-c", INSIDE, str(outside.getsockname()[1])])
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            interfaces, user, port, reached_out = json.loads(process.stdout.readline())
            with socket.socket() as inwards:
                reached_in = inwards.connect_ex(("127.0.0.1", port)) == 0
            process.communicate()
    assert (interfaces, user, reached_out, reached_in) == (["lo"], os.getuid(), False, False)


def test_what_the_system_says_is_passed_on(monkeypatch):
    monkeypatch.setattr(
        private_network, "command", lambda _: [sys.executable, "-c", "import sys; sys.exit('not here')"]
    )
    assert private_network.refusal() == "not here"


def test_workers_with_open_ports_train_only_where_that_is_asked_for(
    tiny_dataset, tiny_recipe, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(private_network, "refusal", lambda: "not here")
    message = (
        r"or open_ports=True \(-p open_ports true\)\. Received: not here\. Whoever can connect .* read and write files"
    )
    with pytest.raises(ValueError, match=message):
        training.train(tiny_recipe, tiny_dataset, tmp_path / "run", workers=2)
    assert not (tmp_path / "run").exists()
    given = []

    def run_supervisor(_, shut_off, *__):
        given.append(shut_off)
        return 1, ("ValueError", "no further")

    monkeypatch.setattr(launcher, "_run_supervisor", run_supervisor)
    with pytest.raises(ValueError, match="no further"):
        training.train(tiny_recipe, tiny_dataset, tmp_path / "run", workers=2, open_ports=True)
    assert given == [False]
    assert re.match(r"Open ports on this machine, as open_ports allows \(not here\)\. Whoever", capsys.readouterr().out)


def test_text_that_is_not_utf_8_is_shown_and_keeps_nobody_waiting(tmp_path, monkeypatch, capsys):
    script = r"import os; os.write(1, b'\xff is no text\nand so on\n')"
    monkeypatch.setattr(private_network, "command", lambda _: [sys.executable, "-c", script])
    with (tmp_path / "log").open("ab") as log:
        assert launcher._run_supervisor({"job": log.fileno()}, True, log, [], None) == (0, None)
    assert capsys.readouterr().out == "\N{REPLACEMENT CHARACTER} is no text\nand so on\n"


def test_hosts_say_what_their_open_ports_grant(capsys):
    assert not launcher._shut_off(lay_out(["algo-1", "algo-2"], 2, "async"), open_ports=False)
    said = capsys.readouterr().out
    assert said.startswith("2 hosts: their ports 22220 to 22226 are open. Whoever can connect")
    assert said.endswith("a security group that admits only its own members.\n")
