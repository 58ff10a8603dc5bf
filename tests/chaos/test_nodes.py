"""Three workers, each on a machine of its own, with one Redis. They are killed, cut
off from the network and paused at random while tasks run: each task's result is
stored exactly once, nothing is left in flight, and what a dead node had is back on
its queue before three of its heartbeats are missed.

UMBEL_CHAOS_TASKS and UMBEL_CHAOS_SEED as in test_chaos.py.
"""

import os
import random
import signal
import time
from collections import Counter
from typing import Callable

import pytest
import redis

from harness.brokers import RedisBroker
from harness.messages import template
from harness.network import Link, make_network
from harness.waiting import PATIENCE, eventually
from harness.workers import Worker

pytestmark = pytest.mark.chaos

TASKS = int(os.environ.get("UMBEL_CHAOS_TASKS", "50000"))
SEED = int(os.environ.get("UMBEL_CHAOS_SEED", time.time_ns() % 1_000_000))
NODES = 3
CHILDREN = 2
PEACE = 10  # seconds that all tasks take together if nothing is struck
SECONDS = PEACE * NODES * CHILDREN / TASKS
HEARTBEAT = 2
LEASE = 2 * HEARTBEAT
RECOVERY = LEASE + 2
CONFIG = {"task_acks_late": True, "task_reject_on_worker_lost": True}


class Stores:
    """Counts how often the result of each task is stored: each time is published."""

    def __init__(self, client: redis.Redis):
        self._pubsub = client.pubsub(ignore_subscribe_messages=True)
        self._pubsub.psubscribe(**{"celery-task-meta-*": self._on_message})
        self._pubsub.get_message(timeout=5)  # what is subscribed to is confirmed
        self.counts: Counter[str] = Counter()
        self._thread = self._pubsub.run_in_thread(sleep_time=0.1, daemon=True)

    def _on_message(self, message: dict) -> None:
        self.counts[message["channel"].removeprefix("celery-task-meta-")] += 1

    def stop(self) -> None:
        self._thread.stop()
        self._thread.join()


class Node:
    """A machine with a worker, which is started again when it was killed."""

    def __init__(self, name: str, link: Link, start: Callable[..., Worker]):
        self.name = name
        self.link = link
        self._start = start
        self.heals_at = 0.0  # when what was done to it ends
        self.steady_from = 0.0  # when it restores what others have left
        self.heal: Callable[[], None] | None = None
        self.start()

    def start(self) -> None:
        self.worker = self._start(self.name, self.link)

    @property
    def well(self) -> bool:
        return self.heal is None

    @property
    def steady(self) -> bool:
        return self.well and time.monotonic() >= self.steady_from

    def get_well(self) -> None:
        self.heal()
        self.heal = None
        # Who was cut off himself gives others the time of a lease to come back, too.
        self.steady_from = time.monotonic() + LEASE + 1

    # -- strikes: each says how it ends ------------------------------------------

    def kill(self) -> Callable[[], None]:
        self.worker.kill()
        return self.start

    def cut_off(self) -> Callable[[], None]:
        self.link.cut()
        return self.link.mend

    def pause(self) -> Callable[[], None]:
        """The whole machine, that is."""
        os.killpg(self.worker.pid, signal.SIGSTOP)
        return lambda: os.killpg(self.worker.pid, signal.SIGCONT)


class Recoveries:
    """Measures how long after a node's death nothing is in flight that was its."""

    def __init__(self, client: redis.Redis):
        self._client = client
        self._open: dict[str, float] = {}  # owner -> time of death
        self.seconds: list[float] = []

    def owners(self) -> set[str]:
        """"<node>/<incarnation>" of whoever has something."""
        tags = self._client.hkeys("unacked")
        return {x.rsplit("/", 1)[0] for x in tags if not x.startswith("umbel.")}

    def died(self, node: str) -> None:
        for owner in self.owners():
            if owner.startswith(node + "/"):
                self._open.setdefault(owner, time.monotonic())

    def look(self) -> bool:
        """Whether nothing is open."""
        if self._open:
            left = self.owners()
            for owner in [x for x in self._open if x not in left]:
                self.seconds.append(time.monotonic() - self._open.pop(owner))
        return not self._open


@pytest.fixture
def network():
    with make_network() as result:
        yield result


@pytest.fixture
def broker(network, make_redis) -> RedisBroker:
    server = make_redis(address=network.address)
    network.port = server.port
    return RedisBroker(server)


def test_no_task_is_lost_or_stored_twice(
    umbel_worker, celery, broker, network, capsys
):
    chance = random.Random(SEED)
    begin = time.monotonic()
    stores = Stores(broker.client)
    ids = broker.fill(template(celery, "tasks.sleep", (SECONDS,)), TASKS)

    def start(name: str, link: Link) -> Worker:
        return umbel_worker(
            *("-n", name, "-c", str(CHILDREN), "--heartbeat-interval", str(HEARTBEAT)),
            config=CONFIG, broker=link.url(), backend=link.url(), prefix=link.prefix,
            loglevel="warning", ready=False,
        )

    nodes = [Node(f"n{i}@cluster", network.link(), start) for i in range(NODES)]
    eventually(lambda: sum(stores.counts.values()) > 0, what="tasks run")
    recoveries = Recoveries(broker.client)
    struck: Counter[str] = Counter()
    next_strike = time.monotonic()

    def victims() -> list[Node]:
        """One is always left to work and to restore what the others had."""
        return [x for x in nodes
                if x.well and any(y.steady for y in nodes if y is not x)]

    def strike() -> None:
        node = chance.choice(victims())
        how = chance.choice([Node.kill, Node.kill, Node.cut_off, Node.pause])
        if how is Node.kill:
            recoveries.died(node.name)
        struck[how.__name__] += 1
        node.heal = how(node)
        # Some come back before their lease is over, some after.
        node.heals_at = time.monotonic() + chance.uniform(0.5, 4 * HEARTBEAT)

    def drained() -> bool:
        nonlocal next_strike
        recoveries.look()
        for node in nodes:
            if not node.well and time.monotonic() >= node.heals_at:
                node.get_well()
            assert not node.well or node.worker.running(), node.worker.log[-3000:]
        if broker.queued() == 0:
            return True
        if time.monotonic() >= next_strike and victims():
            strike()
            next_strike = time.monotonic() + chance.uniform(0, 2 * PEACE / 10)
        return False

    eventually(drained, 20 * PEACE, "the queue is drained")
    for node in nodes:
        if not node.well:
            node.heal()
    done = eventually(
        lambda: recoveries.look() and broker.idle() and broker.statuses(ids),
        what="everything is settled",
    )
    eventually(lambda: sum(stores.counts.values()) >= TASKS, what="all are counted")
    stores.stop()
    with capsys.disabled():
        print(
            f"\n{network.kind}, seed {SEED}: {TASKS} tasks in "
            f"{time.monotonic() - begin:.1f} s, {dict(struck)}, results {done}, "
            "recovered within "
            + ", ".join(f"{x:.1f}" for x in sorted(recoveries.seconds)) + " s"
        )
    assert done == {"SUCCESS": TASKS}
    assert set(stores.counts) == set(ids)
    assert max(stores.counts.values()) == 1
    assert broker.client.hlen("unacked") == broker.client.zcard("unacked_index") == 0
    assert struck.total() > 3
    # All but one: the machine may have had something else to do.
    assert max(sorted(recoveries.seconds)[:-1], default=0) < RECOVERY * PATIENCE
    assert max(recoveries.seconds, default=0) < (RECOVERY + LEASE) * PATIENCE
    assert broker.dead_letters() == []
    for node in nodes:
        node.worker.stop()
