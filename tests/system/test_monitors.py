"""Watching and steering a cluster: `umbel status`, `inspect`, `control`, `events`,
and Celery's own command line, against workers of both kinds, on every broker."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
import threading

import pytest

from harness.ports import free_port
from harness.waiting import eventually
from harness.workers import PYTHON, umbel_binary

ENV = {**os.environ, "C_FORCE_ROOT": "1", "PYTHONUNBUFFERED": "1", "TERM": "vt100"}


def umbel(url: str, *words: str) -> subprocess.CompletedProcess:
    argv = [umbel_binary(), words[0], "-b", url, *words[1:]]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)


def to(url: str, nodes: str, *words: str) -> subprocess.CompletedProcess:
    """Ends when all of these have answered: not every broker can tell who listens."""
    return umbel(url, *words, "-d", nodes, "-t", "60")


def ask(url: str, nodes: str, *words: str):
    """The answers as a program gets them."""
    ended = to(url, nodes, *words, "--json")
    assert (ended.returncode, ended.stderr) == (0, ""), ended
    return json.loads(ended.stdout)


class Lines:
    """What a program writes until it is stopped."""

    def __init__(self, *argv: str):
        self.process = subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENV
        )
        self.text = ""
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.text += line

    def wait(self, pattern: str) -> re.Match:
        def seen():
            return re.search(pattern, self.text)

        try:
            return eventually(seen, what=pattern)
        except AssertionError:
            raise AssertionError(f"{pattern} is not in:\n{self.text[-3000:]}") from None

    def stop(self) -> int:
        self.process.terminate()
        status = self.process.wait(60)
        self.thread.join(60)
        return status


@pytest.fixture
def lines():
    started = []

    def start(*argv: str) -> Lines:
        started.append(Lines(*argv))
        return started[-1]

    yield start
    for x in started:
        x.process.kill()
        x.process.wait(60)


def dump(lines, url: str, *words: str) -> Lines:
    """`umbel events --dump`, listening."""
    x = lines(umbel_binary(), "events", "--dump", "-b", url, *words)
    x.wait("starting capture")
    return x


def test_a_mixed_cluster(umbel_worker, python_worker, broker, tasks, lines):
    one = umbel_worker("-n", "one@here", "-c", "1", "-E", "-Q", "one")
    umbel_worker("-n", "two@there", "-c", "1", "-E", "-Q", "two")
    python_worker("-n", "three@here", "-c", "1", "-E", "-Q", "three")
    everybody = ["one@here", "three@here", "two@there"]
    ours = dump(lines, broker.url)
    theirs = lines(PYTHON, "-m", "celery", "-b", broker.url, "events", "--dump")

    ended = to(broker.url, ",".join(everybody), "status")
    assert (ended.returncode, ended.stderr) == (0, "")
    table = ended.stdout.splitlines()
    assert table[0].split() == ["NODE", "STATUS", "ANSWERED", "AFTER"]
    assert [x.split()[:2] for x in table[1:4]] == [[x, "online"] for x in everybody]
    assert table[-1] == "3 nodes online."

    pong = {"ok": "pong"}

    def who(*words: str):
        ended = umbel(broker.url, "inspect", "ping", "--json", "-t", "2", *words)
        return json.loads(ended.stdout)

    eventually(lambda: who() == {x: pong for x in everybody})
    eventually(lambda: who("-p", "*@there") == {"two@there": pong})
    eventually(lambda: sorted(who("-p", "t(wo|hree)@", "-m", "pcre")) == ["three@here", "two@there"])
    names = ",".join(everybody)
    queues = ask(broker.url, names, "inspect", "active_queues")
    assert {x: [q["name"] for q in queues[x]] for x in everybody} == {
        "one@here": ["one"], "two@there": ["two"], "three@here": ["three"],
    }
    long = [tasks.sleep.apply_async((60,), queue=x) for x in ("one", "three")]
    shown = eventually(
        lambda: (x := to(broker.url, names, "inspect", "active")).stdout.count("tasks.sleep") == 2 and x
    ).stdout
    assert re.search(rf"^one@here +{long[0].id} +tasks.sleep +\(60,\) +{{}} +\d", shown, re.M)
    assert re.search(rf"^three@here +{long[1].id} +tasks.sleep ", shown, re.M)

    ended = to(broker.url, names, "control", "rate_limit", "tasks.add", "100/s")
    assert ended.stdout.count("new rate limit set successfully") == 3, ended
    ended = to(broker.url, names, "control", "rate_limit", "tasks.nowhere", "1/s")
    assert ended.returncode == 1
    assert "umbel control: two@there: unknown task" in ended.stderr
    ended = to(broker.url, names, "control", "terminate", "SIGKILL", *(x.id for x in long))
    assert ended.returncode == 0, ended
    for node, task in zip(("one@here", "three@here"), long):
        ours.wait(rf"{node} \[.*\] task revoked: tasks.sleep\({task.id}\) .*terminated=True")

    theirs.wait("one@here .* heartbeat")
    result = tasks.add.apply_async((2, 2), queue="one")
    assert result.get(timeout=60) == 4
    for monitor in (ours, theirs):
        for node in everybody:
            monitor.wait(rf"{node} \[\d+-\d+-\d+ [\d:.]+\] heartbeat: active=")
        monitor.wait(rf"one@here \[.*\] task received: tasks.add\({result.id}\) args=\(2, 2\) kwargs={{}} clock=")
        monitor.wait(rf"one@here \[.*\] task succeeded: tasks.add\({result.id}\) args=\(2, 2\) kwargs={{}} clock=")

    status = subprocess.run(
        [PYTHON, "-m", "celery", "-b", broker.url, "inspect", "ping", "-j", "-d", names, "-t", "60"],
        capture_output=True, text=True, timeout=120, env=ENV,
    )
    assert json.loads(status.stdout) == {x: pong for x in everybody}, status
    ended = to(broker.url, "one@here", "control", "shutdown")
    assert ended.returncode == 0 and "told to shut down" in ended.stdout, ended
    assert one.wait_exit() == 0
    ours.wait(r"one@here \[.*\] shutdown: active=0")
    assert ours.stop() == 0


def test_one_worker(umbel_worker, broker, lines):
    running = umbel_worker("-n", "one@here", "-c", "1")
    ours = dump(lines, broker.url)
    one = (broker.url, "one@here")
    tree = to(*one, "inspect", "tree").stdout
    assert tree.startswith("one@here\n  root (mailbox 0)")
    assert re.search(r"^[ |`-]+ listener \(mailbox \d+\)", tree, re.M), tree
    stats = ask(*one, "inspect", "stats")["one@here"]
    assert stats["pid"] == running.pid
    assert re.search(rf"^  pid +{running.pid}$", to(*one, "inspect", "stats").stdout, re.M)
    assert "tasks.add" in to(*one, "inspect", "registered").stdout
    assert to(*one, "inspect", "active").stdout == "(none)\n"
    ended = to(*one, "control", "--custom", "no_such", "x=1")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "KeyError('no_such')" in ended.stderr
    ended = umbel(broker.url, "inspect", "ping", "-d", "one@here,two@here", "-t", "5")
    assert ended.returncode == 0
    assert ended.stderr == "umbel inspect: two@here has not answered within 5 s\n"

    # Custom events are sent while task events are off; task-sent comes from clients.
    call = ["call", "tasks.progress", "-a", "[2, 0.0]", "--wait", "--timeout", "60"]
    sent = {**os.environ, "CELERY_TASK_SEND_SENT_EVENT": "true"}
    argv = [umbel_binary(), *call, "-b", broker.url, "--config", "/dev/stdin"]
    config = json.dumps({"result_backend": broker.result_url})
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=120, env=sent, input=config)
    assert ended.stdout == "2\n", ended
    ours.wait(r"gen\d+@\S+ \[.*\] task sent: tasks.progress\(.*\) args=\(2, 0.0\) kwargs={} .*queue=celery")
    # (What the client says may come later than what the worker does.)
    progress = r"one@here \[.*\] task progress: .*clock=\d+, current=%d, .*total=2"
    ours.wait(progress % 1)
    ours.wait(progress % 2)
    assert "task received" not in ours.text
    assert "task events enabled" in to(*one, "control", "enable_events").stdout
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=60, input=config)
    ours.wait(r"one@here \[.*\] task succeeded")
    assert ours.text.count("task sent") == 1
    assert "task events disabled" in to(*one, "control", "disable_events").stdout


class Screen:
    """`umbel events` on a terminal of its own."""

    def __init__(self, url: str):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 160, 0, 0))
        self.process = subprocess.Popen(
            [umbel_binary(), "events", "-b", url],
            stdin=slave, stdout=slave, stderr=slave, env=ENV, start_new_session=True,
        )
        os.close(slave)
        self.text = ""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            while chunk := os.read(self.master, 65536):
                self.text += chunk.decode(errors="replace")
        except OSError:
            pass

    def wait(self, text: str):
        def seen():
            # Only what changes is drawn, unless somebody asks for more.
            os.write(self.master, b"\x0c")
            return text in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\([AB0]|[\x0e\x0f]", "", self.text)

        eventually(seen, what=text, interval=0.3)

    def press(self, keys: str):
        self.text = ""
        os.write(self.master, keys.encode())


def test_the_live_view(umbel_worker, broker, tasks):
    umbel_worker("-n", "one@here", "-c", "1", "-E")
    screen = Screen(broker.url)
    try:
        screen.wait("one@here")
        screen.wait("workers 1/1 online")
        result = tasks.add.delay(17, 4)
        screen.wait(result.id)
        screen.wait("SUCCESS")
        screen.press("i")
        screen.wait("(17, 4)")
        screen.press("r")
        screen.wait("21")
        screen.press("l")
        screen.wait("Rate limit of tasks.add")
        screen.press("5/m\r")
        screen.wait("one@here: new rate limit set successfully")
        screen.press("c")
        screen.wait("Revoke task")
        screen.press("n")
        screen.wait("nothing was done")
        screen.press("w\r")
        screen.wait("active_queues")
        screen.press("q")
        assert screen.process.wait(60) == 0
    finally:
        screen.process.kill()
        screen.process.wait(60)
        os.close(screen.master)


def test_nobody_is_there(broker):
    for words in (["status"], ["inspect", "ping"], ["control", "shutdown"]):
        ended = umbel(broker.url, *words, "-t", "0.3")
        assert ended.returncode == 69, ended
        assert ended.stderr == f"umbel {words[0]}: nobody has answered within 0.3 s\n"
        assert ended.stdout == ""
    assert umbel(broker.url, "inspect", "ping", "-j", "-t", "0.3").stdout == "{}\n"


def test_nothing_stays_behind(broker, umbel_worker):
    umbel_worker("-n", "one@here", "-c", "1")
    assert to(broker.url, "one@here", "inspect", "ping").returncode == 0
    # The worker's own mailbox is open for as long as it waits for neighbours.
    eventually(lambda: broker.mailboxes() == 0)


def test_mistakes_are_one_line():
    url = f"redis://127.0.0.1:{free_port()}"
    for words, status, text in [
        (["status"], 69, "cannot connect"),
        (["events", "--dump"], 69, "cannot connect"),
        (["events"], 2, "the live view needs a terminal; use --dump"),
        (["events", "-j"], 2, "option --json goes with --dump"),
        (["inspect"], 2, "which command? 'umbel inspect --help' lists all of them"),
        (["inspect", "activ"], 2, "there is no command 'activ'; did you mean 'active'?"),
        (["inspect", "revoke", "x"], 2, "'control revoke' is one"),
        (["control", "rate_limit", "x"], 2, "which RATE_LIMIT?; usage: rate_limit TASK_NAME RATE_LIMIT"),
        (["control", "pool_grow", "many"], 2, "N: 'many' is not a whole number"),
        (["status", "-t", "0"], 2, "option --timeout: '0' is not a number of seconds"),
        (["inspect", "ping", "-m", "regex"], 2, "'regex' is not glob or pcre"),
        (["inspect", "ping", "--tree"], 2, "there is no option --tree"),
        (["status", "now"], 2, "unexpected argument 'now'"),
    ]:
        ended = umbel(url, *words)
        assert ended.returncode == status, ended
        assert text in ended.stderr and ended.stderr.count("\n") == 1, ended
        assert ended.stdout == "", ended


def test_every_command_is_in_the_help():
    for command in ("inspect", "control"):
        ended = subprocess.run([umbel_binary(), command, "--help"], capture_output=True, text=True)
        assert ended.returncode == 0
        assert max(len(x) for x in ended.stdout.splitlines()) <= 80
    assert "time_limit TASK_NAME SOFT [HARD]" in ended.stdout
