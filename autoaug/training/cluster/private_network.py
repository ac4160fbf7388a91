"""Runs a command in a private network: `python private_network.py COMMAND…`.

TensorFlow's tasks listen on every interface, without encryption or password. In a network namespace (Linux,
network_namespaces(7)) the only interface is a loopback that no other process has. So neither other users of the machine
nor other machines can connect. Root can make a network namespace directly; other users need a user namespace around it
(user_namespaces(7)), in which they keep their identity.

This file is started by its path and imports little, because Linux lets no process with threads enter a user namespace,
and NumPy and TensorFlow start threads.
"""

import ctypes
import fcntl
import os
import pathlib
import socket
import struct
import subprocess
import sys

_USER, _NETWORK = 0x10000000, 0x40000000  # CLONE_NEWUSER, CLONE_NEWNET of unshare(2)
_SET_FLAGS, _UP = 0x8914, 1  # SIOCSIFFLAGS, IFF_UP of netdevice(7)


def command(arguments: list[str]) -> list[str]:
    """The command that runs another command, given by its arguments, in a private network and in the same process."""
    return [sys.executable, "-P", __file__, *arguments]


def refusal() -> str:
    """Why this system makes no private network; empty if it does."""
    tried = subprocess.run(command(["true"]), capture_output=True, text=True, check=False)
    return tried.stderr.strip().rpartition("\n")[2] if tried.returncode else ""


def enter() -> None:
    """Move this process into a private network.

    Raises:
        OSError: the system does not allow it.
    """
    if sys.platform != "linux":
        raise OSError(f"{sys.platform} has no network namespaces")
    user, group = os.geteuid(), os.getegid()
    unshare = ctypes.CDLL(None, use_errno=True).unshare
    if unshare(_NETWORK):
        if unshare(_USER | _NETWORK):
            number = ctypes.get_errno()
            raise OSError(number, f"no user and network namespace: {os.strerror(number)}")
        for file, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            pathlib.Path("/proc/self", file).write_text(text)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh22x", b"lo", _UP))


if __name__ == "__main__":
    try:
        enter()
    except OSError as error:
        sys.exit(f"{error.strerror or error}")
    os.execvp(sys.argv[1], sys.argv[1:])
