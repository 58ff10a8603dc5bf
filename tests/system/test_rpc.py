"""Results as messages to the client's own queue: backend="rpc://"."""

import json

import pytest

from harness.waiting import eventually


replies = pytest.mark.needs("reply queues")


@pytest.fixture
def rpc(make_celery):
    return lambda **settings: make_celery(backend="rpc://", **settings)


@replies
def test_results_and_errors(umbel_worker, rpc, broker):
    umbel_worker(backend="rpc://")
    celery = rpc()
    results = [celery.send_task("tasks.add", (i, i)) for i in range(50)]
    assert [r.get(timeout=60) for r in results] == [2 * i for i in range(50)]
    with pytest.raises(ValueError, match="no"):
        celery.send_task("tasks.fail", ["no"]).get(timeout=60)
    with pytest.raises(Exception, match="no_such"):
        celery.send_task("tasks.no_such").get(timeout=60)
    assert celery.send_task("tasks.flaky", [2]).get(timeout=60) == 2
    eventually(broker.idle)
    assert broker.document(results[0].id) == {}


@replies
@pytest.mark.parametrize("late", [False, True])
def test_every_state_arrives(umbel_worker, rpc, late):
    """Also of a task whose message was acknowledged before it ran."""
    umbel_worker(
        backend="rpc://", config={"task_track_started": True, "task_acks_late": late}
    )
    states = []
    result = rpc().send_task("tasks.progress", [3])
    value = result.get(timeout=60, on_message=lambda m: states.append(m["status"]))
    assert value == 3
    assert states[0] == "STARTED" and states[-1] == "SUCCESS"
    assert states.count("PROGRESS") == 3


@replies
def test_in_another_serializer(umbel_worker, rpc):
    settings = {"result_serializer": "msgpack", "accept_content": ["json", "msgpack"]}
    umbel_worker(backend="rpc://", config=settings)
    celery = rpc(**settings)
    assert celery.send_task("tasks.echo", [{"a": [1]}]).get(timeout=60) == {"a": [1]}


@replies
def test_ignored_results_are_not_sent(umbel_worker, rpc, broker):
    running = umbel_worker(backend="rpc://", config={"task_ignore_result": True})
    result = rpc().send_task("tasks.add", (1, 1))
    running.wait_for_log("succeeded")
    eventually(broker.idle)
    assert broker.queued(result.app.thread_oid) == 0


@replies
def test_a_task_cannot_wait_for_another_one(umbel_worker, rpc):
    umbel_worker(backend="rpc://")
    with pytest.raises(Exception, match="rpc://"):
        rpc().send_task("tasks.forward", ["tasks.echo", 1]).get(timeout=60)


def test_a_python_worker_for_comparison(python_worker, rpc):
    python_worker(backend="rpc://")
    assert rpc().send_task("tasks.add", (1, 2)).get(timeout=60) == 3


def test_disabled_results(umbel_worker, make_celery, broker):
    running = umbel_worker(backend="disabled://")
    result = make_celery(backend="disabled://").send_task("tasks.add", (1, 1))
    running.wait_for_log("succeeded")
    eventually(broker.idle)
    assert broker.document(result.id) == {}


@pytest.fixture
def other(make_redis):
    return make_redis()


def test_messages_and_results_on_two_servers(umbel_worker, make_celery, other):
    umbel_worker(backend=other.url(1))
    celery = make_celery(backend=other.url(1))
    assert celery.send_task("tasks.add", (1, 2)).get(timeout=60) == 3


@replies
def test_no_queue_is_made_for_a_client_that_has_gone(umbel_worker, rpc, broker):
    running = umbel_worker(backend="rpc://")
    celery = rpc()
    celery.send_task("tasks.echo", ["last"], task_id="last", reply_to="gone")
    running.wait_for_log(r"\[last\] succeeded")
    assert celery.send_task("tasks.add", (1, 1)).get(timeout=60) == 2
    eventually(broker.idle)
    if broker.name == "amqp":
        assert "gone" not in broker.queues()


@pytest.mark.parametrize("made_before", [{}, {"x-expires": 60_000}])
def test_a_queue_for_each_task(umbel_worker, rpc, broker, made_before):
    """backend="amqp://": what a client of Celery 4 declares and receives."""
    if broker.name != "amqp":
        pytest.skip("is about RabbitMQ")
    umbel_worker(backend=broker.url, config={"task_track_started": True})
    with broker.server.connect(broker.virtual_host) as connection:
        channel = connection.channel()

        def declare(arguments):
            # RabbitMQ refuses it if the queue is there and is otherwise.
            channel.queue_declare("abc", durable=True, auto_delete=True, arguments=arguments)

        if made_before:
            declare(made_before)
        rpc().send_task("tasks.add", (1, 2), task_id="a-b-c")
        eventually(lambda: broker.queued("abc") == 2)
        declare(made_before or {"x-expires": 86_400_000})
        channel.exchange_declare("celeryresults", "direct", passive=True)
        documents = [json.loads(channel.basic_get("abc").body) for _ in range(2)]
    assert [x["status"] for x in documents] == ["STARTED", "SUCCESS"]
    assert documents[1]["result"] == 3
    eventually(lambda: broker.queued() == 0)
