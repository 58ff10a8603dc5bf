"""A Python client that does nothing but send a task and wait for its result.

Celery's own client spends more time in itself than any worker takes, so with it
a quick worker looks like a slow one. Of what this one measures nearly all is
the worker's and the broker's.
"""

import json
import socket
import time
import uuid


def _command(*words: bytes) -> bytes:
    parts = [b"*%d\r\n" % len(words)]
    parts += [b"$%d\r\n%s\r\n" % (len(word), word) for word in words]
    return b"".join(parts)


def _connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def round_trips(port: int, message: str, count: int) -> list[float]:
    """Sends tasks like `message`, the next when the last one's result has been
    published. @returns milliseconds from LPUSH to the publication, for each."""
    old_id = json.loads(message)["headers"]["id"]
    times = []
    with _connect(port) as sender, _connect(port) as receiver:
        receiver.sendall(_command(b"PSUBSCRIBE", b"celery-task-meta-*"))
        receiver.recv(65536)
        for _ in range(count):
            new = message.replace(old_id, str(uuid.uuid4()))
            request = _command(b"LPUSH", b"celery", new.encode())
            begin = time.perf_counter()
            sender.sendall(request)
            received = receiver.recv(65536)
            times.append((time.perf_counter() - begin) * 1000)
            while not received.endswith(b"}\r\n"):
                received += receiver.recv(65536)
            assert b"SUCCESS" in received, received
            sender.recv(65536)
    return times
