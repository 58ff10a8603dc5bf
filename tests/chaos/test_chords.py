"""Whatever is killed while the parts of chords run, each body is published once.

The bodies go to a queue that nobody consumes, where they are counted.
UMBEL_CHAOS_CHORDS sets how many chords there are, UMBEL_CHAOS_SEED replays the
same sequence of strikes.
"""

import base64
import json
import os
import random
import signal
import time
from collections import Counter

import pytest
from celery import chord

from harness.waiting import eventually

pytestmark = pytest.mark.chaos

CHORDS = int(os.environ.get("UMBEL_CHAOS_CHORDS", "200"))
PARTS = 50
SEED = int(os.environ.get("UMBEL_CHAOS_SEED", time.time_ns() % 1_000_000))
LATE = {"task_acks_late": True, "task_reject_on_worker_lost": True}


def decoded(message: bytes) -> tuple[str, list]:
    """Id and arguments. Bodies of chords travel without base64."""
    envelope = json.loads(message)
    body = envelope["body"]
    if envelope["properties"].get("body_encoding") == "base64":
        body = base64.b64decode(body)
    return envelope["headers"]["id"], json.loads(body)[0]


def test_each_body_is_published_once(tasks, umbel_worker, broker):
    dice = random.Random(SEED)
    strikes: Counter[str] = Counter()

    def start():
        return umbel_worker("-c", "4", config=LATE)

    worker = start()
    with tasks.echo.app.connection_for_write() as connection:
        for i in range(CHORDS):
            body = tasks.echo.s().set(queue="bodies", task_id=f"body-{i}")
            chord([tasks.echo.s(n) for n in range(PARTS)], body).apply_async(
                connection=connection
            )
            if i % 10 == 5:
                strikes["worker"] += 1
                worker.kill()
                worker = start()
            elif pids := worker.children():
                strikes["child"] += 1
                try:
                    os.kill(dice.choice(pids), signal.SIGKILL)
                except ProcessLookupError:
                    pass  # of an earlier strike
    eventually(broker.idle)
    bodies = [decoded(x) for x in broker.client.lrange("bodies", 0, -1)]
    print(f"seed {SEED}: {dict(strikes)}, {len(bodies)} bodies of {CHORDS} chords")
    ids = Counter(task_id for task_id, _ in bodies)
    assert ids == {f"body-{i}": 1 for i in range(CHORDS)}
    assert all(args == [list(range(PARTS))] for _, args in bodies)
    assert not broker.client.keys("*taskset*")
