"""One run on several processes: asynchronous workers, and synchronous workers of several hosts.

On one machine, `train` starts asynchronous workers as processes on 127.0.0.1. In a SageMaker job with several hosts,
the chief's notebook calls `train`, and every other host runs `python -m autoaug.training.cluster.supervisor`. In both
cases each host has one supervisor: a process that imports TensorFlow once, forks the host's tasks, and watches them.

    launcher          starts the supervisor from the process that called `train`, and shows the tasks' messages
    private_network   the network of the supervisor and tasks of one machine, which others cannot reach
    supervisor        starts, watches and ends the tasks of a host
    tasks             the work of the tasks, in TensorFlow
    layout            the tasks and their addresses
    job_file          what the tasks train
    messages          what the tasks report

The tasks end when their supervisor ends, for whatever reason. The supervisor ends with the process that started it, or
with the chief. The tasks communicate by TensorFlow's own protocol: gRPC, without encryption or password. Whoever can
connect to a task can read and write files as its user.
"""
