"""What signals do to a worker, and what it tells a service manager."""

import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from harness.results import started
from harness.waiting import eventually
from harness.workers import direct_children, has_ended, name_of, umbel_binary

LATE = {"task_acks_late": True, "task_track_started": True}


def soft(seconds: float, **more) -> dict:
    return {**LATE, "worker_soft_shutdown_timeout": seconds, **more}


# -- the ladder --------------------------------------------------------------------


def test_soft_shutdown_lets_short_tasks_finish(umbel_worker, tasks, broker):
    running = umbel_worker("-c", "2", config=soft(12))
    short, long = tasks.sleep.delay(6), tasks.sleep.delay(600)
    started(short)
    started(long)
    running.signal(signal.SIGQUIT)
    running.wait_for_log("Soft shutdown: what runs has 12 s to finish")
    running.wait_for_log("Cold shutdown: giving up what runs")
    assert running.wait_exit() == 1
    assert short.get(timeout=60) == 6
    eventually(
        lambda: (broker.queued(), broker.in_flight()) == (1, 0),
        what="the long one is put back",
    )


def test_soft_shutdown_of_an_idle_worker(umbel_worker):
    quick = umbel_worker(config=soft(60))
    quick.signal(signal.SIGQUIT)
    assert quick.wait_exit() == 1
    slow = umbel_worker(config=soft(1.5, worker_enable_soft_shutdown_on_idle=True))
    begin = time.monotonic()
    slow.signal(signal.SIGQUIT)
    assert slow.wait_exit() == 1
    assert time.monotonic() - begin >= 1.5


def test_a_third_signal_cuts_the_soft_shutdown_short(umbel_worker, tasks):
    running = umbel_worker("-c", "1", config=soft(120))
    result = tasks.sleep.delay(60)
    started(result)
    running.signal(signal.SIGINT)
    running.wait_for_log("Warm shutdown")
    running.signal(signal.SIGINT)
    running.wait_for_log("Soft shutdown")
    running.signal(signal.SIGINT)
    running.wait_for_log("Cold shutdown")
    assert running.wait_exit() == 1


@pytest.mark.needs("server")
def test_the_fourth_signal_waits_for_nothing(
    umbel_worker, tasks, broker, tmp_path
):
    """Not even for a broker that does not answer. (The quickest of up to three: the
    machine may have had something else to do.)"""
    pidfile = tmp_path / "x.pid"

    def seconds() -> float:
        running = umbel_worker("-c", "4", "--pidfile", str(pidfile), config=soft(120))
        started(tasks.sleep.delay(600))
        running.signal(signal.SIGQUIT)
        running.wait_for_log("Soft shutdown")
        with broker.silent():
            running.signal(signal.SIGQUIT)
            running.wait_for_log("Cold shutdown")
            running.signal(signal.SIGQUIT)
            begin = time.monotonic()
            assert running.wait_exit() == 1
            took = time.monotonic() - begin
            eventually(lambda: not running.group_alive(), what="no child left")
            assert not pidfile.exists()
        return took

    assert any(seconds() < 3 for _ in range(3))


@pytest.mark.parametrize("pool", ["threads", "gevent"])
def test_cold_shutdown_leaves_threads_behind(umbel_worker, tasks, pool):
    running = umbel_worker("-P", pool, "-c", "1", config=LATE)
    result = tasks.spin.delay(60)
    started(result)
    running.signal(signal.SIGQUIT)
    assert running.wait_exit() == 1


def test_remapped_sigterm(umbel_worker, tasks):
    running = umbel_worker("-c", "1", config=LATE, env={"REMAP_SIGTERM": "SIGQUIT"})
    result = tasks.sleep.delay(60)
    started(result)
    running.signal(signal.SIGTERM)
    running.wait_for_log("Cold shutdown")
    assert running.wait_exit() == 1
    assert "Warm" not in running.log


def test_sigterm_again_changes_nothing(umbel_worker, tasks):
    running = umbel_worker("-c", "1", config=LATE)
    result = tasks.sleep.delay(6)
    started(result)
    for _ in range(5):
        running.signal(signal.SIGTERM)
        time.sleep(0.05)
    assert running.wait_exit() == 0
    assert result.get(timeout=60) == 6
    assert running.log.count("shutdown") == 1


def test_warm_shutdown_says_what_it_waits_for(umbel_worker, tasks):
    running = umbel_worker("-c", "2", config=LATE)
    results = [tasks.sleep.delay(7), tasks.sleep.delay(7)]
    for result in results:
        started(result)
    time.sleep(0.1)  # for how long is known some milliseconds late
    running.signal(signal.SIGTERM)
    line = running.wait_for_log(r"waiting for 2 tasks: (.*)")[1]
    for result in results:
        assert re.search(rf"tasks\.sleep\[{result.id}\] \(running for \d\.\d s\)", line)
    assert running.wait_exit() == 0


def test_children_leave_signals_to_the_worker(umbel_worker, tasks):
    """What is typed on a terminal goes to the whole group."""
    running = umbel_worker("-c", "1", config=soft(60))
    result = tasks.sleep.delay(6)
    started(result)
    os.killpg(running.pid, signal.SIGQUIT)
    assert running.wait_exit() == 1
    assert result.get(timeout=60) == 6


# -- SIGHUP ------------------------------------------------------------------------


def ready_count(running) -> int:
    return len(re.findall(r"\S+@\S+ ready\.", running.log))


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_restart(umbel_worker, tasks, celery, tmp_path):
    pidfile = tmp_path / "w.pid"
    (tmp_path / "sub").mkdir()
    celery.send_task("tasks.noop")
    running = umbel_worker(
        "-c", "1", "--pidfile", str(pidfile), "-n", "restarted@%h", "--purge",
        "--force", "--workdir", str(tmp_path), config=LATE,
    )
    files, pid = open_files(running.pid), running.pid
    result = tasks.sleep.delay(6)
    started(result)
    waiting = tasks.add.delay(1, 2)
    running.signal(signal.SIGHUP)
    running.wait_for_log("Restart, warm shutdown first")
    assert pidfile.read_text() == f"{pid}\n"
    eventually(lambda: ready_count(running) == 2)
    assert running.running() and running.pid == pid
    assert pidfile.read_text() == f"{pid}\n"
    assert result.get(timeout=60) == 6, "children finish first"
    assert waiting.get(timeout=60) == 3, "--purge is not repeated"
    assert running.log.count("purge: deleted") == 1
    (child,) = eventually(lambda: len(x := running.children()) == 1 and x)
    command = Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
    assert command == running.argv
    assert "restarted@" in running.log.rsplit("Restarting", 1)[1]
    eventually(lambda: open_files(pid) <= files, what="no descriptor is left open")
    environment = Path(f"/proc/{child}/environ").read_text()
    assert "UMBEL_HANDOVER" not in environment
    running.stop()
    assert not pidfile.exists()


def test_the_pidfile_is_never_free_during_restarts(umbel_worker, tmp_path):
    pidfile = tmp_path / "w.pid"
    running = umbel_worker("-c", "1", "--pidfile", str(pidfile))
    other = [umbel_binary(), "worker", "--pidfile", str(pidfile), "-b", "redis://localhost:1"]
    for n in range(3):
        running.signal(signal.SIGHUP)
        while ready_count(running) < n + 2:
            intruder = subprocess.run(other, capture_output=True, timeout=60)
            assert intruder.returncode == 73, intruder.stderr
            assert running.running(), running.log
    running.stop()


def test_sigterm_during_a_restart_ends_it(umbel_worker, tasks):
    running = umbel_worker("-c", "1", config=LATE)
    result = tasks.sleep.delay(6)
    started(result)
    running.signal(signal.SIGHUP)
    running.wait_for_log("Restart, warm shutdown first")
    running.signal(signal.SIGTERM)
    running.wait_for_log("MainProcess. Warm shutdown")
    assert running.wait_exit() == 0
    assert ready_count(running) == 1


def test_restart_that_cannot_be(umbel_worker, tmp_path):
    program = tmp_path / "program"
    shutil.copy(umbel_binary(), program)
    program.chmod(0o755)
    pidfile = tmp_path / "w.pid"
    running = umbel_worker("--executable", str(program), "--pidfile", str(pidfile))
    program.unlink()
    running.signal(signal.SIGHUP)
    assert running.wait_exit() == 1
    assert f"cannot execute {program}: No such file" in running.log
    assert not pidfile.exists()


def test_the_end_of_the_terminal_is_a_warm_shutdown(broker, tmp_path):
    master, slave = pty.openpty()
    log = open(tmp_path / "log", "w+")
    process = subprocess.Popen(
        [umbel_binary(), "worker", "-A", "tasks", "-b", broker.url, "-c", "1",
         "-l", "info"],
        stdin=slave, stdout=slave, stderr=log, start_new_session=True,
    )
    os.close(slave)
    eventually(lambda: " ready." in Path(log.name).read_text())
    process.send_signal(signal.SIGHUP)
    assert process.wait(60) == 0
    assert "Warm shutdown" in Path(log.name).read_text()
    os.close(master)


# -- SIGUSR1, SIGUSR2 --------------------------------------------------------------


def test_the_tree_is_printed(umbel_worker, tasks, broker):
    running = umbel_worker("-c", "2", "--autoscale=4,2", loglevel="error", ready=False)
    eventually(lambda: tasks.add.delay(1, 1).get(timeout=60) == 2)
    tasks.sleep.delay(9)
    child = r"child \d+ \(mailbox \d+\): "
    expected = [
        rf"^supervision tree, process {running.pid}:$",
        r"^root \(mailbox 0\): running$",
        r"^`- supervisor worker \(mailbox \d+\): one_for_all$",
        r"^   \|- timer \(mailbox \d+\)",
        r"^   \|- pool \(mailbox \d+\): 1 of 2 children busy",
        child + r"runs tasks\.sleep for \d\.\d s, \d+ tasks done, process \d+, \d+\.\d MiB$",
        child + r"idle, \d+ tasks done, process \d+, \d+\.\d MiB$",
        r"^   \|- autoscaler \(mailbox \d+\): from 2 to 4 children$",
        r"^   \|- consumer \(mailbox \d+\): 1 unfinished",
        r"^   `- supervisor connections \(mailbox \d+\): rest_for_one$",
        rf"^      \|- writer \(mailbox \d+\): {re.escape(broker.shown)}",
        rf"^      \|- reader \(mailbox \d+\): {re.escape(broker.shown)}",
        r"^      \|- forwarder \(mailbox \d+\): sleeps",
        r"^      [|`]- listener \(mailbox \d+\): listening$",
        r"^      [|`]- caller \(mailbox \d+\): no call yet",
    ]

    def printed():
        running.signal(signal.SIGUSR1)
        time.sleep(0.2)
        return all(re.search(x, running.log, re.MULTILINE) for x in expected)

    eventually(printed, what="every actor in the tree, one of them busy")
    pids = map(int, re.findall(r"process (\d+), \d+\.\d MiB", running.log))
    assert set(pids) == set(running.children())
    assert "says nothing of itself" not in running.log, "every actor describes itself"
    running.signal(signal.SIGQUIT)
    running.wait_exit()


def waits_for_broker(running) -> bool:
    """Whether the tree shows who does: on RabbitMQ the publisher, with an event."""
    running.signal(signal.SIGUSR1)
    time.sleep(0.3)
    return bool(re.search("(writer|publisher): no answer within 1 s", running.log))


@pytest.mark.needs("server")
def test_the_tree_while_the_broker_is_silent(umbel_worker, broker):
    running = umbel_worker("-c", "1")
    with broker.silent():
        eventually(lambda: waits_for_broker(running))
        assert "consumer (mailbox" in running.log


def test_sigusr2_is_no_end(umbel_worker, tasks):
    running = umbel_worker()
    running.signal(signal.SIGUSR2)
    running.wait_for_log("SIGUSR2 has no meaning")
    assert tasks.add.delay(1, 1).get(timeout=60) == 2


# -- as process 1 ------------------------------------------------------------------


def can_unshare() -> bool:
    done = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", "true"], capture_output=True
    )
    return done.returncode == 0


@pytest.mark.skipif(not can_unshare(), reason="no namespaces here")
@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 0), (signal.SIGQUIT, 1)])
def test_as_process_1(broker, tasks, tmp_path, number, status):
    log = tmp_path / "log"
    with open(log, "wb") as out:
        outside = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", umbel_binary(), "worker",
             "-A", "tasks", *broker.options, "-c", "1", "-l", "info"],
            cwd=tmp_path, stdout=out, stderr=out, start_new_session=True,
        )

    def children(pid):
        return [int(x) for x in
                Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    try:
        eventually(lambda: " ready." in log.read_text())
        first, = children(outside.pid)
        worker, = children(first)
        assert tasks.add.delay(1, 2).get(timeout=60) == 3
        # An orphan of the container is collected.
        orphan = subprocess.run(
            ["nsenter", "--target", str(worker), "--pid", "--mount", "sh", "-c",
             "(sleep 0.2 & ) ; exit 0"])
        assert orphan.returncode == 0
        eventually(lambda: children(first) == [worker])
        # The worker's own children are replaced as ever.
        child, = [c for c in direct_children(worker) if name_of(c) == "child"]
        os.kill(child, signal.SIGKILL)
        eventually(lambda: "signal 9 (SIGKILL)" in log.read_text())
        os.kill(first, number)
        assert outside.wait(60) == status, log.read_text()
        assert has_ended(worker)
    finally:
        outside.kill()
        outside.wait()


# -- the service manager -----------------------------------------------------------


class Manager:
    """The socket of a service manager."""

    def __init__(self, path: str):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path.replace("@", "\0", 1) if path[0] == "@" else path)
        self.socket.setblocking(False)
        self.received: list[str] = []

    def lines(self) -> list[str]:
        while True:
            try:
                self.received += self.socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return self.received

    def wait_for(self, line: str, times: int = 1) -> None:
        eventually(
            lambda: sum(re.fullmatch(line, x) is not None for x in self.lines()) >= times,
            what=f"{times} x {line}: {self.received}",
        )


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    path = str(tmp_path / "notify")
    found = Manager(path if request.param == "path" else f"@{path}")
    yield found
    found.socket.close()


def test_the_service_manager_is_told(umbel_worker, tasks, manager):
    running = umbel_worker(
        "-c", "1", config=LATE, env={"NOTIFY_SOCKET": manager.path}
    )
    manager.wait_for("READY=1")
    manager.wait_for("STATUS=consuming .*")
    result = tasks.sleep.delay(6)
    started(result)
    running.signal(signal.SIGHUP)
    manager.wait_for("RELOADING=1")
    manager.wait_for(r"MONOTONIC_USEC=\d+")
    manager.wait_for(r"STATUS=waiting for 1 task: tasks\.sleep.*")
    manager.wait_for("READY=1", times=2)
    assert "STOPPING=1" not in manager.received
    running.stop()
    manager.wait_for("STOPPING=1")


@pytest.mark.needs("server")
def test_a_silent_broker_is_no_stuck_tree(umbel_worker, broker, tmp_path):
    manager = Manager(str(tmp_path / "notify"))
    running = umbel_worker(
        env={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "4000000"}
    )
    with broker.silent():
        eventually(lambda: waits_for_broker(running))
        before = manager.lines().count("WATCHDOG=1")
        manager.wait_for("WATCHDOG=1", times=before + 2)
        assert "no sign of life" not in running.log


def test_signs_of_life(umbel_worker, tmp_path):
    manager = Manager(str(tmp_path / "notify"))
    env = {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "400000"}
    running = umbel_worker(env=env)
    manager.wait_for("WATCHDOG=1", times=4)
    running.stop()
    other = umbel_worker(env={**env, "WATCHDOG_PID": "1"})
    before = manager.lines().count("WATCHDOG=1")
    time.sleep(0.6)
    assert manager.lines().count("WATCHDOG=1") == before, "meant for another process"
    other.stop()
