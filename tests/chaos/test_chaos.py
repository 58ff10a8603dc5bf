"""Whatever is killed while tasks run, no accepted task is lost.

On every broker, by `--broker`. UMBEL_CHAOS_TASKS sets how many tasks each test
runs, UMBEL_CHAOS_SEED replays the same sequence of strikes (their moments still
depend on the machine).
"""

import os
import random
import signal
import time
from collections import Counter
from contextlib import contextmanager
from typing import Callable, Iterator

import pytest

from harness.brokers import Broker
from harness.deliveries import Deliveries, Strike
from harness.messages import template
from harness.proxy import Proxy
from harness.waiting import PATIENCE, eventually
from harness.workers import Worker

pytestmark = [pytest.mark.chaos, pytest.mark.durable]

TASKS = int(os.environ.get("UMBEL_CHAOS_TASKS", "20000"))
SEED = int(os.environ.get("UMBEL_CHAOS_SEED", time.time_ns() % 1_000_000))
CHILDREN = 4
SECONDS = 0.002  # that each task takes
SETTLED = 0.2  # seconds from a task's end until it is settled at the latest
STALL = 3  # seconds that a machine may stand still
IN_HAND = 4 * CHILDREN  # run or wait to be settled at a cut, at most
LATE = {"task_acks_late": True, "task_reject_on_worker_lost": True}


class Chaos:
    """A worker under fire: strikes at random until every task has a result."""

    def __init__(self, start: Callable[[], Worker], broker: Broker, proxy: Proxy | None):
        self.start = start
        self.broker = broker
        self.proxy = proxy
        self.random = random.Random(SEED)
        self.strikes: Counter[str] = Counter()
        self.moments: list[Strike] = []
        self.resumed: list[float] = []  # seconds from a cut to the next message
        self.workers = [start()]

    @property
    def worker(self) -> Worker:
        return self.workers[-1]

    def kill_child(self) -> None:
        pids = self.worker.children()
        if pids:
            try:
                with self._strike("children killed"):
                    os.kill(self.random.choice(pids), signal.SIGKILL)
            except ProcessLookupError:
                pass  # it died of an earlier strike

    def kill_worker(self) -> None:
        with self._strike("workers killed"):
            self.worker.kill()
        self.workers.append(self.start())

    def cut_connections(self) -> None:
        with self._strike("connections cut"):
            self.proxy.cut()
        self._until_it_goes_on()

    def stop_server(self) -> None:
        """Consumption has to go on when the server is there again."""
        with self._strike("servers stopped"):
            self.broker.stop()
            self.broker.start()
        self._until_it_goes_on()

    def kill_server(self) -> None:
        """RabbitMQ then forgets what was acknowledged in the last seconds; the
        worker remembers."""
        with self._strike("servers killed"):
            self.broker.kill()
            self.broker.start()
        self._until_it_goes_on()

    @contextmanager
    def _strike(self, name: str) -> Iterator[None]:
        begin = time.time()
        yield
        self.moments.append((begin, time.time()))
        self.strikes[name] += 1

    def _until_it_goes_on(self) -> None:
        """Measures how long after the strike the next message comes."""
        begin = time.monotonic()
        with open(self.worker.log_path, "rb") as log:
            log.seek(0, os.SEEK_END)
            # What is in hand is finished first, and nothing comes once all is done.
            eventually(
                lambda: b"] received" in log.read() or self.broker.queued() == 0,
                what="consumption goes on",
                interval=0.01,
            )
        self.resumed.append(time.monotonic() - begin)

    def run(
        self,
        strikes: list[Callable[["Chaos"], None]],
        often: int,
        done: Callable[[], bool],
    ) -> None:
        """Strikes at random, about `often` times if the tasks take no longer
        than they must and twice that at most, until the queue is drained; once
        more with the last ones in flight; then lets the worker finish in peace."""
        pause = TASKS * SECONDS / CHILDREN / often
        next_strike = time.monotonic() + pause

        def drained() -> bool:
            nonlocal next_strike
            assert self.worker.running(), f"worker gave up:\n{self.worker.log[-3000:]}"
            if self.broker.queued() == 0:
                return True
            if self.strikes.total() < 2 * often and time.monotonic() >= next_strike:
                self.random.choice(strikes)(self)
                next_strike = time.monotonic() + self.random.uniform(0, 2 * pause)
            return False

        eventually(drained, 300, "the queue is drained")
        self.random.choice(strikes)(self)
        eventually(done, 120, "everything is settled", interval=0.2)

    def deliveries(self) -> Deliveries:
        return Deliveries(worker.log for worker in self.workers)

    def check_doubles(self) -> None:
        """Nothing ran again that had not been in hand at a strike. A broker that stands
        still before a strike settles late what ended meanwhile: that may be at few
        strikes, and explains nothing that ended long before."""
        deliveries = self.deliveries()
        late = deliveries.unexplained(self.moments, SETTLED * PATIENCE)
        assert len(late) <= 1 + len(self.moments) // 4, dict(late)
        assert deliveries.unexplained(self.moments, STALL * PATIENCE) == {}

    def report(self, ids: list[str], begin: float) -> dict[str, int]:
        found = self.broker.statuses(ids)
        doubles = self.deliveries().doubles()
        resumed = f", went on within {max(self.resumed):.2f} s" if self.resumed else ""
        print(
            f"\n{self.broker.name}, seed {SEED}: {len(ids)} tasks in "
            f"{time.monotonic() - begin:.1f} s, {dict(self.strikes)}{resumed}, "
            f"results {found}, run more than once {doubles}"
        )
        return found


@pytest.fixture
def chaos(umbel_worker, broker):
    def make(config: dict, proxy: Proxy | None = None) -> Chaos:
        options = {"config": config}
        if proxy:
            options.update(broker=broker.url_by(proxy.port), backend=broker.result_url)
        return Chaos(
            lambda: umbel_worker("-c", str(CHILDREN), **options), broker, proxy
        )

    return make


#: What is struck, about how often within one run, and where there is such a thing.
EVERYWHERE = {"redis", "amqp", "sqlite"}
SERVERS = {"redis", "amqp"}
PLANS: dict[str, tuple[list[Callable[[Chaos], None]], int, set[str]]] = {
    "kill children": ([Chaos.kill_child], 40, EVERYWHERE),
    "kill workers": ([Chaos.kill_worker], 6, EVERYWHERE),
    "stop the server": ([Chaos.stop_server], 3, SERVERS),
    "kill the server": ([Chaos.kill_server], 3, SERVERS),
    "everything": (
        [Chaos.kill_child, Chaos.kill_worker, Chaos.cut_connections],
        20,
        SERVERS,
    ),
}


@pytest.mark.parametrize("plan", PLANS)
def test_no_task_is_lost(chaos, celery, broker, plan, capsys):
    strikes, often, where = PLANS[plan]
    if broker.name not in where:
        pytest.skip("there is no server")
    begin = time.monotonic()
    ids = broker.fill(template(celery, "tasks.sleep", (SECONDS,)), TASKS)

    def settled() -> bool:
        return broker.idle() and broker.statuses(ids).get("missing", 0) == 0

    with broker.proxy() as proxy:
        under_fire = chaos(LATE, proxy)
        under_fire.run(strikes, often, settled)
        with capsys.disabled():
            found = under_fire.report(ids, begin)
        under_fire.worker.stop()
    assert found == {"SUCCESS": TASKS}
    assert sum(under_fire.strikes.values()) > 1
    under_fire.check_doubles()
    assert broker.dead_letters() == []


def test_a_hundred_cuts(chaos, celery, broker, capsys):
    """Connections are aborted again and again, without a word to either side.
    Nothing is lost, consumption goes on at once, and nothing runs twice but what
    was in the worker's hands at the moment of a cut."""
    if broker.name not in SERVERS:
        pytest.skip("there is no server")
    cuts = min(100, max(10, TASKS // 200))
    begin = time.monotonic()
    ids = broker.fill(template(celery, "tasks.sleep", (2 * SECONDS,)), TASKS)

    def settled() -> bool:
        return broker.idle() and broker.statuses(ids).get("missing", 0) == 0

    with broker.proxy() as proxy:
        under_fire = chaos(LATE, proxy)
        while under_fire.strikes["connections cut"] < cuts:
            under_fire.cut_connections()
            # Between two cuts the worker has to have got somewhere.
            time.sleep(under_fire.random.uniform(0, 2 * TASKS * SECONDS / CHILDREN / cuts))
        eventually(settled, 120, "everything is settled", interval=0.2)
        with capsys.disabled():
            found = under_fire.report(ids, begin)
        under_fire.worker.stop()
    assert found == {"SUCCESS": TASKS}
    assert len(under_fire.workers) == 1
    # All but one: the machine may have had something else to do.
    assert sorted(under_fire.resumed)[-2] < 5 * PATIENCE
    assert max(under_fire.resumed) < (5 + STALL) * PATIENCE
    under_fire.check_doubles()
    assert under_fire.deliveries().doubles() <= IN_HAND * cuts
    assert broker.dead_letters() == []


def test_early_acknowledgement_loses_only_what_had_started(
    chaos, celery, broker, capsys
):
    """A killed child takes one task with it, a killed worker those that its
    children ran or had just ended; all the others have their result."""
    begin = time.monotonic()
    ids = broker.fill(template(celery, "tasks.sleep", (SECONDS,)), TASKS)
    under_fire = chaos({})
    under_fire.run([Chaos.kill_child, Chaos.kill_worker], 12, broker.idle)
    for worker in under_fire.workers:
        if worker.running():
            worker.stop()
    with capsys.disabled():
        found = under_fire.report(ids, begin)
    assert found["SUCCESS"] + found.get("FAILURE", 0) + found.get("missing", 0) == len(ids)
    assert found.get("FAILURE", 0) <= under_fire.strikes["children killed"]
    at_risk = 2 * CHILDREN * under_fire.strikes["workers killed"]
    assert found.get("missing", 0) <= at_risk + under_fire.strikes["children killed"]
