"""The embedded broker: several workers on one file, and no server."""

import random
import subprocess

import pytest

from harness.brokers import SqliteBroker
from harness.waiting import eventually
from harness.workers import umbel_binary

LATE = {"task_acks_late": True, "task_reject_on_worker_lost": True}

pytestmark = pytest.mark.own_broker("sqlite")


@pytest.fixture
def file(tmp_path) -> SqliteBroker:
    return SqliteBroker(tmp_path / "broker.db")


@pytest.fixture
def send(make_celery, file):
    """send("add", [[4, 4]]) publishes a task for each list of arguments, and returns
    their ids."""

    def send(name: str, calls: list[list]) -> list[str]:
        task = app.tasks[f"tasks.{name}"]
        with app.producer_pool.acquire() as producer:
            return [task.apply_async(args, producer=producer).id for args in calls]

    app = make_celery(file.url)
    return send


def results(file: SqliteBroker, ids: list[str], timeout: float = 60) -> list:
    eventually(lambda: file.statuses(ids) == {"SUCCESS": len(ids)}, timeout)
    return [x["result"] for x in file.documents(ids)]


def refusal(*args: str) -> str:
    """What a worker says that does not start, in one line."""
    ended = subprocess.run(
        [umbel_binary(), "worker", "-A", "tasks", *args],
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
    )
    assert ended.returncode == 2, ended
    lines = [x for x in ended.stderr.splitlines() if "running as root" not in x]
    assert len(lines) == 1, ended.stderr
    return lines[0]


def test_tasks_run_and_results_are_in_the_same_file(umbel_worker, file, send):
    running = umbel_worker(broker=file.url, backend="")
    assert f"transport:   {file.url}" in running.log
    assert f"results:     {file.url}" in running.log
    ids = send("add", [[i, 1] for i in range(200)])
    assert results(file, ids) == [i + 1 for i in range(200)]
    eventually(lambda: file.in_flight() == 0)
    running.stop()


def test_two_workers_share_the_work(umbel_worker, file, send):
    for name in "one", "two":
        # Late, so that a reservation can be seen for as long as its task runs.
        umbel_worker("-n", f"{name}@h", "-c", "1", broker=file.url,
                     config={"worker_prefetch_multiplier": 1, **LATE})
    ids = send("sleep", [[2]] * 6)
    eventually(lambda: file.holders() == 2)
    results(file, ids)


def test_killed_workers_lose_nothing_and_their_tasks_are_back_in_seconds(
    umbel_worker, file, send
):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)

    def start(life: int):
        return umbel_worker("-n", f"life{life}@h", broker=file.url, config=LATE,
                            loglevel="warning", ready=False)

    workers = [umbel_worker("-n", "life0@h", broker=file.url, config=LATE)]
    workers += [start(i) for i in (1, 2)]
    ids = []
    for life in range(3, 11):
        ids += send("add", [[i, 1] for i in range(200)])
        ids += send("sleep", [[0.05]] * 20)
        eventually(lambda: file.in_flight() > 0 or file.queued() == 0)
        victim = chance.choice(workers)
        victim.kill()
        workers.remove(victim)
        workers.append(start(life))
    results(file, ids)
    eventually(lambda: file.in_flight() == 0)
    assert file.queued() == 0
    assert file.integrity() == "ok"


def test_a_worker_hears_commands(umbel_worker, file, make_celery):
    running = umbel_worker(broker=file.url)
    make_celery(file.url).control.revoke("unwanted")
    running.wait_for_log("Tasks flagged as revoked: unwanted")


def test_purge(umbel_worker, file, send):
    umbel_worker(broker=file.url).stop()
    send("add", [[1, 1]] * 7)
    running = umbel_worker("--purge", "--force", broker=file.url)
    running.wait_for_log(r"purge: deleted 7 messages \(celery: 7\)")
    assert file.queued() == 0


def test_what_cannot_work_is_said_in_one_line(file, tmp_path):
    assert "there is no folder" in refusal("-b", f"sqlite://{tmp_path}/no/x.db")
    assert "it is a folder" in refusal("-b", f"sqlite://{tmp_path}")
    assert "it names no file" in refusal("-b", "sqlite://")
    assert "normal or full" in refusal("-b", file.url + "?synchronous=never")
    file.path.write_text("no database" * 500)
    assert "it is not a database" in refusal("-b", file.url)
    assert "it is not a database" in refusal(
        "-b", "redis://127.0.0.1:1", "--result-backend", file.url
    )


def test_the_file_is_deleted_under_a_worker(umbel_worker, file, send):
    running = umbel_worker(broker=file.url)
    for end in "", "-wal", "-shm":
        file.path.with_name(file.path.name + end).unlink(missing_ok=True)
    running.wait_for_log("the file was deleted or replaced")
    eventually(lambda: file.path.exists(), what="a new file")

    def is_there():
        try:
            return send("add", [[4, 4]])
        except Exception as problem:  # its tables are being made
            print(problem)

    assert results(file, eventually(is_there)) == [8]
