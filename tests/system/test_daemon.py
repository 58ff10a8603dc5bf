"""--detach, log and pid files, and as whom a worker runs."""

import json
import os
import pwd
import signal
import subprocess
from pathlib import Path

import pytest

from harness.waiting import eventually
from harness.workers import direct_children, has_ended, umbel_binary

ROOT = os.geteuid() == 0
NOBODY = pwd.getpwnam("nobody")


def pid_in(path: Path) -> int:
    return int(path.read_text())


def command(broker, *args: str) -> list[str]:
    return [
        umbel_binary(), "worker", "-A", "tasks", *broker.options, "-c", "1", "-l", "info",
        *args,
    ]


def launch(cwd: Path, broker, *args: str, **options):
    return subprocess.run(
        command(broker, *args),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )


def clean_up(directory: Path) -> None:
    """Kills what is left of the daemons whose files are there; shows their logs."""
    for path in directory.rglob("*.pid"):
        try:
            os.kill(pid_in(path), signal.SIGKILL)
        except (ValueError, ProcessLookupError):
            pass
    for path in directory.rglob("*.log"):
        print(f"--- {path.name}\n{path.read_text()}")


@pytest.fixture
def daemons(tmp_path, broker):
    """A function that starts a worker in the background, in `tmp_path`; its
    files are <node>.pid and <node>.log. Kills what is left."""

    def start(*args: str, node: str = "w1", files: bool = True, **options):
        if files:
            args = ("-f", "%n.log", "--pidfile", "%n.pid", *args)
        return launch(tmp_path, broker, "-D", "-n", f"{node}@%h", *args, **options)

    yield start
    clean_up(tmp_path)


def stop(pidfile: Path, number: int = signal.SIGTERM) -> None:
    pid = pid_in(pidfile)
    os.kill(pid, number)
    eventually(lambda: has_ended(pid), what=f"end of {pid}")


# -- detach ------------------------------------------------------------------------


def test_detach_returns_when_it_is_ready(daemons, tmp_path, tasks):
    started = daemons()
    assert started.returncode == 0, started.stderr
    assert started.stdout == started.stderr == ""
    log = (tmp_path / "w1.log").read_text()
    assert " ready." in log, "it was ready before the launcher returned"
    pid = pid_in(tmp_path / "w1.pid")
    assert tasks.add.delay(1, 2).get(timeout=60) == 3
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    parent, group, session, terminal = map(int, fields[1:5])
    assert session not in (pid, os.getsid(0)), "not the leader of its session"
    assert terminal == 0
    fds = {n: os.readlink(f"/proc/{pid}/fd/{n}") for n in (0, 1, 2)}
    assert fds == {
        0: "/dev/null", 1: str(tmp_path / "w1.log"), 2: str(tmp_path / "w1.log")
    }
    assert os.readlink(f"/proc/{pid}/cwd") == str(tmp_path)
    stop(tmp_path / "w1.pid")
    assert not (tmp_path / "w1.pid").exists()


def test_detach_without_a_log(daemons, tmp_path):
    started = daemons("--pidfile", "x.pid", files=False)
    assert started.returncode == 0
    assert " ready." in started.stderr, "shown as long as somebody looks"
    pid = pid_in(tmp_path / "x.pid")
    eventually(lambda: os.readlink(f"/proc/{pid}/fd/2") == "/dev/null")
    stop(tmp_path / "x.pid")


@pytest.mark.parametrize(
    "args, status, why",
    [
        (["-A", "no_such_library"], 1, "no_such_library"),
        (["-c", "0"], 2, "'0' is not a whole number"),
        (["-b", "redis://localhost:1", "broker_connection_retry=false"], 1,
         "Connection refused"),
        (["--pidfile", "/no/such/dir/x.pid"], 1, "No such file or directory"),
        (["-f", "/no/such/dir/x.log"], 1, "No such file or directory"),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, list) else "",
)
def test_detach_fails_with_the_reason(daemons, tmp_path, args, status, why):
    failed = daemons(*args)
    assert failed.returncode == status
    lines = failed.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("umbel worker: ")
    assert why in lines[0]
    assert not (tmp_path / "w1.pid").exists()
    log = tmp_path / "w1.log"
    assert not log.exists() or why in log.read_text()


def test_detach_without_standard_streams(tmp_path, broker, tasks):
    """As a program that was started with all of them closed."""
    words = command(broker, "-D", "-f", "w.log", "--pidfile", "w.pid")
    line = " ".join(words) + " <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", line], cwd=tmp_path, timeout=60).returncode == 0
    assert tasks.add.delay(1, 1).get(timeout=60) == 2
    stop(tmp_path / "w.pid")


def test_detach_through_another_executable(daemons, tmp_path):
    other = tmp_path / "other"
    other.write_text(f'#!/bin/sh\nexec {umbel_binary()} "$@" --umask 027\n')
    other.chmod(0o755)
    started = daemons("--executable", str(other))
    assert started.returncode == 0, started.stderr
    assert (tmp_path / "w1.pid").stat().st_mode & 0o777 == 0o640
    stop(tmp_path / "w1.pid")


def test_workdir_and_umask(daemons, tmp_path):
    (tmp_path / "sub").mkdir()
    assert daemons("--workdir", "sub", "--umask", "077").returncode == 0
    pidfile = tmp_path / "sub" / "w1.pid"
    assert pidfile.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "sub" / "w1.log").stat().st_mode & 0o777 == 0o600
    stop(pidfile)


# -- the pidfile -------------------------------------------------------------------


def test_a_second_worker_is_refused(daemons, tmp_path):
    assert daemons().returncode == 0
    pid = pid_in(tmp_path / "w1.pid")
    second = daemons()
    assert second.returncode == 73  # Celery's EX_CANTCREAT
    assert second.stderr == (
        "umbel worker: Pidfile (w1.pid) already exists. Seems we're already "
        f"running? (pid: {pid})\n"
    )
    assert pid_in(tmp_path / "w1.pid") == pid and not has_ended(pid)
    stop(tmp_path / "w1.pid")


def test_a_stale_pidfile_is_taken_over(daemons, tmp_path):
    assert daemons().returncode == 0
    pid = pid_in(tmp_path / "w1.pid")
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: has_ended(pid))
    assert (tmp_path / "w1.pid").exists()
    assert daemons().returncode == 0
    assert pid_in(tmp_path / "w1.pid") != pid
    stop(tmp_path / "w1.pid")


@pytest.mark.parametrize("content", ["", "garbage\n", "-3\n", "99999999999999\n"])
def test_a_broken_pidfile_is_taken_over(daemons, tmp_path, content):
    (tmp_path / "w1.pid").write_text(content)
    assert daemons().returncode == 0
    stop(tmp_path / "w1.pid")


def test_the_pidfile_of_a_living_process_that_does_not_lock(daemons, tmp_path):
    """Celery's workers do not."""
    (tmp_path / "w1.pid").write_text(f"{os.getpid()}\n")
    refused = daemons()
    assert refused.returncode == 73
    assert pid_in(tmp_path / "w1.pid") == os.getpid()
    (tmp_path / "w1.pid").unlink()


def test_one_of_many_wins(tmp_path, broker):
    args = command(broker, "--pidfile", "one.pid")
    runs = [
        subprocess.Popen(
            args, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        for _ in range(8)
    ]
    try:
        eventually(lambda: sum(r.poll() is not None for r in runs) == 7)
        winner = next(r for r in runs if r.poll() is None)
        assert {r.returncode for r in runs if r is not winner} == {73}
        assert pid_in(tmp_path / "one.pid") == winner.pid
        # From then on signals are its own to handle.
        eventually(lambda: direct_children(winner.pid))
        winner.terminate()
        assert winner.wait(20) == 0
        assert not (tmp_path / "one.pid").exists()
    finally:
        for r in runs:
            r.kill()
            r.communicate()


# -- the log -----------------------------------------------------------------------


def test_the_log_is_opened_again_when_it_is_moved(daemons, tmp_path, tasks):
    assert daemons().returncode == 0
    log, old = tmp_path / "w1.log", tmp_path / "w1.log.1"
    log.rename(old)
    result = tasks.add.delay(1, 1)
    assert result.get(timeout=60) == 2
    eventually(lambda: log.exists() and "succeeded" in log.read_text())
    assert result.id in log.read_text() and result.id not in old.read_text()
    stop(tmp_path / "w1.pid")
    assert "Warm shutdown" in log.read_text()


def test_letters_in_paths(daemons, tmp_path):
    started = daemons(
        "-f", "%n-%i%I.log", "--pidfile", "%p.pid", files=False, node="name"
    )
    assert started.returncode == 0, started.stderr
    host = os.uname().nodename
    assert (tmp_path / "name-0.log").exists()
    stop(tmp_path / f"name@{host}.pid")


def test_settings_are_defaults_of_the_options(daemons, tmp_path):
    conf = {
        "worker_logfile": "set.log",
        "worker_pidfile": "set.pid",
        "worker_umask": "077",
        "worker_uid": os.geteuid(),
    }
    (tmp_path / "conf.json").write_text(json.dumps(conf))
    started = daemons("--config", "conf.json", "-f", "option.log", files=False)
    assert started.returncode == 0, started.stderr
    assert not (tmp_path / "set.log").exists(), "the option outranks the setting"
    assert (tmp_path / "option.log").stat().st_mode & 0o777 == 0o600
    stop(tmp_path / "set.pid")


# -- user and group ----------------------------------------------------------------


@pytest.mark.skipif(not ROOT, reason="needs root")
@pytest.mark.other_users
@pytest.mark.parametrize("how", ["name", "number"])
def test_another_user(daemons, tmp_path, tasks, how):
    user = "nobody" if how == "name" else str(NOBODY.pw_uid)
    started = daemons("--uid", user)
    assert started.returncode == 0, started.stderr
    pid = pid_in(tmp_path / "w1.pid")
    assert tasks.add.delay(1, 1).get(timeout=60) == 2
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for process in [pid, *children]:
        status = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/{process}/status").read_text().splitlines()
            if ":\t" in line
        )
        assert set(status["Uid"].split()) == {str(NOBODY.pw_uid)}
        assert set(status["Gid"].split()) == {str(NOBODY.pw_gid)}
        assert set(status["Groups"].split()) <= {str(NOBODY.pw_gid)}
        assert int(status["CapEff"], 16) == 0
    assert (tmp_path / "w1.log").stat().st_uid == NOBODY.pw_uid
    stop(tmp_path / "w1.pid")


@pytest.mark.skipif(not ROOT, reason="needs root")
def test_only_root_can_become_somebody_else(tmp_path, broker):
    become = {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": []}
    refused = launch(Path("/"), broker, "--uid", "0", **become)
    assert refused.returncode == 1
    assert refused.stderr == (
        "umbel worker: --uid, --gid: only root can become somebody else\n"
    )
