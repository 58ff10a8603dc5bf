"""Redis goes away and comes back while children work."""

import pytest

from harness.messages import in_flight
from harness.ports import free_port
from harness.redis_server import RedisServer
from harness.waiting import eventually

TRACK = {"task_track_started": True}
LATE = {"task_acks_late": True, **TRACK}


@pytest.mark.parametrize("config", [TRACK, LATE], ids=["early", "late"])
def test_results_arrive_after_all_connections_were_cut(
    umbel_worker, tasks, redis_client, config
):
    running = umbel_worker("-c", "2", config=config)
    children = running.children()
    results = [tasks.sleep.delay(2) for _ in range(2)]
    eventually(lambda: all(r.state == "STARTED" for r in results))
    assert running.cut_connections(redis_client) > 0
    assert [r.get(timeout=30) for r in results] == [2, 2]
    assert running.children() == children, "children were not disturbed"
    assert tasks.add.delay(4, 4).get(timeout=20) == 8
    eventually(lambda: in_flight(redis_client) == (0, 0))


def test_connections_cut_again_and_again(umbel_worker, tasks, redis_client):
    running = umbel_worker("-c", "2", config=LATE)
    for round in range(10):
        results = [tasks.sleep.delay(0.1) for _ in range(10)]
        eventually(lambda: running.cut_connections(redis_client) > 0)
        assert [r.get(timeout=60) for r in results] == [0.1] * 10, f"round {round}"
    eventually(lambda: in_flight(redis_client) == (0, 0))


def test_an_idle_worker_whose_connections_were_cut(umbel_worker, tasks, redis_client):
    running = umbel_worker()
    assert tasks.add.delay(1, 1).get(timeout=10) == 2
    assert running.cut_connections(redis_client) > 0
    assert tasks.add.delay(2, 2).get(timeout=20) == 4


def test_redis_restarts(umbel_worker, make_celery, make_redis):
    server = make_redis(appendonly=True)
    running = umbel_worker(broker=server.url(), config=LATE)
    app = make_celery(server.url())
    sleep, add = app.tasks["tasks.sleep"], app.tasks["tasks.add"]
    before = [sleep.delay(1) for _ in range(6)]
    eventually(lambda: any(r.state == "STARTED" for r in before))
    server.kill()
    server.start()
    assert [r.get(timeout=60) for r in before] == [1] * 6
    assert add.delay(4, 4).get(timeout=30) == 8
    eventually(lambda: in_flight(server.client()) == (0, 0), 60)
    running.stop()


def test_redis_is_away_for_a_while(umbel_worker, make_celery, make_redis):
    server = make_redis(appendonly=True)
    running = umbel_worker("-c", "1", broker=server.url(), config=LATE)
    app = make_celery(server.url())
    result = app.tasks["tasks.sleep"].delay(1)
    eventually(lambda: result.state == "STARTED")
    server.kill()
    running.wait_for_log(r"(?i)(connection|connect).*(refused|lost|closed)", 30)
    server.start()
    assert result.get(timeout=60) == 1
    assert app.tasks["tasks.add"].delay(4, 4).get(timeout=60) == 8


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
        assert app.tasks["tasks.add"].delay(4, 4).get(timeout=20) == 8
        running.stop()
    finally:
        server.stop()


def test_no_broker_and_a_shutdown(umbel_worker):
    running = umbel_worker(broker=f"redis://127.0.0.1:{free_port()}/0", ready=False)
    running.wait_for_log(r"(?i)cannot connect")
    running.stop(10)
