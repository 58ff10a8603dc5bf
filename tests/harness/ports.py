"""Loopback ports for the servers of tests."""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

#: Below those that the system gives to clients, and to whoever asks for any port.
PORTS = range(10_000, 32_000)

#: Files whose locks say which process of tests has which port, until it ends.
_mine: list[int] = []


def free_port() -> int:
    """A loopback port that nobody listens on, and that no other test will be given while
    this process lives: also one that is closed for now stays this test's own."""
    folder = Path(tempfile.gettempdir()) / f"umbel-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for port in random.sample(PORTS, 1000):
        lock = os.open(folder / str(port), os.O_CREAT | os.O_RDWR, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as s:
                s.bind(("127.0.0.1", port))
        except OSError:
            os.close(lock)
            continue
        _mine.append(lock)
        return port
    raise AssertionError("no port is free")
