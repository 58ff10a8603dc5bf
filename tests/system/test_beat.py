"""Beat with real brokers and real workers."""

import json
import os
import signal
import subprocess
import time

import pytest

from harness.waiting import eventually
from harness.workers import Worker, umbel_binary

TICK = {"task": "tasks.add", "schedule": 0.2, "args": [4, 4]}


class Beat(Worker):
    kind = "beat"

    def wait_ready(self):
        self.wait_for_log(r"beat: Starting")
        return self


@pytest.fixture
def beat(redis_server, tmp_path):
    started = []

    def start(entries, *args, broker="", **settings):
        config = tmp_path / f"beat{len(started)}.json"
        config.write_text(json.dumps({"beat_schedule": entries, **settings}))
        argv = [umbel_binary(), "beat", "--config", str(config), "-l", "info"]
        argv += ["-b", broker or redis_server.url()]
        argv += ["-s", str(tmp_path / "schedule.db"), *args]
        process = Beat(argv, tmp_path / f"beat{len(started)}.log", {})
        started.append(process)
        return process

    yield start
    for process in started:
        process.clean_up()


def waiting(redis_client, queue="celery"):
    return redis_client.llen(queue)


def test_a_python_worker_runs_what_beat_sends(beat, python_worker, redis_client):
    worker = python_worker()
    running = beat({"tick": TICK}).wait_ready()
    worker.wait_for_log(r"Task tasks.add\[.+\] succeeded in .+: 8")
    running.stop()


def test_our_worker_runs_what_beat_sends(beat, umbel_worker):
    worker = umbel_worker()
    running = beat({"tick": TICK}).wait_ready()
    worker.wait_for_log(r"Task tasks.add\[.+\] succeeded")
    running.stop()


def test_a_worker_sends_them_itself(umbel_worker, tmp_path):
    worker = umbel_worker(
        "-B", "-s", str(tmp_path / "s.db"), config={"beat_schedule": {"tick": TICK}}
    )
    worker.wait_for_log(r"Scheduler: Sending due task tick \(tasks.add\)")
    worker.wait_for_log(r"Task tasks.add\[.+\] succeeded")


def test_the_message_is_celerys(beat, redis_client):
    options = {"expires": 60, "queue": "other", "headers": {"mine": 1}}
    entry = TICK | {"kwargs": {"x": 1}, "options": options}
    beat({"tick": entry})
    eventually(lambda: waiting(redis_client, "other"), 10, "a message")
    message = json.loads(redis_client.lindex("other", 0))
    headers = message["headers"]
    assert headers["task"] == "tasks.add"
    assert headers["argsrepr"] == "[4, 4]" and headers["kwargsrepr"] == "{'x': 1}"
    assert headers["expires"] and headers["eta"] is None and headers["mine"] == 1
    assert headers["origin"].startswith("gen")
    assert headers["root_id"] == headers["id"]


def test_kill_9_loses_no_due_time(beat, redis_client):
    """Each life is cut at another moment; `all` makes up for the time between."""
    entries = {"tick": TICK | {"schedule": 0.1, "catch_up": "all"}}
    begin = time.time()
    for i in range(8):
        running = beat(entries).wait_ready()
        time.sleep(0.13 + 0.05 * i)
        running.kill()
    running = beat(entries).wait_ready()
    eventually(
        lambda: waiting(redis_client) >= (time.time() - begin) / 0.1 - 10,
        20,
        "a task for each due time",
    )
    running.stop()
    # More only by those that were accepted and not yet noted when it was killed.
    assert waiting(redis_client) <= (time.time() - begin) / 0.1 + 8 + 1


def test_the_broker_may_be_away(beat, redis_server, redis_client):
    running = beat({"tick": TICK})
    eventually(lambda: waiting(redis_client), 10, "a task")
    redis_server.kill()
    running.wait_for_log(r"(?i)redis.*(refused|closed|lost|reset)")
    redis_server.start()
    client = redis_server.client()
    eventually(lambda: waiting(client), 20, "a task after the outage")
    running.stop()


@pytest.mark.parametrize("how", ["corrupt", "read-only", "folder"])
def test_a_file_that_cannot_be_used_is_kept(beat, tmp_path, how):
    path = tmp_path / "schedule.db"
    if how == "corrupt":
        path.write_bytes(b"SQLite format 3\0" + os.urandom(8_000))
    elif how == "folder":
        path.mkdir()
    else:
        first = beat({"tick": TICK}).wait_ready()
        first.stop()
        path.chmod(0o444)
        if os.geteuid() == 0:
            pytest.skip("root writes read-only files")
    before = path.read_bytes() if path.is_file() else None
    running = beat({"tick": TICK})
    assert running.wait_exit() == 1
    assert f"cannot use the schedule file '{path}' (-s): " in running.log
    assert "Traceback" not in running.log and len(running.log.splitlines()) < 4
    assert before is None or path.read_bytes() == before


@pytest.mark.parametrize(
    "entries, text",
    [
        ({"a": {"task": "t"}}, "beat_schedule, entry 'a': schedule is missing"),
        (
            {"a": TICK | {"schedule": {"crontab": "61 * * * *"}}},
            "crontab minute '61': 61 is not between 0 and 59",
        ),
        ({"a": TICK | {"schedule": {"solar": ["moon", 0, 0]}}}, 'the event "moon" is none'),
    ],
)
def test_mistakes_are_one_line(beat, entries, text):
    running = beat(entries)
    assert running.wait_exit() == 2
    assert text in running.log and len(running.log.splitlines()) == 1


def test_a_second_beat_is_refused(beat):
    beat({"tick": TICK}).wait_ready()
    second = beat({"tick": TICK})
    assert second.wait_exit() == 1
    assert "another process uses it" in second.log


def test_detached_it_leaves_a_pidfile(beat, tmp_path, redis_client):
    pidfile = tmp_path / "beat.pid"
    launcher = beat(
        {"tick": TICK}, "--detach", "--pidfile", str(pidfile), "-f",
        str(tmp_path / "detached.log"),
    )
    assert launcher.wait_exit() == 0
    pid = int(pidfile.read_text())
    eventually(lambda: waiting(redis_client), 10, "a task")
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: not pidfile.exists(), 10, "the pidfile is gone")


def test_ten_thousand_entries_cost_nothing_until_they_are_due(beat, redis_client):
    entries = {f"e{i}": TICK | {"schedule": 86_400} for i in range(10_000)}
    entries["tick"] = TICK | {"schedule": 1}
    running = beat(entries).wait_ready()
    eventually(lambda: waiting(redis_client), 30, "the first task")

    def used():
        fields = open(f"/proc/{running.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    begin, before = used(), waiting(redis_client)
    eventually(lambda: waiting(redis_client) >= before + 3, 10, "three more")
    # 2 % of a core, with room for the clock's ticks of 10 ms.
    assert used() - begin < 3 * 0.02 + 0.02
    running.stop()


def test_help_shows_an_example():
    done = subprocess.run(
        [umbel_binary(), "beat", "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0 and "--max-interval" in done.stdout
    assert '"crontab": "* * * * *"' in done.stdout
