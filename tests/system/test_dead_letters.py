"""Dead letters: what kills its process again and again is given up, with a result
that says so; and what was parked can be looked at, sent again and forgotten."""

import json
import subprocess

import pytest

from harness.messages import template
from harness.waiting import eventually
from harness.workers import umbel_binary

LATE = {"task_acks_late": True, "task_reject_on_worker_lost": True}


class Dead:
    """`umbel dead` for a broker."""

    def __init__(self, url: str):
        self.url = url

    def run(self, *args: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [umbel_binary(), "dead", *args, "-b", self.url],
            capture_output=True,
            text=True,
            timeout=60,
        )

    def json(self, *args: str):
        done = self.run(*args, "-j")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def dead(broker) -> Dead:
    return Dead(broker.url)


def test_a_task_that_kills_its_child_is_given_up(
    umbel_worker, celery, tasks, broker, dead
):
    running = umbel_worker("-c", "1", config={**LATE, "worker_max_deliveries": 3})
    result = tasks.crash.delay(9)
    with pytest.raises(Exception, match="begun 3 times without an end"):
        result.get(timeout=60)
    assert result.state == "FAILURE"
    assert tasks.add.delay(4, 4).get(timeout=60) == 8
    eventually(lambda: len(broker.dead_letters()) == 1)
    (letter,) = dead.json("show", "--all")
    assert letter["task_id"] == result.id
    assert letter["queue"] == "celery"
    assert letter["deliveries"] == 3
    assert [x["end"] for x in letter["history"]] == ["signal 9 (SIGKILL)"] * 3
    assert letter["history"][0]["node"].startswith("celery@")
    eventually(broker.idle)
    if broker.name == "redis":  # where the test's client can ask
        (stats,) = celery.control.inspect(timeout=60, limit=1).stats().values()
        assert stats["dead_letters"] == {"celery": 1}
    assert running.running()


def test_a_task_that_kills_its_worker_is_given_up(umbel_worker, tasks, broker, dead):
    """And the tasks that were in the same workers' hands are not."""
    others = [tasks.add.delay(i, i) for i in range(3)]
    result = tasks.crash.delay(9)
    others += [tasks.add.delay(i, i) for i in range(3, 6)]
    config = {**LATE, "worker_max_deliveries": 3}
    threads = ("-P", "threads", "-c", "2", "--heartbeat-interval", "1")
    for _ in range(3):
        # Another worker's life, as where a container is started again.
        worker = umbel_worker(*threads, config=config, ready=False)
        worker.wait_exit()
    umbel_worker(*threads, config=config)
    with pytest.raises(Exception, match="begun 3 times without an end"):
        result.get(timeout=60)
    assert [x.get(timeout=60) for x in others] == [2 * i for i in range(6)]
    assert [x["task_id"] for x in dead.json("list")] == [result.id]
    eventually(broker.idle)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda e: e["headers"].update(eta="tomorrow"),
        lambda e: e.update(body="W1td"),
        lambda e: e["headers"].update(task="no.such.task"),
    ],
    ids=["header", "body", "unknown"],
)
def test_nobody_waits_for_what_is_parked(umbel_worker, celery, broker, spoil):
    envelope = json.loads(template(celery, "tasks.add", (4, 4)))
    spoil(envelope)
    assert broker.put(json.dumps(envelope))
    umbel_worker("-c", "1")
    result = celery.AsyncResult(envelope["headers"]["id"])
    eventually(result.ready)
    assert result.state == "FAILURE"
    eventually(lambda: len(broker.dead_letters()) == 1)


def test_umbel_dead(umbel_worker, celery, tasks, broker, dead):
    done = dead.run("list")
    assert (done.returncode, done.stdout) == (0, "there are no dead letters\n")
    assert dead.json("list") == []
    broker.put("no message at all")
    broker.put(template(celery, "no.such.task", (1,)).replace("%ID%", "x"))
    worker = umbel_worker()
    eventually(lambda: len(broker.dead_letters()) == 2)
    worker.stop()
    unknown, rubbish = dead.json("list")
    assert unknown["task"] == "no.such.task"
    assert unknown["reason"] == "task 'no.such.task' is not registered"
    assert rubbish["task"] is None
    # Whatever is sent over AMQP is an envelope.
    assert ("envelope" if broker.exact else "no content type") in rubbish["reason"]

    table = dead.run("list").stdout.splitlines()
    assert len(table) == 3 and table[0].split()[0] == "ID"
    assert unknown["id"] in table[1] and "no.such.task" in table[1]
    shown = dead.run("show", rubbish["id"])
    assert rubbish["id"] in shown.stdout and unknown["id"] not in shown.stdout
    assert "no message at all" in shown.stdout or not broker.exact

    assert dead.json("replay", unknown["id"]) == {"replayed": {"celery": 1}}
    eventually(lambda: broker.queued() == 1)
    eventually(lambda: len(broker.dead_letters()) == 1)
    done = dead.run("replay", unknown["id"], rubbish["id"])
    assert done.returncode == 1
    assert done.stderr == f"umbel dead: there is no dead letter '{unknown['id']}'\n"
    assert done.stdout == "replayed 1 message (celery: 1)\n"
    umbel_worker()
    eventually(lambda: len(broker.dead_letters()) == 2)
    done = dead.run("discard", "--all")
    assert done.stdout == "discarded 2 messages (celery: 2)\n"
    assert broker.dead_letters() == []


@pytest.mark.parametrize(
    "args, complaint",
    [
        (["lsit"], "'lsit' is not one of list, show, replay, discard"),
        (["replay"], "replay which? Name ids, or --all"),
        (["discard", "x", "--all"], "--all, or ids: not both"),
        (["list", "x"], "list takes no ids"),
        (["list", "--bogus"], "there is no option --bogus"),
    ],
)
def test_mistakes_are_one_line(dead, args, complaint):
    done = dead.run(*args)
    assert done.returncode == 2
    assert done.stdout == ""
    assert complaint in done.stderr and done.stderr.count("\n") == 1


def test_a_broker_that_is_away():
    done = Dead("redis://127.0.0.1:1").run("list")
    assert done.returncode == 69
    assert done.stderr.count("\n") == 1
