"""Many nodes: they are seen, steered and watched together, and repair each other.

Python's workers take part: what they say and hear is Celery's.
"""

import os
import signal
import subprocess
import threading
import time
import uuid
from pathlib import Path

import pytest

from harness.results import started
from harness.waiting import eventually
from harness.workers import PYTHON

LATE = {"task_acks_late": True, "task_track_started": True}

#: Nodes that are killed are missed sooner than by default: after two heartbeats.
QUICK = ("-c", "1", "--heartbeat-interval", "2")
LEASE = 4
MORE = {**LATE, "worker_prefetch_multiplier": 10}


def only(replies) -> object:
    assert len(replies) == 1, replies
    return next(iter(replies.values() if isinstance(replies, dict) else replies[0].values()))


def control(celery, method: str, node: str, **arguments):
    replies = celery.control.broadcast(
        method, arguments=arguments, destination=[node], reply=True, limit=1, timeout=20
    )
    return only(replies)


# -- what a monitor sees -------------------------------------------------------------


def test_the_command_line_shows_all_three(broker, umbel_worker, python_worker, celery):
    umbel_worker("-n", "one@here", "-c", "1")
    umbel_worker("-n", "two@here", "-c", "1")
    python_worker("-n", "py@here", "-c", "1", neighbours=True)
    everybody = ("one@here", "two@here", "py@here")

    def run(*words: str) -> subprocess.Popen:
        return subprocess.Popen(
            [PYTHON, "-m", "celery", "-b", broker.url, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "C_FORCE_ROOT": "1", "PYTHONUNBUFFERED": "1"},
        )

    dump = run("events", "--dump")
    asked = [
        run("status", "-t", "10"),
        run("inspect", "stats", "-t", "10"),
        run("control", "rate_limit", "tasks.add", "10/m", "-t", "10"),
    ]
    for process in asked:
        text, _ = process.communicate(timeout=60)
        assert process.returncode == 0, text
        assert all(x in text for x in everybody), text
    seen: list[str] = []
    reader = threading.Thread(target=lambda: seen.extend(dump.stdout), daemon=True)
    reader.start()
    try:
        eventually(lambda: all(x in "".join(seen) for x in everybody))
    finally:
        dump.kill()
        dump.wait(60)
        reader.join(60)


# -- healing -------------------------------------------------------------------------


def restored(*workers) -> int:
    return sum(
        int(line.split("restored ")[1].split()[0])
        for x in workers
        for line in x.log.splitlines()
        if "restored " in line
    )


def test_what_a_killed_node_held_is_restored_by_one_of_two(umbel_worker, tasks, broker):
    first = umbel_worker("-n", "a@here", *QUICK, config=MORE)
    running = tasks.sleep.delay(12)
    started(running)
    waiting = [tasks.add.delay(x, 1) for x in range(3)]
    later = tasks.add.apply_async((10, 1), countdown=4)
    first.wait_for_log(rf"{later.id}\] received")
    held = broker.in_flight()
    assert held >= 4
    others = [
        umbel_worker("-n", f"{x}@here", *QUICK, config=MORE, loglevel="debug") for x in ("b", "c")
    ]
    for other in others:
        other.wait_for_log("a@here joined the party")
    first.kill()
    begin = time.monotonic()
    if broker.has_leases:
        eventually(lambda: restored(*others) > 0, timeout=60)
    took = time.monotonic() - begin
    assert running.get(timeout=60) == 12
    assert [x.get(timeout=60) for x in waiting] == [1, 2, 3]
    assert later.get(timeout=60) == 11
    eventually(lambda: broker.in_flight() == 0)
    assert restored(*others) == (held if broker.has_leases else 0)
    ids = [x.id for x in (*waiting, running, later)]
    for task in ids:
        assert sum(x.log.count(f"{task}] succeeded") for x in others) == 1
    print(f"restored {took:.1f} s after kill -9, with a lease of {LEASE} s")


@pytest.mark.needs("leases")
def test_a_node_that_was_stopped_keeps_nothing_that_is_not_its_own(
    umbel_worker, tasks, broker
):
    first = umbel_worker("-n", "a@here", *QUICK, config=MORE)
    running = tasks.sleep.delay(12)
    started(running)
    waiting = [tasks.add.delay(x, 1) for x in range(3)]
    first.wait_for_log(rf"{waiting[-1].id}\] received")
    other = umbel_worker("-n", "b@here", *QUICK, config=MORE, loglevel="debug")
    other.wait_for_log("a@here joined the party")
    os.killpg(first.pid, signal.SIGSTOP)
    try:
        assert [x.get(timeout=60) for x in waiting] == [1, 2, 3]
        assert running.get(timeout=60) == 12
    finally:
        os.killpg(first.pid, signal.SIGCONT)
    first.wait_for_log(r"a@here goes on as \w+")
    # Nobody may have answered in time.
    first.wait_for_log(r"(?s)goes on as .*mingle: (sync with 1 nodes|all alone)")
    eventually(lambda: broker.in_flight() == 0)
    for task in waiting:
        assert f"{task.id}] succeeded" not in first.log
        assert other.log.count(f"{task.id}] succeeded") == 1
    # It takes part again, under its new name.
    other.stop()
    assert tasks.add.delay(4, 4).get(timeout=60) == 8
    eventually(lambda: broker.in_flight() == 0)
    eventually(lambda: broker.leases() == 1)


@pytest.mark.needs("leases")
def test_a_lease_that_nobody_took_is_held_again(umbel_worker, tasks, broker):
    """Alone, a node that was stopped goes on with what it has."""
    first = umbel_worker("-n", "a@here", *QUICK, config=MORE)
    running = tasks.sleep.delay(4)
    started(running)
    waiting = [tasks.add.delay(x, 1) for x in range(3)]
    first.wait_for_log(rf"{waiting[-1].id}\] received")
    os.killpg(first.pid, signal.SIGSTOP)
    eventually(lambda: broker.leases() == 0)
    os.killpg(first.pid, signal.SIGCONT)
    first.wait_for_log("had ended and is held again")
    assert running.get(timeout=60) == 4
    assert [x.get(timeout=60) for x in waiting] == [1, 2, 3]
    assert first.log.count(f"{running.id}] succeeded") == 1
    eventually(lambda: broker.in_flight() == 0)


# -- queues ----------------------------------------------------------------------------


# -- the pool and the tree ---------------------------------------------------------------


def test_pool_restart(umbel_worker, celery, tasks):
    node = "one@here"
    running = umbel_worker("-n", node, "-c", "2", config={"worker_pool_restarts": True, **LATE})
    before = eventually(lambda: len(x := running.children()) == 2 and x)
    long = tasks.sleep.delay(4)
    started(long)
    assert control(celery, "pool_restart", node) == {"ok": "reload started"}
    assert long.get(timeout=60) == 4
    eventually(lambda: len(running.children()) == 2 and not set(running.children()) & set(before))
    assert tasks.add.delay(4, 4).get(timeout=60) == 8
    assert running.log.count(f"{long.id}] received") == 1


def test_killed_actors_are_restarted(umbel_worker, celery, tasks):
    node = "one@here"
    running = umbel_worker("-n", node, "-c", "1", config={"worker_enable_control_kill": True})
    assert "error" in control(celery, "kill", node, actor="nobody")
    for actor in ("gossip", "reader", "writer", "consumer", "event dispatcher"):
        begun = running.log.count("mingle: searching")
        assert control(celery, "kill", node, actor=actor) == {"ok": f"killed {actor}"}
        running.wait_for_log(rf"{actor} .*ended")
        eventually(lambda: running.log.count("mingle: searching") > begun)
        assert tasks.add.delay(4, 4).get(timeout=60) == 8
        eventually(lambda: celery.control.ping(timeout=1, limit=1), what="it answers again")


def test_kill_is_off_by_default(umbel_worker, celery):
    umbel_worker("-n", "one@here", "-c", "1")
    assert "not enabled" in control(celery, "kill", "one@here", actor="reader")["error"]


# -- what it costs -------------------------------------------------------------------------


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_hundred_neighbours_cost_little(umbel_worker, celery):
    """A hundred workers' heartbeats, every two seconds, and five task events a second of each.
    (They promise less: none may be missed when this test is late.)"""
    running = umbel_worker("-c", "1", loglevel="debug")
    running.wait_for_log("mingle: all alone")
    seconds, alive = 4, {"freq": 10.0, "active": 3, "processed": 99, "loadavg": [0.5, 0.6, 0.7]}
    alive |= {"sw_ident": "py-celery", "sw_ver": "5.2.6", "sw_sys": "Linux"}
    with celery.connection_for_write() as connection:
        nodes = [celery.events.Dispatcher(connection, f"w{x}@there") for x in range(100)]
        for node in nodes:
            node.send("worker-online", **alive)
        eventually(lambda: running.log.count("joined the party") == 100)
        before, begin = cpu_seconds(running.pid), time.monotonic()
        for turn in range(seconds * 2):
            for node in nodes[turn % 4 :: 4]:
                node.send("worker-heartbeat", **alive)
            for node in nodes[turn % 2 :: 2] * 5:
                node.send("task-started", uuid=str(uuid.uuid4()))
            if (left := begin + (turn + 1) / 2 - time.monotonic()) > 0:
                time.sleep(left)  # the pace of what is simulated
        share = (cpu_seconds(running.pid) - before) / (time.monotonic() - begin)
    print(f"a hundred neighbours cost {share:.2%} of a core")
    assert "missed heartbeat" not in running.log
    assert share < 0.05
