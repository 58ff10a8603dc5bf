"""What a task's author has called around the runs: hooks, signals, options."""

import re
import subprocess

import pytest
from celery import chord, signature
from celery.contrib.abortable import AbortableAsyncResult
from celery.exceptions import ChordError, TaskRevokedError

from harness.waiting import eventually
from harness.workers import build_dir, umbel_binary

LIBRARY = str(build_dir() / "tests/system/libfeatures.so")


def said(log: str, what: str) -> list[int]:
    """The processes that have said it."""
    return [int(x) for x in re.findall(rf"features: {what} in (\d+)", log)]


def test_hooks_headers_and_expected_exceptions(umbel_worker, celery):
    running = umbel_worker("-c", "1", app=LIBRARY)
    good = celery.send_task("features.order", (1,), headers={"tenant": "acme"})
    assert good.get(timeout=60) == "acme"
    running.wait_for_log("hook after_return SUCCESS")
    lines = re.findall(r"hook (.*)", running.log)
    assert lines == ["before_start", "on_success", "after_return SUCCESS"]
    bad = celery.send_task("features.order", (11,))
    assert type(bad.get(timeout=60, propagate=False)).__name__ == "out_of_stock"
    running.wait_for_log(rf"INFO.* Task features.order\[{bad.id}\] raised expected: "
                         r"out_of_stock\('only 10'\)$")
    assert "In task features.order" not in running.log
    running.wait_for_log("hook after_return FAILURE")
    assert re.findall(r"hook (.*)", running.log)[3:] == [
        "before_start", "on_failure out_of_stock('only 10')", "after_return FAILURE"]
    running.wait_for_log(f"noted {bad.id}")  # what a hook has started


@pytest.mark.parametrize("pool", ["prefork", "threads", "gevent"])
def test_processes_are_told_of_their_life(umbel_worker, celery, pool):
    running = umbel_worker("-c", "1", "-P", pool, app=LIBRARY)
    pid = celery.send_task("features.pid").get(timeout=60)
    log = running.log
    assert said(log, "worker_process_init") == [pid]
    assert "a function connected to worker_process_init raised " \
           "RuntimeError('no database')" in log
    if pool == "prefork":
        assert said(log, "worker_init") == [running.fork_server()]
    else:
        assert said(log, "worker_init") == [pid] == [running.pid]
    started = said(log, "worker_init")
    running.stop()
    assert said(running.log, "worker_process_shutdown") == [pid]
    assert said(running.log, "worker_shutdown") == started
    assert running.log.index("worker_process_shutdown in") < running.log.index("worker_shutdown in")


def test_messages_are_told_of_before_they_are_published(umbel_worker, celery):
    umbel_worker(app=LIBRARY)
    celery.send_task("features.trace").get(timeout=60)
    assert celery.AsyncResult("traced").get(timeout=60) == "of features.traced"


def test_a_task_ends_when_it_is_aborted(umbel_worker, celery):
    umbel_worker("-c", "1", app=LIBRARY)
    sent = celery.send_task("features.count")
    result = AbortableAsyncResult(sent.id, app=celery)
    result.abort()
    assert sent.get(timeout=60) >= 0
    assert result.state == "SUCCESS"


def test_an_errback_is_called_where_the_task_failed(umbel_worker, celery):
    running = umbel_worker("-c", "1", app=LIBRARY)
    errbacks = [signature("features.alarm", app=celery),
                signature("features.note", app=celery)]
    bad = celery.send_task("features.order", (11,), link_error=errbacks)
    bad.get(timeout=60, propagate=False)
    running.wait_for_log(f"noted {bad.id}$")
    assert "alarm: features.order out_of_stock" in running.log
    assert "Task features.alarm" not in running.log  # it was no task of its own
    # One whose process is gone has nobody to call it.
    celery.send_task("features.crash", link_error=errbacks[:1])
    running.wait_for_log("alarm: features.crash WorkerLostError$")


def test_what_has_succeeded_is_not_run_again(umbel_worker, celery):
    running = umbel_worker("-c", "1", app=LIBRARY,
                           config={"worker_deduplicate_successful_tasks": True})
    celery.backend.store_result("done-before", 41, "SUCCESS")
    again = {"redelivered": True}
    celery.send_task("features.doubled", (1,), task_id="done-before", headers=again,
                     link=signature("features.note", kwargs={}, app=celery))
    running.wait_for_log(r"Task features.doubled\[done-before\] has succeeded before")
    running.wait_for_log(r"Task features.doubled\[done-before\] succeeded in \S+ 41$")
    assert celery.send_task("features.doubled", (1,), headers=again).get(timeout=60) == 2


def test_called_tasks_run_where_they_stand(umbel_worker, celery):
    running = umbel_worker("-c", "1", app=LIBRARY, config={"task_always_eager": True})
    assert celery.send_task("features.doubled_twice", (3,)).get(timeout=60) == 12
    assert "Task features.doubled[" not in running.log


def test_a_chord_whose_parts_nobody_counts(umbel_worker, make_celery, tmp_path):
    results = tmp_path / "results"
    results.mkdir()
    umbel_worker(backend=f"file://{results}", config={"result_chord_retry_interval": 0.1})
    celery = make_celery(backend=f"file://{results}")
    add, xsum = celery.tasks["tasks.add"], celery.tasks["tasks.xsum"]
    parts = [add.s(i, i) for i in range(3)]
    good = chord([*parts, celery.tasks["tasks.sleep"].s(1.2)])(xsum.s())
    bad = chord([*parts, celery.tasks["tasks.fail"].s("no")])(xsum.s())
    assert good.get(timeout=60) == pytest.approx(7.2)
    eventually(bad.ready)
    assert isinstance(bad.result, ChordError) and "ValueError" in str(bad.result)


def runs_now(celery) -> int:
    tasks = (celery.control.inspect(timeout=0.5).active() or {}).values()
    return sum(map(len, tasks))


def call(broker, *args: str) -> subprocess.CompletedProcess:
    return subprocess.run([umbel_binary(), "call", *broker.options, *args],
                          capture_output=True, text=True, timeout=60)


@pytest.mark.needs("unique keys")
def test_unique_tasks_from_the_command_line(umbel_worker, broker):
    key = ["--unique-key", "k"]
    first = call(broker, "features.order", "-a", "[1]", *key)
    assert first.returncode == 0
    second = call(broker, "features.order", "-a", "[2]", *key)
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr == (f"umbel call: task {first.stdout.strip()} has the unique "
                             "key 'features.order/k' already\n")
    assert call(broker, "features.pid", *key).returncode == 0  # another task
    once = ["features.order", "-a", "[3]", "--task-id", "mine", "--publish-once", "60"]
    assert [call(broker, *once).stdout for _ in range(2)] == ["mine\n"] * 2
    running = umbel_worker("-c", "1", app=LIBRARY)
    running.wait_for_log(r"order\[mine\] succeeded")
    assert call(broker, "features.order", "-a", "[4]", *key, "--wait").returncode == 0
    assert running.log.count("order[mine] received") == 1


@pytest.mark.needs("unique keys")
def test_tasks_that_say_themselves_that_they_are_unique(umbel_worker, celery, broker):
    running = umbel_worker("-c", "8", app=LIBRARY)
    twice = celery.send_task("features.report_twice", ("acme",)).get(timeout=60)
    assert sorted(twice.split()) == ["TaskRevokedError", "acme"]
    # What goes out with an outcome meets its key where it is reserved.
    celery.send_task("features.start_reports", (3,)).get(timeout=60)
    eventually(lambda: running.log.count("Discarding duplicate task: features.report") == 2)
    eventually(lambda: len(re.findall(r"features.report\[.*succeeded", running.log)) == 2)
    eventually(lambda: not broker.unique_keys())


@pytest.mark.needs("unique keys")
def test_a_unique_task_whose_process_dies_gives_its_key_back(umbel_worker, celery, broker):
    umbel_worker("-c", "1", app=LIBRARY)
    key = {"unique_key": "k"}
    for _ in range(2):
        crashed = celery.send_task("features.crash", headers=key)
        assert type(crashed.get(timeout=60, propagate=False)).__name__ == "WorkerLostError"
        eventually(lambda: not broker.unique_keys())


@pytest.mark.needs("unique keys")
def test_a_unique_task_whose_worker_dies_goes_on_with_its_key(umbel_worker, celery, broker):
    key = {"unique_key": "k", "unique_for": 60}
    options = {"task_acks_late": True}
    first = umbel_worker("-c", "1", "-n", "one@h", app=LIBRARY, config=options)
    running = celery.send_task("features.count", headers=key)
    first.wait_for_log(rf"features.count\[{running.id}\] received")
    eventually(lambda: broker.unique_keys())
    first.kill()
    second = umbel_worker("-c", "1", "-n", "two@h", app=LIBRARY, config=options)
    duplicate = celery.send_task("features.count", headers=key)
    second.wait_for_log(rf"features.count\[{running.id}\] received")
    with pytest.raises(TaskRevokedError, match=f"task {running.id} has the unique key"):
        duplicate.get(timeout=60)
    AbortableAsyncResult(running.id, app=celery).abort()
    assert running.get(timeout=60) >= 0
    eventually(lambda: not broker.unique_keys())


@pytest.mark.needs("unique keys")
def test_unique_tasks_of_foreign_producers(umbel_worker, celery, broker):
    running = umbel_worker("-c", "2", app=LIBRARY)
    key = {"unique_key": "k", "unique_for": 60}
    first = celery.send_task("features.count", headers=key)
    running.wait_for_log(rf"features.count\[{first.id}\] received")
    eventually(lambda: [x for x in broker.unique_keys() if x.endswith("features.count/k")])
    second = celery.send_task("features.count", headers=key)
    with pytest.raises(TaskRevokedError, match=f"task {first.id} has the unique key"):
        second.get(timeout=60)
    stats = celery.control.inspect(timeout=20, limit=1).stats()
    assert [x["duplicates"] for x in stats.values()] == [1]
    AbortableAsyncResult(first.id, app=celery).abort()
    first.get(timeout=60)
    eventually(lambda: not broker.unique_keys())
    # Held until it begins only.
    until_start = {**key, "unique_until": "start"}
    both = [celery.send_task("features.count", headers=until_start)]
    running.wait_for_log(rf"features.count\[{both[0].id}\] received")
    eventually(lambda: runs_now(celery) == 1)
    both.append(celery.send_task("features.count", headers=until_start))
    for result in both:
        AbortableAsyncResult(result.id, app=celery).abort()
        assert result.get(timeout=60) >= 0
