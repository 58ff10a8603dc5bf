"""Rate limits: by the time stamps of the results, no more tasks ran than may have,
at any time; and in the end all have run."""

import subprocess
import time
from datetime import timezone

import pytest

from harness.waiting import PATIENCE, eventually
from harness.workers import umbel_binary


def annotated(rate: str, **more) -> dict:
    return {"task_annotations": {"tasks.echo": {"rate_limit": rate, **more}}}


def send(tasks, values, **options):
    """Calls of tasks.echo. @returns the time before the first, and the results."""
    return time.time(), [tasks.echo.apply_async((v,), **options) for v in values]


def ends(results) -> list[float]:
    """When the tasks had run, by their results, in the order of the results."""
    times = []
    for result in results:
        # Not get(): it takes a second for each that was there before.
        eventually(result.ready)
        assert result.successful()
        # Celery's time stamps are UTC without saying so.
        times.append(result.date_done.replace(tzinfo=timezone.utc).timestamp())
    return times


def check_kept(begin, times: list[float], per_second: float, at_once: int = 1) -> None:
    """The n-th to end began no earlier than so many intervals after the first could
    have: true however slow the machine is, if the limit is kept."""
    for n, t in enumerate(sorted(times), start=1):
        assert t - begin >= (n - at_once) / per_second, (n, t - begin)


@pytest.mark.needs("turns")
def test_two_workers_share_a_limit(umbel_worker, tasks, broker):
    config = annotated("10/s", rate_limit_scope="cluster")
    # From one queue the faster one could take all.
    workers = [
        umbel_worker("-n", f"w{i}@%h", "-Q", queue, config=config)
        for i, queue in enumerate(["celery", "other"])
    ]
    begin, results = send(tasks, range(20))
    results += send(tasks, range(20), queue="other")[1]
    check_kept(begin, ends(results), 10)
    for worker in workers:
        assert "succeeded in" in worker.log
    eventually(lambda: broker.in_flight() == 0)


def test_each_worker_has_a_limit_of_its_own(umbel_worker, tasks):
    config = annotated("5/s")
    for i in range(2):
        umbel_worker("-n", f"w{i}@%h", config=config)
    # Enough for tasks to come back to the queue, where the other finds them.
    begin, results = send(tasks, range(40))
    times = ends(results)
    check_kept(begin, times, 10, at_once=2)
    assert {r.state for r in results} == {"SUCCESS"}


@pytest.mark.parametrize("scope", ["worker", "cluster"])
def test_a_long_line_waits_in_the_broker_in_order(
    umbel_worker, tasks, broker, scope
):
    # One child: two may end in another order than they begin.
    umbel_worker("-c", "1", config=annotated("4/s", rate_limit_scope=scope))
    begin, results = send(tasks, range(32))
    eventually(lambda: broker.queued() == 0)
    eventually(lambda: broker.delayed() > 0)
    # No child is held, nor the place of another task in the window.
    assert tasks.add.delay(1, 1).get(timeout=60) == 2
    assert not results[-1].ready()
    times = ends(results)
    check_kept(begin, times, 4)
    assert times == sorted(times)
    eventually(lambda: broker.in_flight() == 0)


def test_each_value_of_a_header_has_a_limit_of_its_own(umbel_worker, tasks):
    config = annotated("5/s", rate_limit_scope="cluster", rate_limit_key="tenant")
    umbel_worker(config=config)
    begin, many = send(tasks, range(40), headers={"tenant": "many"})
    _, few = send(tasks, range(5), headers={"tenant": "few"})
    assert few[-1].get(timeout=60) == 4
    assert not many[-1].ready()
    check_kept(begin, ends(many), 5)
    check_kept(begin, ends(few), 5)


def test_a_worker_that_dies_takes_no_task_of_the_line_with_it(
    umbel_worker, tasks, broker
):
    config = {**annotated("10/s", rate_limit_scope="cluster"), "task_acks_late": True}
    first = umbel_worker("-n", "first@%h", config=config)
    begin, results = send(tasks, range(70))
    eventually(lambda: broker.delayed() > 0)
    eventually(lambda: results[5].ready())
    first.kill()
    umbel_worker("-n", "second@%h", config=config)
    check_kept(begin, ends(results), 10)
    eventually(lambda: broker.in_flight() == 0)


def test_limits_can_be_switched_off(umbel_worker, tasks):
    umbel_worker(config={**annotated("1/h"), "worker_disable_rate_limits": True})
    _, results = send(tasks, range(5))
    ends(results)


def test_a_wrong_rate_is_one_line():
    done = subprocess.run(
        [umbel_binary(), "worker", "-l", "info", "task_default_rate_limit=10/d"],
        capture_output=True,
        text=True,
        timeout=60 * PATIENCE,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "10/s, 100/m or 1000/h" in done.stderr
