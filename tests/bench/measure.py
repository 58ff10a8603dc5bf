"""The measurements. Each returns numbers in plain units: tasks per second,
milliseconds, MiB, seconds, percent of one core."""

import json
import os
import resource
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Callable, Iterator

import bare_client
from harness.brokers import RedisBroker
from harness.celery_tasks import make_app
from harness.messages import template
from harness.ports import free_port
from harness.redis_server import RedisServer
from harness.waiting import eventually
from harness.workers import PythonWorker, UmbelWorker, Worker, build_dir

TASK, ARGS = "tasks.add", (4, 4)


class StockCelery(PythonWorker):
    """Celery with its own defaults."""

    options: list[str] = []


KINDS: dict[str, tuple[type[Worker], tuple[str, ...]]] = {
    "umbel prefork": (UmbelWorker, ("-P", "prefork", "-c", "2")),
    "umbel threads": (UmbelWorker, ("-P", "threads", "-c", "2")),
    "umbel gevent": (UmbelWorker, ("-P", "gevent", "-c", "1000")),
    "celery prefork": (StockCelery, ("-P", "prefork", "-c", "2")),
}


def helper(name: str) -> str:
    """One of the C++ programs beside this file."""
    path = build_dir() / "tests" / "bench" / f"bench_{name}"
    assert path.exists(), f"{path} is not built"
    return str(path)


@dataclass
class Bench:
    """One server, one place for logs, and how tasks are delivered."""

    server: RedisServer
    directory: Path
    acks_late: bool = False
    memory: dict[str, dict] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.broker = RedisBroker(self.server)
        self.client = self.broker.client
        self.app = make_app(self.server.url(), self.server.url())

    # -- workers ---------------------------------------------------------------

    def start(
        self,
        kind: str,
        *more: str,
        port: int = 0,
        loglevel: str = "warning",
        config: dict | None = None,
    ) -> Worker:
        cls, args = KINDS[kind]
        url = self.server.url(port=port)
        return cls(
            *args,
            *more,
            log=self.directory / "worker.log",
            broker=url,
            backend=url,
            loglevel=loglevel,
            config={"task_acks_late": self.acks_late, **(config or {})},
        )

    @contextmanager
    def worker(self, kind: str, *more: str, **options) -> Iterator[Worker]:
        worker = self.start(kind, *more, **options)
        try:
            yield worker
            worker.stop()
        finally:
            worker.clean_up()

    @contextmanager
    def delayed(self, microseconds_each_way: int) -> Iterator[int]:
        """A port that leads to the server through the delaying proxy."""
        port = free_port()
        argv = [helper("delay_proxy"), port, self.server.port, microseconds_each_way]
        proxy = subprocess.Popen(list(map(str, argv)))
        try:
            eventually(lambda: _listens(port), what="the proxy listens")
            yield port
        finally:
            proxy.kill()
            proxy.wait()

    def call(self, timeout: float = 60) -> None:
        assert self.app.tasks[TASK].delay(*ARGS).get(timeout=timeout) == 8

    # -- throughput --------------------------------------------------------------

    def prepare(
        self, count: int, results: bool, task: str = TASK, args: tuple = ARGS
    ) -> list[str]:
        """Fills the queue with `count` tasks and one more that has a result in
        any case; the last id is that one's."""
        self.client.flushall()
        text = template(self.app, task, args, ignore_result=not results)
        ids = self.broker.fill(text, count)
        last = template(self.app, TASK, ARGS)
        self.client.lpush("celery", last)
        return [*ids, json.loads(last)["headers"]["id"]]

    def floor(self, count: int, results: bool, port: int = 0) -> float:
        self.prepare(count - 1, results)
        mode = "results" if results else "ack"
        argv = [helper("floor"), self.server.url(port=port), str(count), mode]
        out = subprocess.run(argv, check=True, capture_output=True, text=True)
        return count / float(out.stdout)

    def drain(
        self,
        kind: str,
        count: int,
        results: bool,
        port: int = 0,
        more: tuple[str, ...] = (),
        task: str = TASK,
        args: tuple = ARGS,
    ) -> float:
        """How quickly a worker empties a queue that was full when it started.

        The clock starts when a twentieth is done (start-up is measured
        elsewhere) and stops when the queue and the ledger of unacknowledged
        messages are empty, the last task's result is there and, with results,
        everybody's is.
        """
        ids = self.prepare(count, results, task, args)
        wanted = len(ids) if results else 1

        def look() -> tuple[int, bool]:
            left, done = self.progress(ids[-1], results)
            return left, left == 0 and done >= wanted

        with self.worker(kind, *more, port=port) as worker:
            rate = watch_drain(worker, count, look, lambda left: 0.004)
            if results and not port:
                self.memory[kind] = resident_memory(worker)
        if results:
            found = self.broker.statuses(ids)
            assert found == {"SUCCESS": len(ids)}, found
        return rate

    def progress(self, last_id: str, results: bool) -> tuple[int, int]:
        """Messages not settled yet, and results stored: all, or the last's."""
        with self.client.pipeline(transaction=False) as pipe:
            pipe.llen("celery").hlen("unacked").exists(f"celery-task-meta-{last_id}")
            if results:
                pipe.info("keyspace")
            queued, unacked, last, *rest = pipe.execute()
        # Results are the keys that expire; a lease is one more at most.
        stored = rest[0].get("db0", {}).get("expires", 0) if rest else last
        return queued + unacked, stored if last else 0

    # -- coroutines ------------------------------------------------------------

    def coroutines(self, sleepers: int, short: int, seconds: int) -> dict[str, float]:
        """The cooperative pool with tasks that are coroutines: how many short ones
        a second, and what `sleepers` cost that sleep at once."""
        return {
            "rate": self.short_coroutines(short),
            **self.sleepers(sleepers, seconds),
        }

    def short_coroutines(self, count: int) -> float:
        self.client.flushall()
        text = template(self.app, "tasks.asleep", [0], ignore_result=True)
        self.broker.fill(text, count)

        def look() -> tuple[int, bool]:
            left = self.unsettled()
            return left, left == 0

        with self.worker("umbel gevent") as worker:
            return watch_drain(worker, count, look, lambda left: 0.004)

    def sleepers(self, count: int, seconds: int) -> dict[str, float]:
        self.client.flushall()
        text = template(self.app, "tasks.asleep", [seconds], ignore_result=True)
        worker = UmbelWorker(
            "-P", "gevent", "-c", str(count), log=self.directory / "worker.log",
            broker=self.server.url(), loglevel="info")
        try:
            worker.wait_ready()
            before = _status(worker.pid, "VmRSS")
            begin = time.perf_counter()
            self.broker.fill(text, count)
            eventually(lambda: self.client.llen("celery") == 0, seconds)
            asleep, most = time.perf_counter() - begin, 0.0
            while self.unsettled() > 0 or worker.log.count("succeeded") < count:
                most = max(most, _status(worker.pid, "VmRSS"))
                time.sleep(0.1)
            return {
                "asleep": asleep,
                "over": time.perf_counter() - begin - seconds,
                "each": (most - before) * 1024 / count,
            }
        finally:
            worker.clean_up()

    def unsettled(self) -> int:
        return self.client.llen("celery") + self.client.hlen("unacked")

    # -- latency -----------------------------------------------------------------

    def latency(self, kind: str, count: int) -> dict[str, float]:
        """Round trips one at a time: of the stock client, and of a bare one."""
        self.client.flushall()
        if kind == "ideal":
            argv = [helper("ideal_worker"), str(self.server.port)]
            process = subprocess.Popen(argv)
            try:
                return self.round_trips(count)
            finally:
                process.kill()
                process.wait()
        with self.worker(kind):
            return self.round_trips(count)

    def round_trips(self, count: int) -> dict[str, float]:
        for _ in range(max(20, count // 10)):
            self.call()
        times = []
        for _ in range(count):
            begin = time.perf_counter()
            self.call()
            times.append((time.perf_counter() - begin) * 1000)
        message = template(self.app, TASK, ARGS)
        bare = bare_client.round_trips(self.server.port, message, count)
        return {
            "p50": median(times),
            "p99": quantiles(times, n=100)[98],
            "bare p50": median(bare),
            "bare p99": quantiles(bare, n=100)[98],
        }

    # -- children that go and come -----------------------------------------------

    def recycling(self, kind: str, count: int, repeat: int) -> dict[str, float]:
        """Throughput with children that are replaced after 100 tasks, as a share
        of that with children that stay, in percent: for tasks that do nothing,
        and for tasks that keep a core busy for a millisecond. And what one
        replacement costs, in ms of CPU, parent's and child's."""
        brief, busy = (TASK, ARGS), ("tasks.spin", (0.001,))
        shares: dict[str, list[float]] = {"nothing": [], "1 ms": []}
        costs = []
        for _ in range(repeat):  # in turns: what else the machine does hits both
            for name, (task, args), n in [
                ("nothing", brief, count),
                ("1 ms", busy, max(1000, count // 20)),
            ]:
                rates, used = [], []
                for more in ((), ("--max-tasks-per-child", "100")):
                    before = _children_cpu()
                    rates.append(
                        self.drain(kind, n, False, more=more, task=task, args=args)
                    )
                    used.append(_children_cpu() - before)
                shares[name].append(100 * rates[1] / rates[0])
                if name == "nothing":
                    costs.append(1000 * (used[1] - used[0]) / (n / 100))
        return {**{k: median(v) for k, v in shares.items()}, "cpu": median(costs)}

    def crash(self, kind: str, repeat: int) -> dict[str, float]:
        """From kill -9 of the only child to the result of the task that waited
        behind the one it ran, in ms."""
        self.client.flushall()
        times = []
        tracked = {"task_track_started": True}
        with self.worker(kind, "-c", "1", config=tracked) as worker:
            for _ in range(repeat):
                lost = self.app.tasks["tasks.sleep"].delay(1000)
                eventually(lambda: lost.state == "STARTED", interval=0.002)
                waiting = self.app.tasks[TASK].delay(*ARGS)
                channel = self.client.pubsub(ignore_subscribe_messages=True)
                channel.subscribe(f"celery-task-meta-{waiting.id}")
                channel.get_message(timeout=5)
                eventually(lambda: self.client.llen("celery") == 0)
                begin = time.perf_counter()
                os.kill(lost.info["pid"], signal.SIGKILL)
                while waiting.state != "SUCCESS":
                    channel.get_message(timeout=1)
                    assert worker.running(), worker.log
                times.append((time.perf_counter() - begin) * 1000)
                channel.close()
        return {"p50": median(times), "p99": quantiles(times, n=100)[98]}

    # -- start-up and idling -------------------------------------------------------

    def startup(self, kind: str, repeat: int) -> dict[str, float]:
        """From exec to the first result of a task that was there before, and to
        the line that says "ready": medians, in seconds."""
        firsts, readies = [], []
        for _ in range(repeat):
            self.client.flushall()
            channel = self.client.pubsub(ignore_subscribe_messages=True)
            channel.psubscribe("celery-task-meta-*")
            channel.get_message(timeout=5)
            self.app.tasks[TASK].delay(*ARGS)
            begin = time.perf_counter()
            with self.worker(kind, loglevel="info") as worker:
                first = ready = 0.0
                while not (first and ready):
                    if not first and channel.get_message():
                        first = time.perf_counter() - begin
                    if not ready and " ready" in worker.log:
                        ready = time.perf_counter() - begin
                    assert worker.running(), worker.log
                    time.sleep(0.002)
            channel.close()
            firsts.append(first)
            readies.append(ready)
        return {"first result": median(firsts), "ready": median(readies)}

    def idle(self, kind: str, seconds: float) -> dict[str, float]:
        """A worker without work: percent of one core, and commands that it
        sends to the server in each second."""
        self.client.flushall()
        with self.worker(kind) as worker:
            self.call()
            _settle_down(worker)
            commands = self.client.info("stats")["total_commands_processed"]
            begin, cpu = time.perf_counter(), cpu_seconds(worker)
            time.sleep(seconds)
            took = time.perf_counter() - begin
            cpu = cpu_seconds(worker) - cpu
            commands = self.client.info("stats")["total_commands_processed"] - commands
        return {"cpu": 100 * cpu / took, "commands": (commands - 1) / took}


def watch_drain(
    worker: Worker,
    count: int,
    look: Callable[[], tuple[int, bool]],
    pause: Callable[[int], float],
) -> float:
    """Tasks per second, from when a twentieth is done until all is.

    look: how many messages are left, and whether all is done
    pause: how many seconds until the next look, with so many left
    """
    begin = begin_left = 0.0
    before = time.perf_counter(), count
    while True:
        now = time.perf_counter()
        left, done = look()
        if not begin and left <= 0.95 * count:
            # All may be done since the last look, if that is long ago.
            begin, begin_left = (now, left) if left > 0 else before
        before = now, left
        if done:
            return begin_left / (now - begin)
        assert worker.running(), worker.log
        time.sleep(pause(left))


def _listens(port: int) -> bool:
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def _settle_down(worker: Worker) -> None:
    """Waits until the worker used less than 5 ms within 250 ms, at most 5 s."""
    for _ in range(20):
        before = cpu_seconds(worker)
        time.sleep(0.25)
        if cpu_seconds(worker) - before < 0.005:
            return


def _children_cpu() -> float:
    """CPU time of everything that was started from here and has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cpu_seconds(worker: Worker) -> float:
    """CPU time of the worker and its children so far, to the nanosecond."""
    total = 0
    for pid in [worker.pid, *worker.children()]:
        for task in os.listdir(f"/proc/{pid}/task"):
            text = Path(f"/proc/{pid}/task/{task}/schedstat").read_text()
            total += int(text.split()[0])
    return total / 1e9


def _status(pid: int, name: str) -> float:
    """A line of /proc/<pid>/status that is in kB, as MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


def resident_memory(worker: Worker) -> dict[str, float]:
    """VmRSS of the parent, its peak, and VmRSS of its largest child."""
    return {
        "parent": _status(worker.pid, "VmRSS"),
        "parent peak": _status(worker.pid, "VmHWM"),
        "child": max((_status(c, "VmRSS") for c in worker.children()), default=0.0),
    }
