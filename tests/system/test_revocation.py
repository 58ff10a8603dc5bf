"""Revoked tasks. Those that use `worker` hold with Celery too."""

import json
import os
import signal
import subprocess

import pytest
from celery.exceptions import TaskRevokedError

from harness.results import started
from harness.waiting import eventually
from harness.workers import umbel_binary

TRACK = {"task_track_started": True}


def child_of(result) -> int:
    return started(result)["pid"]


def why_revoked(result) -> tuple:
    with pytest.raises(TaskRevokedError) as caught:
        result.get(timeout=60)
    assert result.state == "REVOKED"
    return caught.value.args


def discarded(result) -> str:
    return rf"INFO/.*Discarding revoked task: tasks.\w+\[{result.id}\]"


def test_before_it_comes(worker, celery, tasks, broker):
    running = worker("-c", "1")
    celery.control.revoke("my-id")
    running.wait_for_log("Tasks flagged as revoked: my-id")
    result = tasks.add.apply_async((4, 4), task_id="my-id")
    assert why_revoked(result) == ("revoked",)
    running.wait_for_log(discarded(result))
    assert tasks.add.delay(4, 4).get(timeout=60) == 8
    eventually(lambda: broker.in_flight() == 0)


def test_while_it_waits_for_its_time(worker, celery, tasks, broker):
    running = worker("-c", "1")
    result = tasks.add.apply_async((4, 4), countdown=6)
    running.wait_for_log(rf"{result.id}\] received")
    celery.control.revoke([result.id, "other"])
    assert why_revoked(result) == ("revoked",)
    running.wait_for_log(discarded(result))
    eventually(lambda: broker.in_flight() == 0)


def test_what_waits_behind_a_long_task(umbel_worker, celery, tasks, broker):
    """Also what its child holds already."""
    running = umbel_worker("-c", "1", config=TRACK)
    for _ in range(50):
        tasks.noop.delay()
    tasks.noop.delay().get(timeout=60)
    long = tasks.sleep.delay(5)
    behind = [tasks.noop.delay() for _ in range(5)]
    child_of(long)
    celery.control.revoke([x.id for x in behind[::2]])
    for result in behind[::2]:
        assert why_revoked(result) == ("revoked",)
    assert long.get(timeout=60) == 5
    for result in behind[1::2]:
        assert result.get(timeout=60) is None
    eventually(lambda: running.log.count("Discarding revoked task") == 3)
    eventually(lambda: broker.in_flight() == 0)


def test_what_runs_goes_on(worker, celery, tasks):
    running = worker("-c", "1", config=TRACK)
    result = tasks.sleep.delay(4)
    child_of(result)
    celery.control.revoke(result.id)
    running.wait_for_log("Tasks flagged as revoked")
    assert result.get(timeout=60) == 4


@pytest.mark.parametrize("options", [{}, {"signal": "KILL"}])
@pytest.mark.parametrize("late", [False, True])
def test_terminate(worker, celery, tasks, broker, options, late):
    running = worker("-c", "1", config={**TRACK, "task_acks_late": late})
    result = tasks.sleep.delay(60)
    behind = tasks.add.delay(4, 4)
    victim = child_of(result)
    celery.control.revoke(result.id, terminate=True, **options)
    running.wait_for_log(rf"INFO/.*Terminating {result.id} \(\d+\)")
    assert why_revoked(result) == ("terminated",)
    assert behind.get(timeout=60) == 8
    eventually(lambda: victim not in running.children(), what="the child is replaced")
    eventually(lambda: broker.in_flight() == 0)


def test_terminate_by_number(umbel_worker, celery, tasks):
    """Celery's children are deaf to SIGINT."""
    running = umbel_worker("-c", "1", config=TRACK)
    result = tasks.sleep.delay(60)
    child_of(result)
    celery.control.revoke(result.id, terminate=True, signal=int(signal.SIGINT))
    assert why_revoked(result) == ("terminated",)
    running.wait_for_log(r"ended with signal 2 \(SIGINT\)")


def test_terminate_is_for_the_node_that_is_named(umbel_worker, celery, tasks):
    umbel_worker("-c", "1", "-n", "w1@x", config=TRACK)
    result = tasks.sleep.delay(4)
    child_of(result)
    celery.control.terminate(result.id, destination=["w2@x"])
    assert result.get(timeout=60) == 4


def test_a_child_that_ignores_the_signal_is_killed(umbel_worker, celery, tasks):
    running = umbel_worker("-c", "1", config=TRACK)
    result = tasks.sleep.delay(60)
    victim = child_of(result)
    os.kill(victim, signal.SIGSTOP)
    celery.control.revoke(result.id, terminate=True)
    assert why_revoked(result) == ("terminated",)
    eventually(lambda: victim not in running.children())


def test_threads_are_asked_to_end(umbel_worker, celery, tasks):
    umbel_worker("-P", "threads", config=TRACK)
    result = tasks.sleep.delay(60)
    child_of(result)
    celery.control.revoke(result.id, terminate=True)
    assert why_revoked(result) == ("terminated",)


# -- by stamps -----------------------------------------------------------------------


def stamped(task, args, order: str, **options):
    """As Celery 5.3's clients stamp it."""
    headers = {"stamped_headers": ["order"], "stamps": {"order": [order]}}
    return task.apply_async(args, headers=headers, **options)


def by_stamp(broker, *words: str) -> str:
    """What the worker answers."""
    argv = [umbel_binary(), "control", "-b", broker.url, "-j", "-t", "60", "-d", "one@here"]
    argv += ["revoke_by_stamped_headers", *words]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    return json.loads(ended.stdout)["one@here"]["ok"]


def test_revoke_by_stamps(umbel_worker, celery, tasks, broker, tmp_path):
    statedb = ("-n", "one@here", "-c", "1", "--statedb", str(tmp_path / "state"))
    first = umbel_worker(*statedb, config=TRACK)
    runs = stamped(tasks.sleep, (60,), "17")
    child_of(runs)
    behind = stamped(tasks.add, (4, 4), "17")
    later = stamped(tasks.add, (4, 4), "17", countdown=12)
    other = stamped(tasks.add, (4, 4), "18")
    first.wait_for_log(rf"{later.id}\] received")
    answer = by_stamp(broker, "order=17")
    assert answer == "headers {'order': '17'} flagged as revoked, but not terminated"
    assert why_revoked(later) == why_revoked(behind) == ("revoked",)
    answer = by_stamp(broker, "order=nobody", "--signal", "TERM")
    assert answer == "headers {'order': 'nobody'} were not terminated"
    # As Celery 5.3's clients say it.
    arguments = {"headers": {"order": ["17"]}, "terminate": True, "signal": "SIGKILL"}
    celery.control.broadcast("revoke_by_stamped_headers", arguments=arguments)
    assert why_revoked(runs) == ("terminated",)
    assert other.get(timeout=60) == 8
    first.stop()
    umbel_worker(*statedb)
    assert why_revoked(stamped(tasks.add, (4, 4), "17")) == ("revoked",)
    assert by_stamp(broker, "order=18").endswith("but not terminated")


# -- the state file ----------------------------------------------------------------


def test_revocations_survive_a_kill(umbel_worker, celery, tasks, tmp_path):
    statedb = ("--statedb", str(tmp_path / "%n.state"))
    first = umbel_worker("-n", "w1@x", *statedb)
    celery.control.revoke("my-id")
    first.wait_for_log("Tasks flagged as revoked: my-id")
    first.kill()
    second = umbel_worker("-n", "w1@x", *statedb)
    assert (tmp_path / "w1.state").exists()
    result = tasks.add.apply_async((4, 4), task_id="my-id")
    assert why_revoked(result) == ("revoked",)
    second.wait_for_log(discarded(result))
    second.stop()
    umbel_worker("-n", "w1@x", *statedb)
    assert why_revoked(tasks.add.apply_async((4, 4), task_id="my-id")) == ("revoked",)


def test_many_revocations_are_all_remembered(umbel_worker, celery, tasks, tmp_path):
    """Not one wait for the disk each, also when the worker is told to end."""
    statedb = ("-S", str(tmp_path / "state"))
    first = umbel_worker(*statedb)
    for i in range(1000):
        celery.control.revoke(f"r{i}")
    celery.control.revoke([f"m{i}" for i in range(10_000)])
    # A task may overtake the command: they come on two connections.
    first.wait_for_log("Tasks flagged as revoked: m0")
    assert why_revoked(tasks.add.apply_async((4, 4), task_id="m9999")) == ("revoked",)
    first.stop()
    assert "did not end within" not in first.log
    umbel_worker(*statedb)
    for id in ["r0", "r999", "m0", "m9999"]:
        assert why_revoked(tasks.add.apply_async((4, 4), task_id=id)) == ("revoked",)


# -- without a state file ------------------------------------------------------------


def test_a_worker_in_a_fresh_container_knows(umbel_worker, celery, tasks, broker):
    """The broker keeps what was revoked."""
    if broker.name == "amqp":
        pytest.skip("RabbitMQ keeps messages alone")
    first = umbel_worker("-n", "w1@x")
    celery.control.revoke(["my-id", "other"])
    first.wait_for_log("Tasks flagged as revoked: my-id")
    first.kill()
    second = umbel_worker("-n", "w2@y")
    result = tasks.add.apply_async((4, 4), task_id="my-id")
    assert why_revoked(result) == ("revoked",)
    second.wait_for_log(discarded(result))
    assert tasks.add.delay(4, 4).get(timeout=60) == 8


@pytest.mark.parametrize(
    "content, complaint",
    [
        (b"this is no database at all " * 100, "file is not a database"),
        (None, "unable to open database file"),
    ],
    ids=["rubbish", "directory"],
)
def test_a_state_file_that_cannot_be_used(tmp_path, content, complaint):
    path = tmp_path / "state"
    path.write_bytes(content) if content else path.mkdir()
    done = subprocess.run(
        [umbel_binary(), "worker", "-A", "tasks", "-q", "-S", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    lines = [x for x in (done.stdout + done.stderr).splitlines() if str(path) in x]
    assert len(lines) == 1, done.stdout + done.stderr
    assert f"cannot use the state file '{path}' (--statedb): {complaint}" in lines[0]
    assert content is None or path.read_bytes() == content


def test_two_workers_with_one_state_file(umbel_worker, tmp_path):
    statedb = ("-S", str(tmp_path / "state"))
    umbel_worker("-n", "w1@x", *statedb)
    other = umbel_worker("-n", "w2@x", *statedb, ready=False)
    assert other.wait_exit() == 1
    assert "another process uses it" in other.log
