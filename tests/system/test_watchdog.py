"""A worker that is alive and deaf: its connections stand, and nothing comes.

On SQLite, which has no connections, it is deaf while somebody else keeps the file for
himself, or when nobody rings.
"""

import sqlite3
from contextlib import closing

import pytest

from harness.waiting import eventually

#: Seconds between two looks of the watchdog.
QUICK = {"worker_deaf_timeout": 1}

#: What the reader says when it wants messages, and nobody else does.
WANTS_MESSAGES = {
    "redis": [b', "", "celery"]'],  # the end of a ledger entry of reserve.lua
    "amqp": [b"\0\x3c\0\x14\0\0\x06celery", b"\0\x3c\0\x50"],  # basic.consume, basic.ack
}

proxied = pytest.mark.needs("server")


@pytest.fixture
def proxy(broker):
    with broker.proxy() as proxy:
        yield proxy


@pytest.fixture
def reserves(broker):
    words = WANTS_MESSAGES[broker.name]
    return lambda asked: any(x in asked for x in words)


@pytest.fixture
def start(umbel_worker, broker, proxy):
    """A worker behind the proxy."""

    def start():
        # RabbitMQ sends ahead as many as this, and says nothing more of them.
        config = {**QUICK, "worker_prefetch_multiplier": 1}
        return umbel_worker("-c", "1", broker=broker.url_by(proxy.port),
                            backend=broker.result_url, config=config)

    return start


@proxied
def test_a_deaf_reader_is_replaced(start, tasks, proxy, reserves):
    running = start()
    assert tasks.add.delay(1, 1).get(timeout=60) == 2
    for round in (1, 2):
        children = running.children()
        # The connection of the last round is closed.
        eventually(lambda: proxy.deafen(reserves) == 1, what="the reader is deaf")
        results = [tasks.add.delay(i, i) for i in range(5)]
        assert [r.get(timeout=60) for r in results] == [2 * i for i in range(5)]
        assert running.children() == children
        running.wait_for_log(
            rf"(?s)(watchdog ended \(connection_lost: this worker is deaf: [^\n]+ for "
            rf"(more than )?\d s; connecting anew, 1 of 3 times\).*){{{round}}}"
        )


@proxied
def test_connections_that_swallow_everything_are_replaced(start, tasks, proxy):
    """As after a reconnect to half a server: no error, and no answer."""
    running = start()
    assert tasks.add.delay(1, 1).get(timeout=60) == 2
    assert proxy.cut() > 0
    assert tasks.add.delay(2, 2).get(timeout=60) == 4
    assert proxy.deafen() > 0
    assert tasks.add.delay(3, 3).get(timeout=60) == 6
    running.wait_for_log("the broker has not said for 1 s what waits in the queues")


@proxied
def test_a_worker_that_remains_deaf_ends(start, tasks, proxy, reserves):
    proxy.deafen_always(reserves)
    running = start()
    for _ in range(5):
        tasks.add.delay(1, 1)  # some are reserved, and nobody hears of it
    assert running.wait_exit(120) == 1
    assert "to connect anew has not helped 3 times" in running.log.splitlines()[-1]


@proxied
def test_attempts_to_connect_are_counted(umbel_worker, broker):
    broker.stop()
    config = {"broker_connection_max_retries": 3}
    running = umbel_worker(config=config, ready=False)
    assert running.wait_exit() == 1
    assert running.log.count("cannot connect") == 4, running.log
    assert "giving up" in running.log.splitlines()[-1]
    broker.start()


@proxied
def test_no_retry_on_startup(umbel_worker, broker):
    broker.stop()
    config = {"broker_connection_retry_on_startup": False}
    running = umbel_worker(config=config, ready=False)
    assert running.wait_exit() == 1
    assert running.log.count("cannot connect") == 1, running.log
    broker.start()


# -- a file ------------------------------------------------------------------------


@pytest.fixture
def file(broker):
    if broker.name != "sqlite":
        pytest.skip("is about files")
    return broker


def test_a_file_that_somebody_keeps_for_himself(umbel_worker, tasks, file):
    running = umbel_worker(config=QUICK)
    assert tasks.add.delay(1, 1).get(timeout=60) == 2
    results = [tasks.sleep.delay(0.5), *(tasks.add.delay(i, i) for i in range(100))]
    with closing(sqlite3.connect(file.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        running.wait_for_log(r"database is locked|has not said for 1 s|worker is deaf")
    assert [r.get(timeout=60) for r in results[1:]] == [2 * i for i in range(100)]
    eventually(file.idle)


def test_nobody_rings(umbel_worker, file, celery):
    """As when a client was killed between its commit and the bell."""
    running = umbel_worker(config=QUICK)
    with celery.connection_for_write() as connection:
        task = celery.send_task("tasks.add", (1, 1), connection=connection, queue="quiet")
    with file.change() as change:
        change.execute("UPDATE waiting SET queue = 'celery' WHERE queue = 'quiet'")
    assert task.get(timeout=60) == 2
    assert "deaf" not in running.log
