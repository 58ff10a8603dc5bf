"""The cooperative pool: -P gevent and -P eventlet."""

import os
import re
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from billiard.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded

from harness.messages import template
from harness.results import started
from harness.waiting import PATIENCE, eventually

LATE = {"task_acks_late": True, "task_track_started": True}


def all_done(broker, ids):
    return lambda: broker.statuses(ids) == {"SUCCESS": len(ids)}


@pytest.mark.parametrize("pool", ["gevent", "eventlet"])
def test_it_runs_tasks(umbel_worker, tasks, broker, pool):
    running = umbel_worker("-P", pool, "-c", "10")
    results = [tasks.add.delay(i, 1) for i in range(100)]
    results += [tasks.asleep.delay(0.01) for _ in range(100)]
    assert [r.get(timeout=60) for r in results] == [*range(1, 101), *[0.01] * 100]
    with pytest.raises(ValueError, match="x"):
        tasks.fail.delay("x").get(timeout=60)
    assert tasks.flaky.delay(1).get(timeout=60) == 1
    assert f"10 ({pool})" in running.log
    eventually(lambda: broker.in_flight() == 0)


def test_thousands_sleep_at_once(umbel_worker, celery, broker):
    count, seconds = 5_000, 3
    ids = broker.fill(template(celery, "tasks.asleep", [seconds]), count)
    running = umbel_worker("-P", "gevent", "-c", str(count), loglevel="warning",
                           ready=False)
    eventually(lambda: broker.queued() < count, what="it has begun")
    begin = time.monotonic()
    eventually(lambda: broker.queued() == 0, what="all are taken")
    threads = len(os.listdir(f"/proc/{running.pid}/task"))
    eventually(all_done(broker, ids), 60, what="all have ended")
    took = time.monotonic() - begin
    # Hundreds at once would take as long.
    assert took < 10 * seconds * PATIENCE, f"one after another? {took:.1f} s"
    assert threads < 15, "not a thread for each"
    eventually(lambda: broker.in_flight() == 0)


def test_a_plain_function_holds_up_the_others_but_not_the_worker(
    umbel_worker, tasks
):
    running = umbel_worker("-P", "gevent", "-c", "10")
    tasks.sleep.delay(2)
    short = tasks.asleep.delay(0.01)
    assert short.get(timeout=60) == 0.01
    running.wait_for_log(r"task tasks.sleep held up all others of this pool for [2-9]")


def test_time_limits_end_one_and_leave_the_others(umbel_worker, tasks):
    umbel_worker("-P", "gevent", "-c", "10")
    other = tasks.asleep.delay(3)
    hard = tasks.asleep.apply_async([60], time_limit=0.5)
    soft = tasks.asleep.apply_async([60], soft_time_limit=0.5)
    with pytest.raises(TimeLimitExceeded):
        hard.get(timeout=60)
    with pytest.raises(SoftTimeLimitExceeded):
        soft.get(timeout=60)
    assert other.get(timeout=60) == 3
    assert tasks.add.delay(1, 1).get(timeout=60) == 2


def test_autoscale(umbel_worker, tasks):
    running = umbel_worker("-P", "gevent", "--autoscale=50,1", config=LATE)
    results = [tasks.asleep.delay(600) for _ in range(50)]
    for result in results:
        started(result)
    assert not any(r.ready() for r in results), "all at once"
    running.signal(signal.SIGQUIT)  # nobody waits for them
    running.wait_exit()


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_other_pools_run_coroutines(umbel_worker, tasks, pool):
    umbel_worker("-P", pool)
    assert tasks.asleep.delay(0.1).get(timeout=60) == 0.1


def test_warm_shutdown_waits_for_what_sleeps(umbel_worker, tasks, broker):
    running = umbel_worker("-P", "gevent", "-c", "2", config=LATE)
    results = [tasks.asleep.delay(6) for _ in range(2)]
    for result in results:
        started(result)
    waiting = tasks.add.delay(1, 1)
    running.stop()
    assert [r.get(timeout=60) for r in results] == [6, 6]
    eventually(lambda: (broker.queued(), broker.in_flight()) == (1, 0))
    assert not waiting.ready()


def test_cold_shutdown_gives_up_what_sleeps(umbel_worker, tasks, broker):
    running = umbel_worker("-P", "gevent", "-c", "50", config=LATE)
    results = [tasks.asleep.delay(600) for _ in range(50)]
    for result in results:
        started(result)
    running.signal(signal.SIGQUIT)
    assert running.wait_exit() == 1  # sooner than any of them ends
    eventually(
        lambda: (broker.queued(), broker.in_flight()) == (50, 0), what="each is put back"
    )


def test_a_killed_worker_loses_nothing(umbel_worker, celery, broker):
    ids = broker.fill(template(celery, "tasks.asleep", [4]), 500)
    first = umbel_worker("-P", "gevent", "-c", "500", config=LATE)
    eventually(lambda: broker.statuses(ids).get("STARTED", 0) > 100)
    first.kill()
    assert broker.in_flight() + broker.queued() > 0
    umbel_worker("-P", "gevent", "-c", "500", config=LATE)
    eventually(all_done(broker, ids), 60, what="all have ended")
    eventually(lambda: broker.in_flight() == 0)


class Shop(BaseHTTPRequestHandler):
    """Answers after a moment; /slow never."""

    released = threading.Event()

    def do_GET(self):
        if self.path == "/slow":
            self.released.wait(600)
        elif self.path == "/missing":
            self.send_error(404)
        else:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.end_headers()
            self.wfile.write(b"x" * 1000)

    def log_message(self, *_):
        pass


@pytest.fixture
def shop():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    Shop.released.clear()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    Shop.released.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("pool", ["gevent", "prefork"])
def test_http(umbel_worker, tasks, shop, pool):
    running = umbel_worker("-P", pool, "-c", "20")
    slow = [tasks.fetch.delay(f"{shop}/slow") for _ in range(5)]
    found = [tasks.fetch.delay(f"{shop}/page") for _ in range(50)]
    for result in found:
        assert result.get(timeout=60) == {
            "status": 200, "type": "text/plain", "bytes": 1000}
    assert tasks.fetch.delay(f"{shop}/missing").get(timeout=60)["status"] == 404
    with pytest.raises(ConnectionError, match="Connection refused"):
        tasks.fetch.delay("http://127.0.0.1:1/").get(timeout=60)
    with pytest.raises(ValueError, match="does not begin with http://"):
        tasks.fetch.delay("ftp://example.org/").get(timeout=60)
    assert not any(r.ready() for r in slow)
    running.signal(signal.SIGQUIT)  # nobody waits for the slow ones
    running.wait_exit()


def test_a_task_awaits_others(umbel_worker, tasks, broker):
    umbel_worker("-P", "gevent", "-c", "200")
    assert tasks.total.delay(100).get(timeout=60) == sum(2 * i for i in range(100))
    assert tasks.total.delay(0).get(timeout=60) == 0
    eventually(lambda: broker.in_flight() == 0)


@pytest.mark.parametrize("pool", ["gevent", "threads", "prefork"])
def test_a_task_of_another_worker(umbel_worker, python_worker, tasks, pool):
    """The other one is Python's: its results and exceptions come over."""
    umbel_worker("-P", pool, "-c", "2", "-Q", "ours", config={
        "task_default_queue": "theirs"})
    python_worker("-Q", "theirs")

    def forward(task, x):
        return tasks.forward.apply_async([task, x], queue="ours")

    assert forward("tasks.echo", [1, "two"]).get(timeout=60) == [1, "two"]
    with pytest.raises(ValueError, match="no more pears"):
        forward("tasks.fail", "no more pears").get(timeout=60)


def test_a_called_task_is_a_child(umbel_worker, celery, tasks, broker):
    umbel_worker("-P", "gevent", "-c", "2", config={"task_default_queue": "away"})
    result = tasks.forward.apply_async(["tasks.echo", 1], queue="away")
    assert result.get(timeout=60) == 1
    assert result.id in [x.get("parent_id") for x in broker.all_documents()]


@pytest.mark.needs("server")
def test_a_call_survives_lost_connections(umbel_worker, tasks, broker):
    running = umbel_worker("-P", "gevent", "-c", "10", config={
        "task_default_queue": "celery"})
    results = [tasks.forward.delay("tasks.asleep", 5) for _ in range(4)]
    eventually(lambda: len(re.findall(r"Task tasks.asleep\[\S+ received", running.log)) == 4,
               what="it waits for four results")
    assert broker.cut_connections(running) > 0
    assert [r.get(timeout=60) for r in results] == [5] * 4


def test_a_caller_without_results_says_so(umbel_worker, make_celery):
    app = make_celery()
    running = umbel_worker("-P", "gevent", "-c", "2", backend="disabled://")
    app.tasks["tasks.forward"].delay("tasks.echo", 1)
    running.wait_for_log(r"there is no result store to wait for results at")
