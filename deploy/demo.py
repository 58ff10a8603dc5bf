"""What deploy/quickstart shows once everything is built: a worker, tasks and their
results, and a child that is killed. The broker is a file, used from the command
line; with `--broker redis` a Redis server, used by the stock Celery client."""

import argparse
import atexit
import gc
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
UMBEL = REPOSITORY / "build" / "apps" / "umbel"
QUEUE = "quickstart"  # a queue of its own: the server may be somebody's

COLOURS = sys.stdout.isatty() and "NO_COLOR" not in os.environ
BOLD, DIM, GREEN, PLAIN = (
    ("\33[1m", "\33[2m", "\33[32m", "\33[0m") if COLOURS else ("", "", "", "")
)

steps = iter(range(3, 100))  # deploy/quickstart has shown two


def step(text: str) -> None:
    print(f"\n{BOLD}{next(steps)}. {text}{PLAIN}", flush=True)


def say(text: str) -> None:
    print(f"   {text}", flush=True)


def wait_for(condition, what: str, seconds: float = 20):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            sys.exit(f"quickstart: no {what} within {seconds:g} s")
        time.sleep(0.02)
    return value


# -- two ways to send tasks ----------------------------------------------------


class File:
    """The embedded broker, a file that goes in the end, and `umbel call`."""

    title = "Tasks, sent from the command line"

    def __init__(self):
        folder = tempfile.mkdtemp(prefix="umbel-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        self.url = f"sqlite://{folder}/quickstart.db"

    def options(self, task: str, *args) -> list[str]:
        return ["call", task, "--args", json.dumps(args), "--wait",
                "-Q", QUEUE, "-b", self.url]

    def command(self, task: str, *args) -> str:
        return "$ build/apps/umbel " + shlex.join(self.options(task, *args))

    def begin(self, task: str, *args) -> subprocess.Popen:
        return subprocess.Popen(
            [UMBEL, *self.options(task, *args), "--timeout", "20"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end(self, running: subprocess.Popen) -> str:
        return running.communicate()[0].rstrip()

    def invite(self) -> None:
        say(self.command("tasks.add", 4, 4))

    def close(self) -> None:
        pass


class Redis:
    """A Redis server, and Python's own Celery client."""

    title = "Tasks, sent by the stock Python Celery client"

    def __init__(self):
        step("A Redis server")
        self.url = f"redis://127.0.0.1:{self._port()}/0"
        from celery import Celery

        self.app = Celery("quickstart", broker=self.url, backend=self.url)
        self.app.conf.task_default_queue = QUEUE
        self.app.conf.result_expires = 600

    @staticmethod
    def _answers(port: int) -> bool:
        import redis

        try:
            return redis.Redis("127.0.0.1", port, socket_timeout=2).ping()
        except redis.RedisError:
            return False

    def _port(self) -> int:
        """Of a server; one that had to be started ends with this program."""
        if self._answers(6379):
            say("there is one at 127.0.0.1:6379")
            return 6379
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        argv = ["redis-server", "--port", str(port), "--bind", "127.0.0.1"]
        server = subprocess.Popen(
            [*argv, "--save", ""],
            stdout=subprocess.DEVNULL,
            cwd=tempfile.gettempdir(),
            process_group=0,
        )
        atexit.register(server.terminate)  # whatever happens next
        wait_for(lambda: self._answers(port), "answer from redis-server")
        say(f"started one at 127.0.0.1:{port}")
        return port

    def command(self, task: str, *args) -> str:
        return f'>>> app.send_task("{task}", {args!r}).get()'

    def begin(self, task: str, *args):
        return self.app.send_task(task, args)

    def end(self, running) -> str:
        try:
            return repr(running.get(timeout=20))
        except Exception as error:  # whatever the task raised, as Python sees it
            return f"raises {error!r}"

    def invite(self) -> None:
        say("/usr/bin/python3")
        say(">>> from celery import Celery")
        say(f">>> app = Celery(broker={self.url!r}, backend={self.url!r})")
        say(f'>>> app.send_task("tasks.add", (4, 4), queue="{QUEUE}").get()')

    def close(self) -> None:
        gc.collect()  # results unsubscribe as they go: while the server is there
        self.app.close()


# -- the worker ----------------------------------------------------------------


class Worker:
    """The worker, its output shown line by line as it comes."""

    def __init__(self, url: str):
        argv = [str(UMBEL), "worker", "-A", "tasks", "-l", "info", "-c", "2"]
        argv += ["-n", "quickstart@%h", "-Q", QUEUE, "-b", url]
        say("$ build/apps/umbel " + shlex.join(argv[1:]))
        self.process = subprocess.Popen(
            argv,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            process_group=0,  # Ctrl-C is for this program to pass on
        )
        self.ready = False
        self.received = 0
        self.reader = threading.Thread(target=self._show, daemon=True)
        self.reader.start()
        wait_for(lambda: self.ready or self.process.poll() is not None, "ready worker")
        if not self.ready:
            sys.exit(f"quickstart: the worker ended with {self.process.returncode}")

    def _show(self) -> None:
        for line in self.process.stdout:
            print(f"{DIM}   | {line.rstrip()}{PLAIN}", flush=True)
            self.ready = self.ready or bool(re.search(r"\S+@\S+ ready", line))
            self.received += line.rstrip().endswith(" received")

    def children(self) -> list[int]:
        """Those that run tasks; not the fork server that they come from."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        pids = sorted(int(pid) for t in tasks for pid in t.read_text().split())
        return [pid for pid in pids if name_of(pid) != "fork server"]

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.reader.join(5)


def name_of(pid: int) -> str:
    """What the process calls itself; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def show(sender, task: str, *args) -> None:
    """Sends one task and prints what came of it."""
    say(sender.command(task, *args))
    say(f"{GREEN}{sender.end(sender.begin(task, *args))}{PLAIN}")


def show_a_crash(sender, worker: Worker) -> None:
    before = worker.children()
    say(f"its children are {before}; each now runs a task of two seconds")
    received = worker.received
    running = [sender.begin("tasks.sleep", 2) for _ in range(2)]
    wait_for(lambda: worker.received == received + 2, "start of the tasks")
    time.sleep(0.5)  # let a person see that they run
    say(f"kill -9 {before[0]}")
    os.kill(before[0], signal.SIGKILL)
    wait_for(
        lambda: before[0] not in worker.children() and len(worker.children()) == 2,
        "new child",
    )
    say(f"its children are {worker.children()}: the lost one has been replaced")
    for task in running:
        say(f"one task: {GREEN}{sender.end(task)}{PLAIN}")
    show(sender, "tasks.add", 20, 22)


def main() -> None:
    parser = argparse.ArgumentParser(prog="deploy/quickstart")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--broker", choices=["sqlite", "redis"], default="sqlite")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    sender = Redis() if given.broker == "redis" else File()
    worker = None
    try:
        step("A worker with two child processes")
        worker = Worker(sender.url)
        step(sender.title)
        show(sender, "tasks.add", 4, 4)
        show(sender, "tasks.mul", 6, 7)
        show(sender, "tasks.xsum", [1, 2, 3, 4])
        show(sender, "tasks.fail", "this error was thrown in C++")
        step("A child process is killed")
        show_a_crash(sender, worker)
        if given.keep:
            step("The worker stays. Ctrl-C ends it; from another terminal:")
            sender.invite()
            signal.pause()
    except KeyboardInterrupt:
        print()
    finally:
        step("Warm shutdown")
        if worker:
            worker.stop()
        sender.close()
    if worker.process.returncode != 0:
        sys.exit(f"quickstart: the worker ended with {worker.process.returncode}")
    if not given.keep:
        print("\nRun it again with --keep to play with the worker.")


if __name__ == "__main__":
    main()
