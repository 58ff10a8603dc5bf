"""Tasks that are due later wait in the broker: they cost no worker anything,
outlive all of them, and run once, on time."""

import re
import time
from datetime import datetime, timedelta, timezone
from statistics import median

import pytest
from celery.exceptions import TaskRevokedError

from harness.messages import template
from harness.waiting import PATIENCE, eventually
from harness.workers import resident

#: On RabbitMQ the queues that delay are made with the first message that has to wait:
#: quorum queues take longer than these tests have time.
QUICK = {"broker_native_delayed_delivery_queue_type": "classic"}

#: Longer than a worker keeps a task for itself (consumer_state::hold_max).
LATER = 9


def waiting(broker) -> int:
    """Tasks that wait in the broker, nowhere else."""
    queued = broker.queued()
    return broker.delayed() if not queued else 0


def runs(*workers) -> dict[str, int]:
    """How often each task has run, by all workers' logs."""
    counts: dict[str, int] = {}
    for worker in workers:
        for name in re.findall(r"Task (\S+\[\S+\]) succeeded in ", worker.log):
            counts[name] = counts.get(name, 0) + 1
    return counts


def send(tasks, count: int, seconds: float, **options):
    """Calls with an eta, spread over a second. @returns (eta, result) pairs."""
    begin = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    etas = [begin + timedelta(seconds=i / count) for i in range(count)]
    return [(eta, tasks.noop.apply_async(eta=eta, **options)) for eta in etas]


def lateness(pairs) -> list[float]:
    """Seconds between the eta and the end of each task, which does nothing."""
    late = []
    for eta, result in pairs:
        eventually(result.ready, 60)
        assert result.successful()
        late.append((result.date_done.replace(tzinfo=timezone.utc) - eta).total_seconds())
    return late


def test_they_run_on_time_and_once(umbel_worker, tasks, broker):
    workers = [umbel_worker("-n", f"w{i}@%h", config=QUICK) for i in range(2)]
    rounds = []

    def on_time(late: list[float]) -> bool:
        return median(late) < 0.1 * PATIENCE and max(late) < 3 * PATIENCE

    while not any(map(on_time, rounds)):
        # Once, or twice, the machine may have had something else to do.
        assert len(rounds) < 3, rounds
        pairs = send(tasks, 200, LATER + 3)
        eventually(lambda: waiting(broker) == 200)
        rounds.append(lateness(pairs))
        assert min(rounds[-1]) >= 0
    eventually(lambda: sorted(runs(*workers).values()) == [1] * 200 * len(rounds))
    eventually(lambda: broker.in_flight() == 0)
    eventually(lambda: broker.delayed() == 0)


def test_they_outlive_every_worker(umbel_worker, tasks, broker):
    config = {"task_acks_late": True, **QUICK}
    first = umbel_worker("-n", "first@%h", config=config)
    pairs = send(tasks, 100, LATER + 6)
    # On RabbitMQ what is put off and not yet acknowledged would be there twice.
    eventually(lambda: waiting(broker) == 100 and broker.in_flight() == 0)
    first.kill()
    second = umbel_worker("-n", "second@%h", config=config)
    assert tasks.add.delay(1, 1).get(timeout=60) == 2
    eventually(lambda: waiting(broker) == 100)  # nobody took them for abandoned
    eventually(lambda: broker.delayed() < 100, what="some are due")
    second.kill()  # while some wait, some are queued and some run
    third = umbel_worker("-n", "third@%h", config=config)
    assert min(lateness(pairs)) >= 0
    eventually(lambda: broker.in_flight() == 0)
    eventually(lambda: broker.delayed() == 0)
    # Twice has run at most what the second had in hand when it died.
    assert sum(runs(first, second, third).values()) <= 1 + 100 + 16


@pytest.mark.durable
@pytest.mark.needs("server")
def test_a_lost_server_does_not_lose_or_double_them(umbel_worker, tasks, broker):
    worker = umbel_worker()
    results = [tasks.noop.apply_async(countdown=LATER + 4) for _ in range(50)]
    eventually(lambda: waiting(broker) == 50)
    broker.kill()
    broker.start()
    for result in results:
        eventually(lambda: broker.document(result.id), 60)
    eventually(broker.idle)
    counts = runs(worker)
    assert len(counts) == 50
    if broker.keeps_acknowledgements:
        assert set(counts.values()) == {1}


def test_python_and_umbel_share_the_queue(
    umbel_worker, python_worker, tasks, broker
):
    umbel = umbel_worker("-n", "umbel@%h")
    python = python_worker("-n", "python@%h")
    pairs = send(tasks, 60, LATER)
    eventually(lambda: broker.queued() == 0)
    eventually(lambda: broker.delayed() > 0, what="some wait in the broker")
    python.wait_for_log("received")
    late = lateness(pairs)
    assert min(late) >= 0
    eventually(lambda: len(runs(umbel, python)) == 60)
    eventually(lambda: broker.in_flight() == 0)
    assert set(runs(umbel, python).values()) == {1}


def test_python_workers_run_them_when_no_umbel_node_is_left(
    umbel_worker, python_worker, tasks, broker
):
    umbel = umbel_worker()
    pairs = send(tasks, 5, LATER)
    eventually(lambda: waiting(broker) == 5)
    umbel.kill()
    last = pairs[-1][0].timestamp()
    eventually(lambda: time.time() > last)
    python = python_worker()  # sweeps as it starts
    assert min(lateness(pairs)) >= 0
    eventually(lambda: broker.in_flight() == 0)
    assert sorted(runs(umbel, python).values()) == [1] * 5


def test_expired_while_it_waited(umbel_worker, tasks, broker):
    umbel_worker()
    result = tasks.add.apply_async((1, 1), countdown=LATER, expires=LATER - 0.5)
    eventually(lambda: waiting(broker) == 1)
    with pytest.raises(TaskRevokedError, match="expired"):
        result.get(timeout=60 * PATIENCE)
    eventually(lambda: broker.in_flight() == 0)


def test_a_flood_costs_the_worker_no_memory(umbel_worker, celery, tasks, broker):
    worker = umbel_worker(loglevel="warning", ready=False)
    assert tasks.add.delay(1, 1).get(timeout=60) == 2
    before = resident(worker.pid)
    count = 20_000
    broker.fill(template(celery, "tasks.add", (4, 4), countdown=86_400), count)
    eventually(lambda: waiting(broker) == count, 60)
    assert tasks.add.delay(1, 2).get(timeout=60) == 3
    assert resident(worker.pid) < before + 16, "MiB"  # they are 20
