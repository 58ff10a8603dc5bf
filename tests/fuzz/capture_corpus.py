#!/usr/bin/python3
"""Writes the corpus of every fuzzer: a few inputs that the real client makes.

Messages and bodies are those of the unit tests, which their scripts have
captured; commands and results are made here, by Celery itself.
"""
import base64
import json
import pathlib
import shutil
import struct
import sys

import kombu.serialization
import kombu.transport.memory
from celery import Celery

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests/fuzz/corpus"
VECTORS = ROOT / "tests/unit/message/vectors"
BODIES = ROOT / "tests/unit/message/bodies"
SERIALIZERS = ["json", "yaml", "msgpack"]
COMPRESSIONS = ["none", "zlib", "bzip2", "lzma", "zstd", "brotli"]
#: Small values for what is large in the unit tests.
SMALL = [[1, "a", None, True, 1.5, -7, 2 ** 64 - 1, "ü🌿"], {"x": {"y": [1e300]}},
         {"callbacks": None, "errbacks": None, "chain": [], "chord": None}]


def write(fuzzer: str, name: str, data) -> None:
    path = CORPUS / fuzzer / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


def dump(value, serializer: str) -> bytes:
    body = kombu.serialization.dumps(value, serializer)[2]
    return body.encode() if isinstance(body, str) else body


def messages() -> None:
    for name in ["plain", "retry", "redelivered", "chord_2", "v1_links", "unicode"]:
        text = (VECTORS / f"{name}.json").read_text()
        write("envelope", name, text)
        write("entry", name, f'[{text}, "", "celery"]')
        body = base64.b64decode(json.loads(text)["body"])
        kind = 128 if name.startswith("v1") else 0
        write("body", name, bytes([kind - kind % 18]) + body)
    write("entry", "dead", json.dumps({"reason": "why", "at": "2026-11-24T10:00:00Z",
                                       "payload": "x"}))


def bodies() -> None:
    for i, serializer in enumerate(SERIALIZERS):
        small = dump(SMALL, serializer)
        write(serializer, "small", small)
        for types in BODIES.glob(f"{serializer}-[at][ly]*"):
            write(serializer, types.name, types.read_bytes())
        for j, name in enumerate(COMPRESSIONS):
            packed = small if name == "none" else kombu.compression.compress(small, name)[0]
            write("body", f"{serializer}-{name}", bytes([i + 3 * j]) + packed)
            if name != "none":
                write(name, serializer, packed)


def commands() -> None:
    sent = []
    kombu.transport.memory.Channel._put_fanout = (
        lambda self, exchange, message, routing_key=None, **_: sent.append(message))
    for serializer in SERIALIZERS:
        app = Celery(broker="memory://", set_as_current=False,
                     task_serializer=serializer, accept_content=SERIALIZERS)
        app.control.revoke("an-id", terminate=True, signal="SIGKILL")
        app.control.broadcast("ping", pattern="celery@*", matcher="glob")
        app.control.broadcast("revoke", {"task_id": ["a", "b"]},
                              destination=["celery@host"])
    for headers in ({"order": ["17", 18]}, ["order=17", "kind=x"]):
        app.control.broadcast("revoke_by_stamped_headers", {"headers": headers, "terminate": True})
    for i, message in enumerate(sent):
        write("control", str(i), json.dumps(message))


def events() -> None:
    sent = []
    kombu.transport.memory.Transport.driver_type = "redis"  # where events are fanned out
    kombu.transport.memory.Channel._put_fanout = (
        lambda self, exchange, message, routing_key=None, **_: sent.append(message))
    for serializer in SERIALIZERS:
        app = Celery(broker="memory://", set_as_current=False, event_serializer=serializer,
                     accept_content=SERIALIZERS)
        with app.connection() as connection:
            say = app.events.Dispatcher(connection, "w@h", enabled=True).send
            say("worker-heartbeat", freq=2.0, active=1, processed=2, loadavg=[0.1, 0.2, 0.3])
            say("worker-elect", id="x", topic="task", cver=1,
                action=dict(app.signature("tasks.add", (4, 4), countdown=3)))
            say("worker-elect-ack", id="x")
    for i, message in enumerate(sent):
        write("event", str(i), json.dumps(message))


def monitored() -> None:
    """Events and answers, in the form in which workers publish them."""
    common = {"hostname": "celery@host", "timestamp": 1.5, "utcoffset": 0, "pid": 3, "clock": 7}
    received = {**common, "type": "task-received", "uuid": "id", "name": "tasks.add",
                "args": "(1, 2)", "kwargs": "{}", "retries": 0, "eta": None, "expires": None}
    failed = {**common, "type": "task-failed", "uuid": "id", "exception": "E('x')",
              "traceback": "..."}
    beat = {**common, "type": "worker-heartbeat", "freq": 2.0, "active": 1, "processed": 3,
            "loadavg": [0.5, 0.4, 0.3], "sw_ident": "py-celery", "sw_ver": "5", "sw_sys": "Linux"}
    task = {"id": "id", "name": "tasks.add", "args": [1, 2], "kwargs": {"x": None},
            "time_start": 0.5, "worker_pid": 3}
    tree = {"id": "root", "alive": True, "answered": True, "mailbox": 0, "children": []}
    answers = [{"ok": "pong"}, {"error": "no"}, None, [task], {"id": ["active", task]}, tree,
               [{"eta": "now", "priority": 6, "request": task}]]
    bodies = [[received, failed], beat, *({"celery@host": x} for x in answers)]
    for i, body in enumerate(bodies):
        text = base64.b64encode(json.dumps(body).encode()).decode()
        write("monitor", str(i), json.dumps(
            {"body": text, "content-type": "application/json", "content-encoding": "utf-8",
             "headers": {"hostname": "celery@host", "ticket": "t", "clock": 1},
             "properties": {"body_encoding": "base64", "delivery_tag": "t"}}))


def results() -> None:
    for i, serializer in enumerate(SERIALIZERS):
        app = Celery(backend="cache+memory://", set_as_current=False,
                     result_serializer=serializer, accept_content=SERIALIZERS)
        for state, value in [("SUCCESS", SMALL), ("FAILURE", ValueError("no"))]:
            meta = app.backend._get_result_meta(
                app.backend.encode_result(value, state), state, None, None)
            data = app.backend.encode({**meta, "task_id": "id"})
            data = data.encode() if isinstance(data, str) else data
            write("document", f"{serializer}-{state}", bytes([i]) + data)


def text(x: bytes) -> bytes:
    return struct.pack("<I", len(x)) + x


def frame(kind: int, payload: bytes) -> bytes:
    return struct.pack("<IB", 1 + len(payload), kind) + payload


def frames() -> None:
    """Of every type, as protocol/child/README.md numbers them. Only their beginnings
    are right: the fuzzer finds the rest."""
    fields = struct.pack("<Q", 1) + text(b"tasks.add") + text(b"{}")
    for kind in [*range(1, 7), *range(16, 25)]:
        write("frames", f"{kind}", frame(kind, fields))


if __name__ == "__main__":
    shutil.rmtree(CORPUS, ignore_errors=True)
    for make in (messages, bodies, commands, events, monitored, results, frames):
        make()
    print(sum(1 for x in CORPUS.rglob("*") if x.is_file()), "files", file=sys.stderr)
