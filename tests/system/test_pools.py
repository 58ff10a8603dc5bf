"""The pools, and that short tasks do not wait behind long ones."""

import signal
import time
from statistics import median

import pytest

from harness.waiting import eventually


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_each_pool_runs_tasks(umbel_worker, tasks, broker, pool):
    umbel_worker("-P", pool)
    results = [tasks.add.delay(i, 1) for i in range(100)]
    assert [r.get(timeout=60) for r in results] == list(range(1, 101))
    with pytest.raises(ValueError, match="x"):
        tasks.fail.delay("x").get(timeout=60)
    assert tasks.flaky.delay(1).get(timeout=60) == 1
    eventually(lambda: broker.in_flight() == 0)


def test_threads_run_at_the_same_time(umbel_worker, tasks):
    running = umbel_worker("-P", "threads", "-c", "4")
    begin = time.monotonic()
    for result in [tasks.sleep.delay(4) for _ in range(4)]:
        result.get(timeout=60)
    assert time.monotonic() - begin < 8
    assert running.children() == []


def test_prefork_has_that_many_children(umbel_worker, tasks):
    running = umbel_worker("-c", "3")
    eventually(lambda: len(running.children()) == 3)
    begin = time.monotonic()
    for result in [tasks.sleep.delay(4) for _ in range(3)]:
        result.get(timeout=60)
    assert time.monotonic() - begin < 8


def test_autoscale_begins_within_its_limits(umbel_worker, tasks):
    running = umbel_worker("--autoscale=4,2")
    eventually(lambda: 2 <= len(running.children()) <= 4)
    assert tasks.add.delay(4, 4).get(timeout=60) == 8


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_a_short_task_never_waits_behind_a_long_one(umbel_worker, tasks, pool):
    running = umbel_worker("-P", pool, "-c", "2")
    for _ in range(200):  # teach it that tasks are short: it may work ahead
        tasks.noop.delay()
    tasks.noop.delay().get(timeout=60)
    long = tasks.sleep.delay(60)
    seconds = []
    for _ in range(50):
        begin = time.monotonic()
        tasks.sleep.delay(0.01).get(timeout=60)
        seconds.append(time.monotonic() - begin)
    assert not long.ready()
    assert max(seconds) < 20, f"a 10 ms task took {max(seconds):.3f} s"
    # Those for which the machine had nothing else to do.
    assert median(seconds) < 2, seconds
    running.signal(signal.SIGQUIT)  # nobody waits for the long one
    running.wait_exit()


def test_a_burst_of_short_tasks_around_a_long_one(umbel_worker, tasks):
    """Sent together: what was given ahead to the child that got the long one
    must come back from it."""
    running = umbel_worker("-c", "2")
    for _ in range(200):
        tasks.noop.delay()
    tasks.noop.delay().get(timeout=60)
    short = [tasks.sleep.delay(0.01) for _ in range(20)]
    long = tasks.sleep.delay(60)
    short += [tasks.sleep.delay(0.01) for _ in range(40)]
    begin = time.monotonic()
    for result in short:
        result.get(timeout=60)
    assert time.monotonic() - begin < 30
    assert not long.ready()
    running.signal(signal.SIGQUIT)  # nobody waits for the long one
    running.wait_exit()
