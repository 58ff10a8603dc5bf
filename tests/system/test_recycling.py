"""Children that have worked enough, or hold too much memory, are replaced."""

import os
import re
import subprocess

import pytest
from billiard.exceptions import WorkerLostError

from harness.messages import template
from harness.waiting import eventually
from harness.workers import resident

TRACK = {"task_track_started": True}


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def runs(log: str) -> dict[int, int]:
    """How many tasks each child had run that was replaced."""
    found = re.findall(r"child (\d+) ran (\d+) tasks .*; child \d+ takes over", log)
    return {int(child): int(tasks) for child, tasks in found}


@pytest.fixture
def build_library(tmp_path):
    """Builds C++ text that includes nothing but <unistd.h> as a library."""

    def build(text: str) -> str:
        source = tmp_path / "strange.cpp"
        source.write_text("#include <unistd.h>\n" + text)
        library = tmp_path / "libstrange.so"
        argv = ["c++", "-shared", "-fPIC", "-o", library, source]
        subprocess.run(argv, check=True, timeout=300)
        return str(library)

    return build


# -- the number of tasks ----------------------------------------------------------


@pytest.mark.parametrize("tasks_per_child", [1, 7])
def test_each_child_runs_so_many_tasks(umbel_worker, tasks, tasks_per_child):
    running = umbel_worker(
        "-c", "1", "--max-tasks-per-child", str(tasks_per_child), config=TRACK
    )
    results = [tasks.progress.delay(1, 0) for _ in range(5 * tasks_per_child)]
    assert [r.get(timeout=60) for r in results] == [1] * len(results)
    eventually(lambda: len(runs(running.log)) == 5, what="five were replaced")
    assert set(runs(running.log).values()) == {tasks_per_child}
    assert "ended with" not in running.log, "it is no crash"


def test_nothing_is_lost_or_doubled_on_the_boundary(
    umbel_worker, celery, broker
):
    """Short tasks, given to the children in runs, and early acknowledgement:
    what is lost would stay lost."""
    ids = broker.fill(template(celery, "tasks.add", (4, 4)), 5000)
    running = umbel_worker("-c", "2", "--max-tasks-per-child", "100")
    eventually(lambda: broker.in_flight() == 0, what="all are settled")
    eventually(lambda: broker.statuses(ids) == {"SUCCESS": 5000})
    eventually(lambda: running.log.count("succeeded in") == 5000)
    eventually(lambda: len(runs(running.log)) >= 48)
    assert set(runs(running.log).values()) == {100}
    eventually(lambda: len(running.children()) == 2, what="the others are gone")
    eventually(lambda: descriptors(running.pid) < 40, what="no descriptor is left")


def test_capacity_never_dips(umbel_worker, tasks):
    """While both children are at their last task, both successors wait."""
    running = umbel_worker("-c", "2", "--max-tasks-per-child", "1")
    long = [tasks.sleep.delay(8) for _ in range(2)]
    eventually(lambda: len(running.children()) == 4)
    assert runs(running.log) == {}
    assert [r.get(timeout=60) for r in long] == [8, 8]
    assert tasks.add.delay(4, 4).get(timeout=60) == 8


def test_a_child_that_does_not_go_is_killed(umbel_worker, tasks, build_library):
    """Something in it hangs while the process ends. (A forked child does not end what
    was made when the libraries were loaded.)"""
    stuck = build_library("""
        struct hanging {
          ~hanging() {
            char program[4096] = "";
            auto n = readlink("/proc/self/exe", program, sizeof(program));
            while (n > 6 && __builtin_memcmp(program + n - 6, "/child", 6) == 0)
              pause();
          }
        } static x;
    """)
    running = umbel_worker(
        "-c", "1", "--max-tasks-per-child", "2", env={"LD_PRELOAD": stuck},
        config={"worker_fork_server": False},
    )
    first = running.children()
    assert [tasks.add.delay(i, 0).get(timeout=60) for i in range(3)] == [0, 1, 2]
    assert set(first) < set(running.children())
    running.wait_for_log(r"child 1 was told to end and has not within 5 s: killed")
    eventually(lambda: not set(first) & set(running.children()))
    assert tasks.add.delay(4, 4).get(timeout=60) == 8


# -- memory -----------------------------------------------------------------------


def test_leaking_children_are_replaced(umbel_worker, tasks):
    """Every task leaks 1 MiB; 600 of them never make a child hold 120."""
    running = umbel_worker("-c", "2", "--max-memory-per-child", "50000")
    results = [tasks.leak.delay(1) for _ in range(600)]
    peak = 0

    def done() -> bool:
        nonlocal peak
        peak = max([peak, *map(resident, running.children())])
        return all(r.ready() for r in results)

    eventually(done)
    assert 0 < peak < 120_000 / 1024
    replaced = re.findall(r"child \d+ held (\d+) KiB .*takes over", running.log)
    assert len(replaced) >= 8
    assert all(50_000 < int(kib) < 120_000 for kib in replaced)
    assert "ended with" not in running.log


def test_a_peak_costs_nothing(umbel_worker, tasks):
    """What counts is what a child holds after its task."""
    running = umbel_worker("-c", "1", "--max-memory-per-child", "50000")
    first = running.children()
    for _ in range(5):
        assert tasks.allocate.delay(100).get(timeout=60) == 100
    assert set(first) <= set(running.children())
    assert "takes over" not in running.log


def test_the_hard_limit_ends_the_task(umbel_worker, tasks, broker):
    running = umbel_worker("-c", "1", "--hard-max-memory-per-child", "100000")
    with pytest.raises(WorkerLostError, match="more than worker_hard_max_memory"):
        for _ in range(5):  # a task is sooner at its end than a worker that is held up
            tasks.allocate.delay(2000).get(timeout=60)
    assert tasks.allocate.delay(10).get(timeout=60) == 10
    eventually(lambda: broker.in_flight() == 0)
    eventually(lambda: len(running.children()) == 1)


# -- children that cannot live ----------------------------------------------------


def test_children_that_die_at_once_end_the_worker(umbel_worker, build_library):
    """With backoff, and one clear line at the end."""
    mortal = build_library("static int x = (_exit(7), 0);\n")
    running = umbel_worker("-c", "1", app=mortal, ready=False)
    assert running.wait_exit(120) == 1
    delays = re.findall(r"ended with exit status 7; starting another in (\d+) ms", running.log)
    assert list(map(int, delays)) == sorted(map(int, delays))
    assert len(delays) == 10
    last = running.log.splitlines()[-1]
    assert "children die before they have worked" in last
    assert "exit status 7" in last


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_pools_without_children_say_so(umbel_worker, tasks, pool):
    running = umbel_worker("-P", pool, "-c", "1", "--max-tasks-per-child", "1")
    assert [tasks.add.delay(i, 0).get(timeout=60) for i in range(3)] == [0, 1, 2]
    assert running.log.count(f"the pool '{pool}' has no child processes") == 1
