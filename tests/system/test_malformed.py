"""Messages that crash, poison or silently lose their way in a Python worker
are parked in `umbel.dead.<queue>`, with their reason; the worker goes on."""

import base64
import json
from typing import Callable

import pytest

from harness.messages import template
from harness.waiting import eventually


def encoded(body) -> str:
    return base64.b64encode(json.dumps(body).encode()).decode()


def with_header(**headers) -> Callable[[dict], None]:
    return lambda envelope: envelope["headers"].update(headers)


def without_header(name: str) -> Callable[[dict], None]:
    return lambda envelope: envelope["headers"].pop(name)


def with_body(body) -> Callable[[dict], None]:
    return lambda envelope: envelope.update(body=encoded(body))


def with_raw_body(text: str) -> Callable[[dict], None]:
    return lambda envelope: envelope.update(body=text)


def without(name: str) -> Callable[[dict], None]:
    return lambda envelope: envelope.pop(name)


EMBED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}

#: What is done to a good message for tasks.add(4, 4).
BROKEN: dict[str, Callable[[dict], None]] = {
    "body of two elements": with_body([[4, 4], {}]),
    "body of four elements": with_body([[4, 4], {}, EMBED, 1]),
    "body is a number": with_body(7),
    "body is not JSON": with_raw_body(base64.b64encode(b"{oops").decode()),
    "body is not UTF-8": with_raw_body(base64.b64encode(b"[[\"\xff\"]]").decode()),
    "body is not base64": with_raw_body("%%% not base64 %%%"),
    "body is empty": with_raw_body(""),
    "body is no string": lambda e: e.update(body={"a": 1}),
    "no body": without("body"),
    "no content type": without("content-type"),
    "content type not accepted": lambda e: e.update(
        {"content-type": "application/x-python-serialize"}
    ),
    "no headers": without("headers"),
    "headers are a list": lambda e: e.update(headers=[1]),
    "no task name": without_header("task"),
    "task name is a number": with_header(task=5),
    "no id": without_header("id"),
    "id is a number": with_header(id=17),
    "id is null": with_header(id=None),
    "timelimit of one": with_header(timelimit=[30]),
    "timelimit is text": with_header(timelimit="30"),
    "eta is garbage": with_header(eta="tomorrow"),
    "eta is a number": with_header(eta=12345),
    "expires is garbage": with_header(expires="2026-13-45T99:00:00"),
    "expires is a number": with_header(expires=12345),
    "args are no list": with_body([{"x": 4}, {}, EMBED]),
    "kwargs are a list": with_body([[4, 4], [1], EMBED]),
    "unknown __type__": with_body(
        [[{"__type__": "no.such", "__value__": 1}, 4], {}, EMBED]
    ),
}

#: Whole payloads that are no envelope at all.
NO_ENVELOPE = {
    "empty": "",
    "text": "hello",
    "cut off": '{"body": "W1",',
    "a list": "[1, 2, 3]",
    "null": "null",
    "nested too deep": "[" * 100_000,
    "bytes": "\x00\x01\x02",
}

#: What Python workers stumble over although nothing needed is missing.
READABLE: dict[str, Callable[[dict], None]] = {
    "no delivery_tag": lambda e: e["properties"].pop("delivery_tag"),
    "no delivery_info": lambda e: e["properties"].pop("delivery_info"),
    "body_encoding utf-8": lambda e: (
        e["properties"].update(body_encoding="utf-8"),
        e.update(body=json.dumps([[4, 4], {}, EMBED])),
    ),
    "no body_encoding": lambda e: (
        e["properties"].pop("body_encoding"),
        e.update(body=json.dumps([[4, 4], {}, EMBED])),
    ),
    "no properties": lambda e: (
        e.pop("properties"),
        e.update(body=json.dumps([[4, 4], {}, EMBED])),
    ),
    "no content-encoding": without("content-encoding"),
    "embed is null": with_body([[4, 4], {}, None]),
    "timelimit is null": with_header(timelimit=None),
    "minimal headers": lambda e: e.update(
        headers={"id": e["headers"]["id"], "task": "tasks.add"}
    ),
    "unknown headers and properties": lambda e: (
        e["headers"].update(x_unknown={"a": [1]}),
        e["properties"].update(x_unknown="y"),
    ),
}


@pytest.fixture
def good(celery) -> dict:
    """The envelope of tasks.add(4, 4) as the real client makes it."""
    return json.loads(template(celery, "tasks.add", (4, 4)))


def test_every_malformed_message_is_parked(
    umbel_worker, tasks, broker, good
):
    running = umbel_worker()
    payloads = dict(NO_ENVELOPE)
    for name, spoil in BROKEN.items():
        envelope = json.loads(json.dumps(good))
        spoil(envelope)
        payloads[name] = json.dumps(envelope)
    n = 0
    for name, payload in payloads.items():
        if not broker.put(payload):
            continue
        n += 1
        letter = eventually(
            lambda: len(x := broker.dead_letters()) == n and x, what=f"parked: {name}"
        )[0]
        assert letter["payload"] == payload or not broker.exact, name
        assert letter["reason"] and "\n" not in letter["reason"], name
        assert letter["at"], name
        assert tasks.add.delay(n, 1).get(timeout=60) == n + 1, f"alive after: {name}"
    assert n > len(payloads) / 2
    eventually(broker.idle)
    assert running.running()


def test_malformed_messages_among_good_ones(
    umbel_worker, tasks, broker, good
):
    """All at once, in one batch with good messages."""
    results, bad = [], 0
    for spoil in BROKEN.values():
        envelope = json.loads(json.dumps(good))
        spoil(envelope)
        bad += broker.put(json.dumps(envelope))
        results.append(tasks.add.delay(bad, bad))
    umbel_worker()
    for result in results:
        assert result.get(timeout=60) % 2 == 0
    eventually(lambda: len(broker.dead_letters()) == bad)
    eventually(lambda: broker.in_flight() == 0)


@pytest.mark.parametrize("name", READABLE)
def test_what_is_readable_runs(umbel_worker, celery, broker, good, name):
    umbel_worker()
    READABLE[name](good)
    assert broker.put(json.dumps(good))
    result = celery.AsyncResult(good["headers"]["id"])
    assert result.get(timeout=60) == 8
    eventually(lambda: broker.in_flight() == 0)
    assert broker.dead_letters() == []


def test_a_malformed_message_survives_no_worker_crash_loop(
    umbel_worker, tasks, broker, good
):
    """What a Python worker would be handed again and again after each crash."""
    good["headers"].pop("id")
    assert broker.put(json.dumps(good))
    first = umbel_worker()
    first.wait_for_log(r"(?i)malformed|rejected|dead|discard")
    first.stop()
    second = umbel_worker()
    assert tasks.add.delay(1, 1).get(timeout=60) == 2
    second.stop()
    eventually(lambda: len(broker.dead_letters()) == 1)
