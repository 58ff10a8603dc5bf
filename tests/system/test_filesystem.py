"""Folders instead of a server, shared with Celery's own filesystem transport."""

import base64
import json
import random
import re
import signal
import subprocess
import time
import uuid
from pathlib import Path

import pytest
from celery.result import AsyncResult

from harness.celery_tasks import make_app
from harness.waiting import eventually
from harness.workers import build_dir, runs, umbel_binary

LATE = {"task_acks_late": True, "task_reject_on_worker_lost": True}

pytestmark = pytest.mark.own_broker()


class Folders:
    """As a user makes them: one for messages, one for results."""

    url = "filesystem://"

    def __init__(self, root: Path):
        self.data, self.control, self.results = (
            root / name for name in ("data", "control", "results"))
        for folder in self.data, self.control, self.results:
            folder.mkdir()
        self.backend = f"file://{self.results}"
        self.config = {"broker_transport_options": {
            "data_folder_in": str(self.data),
            "data_folder_out": str(self.data),
            "control_folder": str(self.control),
        }}

    def waiting(self) -> int:
        return len(list(self.data.iterdir()))

    def reserved(self) -> list[Path]:
        return [x for x in self.control.glob("umbel/reserved/*/*") if x.name != "lease"]


@pytest.fixture
def folders(tmp_path) -> Folders:
    return Folders(tmp_path)


@pytest.fixture
def app(folders):
    app = make_app(folders.url, folders.backend, **folders.config)
    yield app
    app.close()


@pytest.fixture
def start(umbel_worker, folders):
    def start(*args, **config):
        return umbel_worker(*args, broker=folders.url, backend=folders.backend,
                            config={**folders.config, **config})

    return start


def get(result: AsyncResult, **options):
    return result.get(timeout=60, interval=0.02, **options)


def test_a_python_client_gets_results_and_errors(start, app, folders):
    running = start()
    assert "need kombu 5.3 for remote control and events" in running.log
    assert get(app.tasks["tasks.add"].delay(4, 4)) == 8
    with pytest.raises(ValueError, match="no luck"):
        get(app.tasks["tasks.fail"].delay("no luck"))
    text = "x" * 100_000  # more than one write of Python's
    assert get(app.tasks["tasks.echo"].delay(text)) == text
    results = [app.tasks["tasks.add"].delay(i, 1) for i in range(200)]
    assert [get(x) for x in results] == [i + 1 for i in range(200)]
    eventually(lambda: not folders.reserved())
    running.stop()
    assert folders.waiting() == 0


def test_retries_and_countdowns_wait_in_the_broker(start, app, folders):
    start()
    assert get(app.tasks["tasks.flaky"].delay(2)) == 2
    begin = time.monotonic()
    late = app.tasks["tasks.add"].apply_async((1, 2), countdown=2)
    assert get(late) == 3
    assert time.monotonic() - begin >= 1.9
    far = app.tasks["tasks.add"].apply_async((1, 2), countdown=3600)
    eventually(lambda: list(folders.control.glob("umbel/delayed/*")))
    assert far.state == "PENDING"


def test_a_python_worker_runs_what_umbel_publishes_and_leaves(
    start, app, folders, python_worker
):
    # Late, so that what is reserved can be seen for as long as it runs.
    umbel = start("-c", "1", worker_prefetch_multiplier=1, **LATE)
    first = app.tasks["tasks.sleep"].delay(4)
    others = [app.tasks["tasks.add"].delay(i, 1) for i in range(5)]
    eventually(lambda: folders.reserved())
    umbel.stop()
    assert get(first) == 4
    python_worker(broker=folders.url, backend=folders.backend, config=folders.config,
                  ready=False)
    assert [get(x) for x in others] == [i + 1 for i in range(5)]


def test_both_kinds_of_workers_at_once_lose_nothing(start, app, folders, python_worker):
    """kombu 5.2 ends its worker when somebody else has taken the file that it
    wanted, and puts the message back that this worker has just run."""
    # Before anybody reads: a Python worker may take what a Python client has not yet
    # written to its end.
    results = [app.tasks["tasks.sleep"].delay(0.03) for _ in range(400)]
    python = python_worker(broker=folders.url, backend=folders.backend,
                           config=folders.config)
    eventually(lambda: runs(python))
    umbel = start("-c", "1", worker_prefetch_multiplier=1)
    for x in results:
        assert x.get(timeout=60, interval=0.02) == 0.03
    if "Unrecoverable error" in python.log:
        python.wait_exit()
        assert "Cannot read file" in python.log
    eventually(lambda: folders.waiting() == 0 and not folders.reserved())
    eventually(lambda: len(runs(umbel, python)) == 400)
    assert runs(umbel)
    put_back = sum(map(int, re.findall(r"Restoring (\d+) unack", python.log)))
    assert runs(umbel, python).total() <= 400 + put_back


def test_killed_workers_lose_nothing(start, app, folders):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    workers = [start("-n", f"life{i}@h", **LATE) for i in range(2)]
    results = []
    for life in range(2, 6):
        results += [app.tasks["tasks.sleep"].delay(0.05) for _ in range(60)]
        eventually(lambda: folders.reserved() or not folders.waiting())
        victim = workers.pop(chance.randrange(len(workers)))
        victim.kill()
        workers.append(start("-n", f"life{life}@h", **LATE))
    for result in results:
        assert result.get(timeout=60, interval=0.02) == 0.05
    eventually(lambda: not folders.reserved())
    assert folders.waiting() == 0


def broadcast(folders: Folders, exchange: str, body: dict) -> None:
    """As kombu 5.3: a file for each queue in the table of the exchange."""
    table = json.loads((folders.control / f"{exchange}.exchange").read_text())
    for _key, _pattern, queue in table:
        name = f"{round(time.monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        (folders.data / name).write_text(json.dumps({
            "body": base64.b64encode(json.dumps(body).encode()).decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {"clock": 1},
            "properties": {
                "delivery_mode": 1,
                "delivery_info": {"exchange": exchange, "routing_key": ""},
                "priority": 0,
                "body_encoding": "base64",
                "delivery_tag": str(uuid.uuid4()),
            },
        }))


def test_a_worker_hears_commands_and_answers(start, folders):
    running = start("-n", "one@h")
    killed = start("-n", "two@h")
    killed.kill()  # its mailbox stays
    reply = {"exchange": "reply.celery.pidbox", "routing_key": "inbox"}
    (folders.control / "reply.celery.pidbox.exchange").write_text(
        json.dumps([["inbox", "", "inbox.reply.celery.pidbox"]]))
    broadcast(folders, "celery.pidbox", {
        "method": "ping", "arguments": {}, "destination": None, "pattern": None,
        "matcher": None, "ticket": "t", "reply_to": reply})
    [answer] = eventually(
        lambda: list(folders.data.glob("*.inbox.reply.celery.pidbox.msg")))
    body = json.loads(base64.b64decode(json.loads(answer.read_text())["body"]))
    assert body == {"one@h": {"ok": "pong"}}


def umbel(folders: Folders, *words: str) -> subprocess.CompletedProcess:
    config = folders.control.parent / "client.json"
    config.write_text(json.dumps(folders.config))
    argv = [umbel_binary(), words[0], "-b", folders.url, "--config", str(config)]
    return subprocess.run([*argv, *words[1:]], capture_output=True, text=True, timeout=60)


def test_our_commands_see_and_steer(start, app, folders):
    """Inspect, control, events, a library's commands; no answer is left."""
    one = start("-n", "one@h", "-E")
    commands = str(build_dir() / "tests/system/libcommands.so")
    two = start("-n", "two@h", "-E", "-A", commands)
    for running in one, two:
        assert "nodes do not hear each other (no gossip, no mingle)" in running.log

    def ask(*words: str):
        ended = umbel(folders, *words, "-j", "-t", "20", "-d", "one@h,two@h")
        assert ended.returncode == 0, ended
        return json.loads(ended.stdout)

    assert ask("inspect", "ping") == {x: {"ok": "pong"} for x in ("one@h", "two@h")}
    status = umbel(folders, "status", "-t", "20")
    assert status.returncode == 0 and "2 nodes online" in status.stdout, status
    assert "tasks.add" in ask("inspect", "registered")["one@h"]
    limited = ask("control", "rate_limit", "tasks.add", "100/s")["one@h"]
    assert limited == {"ok": "new rate limit set successfully"}
    assert ask("control", "add_consumer", "more")["one@h"] == {"ok": "add consumer more"}
    more = app.tasks["tasks.add"].apply_async((1, 2), queue="more")
    assert get(more) == 3
    where = umbel(folders, "inspect", "where", "-A", commands, "-j", "-t", "20", "-d", "two@h")
    assert json.loads(where.stdout)["two@h"]["worker"] == two.pid, where
    told = folders.control.parent / "events"
    with open(told, "w") as out:
        dump = subprocess.Popen(
            [umbel_binary(), "events", "--dump", "-b", folders.url,
             "--config", str(folders.control.parent / "client.json")], stdout=out)
    try:
        eventually(lambda: "starting capture" in told.read_text())
        done = app.tasks["tasks.add"].delay(4, 4)
        eventually(lambda: f"task succeeded: tasks.add({done.id})" in told.read_text())
    finally:
        dump.terminate()
        dump.wait(60)
    ended = umbel(folders, "control", "shutdown", "-d", "one@h", "-t", "20")
    assert ended.returncode == 0, ended
    assert one.wait_exit() == 0
    two.stop()
    nobody = umbel(folders, "inspect", "ping")
    assert nobody.returncode == 69, nobody
    eventually(lambda: folders.waiting() == 0)


def test_a_file_that_is_not_complete_is_left_alone(start, app, folders):
    running = start()
    half = folders.data / "1_00000000-0000-4000-8000-000000000000.celery.msg"
    half.touch()  # kombu has opened it
    assert get(app.tasks["tasks.add"].delay(4, 4)) == 8
    assert half.exists()
    ready = app.tasks["tasks.add"].delay(1, 1)
    assert get(ready) == 2
    running.signal(signal.SIGTERM)
    running.wait_exit()
    task = app.tasks["tasks.add"].delay(2, 2)
    [written] = [x for x in folders.data.iterdir() if x != half]
    text = written.read_text()
    written.unlink()
    start("-n", "second@h")
    half.write_text(text)
    assert get(task) == 4
    assert json.loads((folders.results / f"celery-task-meta-{task.id}").read_text())[
        "status"] == "SUCCESS"
