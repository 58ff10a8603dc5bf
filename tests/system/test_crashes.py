"""Children that die, and libraries that do not load."""

import os
import re
import signal

import pytest
from billiard.exceptions import WorkerLostError

from harness.results import started
from harness.waiting import eventually

TRACK = {"task_track_started": True}
LATE = {"task_acks_late": True, **TRACK}
REQUEUE = {"task_reject_on_worker_lost": True, **LATE}


def child_of(result) -> int:
    """The pid of the child that runs this task."""
    return started(result)["pid"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_task_lost_with_its_child(umbel_worker, tasks, broker, number):
    running = umbel_worker("-c", "2", config=TRACK)
    before = set(eventually(lambda: len(x := running.children()) == 2 and x))
    other = tasks.sleep.delay(6)
    other_child = child_of(other)
    lost = tasks.sleep.delay(60)
    victim = child_of(lost)
    os.kill(victim, number)
    with pytest.raises(WorkerLostError, match=number.name):
        lost.get(timeout=60)
    after = eventually(
        lambda: len(x := {*running.children()} - {victim}) == 2 and x,
        what="the child is replaced",
    )
    assert other_child in after
    assert len(after - before) == 1
    assert other.get(timeout=60) == 6, "the other task is not disturbed"
    eventually(lambda: victim not in running.children())
    assert tasks.add.delay(4, 4).get(timeout=60) == 8
    eventually(lambda: broker.in_flight() == 0)


def test_a_task_that_crashes_its_own_child(umbel_worker, tasks):
    umbel_worker("-c", "1")
    with pytest.raises(WorkerLostError):
        tasks.crash.delay(int(signal.SIGABRT)).get(timeout=60)
    assert tasks.add.delay(4, 4).get(timeout=60) == 8


def test_late_acknowledgement_alone_does_not_requeue(umbel_worker, tasks, broker):
    """As Celery: acks_late without reject_on_worker_lost is a failure."""
    umbel_worker(config=LATE)
    lost = tasks.sleep.delay(60)
    os.kill(child_of(lost), signal.SIGKILL)
    with pytest.raises(WorkerLostError):
        lost.get(timeout=60)
    eventually(lambda: broker.in_flight() == 0)


def test_requeued_when_its_child_is_lost(umbel_worker, tasks, broker):
    running = umbel_worker("-c", "1", config=REQUEUE)
    result = tasks.sleep.delay(4)
    first = child_of(result)
    os.kill(first, signal.SIGKILL)
    assert result.get(timeout=60) == 4, "it runs again"
    eventually(lambda: first not in running.children())
    eventually(lambda: broker.in_flight() == 0)


def test_jobs_given_ahead_to_a_lost_child_are_not_lost(umbel_worker, tasks):
    """Only the one that had started may be lost, even with early acks."""
    running = umbel_worker("-c", "1", config=TRACK)
    for _ in range(200):
        tasks.noop.delay()
    tasks.noop.delay().get(timeout=60)
    running.wait_ready()
    lost = tasks.sleep.delay(60)
    behind = [tasks.add.delay(i, i) for i in range(20)]
    os.kill(child_of(lost), signal.SIGKILL)
    assert [r.get(timeout=60) for r in behind] == [2 * i for i in range(20)]
    with pytest.raises(WorkerLostError):
        lost.get(timeout=60)


def test_idle_children_are_replaced(umbel_worker, tasks):
    running = umbel_worker("-c", "2")
    before = eventually(lambda: len(x := running.children()) == 2 and x)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    eventually(
        lambda: len(running.children()) == 2 and not set(before) & set(running.children())
    )
    assert tasks.add.delay(4, 4).get(timeout=60) == 8


def test_a_missing_library_is_one_line(umbel_worker):
    running = umbel_worker(app="no_such_library", ready=False)
    assert running.wait_exit() == 1
    complaints = re.findall(r".*no_such_library.*", running.log)
    assert len(complaints) == 1, running.log


def test_a_broken_library_is_one_line(umbel_worker, tmp_path):
    library = tmp_path / "libbroken.so"
    library.write_bytes(b"this is not a shared object")
    running = umbel_worker(app=str(library), ready=False)
    assert running.wait_exit() == 1
    complaints = re.findall(r".*libbroken\.so.*", running.log)
    assert len(complaints) == 1, running.log
    assert "ready" not in running.log
