"""A worker that is alive and deaf: its connections stand, and nothing comes."""

import pytest

from harness.proxy import Proxy
from harness.waiting import eventually

#: Seconds between two looks of the watchdog.
QUICK = {"worker_deaf_timeout": 1}


def reserves(asked: bytes) -> bool:
    """Whether the reader said this: the end of a ledger entry of reserve.lua."""
    return b', "", "celery"]' in asked


@pytest.fixture
def proxy(redis_server):
    with Proxy(redis_server.port) as proxy:
        yield proxy


def test_a_deaf_reader_is_replaced(umbel_worker, redis_server, tasks, proxy):
    running = umbel_worker(broker=redis_server.url(port=proxy.port), config=QUICK)
    assert tasks.add.delay(1, 1).get(timeout=10) == 2
    for round in (1, 2):
        children = running.children()
        # The connection of the last round is closed.
        eventually(lambda: proxy.deafen(reserves) == 1, what="the reader is deaf")
        results = [tasks.add.delay(i, i) for i in range(5)]
        assert [r.get(timeout=60) for r in results] == [2 * i for i in range(5)]
        assert running.children() == children
        running.wait_for_log(
            r"watchdog ended \(connection_lost: this worker is deaf: the reader does "
            r"not answer, it has waited for the broker for more than 1 s; "
            r"connecting anew, 1 of 3 times\)"
        )


def test_connections_that_swallow_everything_are_replaced(
    umbel_worker, redis_server, tasks, proxy
):
    """As after a reconnect to half a server: no error, and no answer."""
    running = umbel_worker(broker=redis_server.url(port=proxy.port), config=QUICK)
    assert tasks.add.delay(1, 1).get(timeout=10) == 2
    assert proxy.cut() > 0
    assert tasks.add.delay(2, 2).get(timeout=10) == 4
    assert proxy.deafen() > 0
    assert tasks.add.delay(3, 3).get(timeout=60) == 6
    running.wait_for_log("the broker has not said for 1 s what waits in the queues")


def test_a_worker_that_remains_deaf_ends(umbel_worker, redis_server, tasks, proxy):
    proxy.deafen_always(reserves)
    running = umbel_worker(broker=redis_server.url(port=proxy.port), config=QUICK)
    tasks.add.delay(1, 1)  # is reserved, and nobody hears of it
    assert running.wait_exit(90) == 1
    assert "to connect anew has not helped 3 times" in running.log.splitlines()[-1]


def test_attempts_to_connect_are_counted(umbel_worker, redis_server):
    redis_server.stop()
    running = umbel_worker(
        broker=redis_server.url(), config={"broker_connection_max_retries": 3}, ready=False
    )
    assert running.wait_exit(20) == 1
    assert running.log.count("cannot connect to") == 4, running.log
    assert "giving up" in running.log.splitlines()[-1]


def test_no_retry_on_startup(umbel_worker, redis_server):
    redis_server.stop()
    config = {"broker_connection_retry_on_startup": False}
    running = umbel_worker(broker=redis_server.url(), config=config, ready=False)
    assert running.wait_exit(20) == 1
    assert running.log.count("cannot connect to") == 1, running.log
