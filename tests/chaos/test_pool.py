"""The pool under abuse: children are killed, crash, freeze, leak and overstay
their time limits while it grows, shrinks and replaces them.

UMBEL_CHAOS_SHORT and UMBEL_CHAOS_LONG set how many tasks there are,
UMBEL_CHAOS_SEED replays the same sequence of strikes (their moments still
depend on the machine).
"""

import json
import os
import random
import re
import signal
import time
import uuid
from collections import Counter
from pathlib import Path

import pytest

from harness.brokers import Broker
from harness.messages import template
from harness.waiting import eventually
from harness.workers import Worker

pytestmark = pytest.mark.chaos

SHORT = int(os.environ.get("UMBEL_CHAOS_SHORT", "100000"))
LONG = int(os.environ.get("UMBEL_CHAOS_LONG", "500"))
SEED = int(os.environ.get("UMBEL_CHAOS_SEED", time.time_ns() % 1_000_000))
WAVES = 5
MIN, MAX = 2, 8

#: What a task is expected to end as.
SUCCESS, OVER_LIMIT = "SUCCESS", "TimeLimitExceeded"


class Strikes:
    """Signals at random to the children of one worker."""

    def __init__(self, worker: Worker, dice: random.Random):
        self.worker = worker
        self.dice = dice
        self.count: Counter[str] = Counter()
        self.frozen: list[tuple[float, int]] = []  # until when, pid
        self.next = 0.0

    def send(self, pid: int, number: int) -> None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass  # it has ended of something else

    def tick(self) -> None:
        """To be called often: strikes when it is time."""
        now = time.monotonic()
        for until, pid in self.frozen:
            if until <= now:
                self.send(pid, signal.SIGCONT)
        self.frozen = [x for x in self.frozen if x[0] > now]
        pids = self.worker.children()
        if now < self.next or not pids:
            return
        self.next = now + self.dice.uniform(0, 0.4)
        number = self.dice.choice([signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP])
        pid = self.dice.choice(pids)
        if number == signal.SIGSTOP:
            self.frozen.append((now + self.dice.uniform(0.05, 1), pid))
        self.send(pid, number)
        self.count[number.name] += 1

    def stop(self) -> None:
        for _, pid in self.frozen:
            self.send(pid, signal.SIGCONT)
        self.frozen = []


def messages(celery, dice: random.Random) -> list[tuple[str, str, str]]:
    """(id, expected end, message) of every task, shuffled."""
    kinds = [
        (SHORT - SHORT // 50, SUCCESS, template(celery, "tasks.add", (4, 4))),
        (SHORT // 50, SUCCESS, template(celery, "tasks.leak", (1,))),
        (LONG - LONG // 5, SUCCESS, template(celery, "tasks.sleep", (0.2,))),
        (LONG // 5, OVER_LIMIT, template(celery, "tasks.sleep", (60,), time_limit=0.3)),
    ]
    result = []
    for count, end, text in kinds:
        old_id = json.loads(text)["headers"]["id"]
        for _ in range(count):
            new_id = str(uuid.UUID(int=dice.getrandbits(128), version=4))
            result.append((new_id, end, text.replace(old_id, new_id)))
    dice.shuffle(result)
    return result


def ends(broker: Broker, ids: list[str]) -> dict[str, str]:
    """How each task ended: SUCCESS, or the type of its exception."""
    result = {}
    for start in range(0, len(ids), 1000):
        part = ids[start : start + 1000]
        for key, found in zip(part, broker.documents(part)):
            document = found or {"status": "missing"}
            status = document["status"]
            result[key] = document["result"]["exc_type"] if status == "FAILURE" else status
    return result


def zombies(parent: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, ppid = path.read_text().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state == "Z" and int(ppid) == parent:
            found.append(int(path.parent.name))
    return found


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


@pytest.mark.only_redis("what a pool promises is alike on all")
def test_the_pool_keeps_its_promises(umbel_worker, celery, broker, redis_client, capsys):
    dice = random.Random(SEED)
    tasks = messages(celery, dice)
    worker = umbel_worker(
        f"--autoscale={MAX},{MIN}",
        "--max-tasks-per-child=2000",
        "--max-memory-per-child=60000",
        config={"task_acks_late": True, "task_reject_on_worker_lost": True},
        env={"AUTOSCALE_KEEPALIVE": "0.5"},
    )
    at_rest = descriptors(worker.pid)
    strikes = Strikes(worker, dice)
    begin = time.monotonic()

    def settled() -> bool:
        assert worker.running(), f"worker gave up:\n{worker.log[-3000:]}"
        strikes.tick()
        return broker.idle()

    def at_minimum() -> bool:
        strikes.stop()
        return len(worker.children()) == MIN

    size = -(-len(tasks) // WAVES)
    for start in range(0, len(tasks), size):
        wave = [text for _, _, text in tasks[start : start + size]]
        for i in range(0, len(wave), 500):
            redis_client.lpush("celery", *wave[i : i + 500])
        eventually(settled, 240, "a wave is settled", interval=0.02)
        eventually(at_minimum, what="the pool is at its minimum")

    found = ends(broker, [key for key, _, _ in tasks])
    runs = Counter(re.findall(r"\[(\S+)\] succeeded in ", worker.log))
    log = worker.log
    with capsys.disabled():
        print(
            f"\nseed {SEED}: {len(tasks)} tasks in {time.monotonic() - begin:.1f} s, "
            f"{dict(strikes.count)}, ends {dict(Counter(found.values()))}, "
            f"scaled {len(re.findall('Scaling ', log))} times"
        )
    assert {key: end for key, end, _ in tasks if found[key] != end} == {}
    # Only what did not end is run again: nothing has succeeded twice.
    assert [key for key, n in runs.items() if n != 1] == []
    assert broker.dead_letters() == []
    assert "Scaling up" in log and "Scaling down" in log
    assert sum(strikes.count.values()) > 10
    eventually(lambda: zombies(worker.pid) == [])
    eventually(lambda: descriptors(worker.pid) <= at_rest + 1)
