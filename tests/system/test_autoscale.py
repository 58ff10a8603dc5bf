"""The pool grows with demand and shrinks with idleness."""

import re

import pytest

from harness.waiting import eventually

SOON = {"AUTOSCALE_KEEPALIVE": "0.5"}


def size(worker) -> int:
    return len(worker.children())


def decisions(log: str) -> list[tuple[int, int]]:
    found = re.findall(r"Scaling (?:up|down) from (\d+) to (\d+): \d+ busy", log)
    return [(int(a), int(b)) for a, b in found]


@pytest.mark.parametrize("bounds", ["4,1", "1,4"])
def test_it_grows_at_once_and_shrinks_when_idle(umbel_worker, tasks, bounds):
    running = umbel_worker(f"--autoscale={bounds}", env=SOON)
    assert size(running) == 1
    results = [tasks.sleep.delay(4) for _ in range(4)]
    eventually(lambda: size(running) == 4, what="four at work")
    assert [r.get(timeout=60) for r in results] == [4] * 4
    eventually(lambda: size(running) == 1, what="it is idle again")
    assert decisions(running.log)[-1][1] == 1
    assert max(b for _, b in decisions(running.log)) == 4
    assert "ended with" not in running.log, "to retire is no crash"


def test_a_pool_of_nobody_works_when_there_is_something_to_do(umbel_worker, tasks):
    running = umbel_worker("--autoscale=3", env=SOON)
    for _ in range(2):
        eventually(lambda: size(running) == 0, what="nobody is left")
        assert tasks.add.delay(4, 4).get(timeout=60) == 8
        assert {b for a, b in decisions(running.log) if b > a} <= {1}


def test_busy_children_are_left_alone(umbel_worker, tasks):
    running = umbel_worker("--autoscale=3,1", env=SOON)
    long = tasks.sleep.delay(10)
    brief = [tasks.sleep.delay(0.1) for _ in range(6)]
    assert [r.get(timeout=60) for r in brief] == [0.1] * 6
    eventually(lambda: size(running) == 1, what="the idle ones are gone")
    assert not long.ready()
    assert long.get(timeout=60) == 10


def test_nothing_is_lost_while_it_grows_and_shrinks(umbel_worker, tasks, broker):
    """The keepalive is so short that it shrinks in each pause."""
    running = umbel_worker("--autoscale=4,0", env={"AUTOSCALE_KEEPALIVE": "0.02"})
    for wave in range(15):
        results = [tasks.add.delay(i, wave) for i in range(12)]
        assert [r.get(timeout=60) for r in results] == [i + wave for i in range(12)]
        eventually(lambda: size(running) == 0, what="nobody is left")
    eventually(lambda: broker.in_flight() == 0)
    assert len(decisions(running.log)) >= 30


@pytest.mark.parametrize(
    "source", ["the environment", "the command line"], ids=["environment", "setting"]
)
def test_the_time_of_idleness(umbel_worker, tasks, source):
    if source == "the environment":
        running = umbel_worker("--autoscale=2,1", env={"AUTOSCALE_KEEPALIVE": "0.75"})
    else:  # which outranks it
        running = umbel_worker(
            "--autoscale=2,1",
            "worker_autoscale_keepalive=0.75",
            env={"AUTOSCALE_KEEPALIVE": "1000"},
        )
    for result in [tasks.sleep.delay(3) for _ in range(2)]:
        result.get(timeout=60)
    running.wait_for_log(r"Scaling down from 2 to 1: .* for 0\.75 s")
