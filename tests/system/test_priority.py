"""Urgent messages first: 0 is the most urgent on Redis, 9 on RabbitMQ."""

import re

from harness.waiting import eventually


def test_urgent_tasks_run_first(worker, make_celery, broker):
    config = {"task_queue_max_priority": 9} if broker.name == "amqp" else {}
    tasks = make_celery(**config).tasks
    # First, so that the queue is there as the client wants it.
    plug = tasks["tasks.sleep"].delay(2)
    running = worker(
        *("-c", "1", "--prefetch-multiplier", "1"),
        config={"task_track_started": True, **config},
    )
    eventually(lambda: plug.state == "STARTED", what="the only child is busy")
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


def test_priorities_between_the_steps(worker, tasks, redis_client):
    results = [tasks.add.apply_async((p, 1), priority=p) for p in range(10)]
    assert redis_client.llen("celery\x06\x163") == 3
    worker()
    assert [r.get(timeout=10) for r in results] == [p + 1 for p in range(10)]
