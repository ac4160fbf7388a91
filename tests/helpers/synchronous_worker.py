"""A worker of a synchronous run with batch normalisation frozen: `synchronous_worker.py LAYOUT INDEX JOB`.

The first is the chief, which trains what is in the file JOB; with a layout of one worker it trains alone.
"""

import json
import sys

from autoaug.models import layers
from autoaug.training.cluster import tasks
from autoaug.training.cluster.layout import Layout
from autoaug.training.cluster.messages import Messages

if __name__ == "__main__":
    normalise = layers.FusedBatchNorm.call
    layers.FusedBatchNorm.call = lambda self, x, training=False: normalise(self, x, training=False)
    layout, index, job = Layout(**json.loads(sys.argv[1])), int(sys.argv[2]), sys.argv[3]
    if index:
        tasks.follow(layout, index)
    else:
        tasks.run_chief(layout, job, Messages())
