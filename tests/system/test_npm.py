"""The Celery clients of npm: celery-node (protocols 2 and 1) and node-celery (an old
form of protocol 1), over Redis, and over RabbitMQ with results in either."""

import time

import pytest

from harness.npm import NpmClient
from harness.waiting import eventually

pytestmark = pytest.mark.needs("npm")


def pytest_generate_tests(metafunc):
    """Where results go: to Redis, and as Celery 4 could, to RabbitMQ itself."""
    stores = ["redis"]
    if metafunc.config.getoption("--broker") == "amqp":
        stores.append("amqp")
    metafunc.parametrize("results", stores, indirect=True)


@pytest.fixture
def results(request, broker):
    return broker.url if request.param == "amqp" else broker.result_url


@pytest.fixture
def celery_node(broker, results):
    return lambda protocol=2: NpmClient(
        "celery_node.js", broker.url, results, protocol=protocol)


@pytest.fixture
def node_celery(broker, results):
    return NpmClient("node_celery.js", broker.url, results)


@pytest.mark.parametrize("protocol", [1, 2])
def test_celery_node(umbel_worker, celery_node, broker, results, protocol):
    umbel_worker(backend=results)
    something = {"a": [1, 2.5, None, True, "zwölf ☃"]}
    *values, failed, unknown = celery_node(protocol).call(
        *[["tasks.add", [i, i], {}] for i in range(20)],
        ["tasks.add", [], {"x": 1, "y": 2}],
        ["tasks.echo", [something], {}],
        ["tasks.flaky", [1], {}],
        ["tasks.fail", ["no pears"], {}],
        ["tasks.no_such", [], {}],
    )
    assert values == [{"value": x} for x in (*range(0, 40, 2), 3, something, 1)]
    assert failed["status"] == unknown["status"] == "FAILURE"
    assert failed["error"]["exc_type"] == "ValueError"
    assert failed["error"]["exc_message"] == ["no pears"]
    assert unknown["error"]["exc_type"] == "NotRegistered"
    eventually(broker.idle)


def test_node_celery(umbel_worker, node_celery, broker, results):
    umbel_worker(backend=results)
    *fine, failed, unknown = node_celery.call(
        *[["tasks.add", [i, i], {}, {}] for i in range(20)],
        ["tasks.add", [], {"x": 1, "y": 2}, {}],
        ["tasks.echo", ["zwölf ☃"], {}, {}],
        ["tasks.fail", ["no pears"], {}, {}],
        ["tasks.no_such", [], {}, {}],
    )
    assert [x["result"] for x in fine] == [*range(0, 40, 2), 3, "zwölf ☃"]
    assert {x["status"] for x in fine} == {"SUCCESS"}
    assert failed["status"] == unknown["status"] == "FAILURE"
    assert failed["result"]["exc_type"] == "ValueError"
    assert unknown["result"]["exc_type"] == "NotRegistered"
    eventually(broker.idle)


def test_options_of_node_celery(umbel_worker, node_celery, results):
    """Those of its options that Celery knows, in the words of its protocol 1."""
    running = umbel_worker(backend=results)
    begin = time.time()
    soon, late, tried, linked = node_celery.call(
        ["tasks.add", [1, 1], {}, {"eta": (begin + 1.5) * 1000}],
        ["tasks.add", [2, 2], {}, {"expires": (begin - 60) * 1000}],
        ["tasks.flaky", [3], {}, {"retries": 3, "utc": True, "taskset": None}],
        ["tasks.add", [1, 1], {}, {"id": "linked", "callbacks": [
            {"task": "tasks.mul", "args": [21], "kwargs": {}, "subtask_type": None,
             "options": {"task_id": "after"}, "immutable": False}]}],
    )
    assert soon["result"] == 2 and time.time() >= begin + 1.5
    assert late["status"] == "REVOKED"
    assert tried["result"] == 3, "it was not tried again: 3 is how often it was"
    assert linked["task_id"] == "linked"
    running.wait_for_log(r"tasks.mul\[after\] succeeded .*: 42")
