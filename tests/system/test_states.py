"""States and result documents as Celery's clients read them."""

import pytest
from celery.result import AsyncResult

from harness.results import document_of, started
from harness.waiting import eventually


def test_pending_started_success(worker, tasks):
    running = worker("-n", "w1@%h", config={"task_track_started": True})
    result = tasks.sleep.delay(4)
    where = started(result)
    assert where["hostname"].startswith("w1@")
    assert where["pid"] in running.children()
    assert result.get(timeout=60) == 4
    assert result.state == "SUCCESS"


def test_not_started_unless_tracked(worker, tasks, broker):
    worker()
    result = tasks.sleep.delay(0.5)
    eventually(lambda: broker.queued() == 0)
    seen = set()
    eventually(lambda: seen.add(result.state) or result.ready())
    assert seen <= {"PENDING", "SUCCESS"}


def test_custom_state_with_progress(worker, tasks):
    worker()
    result = tasks.progress.delay(2, 2.5)
    info = eventually(
        lambda: (x := document_of(result))["status"] == "PROGRESS" and x["result"]
    )
    assert isinstance(info, dict)
    result.get(timeout=60)
    assert result.state == "SUCCESS"


def test_the_document(worker, tasks, broker):
    worker()
    result = tasks.add.delay(4, 4)
    result.get(timeout=60)
    found = broker.document(result.id)
    assert found["date_done"]
    assert {**found, "date_done": "then"} == {
        "status": "SUCCESS",
        "result": 8,
        "traceback": None,
        "children": [],
        "date_done": "then",
        "task_id": result.id,
    }


def test_the_document_of_a_failure(worker, tasks, broker):
    worker()
    result = tasks.fail.delay("why")
    result.get(timeout=60, propagate=False)
    found = broker.document(result.id)
    assert found["status"] == "FAILURE"
    assert found["result"] == {
        "exc_type": "ValueError",
        "exc_message": ["why"],
        "exc_module": "builtins",
    }


def test_result_extended(worker, tasks, broker):
    worker("-n", "w1@%h", config={"result_extended": True})
    result = tasks.add.apply_async((4,), {"y": 4})
    result.get(timeout=60)
    found = broker.document(result.id)
    assert found["name"] == "tasks.add"
    assert found["args"] == [4]
    assert found["kwargs"] == {"y": 4}
    assert found["retries"] == 0
    assert found["queue"] == "celery"
    assert found["worker"].startswith("w1@")


def test_ignore_result_leaves_no_key(worker, tasks, broker):
    worker()
    ignored = tasks.add.apply_async((1, 1), ignore_result=True)
    failed = tasks.fail.apply_async(("x",), ignore_result=True)
    # One behind the other in the queue, so those are done when this one is
    # and both children have been seen idle.
    for _ in range(4):
        tasks.add.delay(1, 1).get(timeout=60)
    eventually(lambda: broker.in_flight() == 0)
    assert not broker.document(ignored.id)
    assert not broker.document(failed.id)


def test_store_errors_even_if_ignored(worker, tasks, broker):
    worker(config={"task_store_errors_even_if_ignored": True})
    failed = tasks.fail.apply_async(("x",), ignore_result=True)
    eventually(lambda: broker.document(failed.id))
    assert broker.document(failed.id)["status"] == "FAILURE"


def test_task_ignore_result_as_a_setting(worker, tasks, broker):
    running = worker("-c", "1", config={"task_ignore_result": True})
    result = tasks.add.delay(1, 1)
    running.wait_for_log(r"tasks\.add\[.*succeeded")
    assert not broker.document(result.id)


@pytest.mark.parametrize("seconds", [60, 7200])
def test_results_expire(worker, tasks, broker, seconds):
    worker(config={"result_expires": seconds})
    result = tasks.add.delay(1, 1)
    result.get(timeout=60)
    ttl = broker.expires_in(result.id)
    assert seconds - 20 < ttl <= seconds


def test_results_expire_after_a_day_by_default(worker, tasks, broker):
    worker()
    result = tasks.add.delay(1, 1)
    result.get(timeout=60)
    assert 86_300 < broker.expires_in(result.id) <= 86_400


def test_results_never_expire(worker, tasks, broker):
    worker(config={"result_expires": 0})
    result = tasks.add.delay(1, 1)
    result.get(timeout=60)
    assert broker.expires_in(result.id) is None


@pytest.mark.only_redis("its messages to those who wait for results")
def test_waiting_clients_are_woken_by_pubsub(worker, celery, tasks, redis_server):
    """The client's `get` reads the key once, then waits for a message: the stock one,
    not that of the tests, which looks again."""
    worker()
    listener = redis_server.client().pubsub()
    listener.psubscribe("celery-task-meta-*")
    result = AsyncResult(tasks.sleep.delay(3).id, app=celery)
    # A worker that only stored the result would leave this waiting.
    assert result.get(timeout=60, interval=60) == 3
    published = eventually(
        lambda: listener.get_message(ignore_subscribe_messages=True)
    )
    key = f"celery-task-meta-{result.id}"
    assert published["channel"] == key
    assert published["data"] == redis_server.client().get(key)


def test_success_is_never_overwritten(worker, celery, tasks, broker):
    worker()
    result = tasks.add.delay(4, 4)
    assert result.get(timeout=60) == 8
    again = celery.send_task("tasks.fail", ("late",), task_id=result.id)
    for _ in range(4):
        tasks.add.delay(1, 1).get(timeout=60)
    eventually(lambda: broker.queued() == 0)
    assert broker.document(again.id)["status"] == "SUCCESS"
