"""The tables of kombu's SQLAlchemy transport in a SQLite file, shared with Celery's
own clients and workers."""

import random
import sqlite3
import time
from contextlib import closing
from statistics import median

import pytest
from celery.result import AsyncResult

from harness import sqlite_client
from harness.brokers import KombuFile, SqliteBroker
from harness.celery_tasks import make_app
from harness.waiting import eventually
from harness.workers import runs
from test_sqlite import refusal

LATE = {"task_acks_late": True, "task_reject_on_worker_lost": True}

pytestmark = pytest.mark.own_broker()


@pytest.fixture
def file(tmp_path) -> KombuFile:
    return KombuFile(tmp_path)


@pytest.fixture
def app(file):
    app = make_app(file.url, file.result_url)
    yield app
    app.close()


@pytest.fixture
def start(umbel_worker, file):
    def start(*args, config=None, **options):
        return umbel_worker(*args, broker=file.url, backend=file.result_url,
                            config=config, **options)

    return start


def get(result: AsyncResult, timeout: float = 60):
    return result.get(timeout=timeout, interval=0.005)


def test_a_python_client_gets_results_and_errors(start, app, file):
    first = app.tasks["tasks.add"].delay(4, 4)  # Python makes the tables
    running = start()
    assert f"transport:   {file.url}" in running.log
    assert get(first) == 8
    with pytest.raises(ValueError, match="no luck"):
        get(app.tasks["tasks.fail"].delay("no luck"))
    text = "é" * 100_000
    assert get(app.tasks["tasks.echo"].delay(text)) == text
    results = [app.tasks["tasks.add"].delay(i, 1) for i in range(200)]
    assert [get(x) for x in results] == [i + 1 for i in range(200)]
    eventually(file.idle)
    assert file.taken_by_python() == 0, "Umbel leaves no rows behind"


def test_what_cannot_work_is_said_in_one_line(file, tmp_path):
    own = SqliteBroker(tmp_path / "own.db")
    with closing(sqlite_client.Database(str(own.path))):
        pass
    assert "it is a file of Umbel's own broker" in refusal(
        "-b", f"sqla+sqlite:///{own.path}")
    with closing(sqlite3.connect(file.path)) as db:
        db.execute("CREATE TABLE message (id INTEGER)")
    text = refusal("-b", file.url)
    assert "table message already exists; give the broker a file of its own" in text
    assert "write sqla+sqlite:///path" in refusal("-b", "sqla+postgresql://h/d")
    assert "Python pickles" in refusal("--result-backend", f"db+sqlite:///{file.path}")
    assert "it names no file" in refusal("-b", "sqla+sqlite://")


def test_an_idle_worker_wakes_for_what_python_commits(start, app):
    start()  # makes the tables
    get(app.tasks["tasks.add"].delay(4, 4))
    seconds = []
    for i in range(11):
        begin = time.monotonic()
        assert get(app.tasks["tasks.add"].delay(i, 1)) == i + 1
        seconds.append(time.monotonic() - begin)
    assert median(seconds) < 0.3, "as one that polls each second"


def test_retries_and_countdowns_wait_beside_the_queue(start, app, file):
    start()
    assert get(app.tasks["tasks.flaky"].delay(2)) == 2
    begin = time.monotonic()
    assert get(app.tasks["tasks.add"].apply_async((1, 2), countdown=1)) == 3
    assert time.monotonic() - begin >= 0.9
    app.tasks["tasks.add"].apply_async((1, 2), countdown=3600)
    eventually(lambda: file.delayed() == 1)


def test_both_kinds_of_workers_at_once_each_task_once(start, app, file, python_worker):
    umbel = start("-c", "1", config={"worker_prefetch_multiplier": 1})
    python = python_worker(broker=file.url, backend=file.result_url)
    results = [app.tasks["tasks.sleep"].delay(0.02) for _ in range(400)]
    for x in results:
        assert get(x, timeout=60) == 0.02
    eventually(file.idle)
    eventually(lambda: len(runs(umbel, python)) == 400)
    assert set(runs(umbel, python).values()) == {1}
    assert runs(umbel) and runs(python), "both have taken part"
    assert file.taken_by_python() == len(runs(python))
    assert "rror" not in python.log.partition("ready.")[2]


def test_a_python_worker_runs_what_umbel_publishes_and_leaves(
    start, app, file, python_worker
):
    umbel = start("-c", "1", config={"worker_prefetch_multiplier": 4, **LATE})
    first = app.tasks["tasks.sleep"].delay(5)
    retried = app.tasks["tasks.flaky"].delay(1)
    others = [app.tasks["tasks.add"].delay(i, 1) for i in range(5)]
    eventually(lambda: file.in_flight() > 2)
    umbel.stop()
    assert get(first) == 5
    assert file.queued() == 6
    python_worker(broker=file.url, backend=file.result_url)
    assert [get(x) for x in others] == [i + 1 for i in range(5)]
    assert get(retried) == 1


def test_killed_workers_lose_nothing(start, app, file, python_worker):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    python = python_worker(broker=file.url, backend=file.result_url, config=LATE)
    workers = [start("-n", f"life{i}@h", config=LATE) for i in range(2)]
    everybody = [python, *workers]
    results, in_hand = [], 0
    for life in range(2, 5):
        results += [app.tasks["tasks.sleep"].delay(0.03) for _ in range(60)]
        eventually(lambda: file.in_flight() > 0 or file.queued() == 0)
        victim = workers.pop(chance.randrange(len(workers)))
        victim.kill()
        in_hand += 2  # children that may have been running one
        workers.append(start("-n", f"life{life}@h", config=LATE, ready=False))
        everybody.append(workers[-1])
    for x in results:
        assert get(x, timeout=60) == 0.03
    eventually(file.idle)
    counts = runs(*everybody)
    doubles = sum(counts.values()) - len(counts)
    print("doubles", doubles)
    assert doubles <= in_hand
    assert file.number("PRAGMA integrity_check") == "ok"
