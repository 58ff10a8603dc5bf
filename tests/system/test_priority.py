"""Urgent messages first: 0 is the most urgent on Redis, 9 on RabbitMQ."""

import re

import pytest

from harness.results import started
from harness.waiting import eventually


def test_urgent_tasks_run_first(worker, make_celery, broker):
    config = {"task_queue_max_priority": 9} if broker.name == "amqp" else {}
    tasks = make_celery(**config).tasks
    # First, so that the queue is there as the client wants it.
    plug = tasks["tasks.sleep"].delay(8)
    running = worker(
        *("-c", "1", "--prefetch-multiplier", "1"),
        config={"task_track_started": True, **config},
    )
    started(plug)  # the only child is busy
    # One more may be reserved ahead before the others are there: let it be.
    tasks["tasks.noop"].delay()
    add = tasks["tasks.add"]
    priorities = [9, 6, 3, 0, 9, 6, 3, 0]
    sent = {add.apply_async((p, 0), priority=p).id: p for p in priorities}

    def order():
        ended = re.findall(r"Task tasks.add\[(\S+)\] succeeded", running.log)
        return [sent[x] for x in ended]

    eventually(lambda: len(order()) == len(priorities))
    assert order() == sorted(priorities, reverse=not broker.zero_is_urgent)


@pytest.mark.only_redis("a list for each step of priorities")
def test_priorities_between_the_steps(worker, tasks, redis_client):
    results = [tasks.add.apply_async((p, 1), priority=p) for p in range(10)]
    assert redis_client.llen("celery\x06\x163") == 3
    worker()
    assert [r.get(timeout=60) for r in results] == [p + 1 for p in range(10)]


def test_urgent_tasks_overtake_a_long_queue(worker, make_celery, broker):
    """Under load: behind nothing but what was reserved before they came."""
    config = {"task_queue_max_priority": 9} if broker.name == "amqp" else {}
    tasks = make_celery(**config).tasks
    urgent, idle = (0, 9) if broker.zero_is_urgent else (9, 0)
    sleep, add = tasks["tasks.sleep"], tasks["tasks.add"]
    waiting = [sleep.apply_async((0.02,), priority=idle) for _ in range(1000)]
    running = worker("-c", "2", "--prefetch-multiplier", "1", config=config)
    for i in range(20):
        assert add.apply_async((i, i), priority=urgent).get(timeout=60) == 2 * i
    assert broker.queued() > 0, "the queue was not long enough to say anything"
    assert waiting[-1].get(timeout=60) == 0.02
    log = running.log.splitlines()
    for i, line in enumerate(log):
        if found := re.search(r"Task tasks.add\[(\S+)\] received", line):
            ended = next(
                n for n, x in enumerate(log) if f"[{found[1]}] succeeded" in x
            )
            between = sum("Task tasks.sleep[" in x and "succeeded" in x for x in log[i:ended])
            assert between <= 8, "one worker's prefetch is 2, and its children are 2"
