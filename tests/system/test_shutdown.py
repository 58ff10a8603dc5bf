"""Warm and cold shutdown, and what is left when a worker is killed."""

import signal
import time

import pytest

from harness.results import document_of, started
from harness.waiting import eventually

LATE = {"task_acks_late": True, "task_track_started": True}


@pytest.mark.parametrize(
    "number, status",
    [(signal.SIGTERM, 0), (signal.SIGINT, 1)],
    ids=["SIGTERM", "SIGINT"],  # exit statuses as Celery's
)
def test_warm_shutdown_finishes_what_runs(
    umbel_worker, tasks, broker, number, status
):
    running = umbel_worker("-c", "1", config=LATE)
    result = tasks.sleep.delay(6)
    started(result)
    waiting = [tasks.add.delay(i, i) for i in range(10)]
    running.signal(number)
    assert running.wait_exit() == status, running.log
    assert result.get(timeout=60) == 6
    eventually(lambda: not running.group_alive())
    # RabbitMQ puts it back when it has noticed that the connection is gone.
    eventually(
        lambda: (broker.queued(), broker.in_flight()) == (10, 0),
        what="what had not started is put back",
    )
    assert not any(r.ready() for r in waiting)
    umbel_worker()
    assert [r.get(timeout=60) for r in waiting] == [2 * i for i in range(10)]


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_warm_shutdown_of_other_pools(umbel_worker, tasks, pool):
    running = umbel_worker("-P", pool, config=LATE)
    result = tasks.sleep.delay(4)
    started(result)
    running.stop()
    assert result.get(timeout=60) == 4


@pytest.mark.parametrize(
    "signals",
    [[signal.SIGINT, signal.SIGINT], [signal.SIGQUIT]],
    ids=["second SIGINT", "SIGQUIT"],
)
def test_cold_shutdown_restores_at_once(
    umbel_worker, tasks, broker, signals
):
    running = umbel_worker("-c", "1", config=LATE)
    result = tasks.sleep.delay(600)
    started(result)
    waiting = tasks.add.delay(1, 1)
    for n, number in enumerate(signals):
        running.signal(number)
        if n + 1 < len(signals):
            running.wait_for_log(r"(?i)warm shutdown")
    running.wait_exit()  # does not wait for the task
    eventually(lambda: not running.group_alive())
    eventually(lambda: (broker.queued(), broker.in_flight()) == (2, 0))
    next_worker = umbel_worker("-c", "2", config=LATE)
    assert waiting.get(timeout=60) == 2
    next_worker.signal(signal.SIGQUIT)  # nobody waits for the long task
    next_worker.wait_exit()


def test_a_killed_worker_is_recovered_by_the_next(
    umbel_worker, tasks, broker
):
    """Within seconds, by its lease, not after the visibility timeout of 1 h."""
    first = umbel_worker("-c", "2", config=LATE)
    results = [tasks.sleep.delay(5) for _ in range(4)]
    started(results[0])
    eventually(lambda: broker.in_flight() >= 2)
    first.kill()
    second = umbel_worker("-c", "2", config=LATE)
    for result in results:
        assert result.get(timeout=60) == 5
    eventually(lambda: broker.in_flight() == 0)
    second.stop()


def test_a_killed_worker_is_recovered_by_a_neighbour(
    umbel_worker, tasks, broker
):
    first = umbel_worker("-c", "1", "-n", "one@%h", config=LATE)
    result = tasks.sleep.delay(5)
    started(result)
    umbel_worker("-c", "1", "-n", "two@%h", config=LATE)
    first.kill()

    def taken_over() -> bool:
        found = document_of(result)
        return found["status"] == "SUCCESS" or found["result"]["hostname"].startswith("two@")

    eventually(taken_over)
    assert result.get(timeout=60) == 5
    eventually(lambda: broker.in_flight() == 0)


def test_stopping_an_idle_worker_is_quick(umbel_worker):
    """The quickest of up to three: the machine may have had something else to do."""

    def seconds() -> float:
        running = umbel_worker()
        begin = time.monotonic()
        running.stop()
        return time.monotonic() - begin

    assert any(seconds() < 3 for _ in range(3))
