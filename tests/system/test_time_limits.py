"""Soft and hard time limits. Those that use `worker` hold with Celery too."""

import os
import signal
import subprocess

import pytest
from billiard.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded

from harness.results import document_of, started
from harness.waiting import eventually
from harness.workers import umbel_binary

TRACK = {"task_track_started": True}


def child_of(result) -> int:
    """The process that runs the task."""
    return started(result)["pid"]


def failure_of(result, kind):
    """The exception that the client gets."""
    with pytest.raises(kind) as caught:
        result.get(timeout=60)
    return caught.value


def test_soft_limit(worker, tasks, broker):
    running = worker("-c", "1")
    result = tasks.sleep.apply_async((60,), soft_time_limit=0.5)
    assert failure_of(result, SoftTimeLimitExceeded).args == ()
    assert result.state == "FAILURE"
    running.wait_for_log(
        rf"WARNING/.*Soft time limit \(0\.5s\) exceeded for tasks.sleep\[{result.id}\]"
    )
    running.wait_for_log(rf"Task tasks.sleep\[{result.id}\] raised unexpected")
    # The child lives on.
    assert tasks.add.delay(4, 4).get(timeout=60) == 8
    eventually(lambda: broker.in_flight() == 0)


def test_a_task_may_catch_its_soft_limit(worker, tasks):
    worker("-c", "1")
    result = tasks.patient_sleep.apply_async((60,), soft_time_limit=0.5, time_limit=30)
    assert result.get(timeout=60) == "interrupted"
    assert tasks.patient_sleep.apply_async((0,), soft_time_limit=60).get(timeout=60) == "done"


@pytest.mark.parametrize("limit", [1, 0.5])
def test_hard_limit(worker, tasks, broker, limit):
    running = worker("-c", "1")
    result = tasks.sleep.apply_async((60,), time_limit=limit)
    behind = tasks.add.delay(4, 4)
    assert failure_of(result, TimeLimitExceeded).args == (limit,)
    running.wait_for_log(
        rf"ERROR/.*Hard time limit \({limit}s\) exceeded for tasks.sleep\[{result.id}\]"
    )
    assert behind.get(timeout=60) == 8
    eventually(lambda: broker.in_flight() == 0)


def test_the_settings_are_defaults(worker, tasks):
    worker("-c", "1", config={"task_soft_time_limit": 0.5, "task_time_limit": 300})
    assert failure_of(tasks.sleep.delay(60), SoftTimeLimitExceeded).args == ()
    assert tasks.sleep.apply_async((0.7,), soft_time_limit=60).get(timeout=60) == 0.7


def test_the_options_are_defaults(worker, tasks):
    # With room between the two: who asks a child to end may be held up himself.
    running = worker("-c", "1", "--time-limit=300", "--soft-time-limit=0.5")
    assert failure_of(tasks.sleep.delay(600), SoftTimeLimitExceeded).args == ()
    running.stop()
    worker("-c", "1", "--time-limit=1")
    assert failure_of(tasks.sleep.delay(600), TimeLimitExceeded).args == (1,)


def test_a_hard_limit_before_the_soft_one_counts(umbel_worker, tasks):
    """Celery arms the hard limit only when the soft one is over."""
    umbel_worker("-c", "1")
    result = tasks.sleep.apply_async((60,), time_limit=0.3, soft_time_limit=50)
    assert failure_of(result, TimeLimitExceeded).args == (0.3,)


def test_a_child_that_does_nothing_any_more_is_killed(umbel_worker, tasks):
    """The parent measures, and the child is replaced at once."""
    running = umbel_worker("-c", "1", config=TRACK)
    result = tasks.sleep.apply_async((60,), time_limit=6, soft_time_limit=5)
    stuck = child_of(result)
    os.kill(stuck, signal.SIGSTOP)
    assert failure_of(result, TimeLimitExceeded).args == (6,)
    assert tasks.add.delay(4, 4).get(timeout=60) == 8
    eventually(lambda: len(running.children()) == 1 and running.children() != [stuck])


def test_a_failure_that_is_not_acknowledged_runs_again(umbel_worker, tasks, broker):
    config = {"task_acks_late": True, "task_acks_on_failure_or_timeout": False, **TRACK}
    running = umbel_worker("-c", "1", config=config)
    result = tasks.sleep.apply_async((600,), time_limit=0.5)
    first = child_of(result)
    seen = set()

    def again() -> bool:
        found = document_of(result)
        seen.add(found["status"])
        return found["result"]["pid"] != first

    eventually(again, what="it runs again")
    assert seen == {"STARTED"}
    eventually(lambda: broker.in_flight() == 1)
    running.kill()


def test_limits_cost_the_jobs_behind_nothing(umbel_worker, tasks):
    """Short tasks that are run ahead survive those that are killed."""
    umbel_worker("-c", "2")
    for _ in range(100):
        tasks.noop.delay()
    tasks.noop.delay().get(timeout=60)
    short, long = [], []
    for i in range(10):
        long.append(tasks.sleep.apply_async((60,), time_limit=0.1))
        short += [tasks.add.delay(i, j) for j in range(20)]
    assert [r.get(timeout=60) for r in short] == [
        i + j for i in range(10) for j in range(20)
    ]
    for result in long:
        assert failure_of(result, TimeLimitExceeded).args == (0.1,)


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_threads_are_asked_to_end(umbel_worker, tasks, pool):
    running = umbel_worker("-P", pool, "--time-limit=1")
    running.wait_for_log(r"WARNING/.*task_time_limit: a thread cannot be killed")
    result = tasks.sleep.apply_async((60,), soft_time_limit=0.3)
    assert failure_of(result, SoftTimeLimitExceeded).args == ()
    result = tasks.sleep.apply_async((60,), time_limit=0.3)
    assert failure_of(result, SoftTimeLimitExceeded).args == ()
    running.wait_for_log(r"ERROR/.*Hard time limit \(0\.3s\) exceeded for tasks.sleep")
    assert tasks.patient_sleep.delay(0).get(timeout=60) == "done"


def test_coroutines(umbel_worker, tasks, broker):
    running = umbel_worker("-P", "gevent", "-c", "2")
    result = tasks.asleep.apply_async((60,), soft_time_limit=0.3)
    assert failure_of(result, SoftTimeLimitExceeded).args == ()
    result = tasks.asleep.apply_async((60,), time_limit=0.3)
    assert failure_of(result, TimeLimitExceeded).args == (0.3,)
    running.wait_for_log(r"ERROR/.*Hard time limit \(0\.3s\) exceeded for tasks.asleep")
    results = [tasks.asleep.delay(0.1) for _ in range(4)]
    assert [r.get(timeout=60) for r in results] == [0.1] * 4
    eventually(lambda: broker.in_flight() == 0)


def test_sigusr1_to_a_child_is_the_soft_limit(worker, tasks):
    worker("-c", "1", config=TRACK)
    result = tasks.sleep.delay(60)
    os.kill(child_of(result), signal.SIGUSR1)
    assert failure_of(result, SoftTimeLimitExceeded).args == ()


@pytest.mark.parametrize(
    "options, complaint",
    [
        (["--time-limit=x"], "--time-limit: 'x' is not a number of seconds, 0 or more"),
        (["--time-limit=-1"], "--time-limit: '-1' is not a number of seconds, 0 or more"),
        (["--time-limit=nan"], "--time-limit: 'nan' is not a number of seconds, 0 or more"),
        (
            ["--time-limit=5", "--soft-time-limit=6"],
            "task_soft_time_limit (--soft-time-limit) is longer than task_time_limit",
        ),
    ],
)
def test_limits_that_make_no_sense(options, complaint):
    done = subprocess.run(
        [umbel_binary(), "worker", *options], capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    lines = [x for x in (done.stdout + done.stderr).splitlines() if complaint in x]
    assert len(lines) == 1, done.stdout + done.stderr
