"""Whatever is killed while tasks run, no accepted task is lost.

UMBEL_CHAOS_TASKS sets how many tasks each test runs, UMBEL_CHAOS_SEED replays
the same sequence of strikes (their moments still depend on the machine).
"""

import os
import random
import re
import signal
import time
from collections import Counter
from typing import Callable

import pytest

from harness.messages import fill, in_flight, statuses, template
from harness.waiting import eventually
from harness.workers import Worker

pytestmark = pytest.mark.chaos

TASKS = int(os.environ.get("UMBEL_CHAOS_TASKS", "20000"))
SEED = int(os.environ.get("UMBEL_CHAOS_SEED", time.time_ns() % 1_000_000))
CHILDREN = 4
SECONDS = 0.002  # that each task takes
LATE = {"task_acks_late": True, "task_reject_on_worker_lost": True}


class Chaos:
    """A worker under fire: strikes at random until every task has a result."""

    def __init__(self, start: Callable[[], Worker], client):
        self.start = start
        self.client = client
        self.random = random.Random(SEED)
        self.strikes: Counter[str] = Counter()
        self.workers = [start()]

    @property
    def worker(self) -> Worker:
        return self.workers[-1]

    def kill_child(self) -> None:
        pids = self.worker.children()
        if pids:
            try:
                os.kill(self.random.choice(pids), signal.SIGKILL)
                self.strikes["children killed"] += 1
            except ProcessLookupError:
                pass  # it died of an earlier strike

    def kill_worker(self) -> None:
        self.worker.kill()
        self.strikes["workers killed"] += 1
        self.workers.append(self.start())

    def cut_connections(self) -> None:
        if self.worker.cut_connections(self.client):
            self.strikes["connections cut"] += 1

    def run(
        self,
        strikes: list[Callable[["Chaos"], None]],
        often: int,
        done: Callable[[], bool],
    ) -> None:
        """Strikes at random, about `often` times if the tasks take no longer
        than they must, until the queue is drained; once more with the last ones
        in flight; then lets the worker finish in peace."""
        pause = TASKS * SECONDS / CHILDREN / often
        next_strike = time.monotonic() + pause

        def drained() -> bool:
            nonlocal next_strike
            assert self.worker.running(), f"worker gave up:\n{self.worker.log[-3000:]}"
            if self.client.llen("celery") == 0:
                return True
            if time.monotonic() >= next_strike:
                self.random.choice(strikes)(self)
                next_strike = time.monotonic() + self.random.uniform(0, 2 * pause)
            return False

        eventually(drained, 300, "the queue is drained")
        self.random.choice(strikes)(self)
        eventually(done, 120, "everything is settled", interval=0.2)

    def report(self, ids: list[str], begin: float) -> dict[str, int]:
        runs: Counter[str] = Counter()
        for worker in self.workers:
            runs.update(re.findall(r"\[(\S+)\] succeeded in ", worker.log))
        found = statuses(self.client, ids)
        doubles = sum(n - 1 for n in runs.values())
        print(
            f"\nseed {SEED}: {len(ids)} tasks in {time.monotonic() - begin:.1f} s, "
            f"{dict(self.strikes)}, results {found}, run more than once {doubles}"
        )
        return found


@pytest.fixture
def chaos(umbel_worker, redis_client):
    def make(config: dict) -> Chaos:
        return Chaos(
            lambda: umbel_worker("-c", str(CHILDREN), config=config), redis_client
        )

    return make


#: What is struck, and about how often within one run.
PLANS: dict[str, tuple[list[Callable[[Chaos], None]], int]] = {
    "kill children": ([Chaos.kill_child], 40),
    "kill workers": ([Chaos.kill_worker], 6),
    "cut connections": ([Chaos.cut_connections], 12),
    "everything": ([Chaos.kill_child, Chaos.kill_worker, Chaos.cut_connections], 20),
}


@pytest.mark.parametrize("plan", PLANS)
def test_no_task_is_lost(chaos, celery, redis_client, plan, capsys):
    begin = time.monotonic()
    ids = fill(redis_client, template(celery, "tasks.sleep", (SECONDS,)), TASKS)
    under_fire = chaos(LATE)

    def settled() -> bool:
        return (
            in_flight(redis_client) == (0, 0)
            and redis_client.llen("celery") == 0
            and statuses(redis_client, ids).get("missing", 0) == 0
        )

    under_fire.run(*PLANS[plan], settled)
    with capsys.disabled():
        found = under_fire.report(ids, begin)
    assert found == {"SUCCESS": TASKS}
    assert sum(under_fire.strikes.values()) > 1
    assert redis_client.llen("umbel.dead.celery") == 0


def test_early_acknowledgement_loses_only_what_had_started(
    chaos, celery, redis_client, capsys
):
    """A killed child takes one task with it, a killed worker those that its
    children ran or had just ended; all the others have their result."""
    begin = time.monotonic()
    ids = fill(redis_client, template(celery, "tasks.sleep", (SECONDS,)), TASKS)
    under_fire = chaos({})

    def settled() -> bool:
        return in_flight(redis_client) == (0, 0) and redis_client.llen("celery") == 0

    under_fire.run([Chaos.kill_child, Chaos.kill_worker], 12, settled)
    for worker in under_fire.workers:
        if worker.running():
            worker.stop()
    with capsys.disabled():
        found = under_fire.report(ids, begin)
    assert found["SUCCESS"] + found.get("FAILURE", 0) + found.get("missing", 0) == len(ids)
    assert found.get("FAILURE", 0) <= under_fire.strikes["children killed"]
    at_risk = 2 * CHILDREN * under_fire.strikes["workers killed"]
    assert found.get("missing", 0) <= at_risk + under_fire.strikes["children killed"]
