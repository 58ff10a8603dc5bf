"""What deploy/quickstart shows once everything is built: a Redis server, a
worker, tasks sent by the stock Celery client, and a child that is killed."""

import atexit
import gc
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import redis
from celery import Celery

REPOSITORY = Path(__file__).resolve().parents[1]
UMBEL = REPOSITORY / "build" / "apps" / "umbel"
QUEUE = "quickstart"  # a queue of its own: the server may be somebody's

COLOURS = sys.stdout.isatty() and "NO_COLOR" not in os.environ
BOLD, DIM, GREEN, PLAIN = (
    ("\33[1m", "\33[2m", "\33[32m", "\33[0m") if COLOURS else ("", "", "", "")
)


def step(text: str) -> None:
    print(f"\n{BOLD}{text}{PLAIN}", flush=True)


def say(text: str) -> None:
    print(f"   {text}", flush=True)


def wait_for(condition, what: str, seconds: float = 20):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            sys.exit(f"quickstart: no {what} within {seconds:g} s")
        time.sleep(0.02)
    return value


def answers(port: int) -> bool:
    try:
        return redis.Redis("127.0.0.1", port, socket_timeout=2).ping()
    except redis.RedisError:
        return False


def start_redis() -> int:
    """The port of a server; one that had to be started ends with this program."""
    if answers(6379):
        say("there is one at 127.0.0.1:6379")
        return 6379
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    argv = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    server = subprocess.Popen(
        argv, stdout=subprocess.DEVNULL, cwd=tempfile.gettempdir(), process_group=0
    )
    atexit.register(server.terminate)  # whatever happens next
    wait_for(lambda: answers(port), "answer from redis-server")
    say(f"started one at 127.0.0.1:{port}")
    return port


class Worker:
    """The worker, its output shown line by line as it comes."""

    def __init__(self, url: str):
        argv = [str(UMBEL), "worker", "-A", "tasks", "-l", "info", "-c", "2"]
        argv += ["-n", "quickstart@%h", "-Q", QUEUE, "-b", url]
        argv += ["--result-backend", url]
        say(" ".join(["build/apps/umbel", *argv[1:]]))
        self.process = subprocess.Popen(
            argv,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            process_group=0,  # Ctrl-C is for this program to pass on
        )
        self.ready = False
        self.reader = threading.Thread(target=self._show, daemon=True)
        self.reader.start()
        wait_for(lambda: self.ready or self.process.poll() is not None, "ready worker")
        if not self.ready:
            sys.exit(f"quickstart: the worker ended with {self.process.returncode}")

    def _show(self) -> None:
        for line in self.process.stdout:
            print(f"{DIM}   | {line.rstrip()}{PLAIN}", flush=True)
            self.ready = self.ready or bool(re.search(r"\S+@\S+ ready", line))

    def children(self) -> list[int]:
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return sorted(int(pid) for t in tasks for pid in t.read_text().split())

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.reader.join(5)


def show(app: Celery, task: str, *args) -> None:
    """Sends one task and prints what `get` returned or raised."""
    call = f'app.send_task("{task}", {args!r}).get()'
    try:
        outcome = repr(app.send_task(task, args).get(timeout=20))
    except Exception as error:  # whatever the task raised, as Python sees it
        outcome = f"raises {error!r}"
    say(f">>> {call}\n   {GREEN}{outcome}{PLAIN}")


def show_a_crash(app: Celery, worker: Worker) -> None:
    before = worker.children()
    say(f"its children are {before}; each now runs a task of two seconds")
    running = [app.send_task("tasks.sleep", (2,)) for _ in range(2)]
    client = app.backend.client
    wait_for(lambda: client.llen(QUEUE) == 0, "start of the tasks")
    time.sleep(0.5)  # let a person see that they run
    say(f"kill -9 {before[0]}")
    os.kill(before[0], signal.SIGKILL)
    wait_for(
        lambda: before[0] not in worker.children() and len(worker.children()) == 2,
        "new child",
    )
    say(f"its children are {worker.children()}: the lost one has been replaced")
    for result in running:
        outcome = result.get(timeout=20, propagate=False)
        say(f"task {result.id[:8]}: {GREEN}{result.state} {outcome!r}{PLAIN}")
    show(app, "tasks.add", 20, 22)


def main() -> None:
    keep = "--keep" in sys.argv[1:]
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    step("3. A Redis server")
    port = start_redis()
    url = f"redis://127.0.0.1:{port}/0"
    worker = None
    app = Celery("quickstart", broker=url, backend=url)
    app.conf.task_default_queue = QUEUE
    app.conf.result_expires = 600
    try:
        step("4. A worker with two child processes")
        worker = Worker(url)
        step("5. Tasks, sent by the stock Python Celery client")
        show(app, "tasks.add", 4, 4)
        show(app, "tasks.mul", 6, 7)
        show(app, "tasks.xsum", [1, 2, 3, 4])
        show(app, "tasks.fail", "this error was thrown in C++")
        step("6. A child process is killed")
        show_a_crash(app, worker)
        if keep:
            step("The worker stays. Ctrl-C ends it; from another terminal:")
            say("/usr/bin/python3")
            say(">>> from celery import Celery")
            say(f">>> app = Celery(broker={url!r}, backend={url!r})")
            say(f'>>> app.send_task("tasks.add", (4, 4), queue="{QUEUE}").get()')
            signal.pause()
    except KeyboardInterrupt:
        print()
    finally:
        step("7. Warm shutdown" if not keep else "Warm shutdown")
        if worker:
            worker.stop()
        gc.collect()  # results unsubscribe as they go: while the server is there
        app.close()
    if worker.process.returncode != 0:
        sys.exit(f"quickstart: the worker ended with {worker.process.returncode}")
    if not keep:
        print("\nRun it again with --keep to play with the worker.")


if __name__ == "__main__":
    main()
