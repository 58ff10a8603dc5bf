"""A child process as a worker sees it: the child protocol in Python, written
from protocol/child/README.md."""

import base64
import json
import os
import socket
import struct
import subprocess
import sys

VERSION = 1
CONFIGURE, JOB, RECALL, STOP, INTERRUPT, RESULT = 1, 2, 3, 4, 5, 6
HELLO, FAILED, OUTCOME, STATE, RETURNED, LOG, CALL = 16, 17, 18, 19, 20, 21, 22
EVENT = 24
KINDS = [None, "success", "failure", "retry", "ignore", "reject", "requeue",
         "malformed"]


def string(text) -> bytes:
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<I", len(data)) + data


def envelope(task, args=(), kwargs=None, id="id-1", embed=None, headers=None,
             body=None) -> str:
    """A message as Celery's client would send it."""
    body = json.dumps([list(args), kwargs or {}, embed or {}]) \
        if body is None else body
    return json.dumps({
        "body": base64.b64encode(body.encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": task, "id": id, "retries": 0,
                    "root_id": id, "parent_id": None, "eta": None,
                    **(headers or {})},
        "properties": {
            "correlation_id": id, "reply_to": "", "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "celery"},
            "priority": 0, "body_encoding": "base64", "delivery_tag": "t"},
    })


class Reader:
    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def integer(self, form: str) -> int:
        (value,) = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return value

    def string(self) -> str:
        size = self.integer("I")
        self.at += size
        return self.data[self.at - size:self.at].decode()


def decode(frame: bytes) -> dict:
    kind, x = frame[0], Reader(frame[1:])
    if kind == HELLO:
        out = {"frame": "hello", "version": x.integer("I"),
               "runtime": x.string(), "tasks": json.loads(x.string())}
    elif kind == FAILED:
        out = {"frame": "failed", "reason": x.string()}
    elif kind == OUTCOME:
        out = {"frame": "outcome", "job": x.integer("Q"),
               "kind": KINDS[x.integer("B")],
               "expected": bool(x.integer("B")), "runtime": x.integer("q"),
               "document": x.string(), "summary": x.string(),
               "traceback": x.string()}
        out["document"] = json.loads(out["document"] or "null")
        out["publish"] = [
            {"queue": x.string(), "priority": x.integer("i"),
             "payload": json.loads(x.string()),
             "exchange": x.string(), "routing_key": x.string()}
            for _ in range(x.integer("I"))]
        out["workflow"] = json.loads(x.string() or "null")
    elif kind == STATE:
        out = {"frame": "state", "job": x.integer("Q"),
               "document": json.loads(x.string())}
    elif kind == RETURNED:
        out = {"frame": "returned",
               "jobs": [x.integer("Q") for _ in range(x.integer("I"))]}
    elif kind == LOG:
        out = {"frame": "log", "job": x.integer("Q"), "level": x.integer("B"),
               "text": x.string()}
    elif kind == EVENT:
        out = {"frame": "event", "job": x.integer("Q"), "type": x.string(),
               "fields": json.loads(x.string())}
    elif kind == CALL:
        out = {"frame": "call", "number": x.integer("Q"), "id": x.string(),
               "queue": x.string(), "priority": x.integer("i"),
               "payload": json.loads(x.string()),
               "exchange": x.string(), "routing_key": x.string()}
    else:
        raise ValueError(f"frame type {kind}")
    assert x.at == len(x.data), f"bytes are left over in {out}"
    return out


class ChildProcess:
    """Starts `program` and speaks with it. A context manager."""

    def __init__(self, program, libraries=(), settings=None, env=None,
                 configure=True, timeout=60):
        ours, theirs = socket.socketpair()
        fd = theirs.fileno()

        def inherit():
            if fd == 3:
                os.set_inheritable(3, True)
            else:
                os.dup2(fd, 3)

        self.process = subprocess.Popen(
            [program], pass_fds=[3], preexec_fn=inherit, env=env,
            stderr=subprocess.PIPE, text=True)
        theirs.close()
        self.socket = ours
        self.socket.settimeout(timeout)
        self.buffer = b""
        if configure:
            self.configure(libraries, settings or {})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.socket.close()
        sys.stderr.write(self.process.stderr.read())
        self.process.stderr.close()

    def send(self, kind: int, payload: bytes = b""):
        self.socket.sendall(
            struct.pack("<IB", len(payload) + 1, kind) + payload)

    def configure(self, libraries, settings, version=VERSION):
        payload = struct.pack("<II", version, len(libraries))
        payload += b"".join(string(str(x)) for x in libraries)
        self.send(CONFIGURE, payload + string("celery@test")
                  + string(json.dumps(settings)))

    def job(self, number: int, *args, **kwargs):
        self.send(JOB, struct.pack("<Q", number)
                  + string(envelope(*args, **kwargs)))

    def result(self, call: int, document: dict, failure: int = 0):
        text = document if failure else json.dumps(document)
        self.send(RESULT, struct.pack("<QB", call, failure) + string(text))

    def frame(self) -> dict:
        """The next frame; EOFError when the child has closed its socket."""
        while True:
            if len(self.buffer) >= 4:
                (size,) = struct.unpack_from("<I", self.buffer)
                if len(self.buffer) >= 4 + size:
                    frame = self.buffer[4:4 + size]
                    self.buffer = self.buffer[4 + size:]
                    return decode(frame)
            data = self.socket.recv(1 << 16)
            if not data:
                raise EOFError
            self.buffer += data

    def outcome(self) -> dict:
        frame = self.frame()
        assert frame["frame"] == "outcome", frame
        return frame

    def hello(self) -> dict:
        frame = self.frame()
        assert frame["frame"] == "hello", frame
        return frame
