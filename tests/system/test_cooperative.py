"""The cooperative pool: -P gevent and -P eventlet."""

import os
import signal
import time

import pytest

from harness.messages import fill, in_flight, statuses, template
from harness.waiting import PATIENCE, eventually

LATE = {"task_acks_late": True, "task_track_started": True}


def is_started(result):
    return lambda: result.state == "STARTED"


def all_done(client, ids):
    return lambda: statuses(client, ids) == {"SUCCESS": len(ids)}


@pytest.mark.parametrize("pool", ["gevent", "eventlet"])
def test_it_runs_tasks(umbel_worker, tasks, redis_client, pool):
    running = umbel_worker("-P", pool, "-c", "10")
    results = [tasks.add.delay(i, 1) for i in range(100)]
    results += [tasks.asleep.delay(0.01) for _ in range(100)]
    assert [r.get(timeout=20) for r in results] == [*range(1, 101), *[0.01] * 100]
    with pytest.raises(ValueError, match="x"):
        tasks.fail.delay("x").get(timeout=10)
    assert tasks.flaky.delay(1).get(timeout=20) == 1
    assert f"10 ({pool})" in running.log
    eventually(lambda: in_flight(redis_client) == (0, 0))


def test_thousands_sleep_at_once(umbel_worker, celery, redis_client):
    count, seconds = 5_000, 3
    ids = fill(redis_client, template(celery, "tasks.asleep", [seconds]), count)
    running = umbel_worker("-P", "gevent", "-c", str(count), loglevel="warning",
                           ready=False)
    eventually(lambda: redis_client.llen("celery") < count, what="it has begun")
    begin = time.monotonic()
    eventually(lambda: redis_client.llen("celery") == 0, what="all are taken")
    threads = len(os.listdir(f"/proc/{running.pid}/task"))
    eventually(all_done(redis_client, ids), 60, what="all have ended")
    took = time.monotonic() - begin
    assert took < 2 * seconds * PATIENCE, f"one after another? {took:.1f} s"
    assert threads < 15, "not a thread for each"
    eventually(lambda: in_flight(redis_client) == (0, 0))


def test_a_plain_function_holds_up_the_others_but_not_the_worker(
    umbel_worker, tasks, redis_client
):
    running = umbel_worker("-P", "gevent", "-c", "10")
    tasks.sleep.delay(2)
    short = tasks.asleep.delay(0.01)
    assert short.get(timeout=20) == 0.01
    running.wait_for_log(r"task tasks.sleep held up all others of this pool for 2")


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_other_pools_run_coroutines(umbel_worker, tasks, pool):
    umbel_worker("-P", pool)
    assert tasks.asleep.delay(0.1).get(timeout=10) == 0.1


def test_warm_shutdown_waits_for_what_sleeps(umbel_worker, tasks, redis_client):
    running = umbel_worker("-P", "gevent", "-c", "2", config=LATE)
    results = [tasks.asleep.delay(2) for _ in range(2)]
    for result in results:
        eventually(is_started(result))
    waiting = tasks.add.delay(1, 1)
    running.stop()
    assert [r.get(timeout=1) for r in results] == [2, 2]
    assert not waiting.ready() and redis_client.llen("celery") == 1
    assert in_flight(redis_client) == (0, 0)


def test_cold_shutdown_gives_up_what_sleeps(umbel_worker, tasks, redis_client):
    running = umbel_worker("-P", "gevent", "-c", "50", config=LATE)
    results = [tasks.asleep.delay(60) for _ in range(50)]
    for result in results:
        eventually(is_started(result))
    begin = time.monotonic()
    running.signal(signal.SIGQUIT)
    assert running.wait_exit(10) == 1
    assert time.monotonic() - begin < 8 * PATIENCE
    assert in_flight(redis_client) == (0, 0)
    assert redis_client.llen("celery") == 50, "each is put back"


def test_a_killed_worker_loses_nothing(umbel_worker, celery, redis_client):
    ids = fill(redis_client, template(celery, "tasks.asleep", [1]), 500)
    first = umbel_worker("-P", "gevent", "-c", "500", config=LATE)
    eventually(lambda: statuses(redis_client, ids).get("STARTED", 0) > 100)
    first.kill()
    assert redis_client.hlen("unacked") > 0
    umbel_worker("-P", "gevent", "-c", "500", config=LATE)
    eventually(all_done(redis_client, ids), 60, what="all have ended")
    eventually(lambda: in_flight(redis_client) == (0, 0))
