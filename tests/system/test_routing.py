"""Queues that are reached through exchanges: broadcast, direct, topic."""

import json
import os
import re
import signal
import subprocess

import pytest
from celery import chord
from celery.utils.nodenames import worker_direct
from kombu import Exchange, Queue
from kombu.common import Broadcast

from harness.beats import Beat
from harness.waiting import eventually
from harness.workers import build_dir, umbel_binary

FEATURES = str(build_dir() / "tests/system/libfeatures.so")

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
    assert other.get(timeout=60) == 8
    eventually(lambda: broker.in_flight() == 0)
    for worker in workers:
        assert [ran(worker, result) for result in sent] == [1] * len(sent)
    assert sum(ran(worker, other) for worker in workers) == 1


def test_umbel_broadcasts(umbel_worker, broker, tmp_path):
    without_exchanges(broker)
    workers = [umbel_worker("-n", f"w{i}@x", config=BROADCAST) for i in range(2)]
    call(broker, tmp_path, "tasks.noop")
    for worker in workers:
        worker.wait_for_log(r"tasks.noop\[\S+\] succeeded")


def everywhere(workers, pattern: str, times: int = 1) -> None:
    """Each of them has logged it so often, and no more."""
    for worker in workers:
        eventually(lambda: len(re.findall(pattern, worker.log)) >= times,
                   what=f"{times} x {pattern} at {worker.log_path.name}")
    for worker in workers:
        assert len(re.findall(pattern, worker.log)) == times


def test_tasks_broadcast(umbel_worker, celery, broker):
    """What a task sends: itself, as a callback, as the end of a chain or a chord."""
    without_exchanges(broker)
    workers = [umbel_worker("-n", f"w{i}@x", config=BROADCAST) for i in range(2)]
    libraries = [umbel_worker("-n", f"f{i}@x", app=FEATURES, config={
        **BROADCAST, "task_default_queue": "features",
        "task_queues": ["features", BROADCAST["task_queues"][1]]}) for i in range(2)]
    celery.send_task("features.tell_all", queue="features").get(timeout=60)
    everywhere(libraries, r"noted \S+")
    add, noop = celery.tasks["tasks.add"], celery.tasks["tasks.noop"]
    news = noop.si().set(queue="everyone")
    for way in (add.si(1, 1).set(link=news), add.si(1, 1) | news,
                chord([add.si(1, 1), add.si(2, 2)], news)):
        way.apply_async()
    everywhere(workers, r"tasks.noop\[\S+\] succeeded", 3)
    eventually(lambda: broker.in_flight() == 0)
    # The libraries have no such task, and got it all the same.
    everywhere(libraries, r"unregistered task of type 'tasks.noop'", 3)
    everywhere(workers, r"unregistered task of type 'features.note'")
    if broker.name == "redis":
        assert not broker.client.exists("everyone")


def test_a_broadcast_task_that_retries_bothers_nobody_else(umbel_worker, broker, tmp_path):
    without_exchanges(broker)
    workers = [umbel_worker("-n", f"w{i}@x", app=FEATURES, config=BROADCAST)
               for i in range(2)]
    call(broker, tmp_path, "features.stubborn")
    everywhere(workers, r"features.stubborn\[\S+\] succeeded")
    everywhere(workers, r"features.stubborn\[\S+\] received", 3)
    eventually(lambda: broker.in_flight() == 0)
    everywhere(workers, r"features.stubborn\[\S+\] received", 3)


@pytest.mark.parametrize("kept", ["in a file", "in Redis"])
def test_beat_broadcasts(umbel_worker, broker, tmp_path, kept):
    without_exchanges(broker)
    workers = [umbel_worker("-n", f"w{i}@x", config=BROADCAST) for i in range(2)]
    news = {"task": "tasks.noop", "schedule": 0.2, "options": {"queue": "everyone"}}
    schedule = broker.result_url if kept == "in Redis" else str(tmp_path / "s.db")
    beat = Beat(log=tmp_path / "beat.log", broker=broker.url, schedule=schedule,
                entries={"news": news}, **BROADCAST)
    try:
        beat.wait_ready()
        for worker in workers:
            worker.wait_for_log(r"tasks.noop\[\S+\] succeeded")
        if broker.name == "redis":
            assert not broker.client.exists("everyone")
    finally:
        beat.clean_up()


def call(broker, tmp_path, task: str, *options: str) -> None:
    config = tmp_path / "client.json"
    config.write_text(json.dumps(BROADCAST))
    options = ("-b", broker.url, "-Q", "everyone", "--config", str(config), *options)
    subprocess.run([umbel_binary(), "call", task, *options], check=True, timeout=60)


def test_python_and_umbel_hear_the_same(umbel_worker, python_worker, make_celery, broker,
                                        tmp_path):
    """Whoever publishes: a Python client, ours, a task of ours, a task of Python's."""
    app = make_celery(task_queues=(Queue("celery"), Queue("ours"), Broadcast("everyone")))
    ours = umbel_worker("-n", "ours@x", config={
        "task_queues": ["ours", BROADCAST["task_queues"][1]]})
    theirs = python_worker("-n", "theirs@x", config={"harness_broadcast": ["everyone"]})
    noop, add = app.tasks["tasks.noop"], app.tasks["tasks.add"]
    noop.apply_async(queue="everyone", declare=[Broadcast("everyone")])
    call(broker, tmp_path, "tasks.noop")
    everywhere([ours, theirs], r"tasks.noop\[\S+\] succeeded", 2)
    # Whoever of the two runs the first step has the next one sent to both.
    for queue in ("ours", "celery"):
        (add.si(1, 1).set(queue=queue) | noop.si().set(queue="everyone")).apply_async()
    everywhere([ours], r"tasks.noop\[\S+\] succeeded", 4)
    # On Redis a Python worker's children do not declare the exchange: what they send
    # its own kind does not hear.
    everywhere([theirs], r"tasks.noop\[\S+\] succeeded", 3 if broker.name == "redis" else 4)
    # A step sends the next one before it is said to have succeeded.
    everywhere([ours, theirs], r"tasks.add\[\S+\] succeeded", 1)


@pytest.mark.parametrize("heard", ["with control and gossip", "alone"])
@pytest.mark.only_redis("its connections are counted")
def test_queues_cost_no_connections(umbel_worker, make_celery, redis_client, heard):
    """Five of them, however many queues there are, broadcast or not."""
    names = [f"news{i}" for i in range(20)]
    queues = [{"name": x, "exchange_type": "fanout"} for x in names]
    config = {"task_queues": ["celery", *(f"q{i}" for i in range(20)), *queues],
              "worker_enable_remote_control": heard != "alone"}
    options = () if heard != "alone" else ("--without-gossip", "--without-mingle")
    worker = umbel_worker(*options, config=config)
    app = make_celery(task_queues=[Broadcast(x) for x in names])
    sent = [app.tasks["tasks.noop"].apply_async(queue=x, declare=[Broadcast(x)])
            for x in names]
    sent.append(app.tasks["tasks.noop"].apply_async(queue="q7"))
    for result in sent:
        eventually(lambda: ran(worker, result), what="each queue is served")
    def connections() -> list:
        mine = worker.tcp_addresses()
        return [x for x in redis_client.client_list() if x["addr"] in mine]
    # Mingle's, at the beginning, goes.
    eventually(lambda: len(connections()) == 5)


@pytest.mark.only_redis("others end the queues of a node that is dead")
def test_what_was_a_nodes_own_ends_with_it(umbel_worker, make_celery, redis_client):
    """Nothing piles up for workers that are no more."""
    app = make_celery(task_queues=(Broadcast("everyone"),))
    heartbeat = ("--heartbeat-interval", "2")
    first = umbel_worker("-n", "w1@x", *heartbeat, config=BROADCAST)
    second = umbel_worker("-n", "w2@x", *heartbeat, config=BROADCAST)

    def bound() -> set[str]:
        members = redis_client.smembers("_kombu.binding.everyone")
        return {x.rsplit("\x06\x16", 1)[1] for x in members}

    both = {"bcast.everyone.w1@x", "bcast.everyone.w2@x"}
    eventually(lambda: bound() == both)
    os.killpg(first.pid, signal.SIGSTOP)
    eventually(lambda: bound() == {"bcast.everyone.w2@x"}, what="taken for dead")
    os.killpg(first.pid, signal.SIGCONT)
    eventually(lambda: bound() == both, what="it was not")
    first.kill()
    app.tasks["tasks.noop"].apply_async(queue="everyone")
    eventually(lambda: bound() == {"bcast.everyone.w2@x"}, what="the dead one's ends")
    eventually(lambda: not redis_client.exists("bcast.everyone.w1@x"))
    second.stop()
    eventually(lambda: bound() == set())
    eventually(lambda: not redis_client.keys("bcast*"))
    eventually(lambda: not redis_client.exists("umbel.fanout"))


def test_a_worker_can_be_named(umbel_worker, celery, broker):
    without_exchanges(broker)
    config = {"worker_direct": True}
    workers = [umbel_worker("-n", f"w{i}@x", config=config) for i in range(2)]
    add = celery.tasks["tasks.add"]
    for i, worker in enumerate(workers):
        by_name = add.apply_async((i, 1), exchange="C.dq2", routing_key=f"w{i}@x")
        by_queue = add.apply_async((i, 2), queue=worker_direct(f"w{i}@x"))
        assert by_name.get(timeout=60) == i + 1
        assert by_queue.get(timeout=60) == i + 2
        eventually(lambda: ran(worker, by_name) and ran(worker, by_queue))
    assert add.delay(4, 4).get(timeout=60) == 8, "the usual queue is consumed, too"


def control(app, method: str, node: str, **arguments):
    (reply,) = app.control.broadcast(
        method, arguments=arguments, destination=[node], reply=True, limit=1, timeout=20
    )
    return reply[node]


def queues(app, node: str) -> list[str]:
    found = app.control.inspect(destination=[node], timeout=20).active_queues()
    return [x["name"] for x in found[node]]


def test_queues_come_and_go(umbel_worker, celery, tasks, broker):
    without_exchanges(broker)
    node = "one@here"
    running = umbel_worker("-n", node, "-c", "1")
    assert control(celery, "add_consumer", node, queue="more") == {"ok": "add consumer more"}
    assert queues(celery, node) == ["celery", "more"]
    assert tasks.add.apply_async((4, 4), queue="more").get(timeout=60) == 8
    assert tasks.add.delay(4, 5).get(timeout=60) == 9
    # New connections consume it, too.
    broker.cut_connections(running)
    assert tasks.add.apply_async((4, 6), queue="more").get(timeout=60) == 10
    answer = control(celery, "cancel_consumer", node, queue="celery")
    assert answer == {"ok": "no longer consuming from celery"}
    assert queues(celery, node) == ["more"]
    assert tasks.add.apply_async((4, 7), queue="more").get(timeout=60) == 11
    unread = tasks.add.delay(1, 1)
    assert tasks.add.apply_async((4, 8), queue="more").get(timeout=60) == 12
    eventually(lambda: broker.queued() == 1)
    control(celery, "add_consumer", node, queue="celery")
    assert unread.get(timeout=60) == 2
    bad = [{}, {"queue": ""}, {"queue": 3}, {"queue": "x", "exchange_type": "fanout"},
           {"queue": "x", "exchange_type": "no-such"}, {"queue": "x", "exchange": 3}]
    if broker.name == "amqp":
        bad += [{"queue": "amq.mine"}, {"queue": "x" * 300}]
    for arguments in bad:
        assert "error" in control(celery, "add_consumer", node, **arguments), arguments
    assert queues(celery, node) == ["more", "celery"]
    assert tasks.add.delay(1, 2).get(timeout=60) == 3


def test_queues_that_come_are_bound_as_they_are_told(umbel_worker, celery, broker):
    without_exchanges(broker)
    node = "one@here"
    running = umbel_worker("-n", node, "-c", "1")
    answer = control(celery, "add_consumer", node, queue="cats", exchange="zoo",
                     exchange_type="topic", routing_key="animal.cat.#")
    assert answer == {"ok": "add consumer cats"}
    (cats,) = [x for x in celery.control.inspect([node], timeout=20).active_queues()[node]
               if x["name"] == "cats"]
    assert (cats["exchange"]["name"], cats["exchange"]["type"], cats["routing_key"]) == (
        "zoo", "topic", "animal.cat.#")
    add = celery.tasks["tasks.add"]

    def send(key: str):
        return add.apply_async((4, 4), exchange="zoo", routing_key=key, declare=[ZOO])

    assert send("animal.cat.big").get(timeout=60) == 8
    broker.cut_connections(running)
    assert send("animal.cat.small").get(timeout=60) == 8
    lost = send("animal.dog")
    assert send("animal.cat.old").get(timeout=60) == 8
    assert not lost.ready()


def test_topics(umbel_worker, celery, broker):
    without_exchanges(broker)
    umbel_worker(config=TOPICS)
    add = celery.tasks["tasks.add"]

    def send(key: str):
        return add.apply_async((4, 4), exchange="zoo", routing_key=key, declare=[ZOO])

    assert send("animal.cat.big.old").get(timeout=60) == 8
    assert send("animal.dog").get(timeout=60) == 8
    lost = send("plant.rose")
    assert send("animal.bird").get(timeout=60) == 8
    assert not lost.ready()
    eventually(broker.idle)


def test_what_a_broker_cannot_do_is_one_line(umbel_worker, broker):
    kind = {"redis": "headers", "amqp": "no-such", "sqlite": "fanout"}[broker.name]
    config = {"task_queues": [{"name": "q", "exchange_type": kind}]}
    if broker.name == "amqp":
        pytest.skip("the server knows")
    running = umbel_worker(config=config, ready=False)
    assert running.wait_exit() == 2
    assert f"queue 'q': exchange_type '{kind}' is not one of direct, topic" in running.log
