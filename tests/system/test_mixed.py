"""Umbel and Python workers on the same queue at once."""

import re

import pytest

from harness.results import started
from harness.waiting import eventually

LATE = {"task_acks_late": True, "task_reject_on_worker_lost": True}


def finished(worker) -> int:
    return len(re.findall(r"\] succeeded in ", worker.log))


def time_stamp(redis_client) -> float:
    """Of the only message in flight."""
    [(_, score)] = redis_client.zrange("unacked_index", 0, -1, withscores=True)
    return score


def test_both_take_their_share(umbel_worker, python_worker, tasks, broker):
    umbel = umbel_worker("-n", "umbel@%h")
    python = python_worker("-n", "python@%h")
    results = [tasks.sleep.delay(0.15) for _ in range(100)]
    for result in results:
        assert result.get(timeout=60) == 0.15
    eventually(lambda: finished(umbel) + finished(python) == 100)
    assert finished(umbel) > 10 and finished(python) > 10
    eventually(lambda: broker.in_flight() == 0)


def test_umbel_recovers_what_a_python_worker_left(
    umbel_worker, python_worker, tasks, broker
):
    config = {**LATE, "broker_transport_options": {"visibility_timeout": 3}}
    python = python_worker("-c", "2", config=config)
    results = [tasks.sleep.delay(4) for _ in range(4)]
    eventually(lambda: broker.in_flight() == 4)
    python.kill()
    umbel_worker(config=config)
    for result in results:
        assert result.get(timeout=60) == 4
    eventually(lambda: broker.in_flight() == 0)


def test_a_python_worker_recovers_what_umbel_left(
    umbel_worker, python_worker, tasks, broker
):
    config = {**LATE, "broker_transport_options": {"visibility_timeout": 3}}
    umbel = umbel_worker("-c", "2", config=config)
    results = [tasks.sleep.delay(4) for _ in range(4)]
    eventually(lambda: broker.in_flight() == 4)
    umbel.kill()
    # On Redis a Python worker sweeps once when it starts (and then every 100 s):
    # the entries must be old enough by then.
    broker.let_age(3)
    python_worker(config=config)
    for result in results:
        assert result.get(timeout=60) == 4
    eventually(lambda: broker.in_flight() == 0)


@pytest.mark.only_redis("time stamps that Python's workers go by")
def test_a_long_task_is_not_delivered_twice(
    umbel_worker, python_worker, tasks, broker, redis_client
):
    """Longer than the visibility timeout: its time stamp is refreshed, so a
    Python peer that sweeps meanwhile leaves it alone."""
    config = {**LATE, "broker_transport_options": {"visibility_timeout": 3}}
    umbel = umbel_worker("-c", "1", config={**config, "task_track_started": True})
    result = tasks.sleep.delay(10)
    started(result)
    first = time_stamp(redis_client)
    eventually(
        lambda: time_stamp(redis_client) >= first + 3,
        what="the time stamp is refreshed",
    )
    python = python_worker(config=config)  # sweeps as it starts
    assert result.get(timeout=60) == 10
    eventually(lambda: broker.in_flight() == 0)
    assert "tasks.sleep" not in re.sub(r"(?s)\[tasks\].*?\n\n", "", python.log)
    eventually(lambda: finished(umbel) == 1)
