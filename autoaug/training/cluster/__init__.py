"""The same run on several processes.

Locally, `train` starts workers as processes on 127.0.0.1. In a SageMaker job with several hosts, the chief's notebook
calls `train`, and every other host runs `python -m autoaug.training.cluster.supervisor`. In both cases one process on
each host, the supervisor, imports TensorFlow once, forks the host's tasks, and watches them:

    launcher          starts the supervisor from the process that called `train`, and shows what the tasks say
    private_network   where the supervisor and the tasks of one machine are out of reach
    supervisor        the process that has the tasks of a host
    tasks             what they do, in TensorFlow
    layout            who they are, and where
    job_file          what they train
    messages          what they report

A supervisor's tasks end with it, whatever ends it; it ends with the process that started it, or with the chief. What
the tasks say to each other is TensorFlow's own protocol: gRPC, unencrypted and without a password. Whoever can connect
to a task can read and write files as its user.
"""
