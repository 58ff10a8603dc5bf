"""Nodes that hear each other: what a newcomer learns, who is there, who is elected.

On every broker where there is gossip; Python's workers take part: what they say and
hear is Celery's.
"""

import json
import subprocess
import time
import uuid

from harness.waiting import eventually
from harness.workers import umbel_binary


def ask(broker, nodes: str, *words: str) -> dict:
    """What these nodes answer, by their names."""
    argv = [umbel_binary(), words[0], "-b", broker.url, "-d", nodes, "-t", "60", "-j", *words[1:]]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended
    return json.loads(ended.stdout)


def revoke(broker, node: str, task: str) -> None:
    ask(broker, node, "control", "revoke", task)


def revoked(broker, node: str) -> list[str]:
    return ask(broker, node, "inspect", "revoked")[node]


# -- mingle ------------------------------------------------------------------------


def in_sync(start, node: str, others: int, **options):
    """Starts one that so many others answer: who is held up for the second that a
    newcomer waits is left out, and the newcomer starts again."""
    for _ in range(5):
        running = start("-n", node, "-c", "1", **options)
        running.wait_for_log("mingle: (sync complete|all alone)")
        if f"mingle: sync with {others} nodes" in running.log:
            return running
        running.stop()
    raise AssertionError(f"{others} nodes have not answered {node}")


def test_mingle_takes_over_what_was_revoked(umbel_worker, broker):
    one = umbel_worker("-n", "one@here", "-c", "1")
    one.wait_for_log("mingle: all alone")
    revoke(broker, "one@here", "an-id")
    in_sync(umbel_worker, "two@here", 1)
    assert revoked(broker, "two@here") == ["an-id"]
    # What one of them knows and the newcomer says, all know.
    revoke(broker, "two@here", "another")
    in_sync(umbel_worker, "three@here", 2)
    assert sorted(revoked(broker, "three@here")) == ["an-id", "another"]
    answers = ask(broker, "one@here,two@here,three@here", "inspect", "clock")
    clocks = [x["clock"] for x in answers.values()]
    assert len(clocks) == 3
    assert max(clocks) - min(clocks) < 20
    # Nothing of the answers remains.
    if broker.name == "redis":
        eventually(lambda: not broker.client.keys("*.reply.celery.pidbox"))


def test_mingle_delays_nobody(umbel_worker, tasks):
    begin = time.monotonic()
    running = umbel_worker("-c", "1")
    assert tasks.add.delay(4, 4).get(timeout=60) == 8
    assert "mingle: all alone" not in running.log or time.monotonic() - begin > 1


def test_mingle_with_python(umbel_worker, python_worker, broker):
    umbel_worker("-n", "one@here", "-c", "1")
    revoke(broker, "one@here", "ours")
    in_sync(python_worker, "py@here", 1, neighbours=True)
    assert revoked(broker, "py@here") == ["ours"]
    revoke(broker, "py@here", "theirs")
    in_sync(umbel_worker, "two@here", 2)
    assert sorted(revoked(broker, "two@here")) == ["ours", "theirs"]


def test_without_mingle_and_gossip(umbel_worker, broker):
    running = umbel_worker("-c", "1", "--without-mingle", "--without-gossip")
    assert "mingle:" not in running.log
    if broker.name == "redis":
        assert broker.client.pubsub_numpat() == 0


# -- gossip ------------------------------------------------------------------------


def test_who_joins_leaves_and_is_lost(umbel_worker, python_worker):
    one = umbel_worker("-n", "one@here", "-c", "1", loglevel="debug")
    two = umbel_worker("-n", "two@here", "-c", "1", "--heartbeat-interval", "1")
    three = python_worker(
        "-n", "three@here", "-c", "1", "--heartbeat-interval", "1", neighbours=True, loglevel="debug"
    )
    one.wait_for_log("two@here joined the party")
    one.wait_for_log("three@here joined the party")
    three.wait_for_log("one@here joined the party")
    two.stop()
    one.wait_for_log("two@here left")
    three.wait_for_log("two@here left")
    three.kill()
    one.wait_for_log("missed heartbeat from three@here")


def elect(celery) -> str:
    """Has all workers elect one that runs tasks.add(4, 4). Returns the task's id."""
    task = str(uuid.uuid4())
    signature = celery.tasks["tasks.add"].signature((4, 4), task_id=task)
    celery.control.election(str(uuid.uuid4()), "task", dict(signature))
    return task


def runs(task: str, *workers) -> int:
    return sum(x.log.count(f"tasks.add[{task}] received") for x in workers)


def test_a_single_node_elects_itself(umbel_worker, celery):
    running = umbel_worker("-c", "1")
    running.wait_for_log("mingle: all alone")  # listens by now
    task = elect(celery)
    assert celery.AsyncResult(task).get(timeout=60) == 8
    assert runs(task, running) == 1 and "I won the election" in running.log


def test_three_nodes_elect_one(umbel_worker, celery):
    nodes = [
        umbel_worker("-n", f"{x}@here", "-c", "1", loglevel="debug") for x in ("a", "b", "c")
    ]
    for node in nodes:
        eventually(lambda: node.log.count("joined the party") >= 2)
    elections = [elect(celery) for _ in range(5)]
    for task in elections:
        assert celery.AsyncResult(task).get(timeout=60) == 8
        assert runs(task, *nodes) == 1
    won = sum(x.log.count("I won the election") for x in nodes)
    eventually(lambda: sum(x.log.count("elected for") for x in nodes) == 10)
    assert won == 5


def test_python_takes_part_in_elections(umbel_worker, python_worker, celery):
    nodes = [umbel_worker("-n", f"{x}@here", "-c", "1", loglevel="debug") for x in ("a", "b")]
    python = python_worker("-n", "py@here", "-c", "1", neighbours=True, loglevel="debug")
    for node in (*nodes, python):
        eventually(lambda: node.log.count("joined the party") >= 2)
    task = elect(celery)
    assert celery.AsyncResult(task).get(timeout=60) == 8
    everybody = (*nodes, python)
    eventually(lambda: all("election" in x.log or "elected for" in x.log for x in everybody))
    assert runs(task, *everybody) == 1
    assert python.running() and "Traceback" not in python.log
