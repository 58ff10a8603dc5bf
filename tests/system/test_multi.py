"""`umbel multi` beside `celery multi`, and what it does to real workers."""

import re
import socket
import subprocess

import pytest

from harness.waiting import eventually
from harness.workers import PYTHON, build_dir, has_ended, state_of, umbel_binary
from test_command_line import run
from test_daemon import clean_up, pid_in

HOST = socket.gethostname()


# -- the same words as Celery ------------------------------------------------------

#: Celery would put its files into /var.
FILES = ["--pidfile=%n.pid", "--logfile=%n%I.log"]


def of_celery(*args: str, cwd) -> list[str]:
    done = subprocess.run(
        [PYTHON, "-m", "celery", "multi", *args], cwd=cwd, capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout, done.stderr
    return done.stdout.splitlines()


def of_umbel(*args: str, cwd) -> list[str]:
    done = run("multi", *args, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def without_program(line: str) -> str:
    """The programs have different names; Celery puts a space at the end."""
    line = line.replace(f"{PYTHON} -m celery", "PROGRAM").replace(umbel_binary(), "PROGRAM")
    line = line.replace(f"--executable={PYTHON}", "--executable=PROGRAM")
    return line.removeprefix("-m celery ").strip()


@pytest.mark.parametrize(
    "args",
    [
        "show 3 -c 3",
        "show 3 -c 3 -c:1 10",
        "show 5 -c 3 -c:1-3 10 -l info",
        "show 10 -l INFO -Q:1-3 images,video -Q:4,5 data -Q default -L:4,5 DEBUG",
        "show image video data -c 3 -c:image 10",
        "show foo bar baz xuzzy -c 3 -c:foo,bar,baz 10",
        "show foo bar baz -c:2 10 -E",
        "show 3 --range-prefix=worker -c 3",
        "show 2 --hostname=worker.example.com -c 3",
        "show foo@worker.example.com bar@%h -Q:foo@worker.example.com a -Q:bar b",
        "show w1 w2 -A proj1 -b redis://h:1/0 --workdir=/tmp --result-backend=rpc:// -E",
        "show w1 --prefix=x --suffix=y -n z",
        "show w1 w2 --time-limit=300 --autoscale:w2=10,3 -P:w1 solo",
        "show w1 -f /tmp/%n-%N-%h-%d.log -l:w1 debug",
        "show 2 --append=%n.x=1 -- worker.prefetch_multiplier=1",
        "names 3",
        "names w1 w2@%h w3@a.b",
        "names 2 --range-prefix=web --hostname=h",
        "expand %n|%N|%h|%d|%p|%i|%I w1 w2@foo.bar",
        f"get celery2@{HOST} 3 -c:2 7",
    ],
)
def test_the_command_lines_are_those_of_celery(args, tmp_path):
    args = args.split()
    at = args.index("--") if "--" in args else len(args)
    files = FILES if "-f" not in args else FILES[:1]
    args = [*args[:at], *files, *args[at:]]
    celery = list(map(without_program, of_celery(*args, cwd=tmp_path)))
    umbel = list(map(without_program, of_umbel(*args, cwd=tmp_path)))
    assert umbel == celery


def test_files_are_here_by_default(tmp_path):
    line, = of_umbel("show", "w1", cwd=tmp_path)
    assert "--pidfile=w1.pid --logfile=w1%I.log" in line


def test_options_before_the_command(tmp_path):
    line, = of_umbel("show", "w1", "-A", "proj", cwd=tmp_path)
    assert run("-A", "proj", "multi", "show", "w1", cwd=tmp_path).stdout == line + "\n"


@pytest.mark.parametrize(
    "args, status, text",
    [
        ([], 1, "usage: umbel multi start"),
        (["--quiet"], 1, "usage: umbel multi start"),
        (["strat", "w1"], 1, "Invalid command: strat"),
        (["start"], 2, "no nodes are named"),
        (["show", "3", "-c:4", "1"], 2, "there is no node number 4: there are 3"),
        (["show", "w1", "-c:", "1"], 2, "option -c: is not OPTION:NODES"),
        (["show", "w1@%z"], 2, "has '%z'; allowed are %h"),
        (["get", "nobody", "3"], 1, ""),
        (["expand"], 1, "usage: umbel multi start"),
        (["help"], 0, "umbel multi start w1 w2 -A proj -c 3"),
        (["--help"], 0, "umbel multi start w1 w2 -A proj -c 3"),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, list) else "",
)
def test_words_that_mean_nothing(args, status, text):
    done = run("multi", *args)
    assert done.returncode == status
    assert text in done.stdout + done.stderr
    assert max(map(len, done.stdout.splitlines()), default=0) <= 80


def test_it_is_listed():
    assert re.search(r"^  multi +\S", run("--help").stdout, re.MULTILINE)


# -- real workers ------------------------------------------------------------------


@pytest.fixture
def multi(tmp_path, broker):
    """Runs `umbel multi` in a directory of its own, whose workers end with it."""

    def call(*args: str, status: int = 0) -> str:
        done = run(
            "multi", *args, cwd=tmp_path,
            env={
                "CELERY_BROKER_URL": broker.url,
                "CELERY_RESULT_BACKEND": broker.result_url,
                "CELERY_WORKER_CONCURRENCY": "1",
                "UMBEL_PATH": str(build_dir() / "apps"),
            },
        )
        assert done.returncode == status, (done.stdout, done.stderr)
        assert "\033" not in done.stdout, "no colours in a pipe"
        return done.stdout + done.stderr

    yield call
    clean_up(tmp_path)


def node(name: str) -> str:
    return f"{name}@{HOST}"


def test_start_restart_stop(multi, tmp_path, tasks):
    said = multi("start", "w1", "w2", "-A", "tasks", "-c:w2", "2", "-l", "info")
    assert re.match(r"umbel multi v\S+\n> Starting nodes\.\.\.\n", said)
    assert f"\t> {node('w1')}: OK\n\t> {node('w2')}: OK\n" in said
    pids = {n: pid_in(tmp_path / f"{n}.pid") for n in ("w1", "w2")}
    assert tasks.add.delay(1, 2).get(timeout=60) == 3
    assert f"{node('w1')} ready." in (tmp_path / "w1.log").read_text()

    said = multi("start", "w1", "-A", "tasks", status=1)
    assert "Seems we're already running? (pid: " in said
    assert "* Child terminated with exit code 73\nFAILED\n" in said

    said = multi("restart", "w1", "w2", "-A", "tasks", "-QUIT", "--nosplash")
    assert said.startswith("> Stopping nodes...\n")
    for n, pid in pids.items():
        assert f"\t> {node(n)}: QUIT -> {pid}\n" in said
        assert f"> Restarting node {node(n)}: OK\n" in said
        assert has_ended(pid) and not has_ended(pid_in(tmp_path / f"{n}.pid"))

    said = multi("stopwait", "w1", "w2", "w3", "-A", "tasks", "--nosplash")
    assert f"> {node('w3')}: DOWN\n" in said
    assert "> Waiting for 2 nodes -> " in said
    assert f"\n\t> {node('w1')}: OK\n> {node('w1')}: DOWN\n" in said
    assert not list(tmp_path.glob("*.pid"))


def test_stop_does_not_wait(multi, tmp_path, tasks, broker):
    multi("start", "1", "-A", "tasks", "--quiet")
    result = tasks.sleep.delay(2)
    eventually(lambda: broker.queued() == 0, what="it is taken")
    pid = pid_in(tmp_path / "celery1.pid")
    said = multi("stop", "1", "-A", "proj1", "--nosplash")
    assert said == f"> Stopping nodes...\n\t> {node('celery1')}: TERM -> {pid}\n"
    assert result.get(timeout=60) == 2
    eventually(lambda: has_ended(pid))
    said = multi("stop", "1", "--nosplash")
    assert said == f"> {node('celery1')}: DOWN\n"


def test_kill(multi, tmp_path):
    assert multi("start", "w1", "-A", "tasks", "--quiet") == ""
    pid = pid_in(tmp_path / "w1.pid")
    said = multi("kill", "w1", "--nosplash")
    assert said == f"Sending KILL to node {node('w1')} ({pid})\n"
    # Until it is collected it can be signalled.
    eventually(lambda: state_of(pid)[0] == "gone")
    assert "No such process" in multi("kill", "w1")
    assert "Could not signal" in multi("stop", "w1"), "its pidfile is still there"


def test_a_failure_says_why(multi):
    said = multi("start", "w1", "w2", "-A", "no_such_library", "--verbose", status=1)
    assert said.count("no_such_library") >= 4, "the command and the reason, twice"
    assert "umbel worker: " in said
    assert said.count("* Child terminated with exit code 1\nFAILED\n") == 2


def test_files_elsewhere(multi, tmp_path):
    files = ["--pidfile=run/%n.pid", "--logfile=log/%n%I.log"]
    multi("start", "w1", "-A", "tasks", *files, "--", "worker.prefetch_multiplier=1")
    assert (tmp_path / "log" / "w1.log").exists()
    assert "DOWN" in multi("stop", "w1"), "another pidfile is another worker"
    assert "TERM -> " in multi("stopwait", "w1", *files)


def test_workers_with_a_directory(multi, tmp_path):
    (tmp_path / "srv").mkdir()
    multi("start", "w1", "-A", "tasks", "--workdir=srv")
    assert (tmp_path / "srv" / "w1.pid").exists()
    assert "TERM -> " in multi("stopwait", "w1", "--workdir=srv")
