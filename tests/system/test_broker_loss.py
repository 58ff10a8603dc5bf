"""The broker goes away and comes back while children work."""

import pytest

from harness.ports import free_port
from harness.redis_server import RedisServer
from harness.results import started
from harness.waiting import eventually

pytestmark = pytest.mark.needs("server")

TRACK = {"task_track_started": True}
LATE = {"task_acks_late": True, **TRACK}


@pytest.mark.parametrize("config", [TRACK, LATE], ids=["early", "late"])
def test_results_arrive_after_all_connections_were_cut(
    umbel_worker, tasks, broker, config
):
    running = umbel_worker("-c", "2", config=config)
    children = eventually(lambda: len(x := running.children()) == 2 and x)
    results = [tasks.sleep.delay(5) for _ in range(2)]
    for result in results:
        started(result)
    assert broker.cut_connections(running) > 0
    assert [r.get(timeout=60) for r in results] == [5, 5]
    assert running.children() == children, "children were not disturbed"
    assert tasks.add.delay(4, 4).get(timeout=60) == 8
    eventually(lambda: broker.in_flight() == 0)


def test_connections_cut_again_and_again(umbel_worker, tasks, broker):
    running = umbel_worker("-c", "2", config=LATE)
    for round in range(10):
        results = [tasks.sleep.delay(0.1) for _ in range(10)]
        eventually(lambda: broker.cut_connections(running) > 0)
        assert [r.get(timeout=60) for r in results] == [0.1] * 10, f"round {round}"
    eventually(lambda: broker.in_flight() == 0)


def test_an_idle_worker_whose_connections_were_cut(umbel_worker, tasks, broker):
    running = umbel_worker()
    assert tasks.add.delay(1, 1).get(timeout=60) == 2
    assert broker.cut_connections(running) > 0
    assert tasks.add.delay(2, 2).get(timeout=60) == 4


@pytest.mark.durable
def test_the_server_restarts(umbel_worker, tasks, broker):
    running = umbel_worker(config=LATE)
    before = [tasks.sleep.delay(2) for _ in range(6)]
    eventually(lambda: any(r.state == "STARTED" for r in before))
    broker.kill()
    broker.start()
    assert [r.get(timeout=60) for r in before] == [2] * 6
    assert tasks.add.delay(4, 4).get(timeout=60) == 8
    eventually(broker.idle)
    running.stop()


@pytest.mark.durable
def test_the_server_is_away_for_a_while(umbel_worker, tasks, broker):
    running = umbel_worker("-c", "1", config=LATE)
    result = tasks.sleep.delay(5)
    started(result)
    broker.kill()
    running.wait_for_log(r"(?i)(connection|connect).*(refused|lost|closed)")
    broker.start()
    assert result.get(timeout=60) == 5
    assert tasks.add.delay(4, 4).get(timeout=60) == 8


def test_no_broker_at_start(umbel_worker, make_celery, tmp_path):
    """A readable line with the retry, and it starts once the broker is there."""
    directory = tmp_path / "late"
    directory.mkdir()
    server = RedisServer(directory)
    server.port = free_port()
    running = umbel_worker(broker=server.url(), ready=False)
    where = f"redis://127.0.0.1:{server.port}"
    running.wait_for_log(rf"(?i)cannot connect to {where}.*refused.*\bin \d[\d.]* s")
    server.start()
    try:
        running.wait_ready()
        app = make_celery(server.url())
        assert app.tasks["tasks.add"].delay(4, 4).get(timeout=60) == 8
        running.stop()
    finally:
        server.stop()


def test_no_broker_and_a_shutdown(umbel_worker):
    running = umbel_worker(broker=f"redis://127.0.0.1:{free_port()}/0", ready=False)
    running.wait_for_log(r"(?i)cannot connect")
    running.stop()
