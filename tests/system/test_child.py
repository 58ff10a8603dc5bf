"""The child program under the child protocol, without a worker."""

import os
import random
import signal
import struct
import subprocess
import time

import pytest

from harness.child_process import (CONFIGURE, INTERRUPT, JOB, RECALL, STOP,
                                   VERSION, ChildProcess, envelope, string)
from harness.waiting import eventually
from harness.workers import build_dir, has_ended, resident


@pytest.fixture
def start():
    children = []

    def start(settings=None, libraries=None, **options) -> ChildProcess:
        apps = build_dir() / "apps"
        if libraries is None:
            libraries = [apps / "libtasks.so"]
        c = ChildProcess(apps / "child", libraries, settings, **options)
        children.append(c)
        return c

    yield start
    for c in children:
        c.__exit__()


@pytest.fixture
def child(start):
    c = start()
    c.hello()
    return c


def begin(child, number: int, pause: float) -> None:
    """Gives it a job that takes so long, and returns when that has begun."""
    child.job(number, "tasks.progress", [1, pause])
    assert [child.frame()["frame"] for _ in range(2)] == ["state", "event"]


def test_hello_lists_the_tasks(start):
    hello = start().hello()
    assert hello["version"] == VERSION
    assert hello["runtime"] == "c++"
    assert {"name": "tasks.noop"} in hello["tasks"]
    names = [task["name"] for task in hello["tasks"]]
    assert {"tasks.add", "tasks.echo", "tasks.sleep"} < set(names)
    assert len(names) == len(set(names))


def test_jobs_run_in_their_order(child):
    for i in range(1, 201):
        child.job(i, "tasks.add", [i, 1])
    for i in range(1, 201):
        outcome = child.outcome()
        assert (outcome["job"], outcome["summary"]) == (i, str(i + 1))


def test_irregular_load(child):
    """Batches of all sizes with pauses around the watcher's tick."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rng = random.Random(seed)
    number = 0
    for _ in range(1500):
        count = rng.choice([1, 1, 2, 5, 40])
        batch = b""
        for i in range(count):
            job = struct.pack("<Q", number + i + 1) \
                + string(envelope("tasks.add", [number + i, 1]))
            batch += struct.pack("<IB", len(job) + 1, JOB) + job
        cut = rng.randrange(len(batch))
        child.socket.sendall(batch[:cut])
        time.sleep(rng.choice([0, 0, 0.0003, 0.0006]))
        child.socket.sendall(batch[cut:])
        for i in range(count):
            number += 1
            outcome = child.outcome()
            assert (outcome["job"], outcome["summary"]) == (number, str(number))


def test_recall_returns_what_has_not_begun(child):
    begin(child, 1, 5)
    child.job(2, "tasks.add", [1, 1])
    child.job(3, "tasks.add", [1, 1])
    child.send(RECALL)
    assert child.frame() == {"frame": "returned", "jobs": [2, 3]}
    assert child.outcome()["job"] == 1
    child.send(RECALL)
    assert child.frame() == {"frame": "returned", "jobs": []}
    child.job(4, "tasks.add", [2, 2])
    assert child.outcome()["job"] == 4


def test_a_recall_splits_the_jobs_in_two_kinds(child):
    """Under load, each job has an outcome or is returned; none has both."""
    done, back = set(), set()
    number = 0
    for _ in range(100):
        count = 50
        for _ in range(count):
            number += 1
            child.job(number, "tasks.add", [1, 1])
        child.send(RECALL)
        while True:
            frame = child.frame()
            if frame["frame"] == "returned":
                back.update(frame["jobs"])
                break
            done.add(frame["job"])
    while len(done) + len(back) < number:
        done.add(child.outcome()["job"])
    assert not done & back
    assert done | back == set(range(1, number + 1))


def test_a_job_that_comes_during_a_long_one_waits_for_it(child):
    child.job(1, "tasks.sleep", [0.1])
    time.sleep(0.05)
    child.job(2, "tasks.add", [1, 1])
    assert child.outcome()["job"] == 1
    assert child.outcome()["job"] == 2


def test_outcomes_do_not_wait_for_the_next_job(child):
    child.job(1, "tasks.add", [1, 1])
    child.job(2, "tasks.sleep", [600])
    assert child.outcome()["job"] == 1


def test_stop_finishes_the_current_job(child):
    begin(child, 1, 5)
    child.job(2, "tasks.add", [1, 1])
    child.send(STOP)
    assert child.frame() == {"frame": "returned", "jobs": [2]}
    assert child.outcome()["job"] == 1
    with pytest.raises(EOFError):
        child.frame()
    assert child.process.wait(timeout=60) == 0


def test_an_idle_child_stops_at_once(child):
    child.send(STOP)
    assert child.frame() == {"frame": "returned", "jobs": []}
    assert child.process.wait(timeout=60) == 0


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_it_ends_when_its_parent_closes_the_socket(child, busy):
    if busy:
        begin(child, 1, 600)
    child.socket.close()
    assert child.process.wait(timeout=60) == 0


def test_it_dies_with_its_parent():
    """Also while a task runs, and although somebody else holds the socket."""
    code = f"""
import sys, time
sys.path.insert(0, {str(os.path.dirname(os.path.dirname(__file__)))!r})
from harness.child_process import ChildProcess
apps = {str(build_dir() / "apps")!r}
c = ChildProcess(apps + "/child", [apps + "/libtasks.so"])
c.hello()
c.job(1, "tasks.sleep", [60])
print(c.process.pid, flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen(["/usr/bin/python3", "-c", code],
                              stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    eventually(lambda: has_ended(pid))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_signals_of_a_terminal_are_the_parents_business(child, number):
    send = ["/bin/kill", f"-{int(number)}", str(child.process.pid)]
    begin(child, 1, 0.3)
    subprocess.run(send, check=True)  # not from its parent
    assert child.outcome()["kind"] == "success"
    subprocess.run(send, check=True)
    child.job(2, "tasks.add", [1, 1])
    assert child.outcome()["summary"] == "2"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_signals_of_the_parent_end_a_task(child, number):
    begin(child, 1, 600)
    child.process.send_signal(number)
    assert child.process.wait(timeout=60) == -number


def test_an_interrupt_ends_the_run_that_it_names(child):
    def interrupt(job):
        child.send(INTERRUPT, struct.pack("<Q", job))

    child.job(1, "tasks.sleep", [600])
    child.job(2, "tasks.sleep", [0.1])
    interrupt(7)
    interrupt(1)
    outcome = child.outcome()
    assert (outcome["job"], outcome["kind"]) == (1, "failure")
    assert outcome["document"]["result"] == {
        "exc_type": "SoftTimeLimitExceeded",
        "exc_message": [],
        "exc_module": "billiard.exceptions",
    }
    interrupt(1)
    assert child.outcome()["kind"] == "success"
    begin(child, 3, 600)
    child.process.send_signal(signal.SIGUSR1)  # Celery's way to say it
    assert child.outcome()["summary"] == "SoftTimeLimitExceeded()"


def test_a_crash_leaves_its_signal(child):
    child.job(1, "tasks.add", [1, 1])
    child.job(2, "tasks.crash")
    child.job(3, "tasks.add", [1, 1])
    assert child.outcome()["job"] == 1
    with pytest.raises((EOFError, ConnectionResetError)):
        child.frame()
    assert child.process.wait(timeout=60) == -signal.SIGKILL


def test_settings_reach_the_runner(start):
    c = start({"task_track_started": True, "result_extended": True,
               "some_other_setting": [1]})
    c.hello()
    c.job(1, "tasks.add", [1, 1])
    started = c.frame()
    assert started["frame"] == "state"
    assert started["document"]["result"] == {"pid": c.process.pid,
                                             "hostname": "celery@test"}
    assert c.outcome()["document"]["worker"] == "celery@test"


def test_progress_arrives_while_the_task_runs(child):
    begin(child, 1, 600)
    child.send(INTERRUPT, struct.pack("<Q", 1))
    assert child.outcome()["kind"] == "failure"
    child.job(2, "tasks.progress", [2, 0])
    told = [child.frame() for _ in range(4)]
    states = [x["document"]["result"] for x in told if x["frame"] == "state"]
    events = [x["fields"] for x in told if x["frame"] == "event"]
    for step, (state, event) in enumerate(zip(states, events, strict=True), 1):
        assert state["current"] == event["current"] == step
    assert child.outcome()["document"]["result"] == 2


def test_a_large_message_and_a_large_result(child):
    child.job(1, "tasks.echo", ["x" * 10_000_000])
    assert len(child.outcome()["document"]["result"]) == 10_000_000
    child.job(2, "tasks.add", [1, 1])
    assert child.outcome()["summary"] == "2"


@pytest.mark.parametrize("data", [
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    struct.pack("<IB", 1, 99),
    struct.pack("<IB", 3, JOB) + b"xx",
], ids=["empty", "huge", "unknown", "short"])
def test_it_leaves_a_parent_that_talks_nonsense(child, data):
    child.socket.sendall(data)
    assert child.process.wait(timeout=60) == 2


def test_another_version_is_refused(start):
    c = start(configure=False)
    c.send(CONFIGURE, struct.pack("<II", VERSION + 1, 0) + string("") * 2)
    assert c.process.wait(timeout=60) == 2


def test_a_wrong_setting_is_one_line(start):
    c = start({"task_track_started": "yes"})
    assert c.frame() == {"frame": "failed", "reason":
                         "setting task_track_started must be true or false"}
    assert c.process.wait(timeout=60) == 1


def test_without_a_socket_it_says_who_starts_it():
    done = subprocess.run([build_dir() / "apps" / "child"], text=True,
                          stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 2
    assert "umbel worker" in done.stderr


def test_it_is_small_and_quick_to_start(start):
    def seconds() -> float:
        begin = time.monotonic()
        start().hello()
        return time.monotonic() - begin

    # The machine may have had something else to do.
    assert any(seconds() < 1 for _ in range(3))
    c = start()
    c.hello()
    c.job(1, "tasks.add", [4, 4])
    c.outcome()
    held = resident(c.process.pid)
    if not os.environ.get("UMBEL_TEST_PATIENCE", "1") == "1":
        pytest.skip("sanitizers need memory of their own")
    assert 0 < held < 12


def test_a_task_calls_another_by_way_of_the_parent(child):
    child.job(1, "tasks.forward", ["tasks.echo", "text"])
    call = child.frame()
    assert call["frame"] == "call"
    assert call["payload"]["headers"]["task"] == "tasks.echo"
    assert call["payload"]["headers"]["parent_id"] == "id-1"
    assert (call["queue"], call["priority"]) == ("celery", 0)
    child.result(call["number"], {"status": "SUCCESS", "result": "answer"})
    assert child.outcome()["document"]["result"] == "answer"


def test_a_call_without_a_result(child):
    child.job(1, "tasks.forward", ["tasks.echo", "text"])
    call = child.frame()
    child.result(call["number"] + 7, {"status": "SUCCESS", "result": "not ours"})
    child.result(call["number"], "no result store", failure=5)
    assert child.outcome()["summary"] == "OperationalError('no result store')"
