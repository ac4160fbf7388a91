"""A host of two that train the tiny run: `train_hosts.py NUMBER RUN_DIR EPOCHS [KILL…]`.

The first host, number 0, is the chief. It obeys each KILL, written EPOCH:PROCESS, at the end of the epoch: PROCESS is
`chief`, `ps` or `worker`; the latter two are the second host's, and are killed by their ports. The port is looked for
again until a process has it.
"""

import dataclasses
import json
import os
import pathlib
import signal
import sys
import time

import psutil
import tiny

from autoaug import training
from autoaug.training import servers

HOSTS = ["127.0.0.1", "127.0.0.2"]


def kill(role):
    """Kill a process, and say so."""
    port = int(servers.addresses(HOSTS)[role][-1].rpartition(":")[2])
    while True:
        for connection in psutil.net_connections("tcp"):
            if connection.status == "LISTEN" and connection.laddr.port == port and connection.pid:
                print(f"killing {role}", flush=True)
                os.kill(connection.pid, signal.SIGKILL)
                return
        time.sleep(0.1)


if __name__ == "__main__":
    number, run_dir, epochs, *kills = sys.argv[1:]
    os.environ |= {"SM_HOSTS": json.dumps(HOSTS), "SM_CURRENT_HOST": HOSTS[int(number)]}
    if number != "0":
        sys.exit(servers.main())
    due = dict(each.split(":") for each in kills)
    recipe = dataclasses.replace(tiny.recipe(), epochs=int(epochs))

    def on_epoch(history):
        """Kill what is due."""
        print(f"epoch {len(history)}", flush=True)
        if role := due.pop(str(len(history)), None):
            kill(role)

    training.train(recipe, tiny.dataset(), pathlib.Path(run_dir), seed=3, workers=2, on_epoch=on_epoch)
