"""Tasks that are due later, too late, or again."""

import time
from datetime import datetime, timedelta, timezone

import pytest
from celery.exceptions import TaskRevokedError

from harness.waiting import eventually


@pytest.fixture(autouse=True)
def running(worker):
    return worker()


def ended(result) -> datetime:
    """When, by the result: Celery's time stamps are UTC without saying so."""
    return result.date_done.replace(tzinfo=timezone.utc)


def test_countdown(tasks, broker):
    begin = time.monotonic()
    result = tasks.add.apply_async((2, 2), countdown=1)
    assert result.get(timeout=60) == 4
    assert 0.9 < time.monotonic() - begin < 20
    eventually(lambda: broker.in_flight() == 0)


def test_eta_with_a_time_zone(tasks):
    zone = timezone(timedelta(hours=5, minutes=30))
    due = datetime.now(zone) + timedelta(seconds=1)
    result = tasks.add.apply_async((2, 3), eta=due)
    assert result.get(timeout=60) == 5
    assert due <= ended(result) < due + timedelta(seconds=20)


def test_eta_in_the_past_runs_at_once(tasks):
    due = datetime.now(timezone.utc) - timedelta(hours=1)
    assert tasks.add.apply_async((1, 2), eta=due).get(timeout=60) == 3


def test_a_task_due_later_does_not_hold_up_others(tasks):
    later = [tasks.noop.apply_async(countdown=60) for _ in range(50)]
    assert tasks.add.delay(1, 1).get(timeout=60) == 2
    assert {r.state for r in later} == {"PENDING"}


def test_due_tasks_run_in_order_of_their_eta(tasks):
    late = tasks.add.apply_async((1, 1), countdown=4)
    early = tasks.add.apply_async((2, 2), countdown=0.5)
    assert early.get(timeout=60) == 4
    assert late.get(timeout=60) == 2
    assert ended(early) < ended(late)


def test_expired_before_it_arrives(tasks, broker):
    result = tasks.add.apply_async((1, 1), expires=-5)
    with pytest.raises(TaskRevokedError, match="expired"):
        result.get(timeout=60)
    assert result.state == "REVOKED"
    eventually(lambda: broker.in_flight() == 0)


def test_expires_later_runs(tasks):
    assert tasks.add.apply_async((1, 1), expires=60).get(timeout=60) == 2


def test_expired_while_it_waited_for_a_child(tasks):
    busy = [tasks.sleep.delay(6) for _ in range(2)]
    result = tasks.add.apply_async((1, 1), expires=0.5)
    with pytest.raises(TaskRevokedError, match="expired"):
        result.get(timeout=60)
    for r in busy:
        r.get(timeout=60)


def test_a_flaky_task_is_retried_until_it_succeeds(tasks, broker):
    result = tasks.flaky.delay(3)
    assert result.get(timeout=60) == 3
    assert result.state == "SUCCESS"
    eventually(lambda: broker.in_flight() == 0)


def test_retries_keep_the_id_and_count(make_celery):
    app = make_celery(result_extended=True)
    result = app.tasks["tasks.flaky"].delay(2)
    assert result.get(timeout=60) == 2
    assert app.AsyncResult(result.id).state == "SUCCESS"
