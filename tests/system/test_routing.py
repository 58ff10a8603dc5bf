"""Queues that are reached through exchanges: broadcast, direct, topic."""

import json
import os
import re
import signal
import subprocess

import pytest
from celery.utils.nodenames import worker_direct
from kombu import Exchange
from kombu.common import Broadcast

from harness.waiting import eventually
from harness.workers import umbel_binary

BROADCAST = {
    "task_queues": ["celery", {"name": "everyone", "exchange_type": "fanout"}]
}
ZOO = Exchange("zoo", type="topic")
TOPICS = {
    "task_queues": [
        {"name": "cats", "exchange": "zoo", "exchange_type": "topic",
         "routing_key": "animal.cat.#"},
        {"name": "animals", "exchange": "zoo", "exchange_type": "topic",
         "routing_key": "animal.*"},
    ]
}


def ran(worker, result) -> int:
    return len(re.findall(rf"\[{result.id}\] succeeded", worker.log))


def without_exchanges(broker) -> None:
    if broker.name == "sqlite":
        pytest.skip("the test's client has no exchanges")


def test_every_worker_runs_a_broadcast_task(umbel_worker, make_celery, broker):
    without_exchanges(broker)
    app = make_celery(task_queues=(Broadcast("everyone"),))
    workers = [umbel_worker("-n", f"w{i}@x", config=BROADCAST) for i in range(2)]
    assert "everyone(fanout)" in workers[0].log
    noop = app.tasks["tasks.noop"]
    sent = [noop.apply_async(queue="everyone") for _ in range(5)]
    # As the worker of a Python peer does, which has declared the exchange.
    sent.append(noop.apply_async(queue="everyone", declare=[Broadcast("everyone")]))
    for worker in workers:
        for result in sent:
            eventually(lambda: ran(worker, result), what="every worker runs it")
    other = app.tasks["tasks.add"].apply_async((4, 4), queue="celery")
    assert other.get(timeout=10) == 8
    eventually(lambda: broker.in_flight() == 0)
    for worker in workers:
        assert [ran(worker, result) for result in sent] == [1] * len(sent)
    assert sum(ran(worker, other) for worker in workers) == 1


def test_umbel_broadcasts(umbel_worker, broker, tmp_path):
    without_exchanges(broker)
    workers = [umbel_worker("-n", f"w{i}@x", config=BROADCAST) for i in range(2)]
    config = tmp_path / "client.json"
    config.write_text(json.dumps(BROADCAST))
    options = ("-b", broker.url, "-Q", "everyone", "--config", str(config), "--no-wait")
    call = [umbel_binary(), "call", "tasks.noop", *options]
    subprocess.run(call, check=True, timeout=20)
    for worker in workers:
        worker.wait_for_log(r"tasks.noop\[\S+\] succeeded")


def test_what_was_a_nodes_own_ends_with_it(umbel_worker, make_celery, redis_client):
    """Nothing piles up for workers that are no more."""
    app = make_celery(task_queues=(Broadcast("everyone"),))
    heartbeat = ("--heartbeat-interval", "1")
    first = umbel_worker("-n", "w1@x", *heartbeat, config=BROADCAST)
    second = umbel_worker("-n", "w2@x", *heartbeat, config=BROADCAST)

    def bound() -> set[str]:
        members = redis_client.smembers("_kombu.binding.everyone")
        return {x.rsplit("\x06\x16", 1)[1] for x in members}

    both = {"bcast.everyone.w1@x", "bcast.everyone.w2@x"}
    assert bound() == both
    os.killpg(first.pid, signal.SIGSTOP)
    eventually(lambda: bound() == {"bcast.everyone.w2@x"}, what="taken for dead")
    os.killpg(first.pid, signal.SIGCONT)
    eventually(lambda: bound() == both, what="it was not")
    first.kill()
    app.tasks["tasks.noop"].apply_async(queue="everyone")
    eventually(lambda: bound() == {"bcast.everyone.w2@x"}, what="the dead one's ends")
    assert not redis_client.exists("bcast.everyone.w1@x")
    second.stop()
    assert bound() == set()
    assert not redis_client.keys("bcast*") and not redis_client.exists("umbel.fanout")


def test_a_worker_can_be_named(umbel_worker, celery, broker):
    without_exchanges(broker)
    config = {"worker_direct": True}
    workers = [umbel_worker("-n", f"w{i}@x", config=config) for i in range(2)]
    add = celery.tasks["tasks.add"]
    for i, worker in enumerate(workers):
        by_name = add.apply_async((i, 1), exchange="C.dq2", routing_key=f"w{i}@x")
        by_queue = add.apply_async((i, 2), queue=worker_direct(f"w{i}@x"))
        assert by_name.get(timeout=10) == i + 1
        assert by_queue.get(timeout=10) == i + 2
        assert ran(worker, by_name) and ran(worker, by_queue)
    assert add.delay(4, 4).get(timeout=10) == 8, "the usual queue is consumed, too"


def test_topics(umbel_worker, celery, broker):
    without_exchanges(broker)
    umbel_worker(config=TOPICS)
    add = celery.tasks["tasks.add"]

    def send(key: str):
        return add.apply_async((4, 4), exchange="zoo", routing_key=key, declare=[ZOO])

    assert send("animal.cat.big.old").get(timeout=10) == 8
    assert send("animal.dog").get(timeout=10) == 8
    lost = send("plant.rose")
    assert send("animal.bird").get(timeout=10) == 8
    assert not lost.ready()
    eventually(broker.idle)


def test_what_a_broker_cannot_do_is_one_line(umbel_worker, broker):
    kind = {"redis": "headers", "amqp": "no-such", "sqlite": "fanout"}[broker.name]
    config = {"task_queues": [{"name": "q", "exchange_type": kind}]}
    if broker.name == "amqp":
        pytest.skip("the server knows")
    running = umbel_worker(config=config, ready=False)
    assert running.wait_exit(10) == 2
    assert f"queue 'q': exchange_type '{kind}' is not one of direct, topic" in running.log
