"""Tasks that are due later: how late they run, and what it costs when a great many
of them wait in the broker."""

import json
import time
import uuid
from datetime import datetime, timedelta, timezone
from statistics import median, quantiles

from harness.messages import result_keys, template
from harness.waiting import eventually
from measure import ARGS, TASK, Bench, resident_memory

#: Seconds until the first is due: long enough for all of them to be put away.
AHEAD = 8


def lateness(bench: Bench, kind: str, per_second: int, seconds: int) -> dict[str, float]:
    """Milliseconds from the eta to the end of a task, by the result's time stamp.
    The tasks are due one after another, at a rate, and wait in the broker."""
    bench.client.flushall()
    # The due time of task n is counted from this, which is in each message.
    text = template(bench.app, TASK, ARGS, eta=datetime(2100, 1, 1, tzinfo=timezone.utc))
    envelope = json.loads(text)
    old_id, old_eta = envelope["headers"]["id"], envelope["headers"]["eta"]
    begin = datetime.now(timezone.utc) + timedelta(seconds=AHEAD)
    etas = {
        str(uuid.uuid4()): begin + timedelta(seconds=n / per_second)
        for n in range(per_second * seconds)
    }
    with bench.worker(kind) as worker:
        with bench.client.pipeline(transaction=False) as pipe:
            for task_id, eta in etas.items():
                message = text.replace(old_id, task_id)
                pipe.lpush("celery", message.replace(old_eta, eta.isoformat()))
            pipe.execute()
        eventually(lambda: bench.client.zcard("umbel.delayed") == len(etas), AHEAD)
        eventually(
            lambda: bench.client.zcard("umbel.delayed") + bench.client.hlen("unacked") == 0
            and bench.client.exists(*result_keys(list(etas))) == len(etas),
            AHEAD + seconds + 20,
            interval=0.5,  # to look is work, too
        )
        assert worker.running(), worker.log
    late = []
    documents = bench.client.mget(result_keys(list(etas)))
    for eta, text in zip(etas.values(), documents):
        done = datetime.fromisoformat(json.loads(text)["date_done"])
        late.append((done.replace(tzinfo=timezone.utc) - eta).total_seconds() * 1000)
    return {"p50": median(late), "p99": quantiles(late, n=100)[98], "max": max(late)}


def crowd(bench: Bench, kind: str, count: int, calls: int) -> dict[str, float]:
    """What it costs that `count` tasks are due tomorrow: the worker's memory, and the
    round trip of a task that is due now, before and meanwhile."""
    bench.client.flushall()
    text = template(bench.app, TASK, ARGS, countdown=86_400)
    with bench.worker(kind) as worker:
        before = bench.round_trips(calls)
        found = {"parent before": resident_memory(worker)["parent"]}
        begin = time.perf_counter()
        bench.broker.fill(text, count)
        eventually(
            lambda: bench.client.llen("celery") == 0
            and bench.client.zcard("umbel.delayed") == count,
            60 + count / 5_000,
            interval=0.05,
        )
        found["put away"] = count / (time.perf_counter() - begin)
        during = bench.round_trips(calls)
        memory = resident_memory(worker)
    found |= {"parent": memory["parent"], "parent peak": memory["parent peak"]}
    found |= {"p50 before": before["p50"], "p50": during["p50"]}
    bench.client.flushall()
    return found
