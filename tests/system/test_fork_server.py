"""The process that children are forked from, and what happens without it."""

import os
import re
import signal
import subprocess
import time

import pytest

from harness.messages import template
from harness.results import started
from harness.waiting import eventually
from harness.workers import build_dir, direct_children, has_ended, name_of, proc, state_of

RECYCLE = ("-c", "2", "--max-tasks-per-child", "5")
EXEC = "children are started by exec"


def zombies(parent: int) -> list[int]:
    return [x for x in direct_children(parent) if state_of(x)[0] == "Z"]


def descriptors(pid: int) -> set[str]:
    return set(os.listdir(f"/proc/{pid}/fd"))


def kinds(running) -> set[str]:
    """How the children were started that there are. They come and go meanwhile."""
    found = {x: proc(x, "cmdline") for x in running.children()}
    # One that was started by exec has no argument in its place.
    return {
        "fork" if text.endswith("child\0" + 14 * "\0") else "exec"
        for text in found.values()
        if text
    }


@pytest.fixture
def build_tasks(tmp_path):
    """The example tasks behind C++ text that does something at load."""

    def build(text: str) -> str:
        tasks = build_dir() / "apps" / "libtasks.so"
        source = tmp_path / "behind.cpp"
        source.write_text(
            f"""
            #include <dlfcn.h>
            {text}
            extern "C" void umbel_register_tasks(void* to) {{
              auto tasks = dlopen("{tasks}", RTLD_NOW | RTLD_LOCAL);
              auto f = dlsym(tasks, "umbel_register_tasks");
              reinterpret_cast<void (*)(void*)>(f)(to);
            }}
            """
        )
        library = tmp_path / "libbehind.so"
        argv = ["c++", "-std=c++20", "-O1", "-shared", "-fPIC", "-pthread", "-o", library, source]
        subprocess.run(argv, check=True, timeout=300)
        return str(library)

    return build


# -- what a forked child is ---------------------------------------------------------


def test_children_are_the_workers_own(umbel_worker, tasks):
    running = umbel_worker("-c", "3")
    server = running.fork_server()
    # It is ready with its first.
    children = eventually(lambda: len(running.children()) == 3 and running.children())
    eventually(lambda: kinds(running) == {"fork"})
    for pid in children:
        assert state_of(pid)[1] == running.pid
        assert name_of(pid) == "child"
        # Standard streams, the socket, a timer and an event: nothing of the server's.
        eventually(lambda: descriptors(pid) == set("012345"))
    assert direct_children(server) == []
    assert tasks.add.delay(4, 4).get(timeout=60) == 8
    running.stop()
    assert state_of(server)[0] == "gone"


def test_it_dies_with_the_worker(umbel_worker):
    running = umbel_worker("-c", "1")
    server = running.fork_server()
    running.kill()
    assert has_ended(server)


def test_nothing_is_left_of_thousands_of_children(umbel_worker, celery, broker):
    running = umbel_worker("-c", "2", "--max-tasks-per-child", "1")
    server = running.fork_server()
    broker.fill(template(celery, "tasks.add", (4, 4)), 10)
    eventually(broker.idle)
    before = len(descriptors(running.pid)), len(descriptors(server))
    ids = broker.fill(template(celery, "tasks.add", (4, 4)), 3000)
    eventually(lambda: broker.statuses(ids) == {"SUCCESS": 3000}, 180)
    eventually(lambda: len(running.children()) == 2 and not zombies(running.pid))
    eventually(
        lambda: len(descriptors(running.pid)) <= before[0] + 2
        and len(descriptors(server)) <= before[1],
        what="no descriptor is left",
    )
    assert running.fork_server() == server
    assert "ended with" not in running.log


# -- a fork server that dies --------------------------------------------------------


def test_killed_under_load(umbel_worker, celery, broker):
    """Again and again, while children are replaced: nobody notices."""
    running = umbel_worker(*RECYCLE, config={"task_acks_late": True})
    message = template(celery, "tasks.add", (4, 4))
    ids: list[str] = []
    kills = 0
    while kills <= 3 or broker.statuses(ids) != {"SUCCESS": len(ids)}:
        if kills <= 3 and broker.statuses(ids).get("SUCCESS", 0) == len(ids):
            ids += broker.fill(message, 1000)  # there is load at every kill
        if (server := running.fork_server()) is not None:
            os.kill(server, signal.SIGKILL)
            kills += 1
        assert running.running(), running.log[-3000:]
        time.sleep(0.01)  # of load between two kills
    eventually(lambda: running.log.count("succeeded in") == len(ids))
    assert not re.search(r"child \d+ ended with", running.log)
    eventually(lambda: broker.in_flight() == 0)
    eventually(lambda: len(running.children()) == 2)
    eventually(lambda: zombies(running.pid) == [])
    eventually(running.fork_server, what="another one is started")
    assert "supervisor fork server: process ended" in running.log


def test_children_survive_it(umbel_worker, tasks):
    running = umbel_worker("-c", "1", config={"task_track_started": True})
    long = tasks.sleep.delay(6)
    started(long)
    children = running.children()
    server = running.fork_server()
    os.kill(server, signal.SIGKILL)
    eventually(lambda: running.fork_server() not in (None, server))
    assert long.get(timeout=60) == 6
    assert running.children() == children


def test_one_that_makes_no_children_is_replaced(umbel_worker, tasks):
    running = umbel_worker("-c", "1", "--max-tasks-per-child", "1")
    server = running.fork_server()
    os.kill(server, signal.SIGSTOP)
    assert [tasks.add.delay(i, 0).get(timeout=60) for i in range(4)] == [0, 1, 2, 3]
    running.wait_for_log("it makes no children")
    eventually(lambda: running.fork_server() not in (None, server))
    eventually(lambda: zombies(running.pid) == [])


# -- where there can be none --------------------------------------------------------


@pytest.mark.parametrize(
    "text, why",
    [
        (
            "#include <thread>\n#include <unistd.h>\n"
            "static std::thread& x = *new std::thread{[] { for (;;) pause(); }};",
            "a task library starts a thread while it is loaded",
        ),
        (
            '#include <fcntl.h>\nstatic int x = open("/dev/zero", O_RDONLY);',
            "a task library opens a file or a connection while it is loaded",
        ),
    ],
    ids=["thread", "file"],
)
def test_a_library_that_cannot_be_forked(umbel_worker, tasks, build_tasks, text, why):
    running = umbel_worker("-c", "1", "--max-tasks-per-child", "2", app=build_tasks(text))
    assert [tasks.add.delay(i, 0).get(timeout=60) for i in range(5)] == [0, 1, 2, 3, 4]
    assert running.log.count(f"{EXEC}: {why}") == 1
    assert running.log.count(EXEC) == 1
    assert running.fork_server() is None
    assert eventually(lambda: kinds(running)) == {"exec"}
    eventually(lambda: zombies(running.pid) == [])


def test_none_if_it_is_not_wanted(umbel_worker, tasks):
    running = umbel_worker("-c", "1", config={"worker_fork_server": False})
    assert tasks.add.delay(4, 4).get(timeout=60) == 8
    assert running.fork_server() is None
    assert eventually(lambda: kinds(running)) == {"exec"}


def test_what_a_library_prints_is_printed_once(umbel_worker, tasks, build_tasks):
    text = '#include <cstdio>\nstatic int x = std::printf("loaded\\n");'
    running = umbel_worker("-c", "1", "--max-tasks-per-child", "1", app=build_tasks(text))
    assert [tasks.add.delay(i, 0).get(timeout=60) for i in range(5)] == [0, 1, 2, 3, 4]
    running.stop()
    assert running.log.splitlines().count("loaded") == 1


def test_what_takes_long_to_load_is_loaded_once(umbel_worker, tasks, build_tasks):
    """A child that crashes is succeeded at once all the same."""
    text = "#include <unistd.h>\nstatic int x = sleep(8);"
    umbel_worker("-c", "1", app=build_tasks(text), config={"task_track_started": True})
    for _ in range(5):
        lost = tasks.sleep.delay(60)
        child = started(lost)["pid"]
        next_one = tasks.add.delay(4, 4)
        begin = time.monotonic()
        os.kill(child, signal.SIGKILL)
        assert next_one.get(timeout=60) == 8
        assert time.monotonic() - begin < 8
