"""What a task's author has called around the runs: hooks, signals, options."""

import re

import pytest

from harness.workers import build_dir

LIBRARY = str(build_dir() / "tests/system/libfeatures.so")


def said(log: str, what: str) -> list[int]:
    """The processes that have said it."""
    return [int(x) for x in re.findall(rf"features: {what} in (\d+)", log)]


def test_hooks_headers_and_expected_exceptions(umbel_worker, celery):
    running = umbel_worker("-c", "1", app=LIBRARY)
    good = celery.send_task("features.order", (1,), headers={"tenant": "acme"})
    assert good.get(timeout=10) == "acme"
    lines = re.findall(r"hook (.*)", running.log)
    assert lines == ["before_start", "on_success", "after_return SUCCESS"]
    bad = celery.send_task("features.order", (11,))
    assert type(bad.get(timeout=10, propagate=False)).__name__ == "out_of_stock"
    running.wait_for_log(rf"INFO.* Task features.order\[{bad.id}\] raised expected: "
                         r"out_of_stock\('only 10'\)$")
    assert "In task features.order" not in running.log
    assert re.findall(r"hook (.*)", running.log)[3:] == [
        "before_start", "on_failure out_of_stock('only 10')", "after_return FAILURE"]
    running.wait_for_log(f"noted {bad.id}")  # what a hook has started


@pytest.mark.parametrize("pool", ["prefork", "threads", "gevent"])
def test_processes_are_told_of_their_life(umbel_worker, celery, pool):
    running = umbel_worker("-c", "1", "-P", pool, app=LIBRARY)
    pid = celery.send_task("features.pid").get(timeout=10)
    log = running.log
    assert said(log, "worker_process_init") == [pid]
    assert "a function connected to worker_process_init raised " \
           "RuntimeError('no database')" in log
    if pool == "prefork":
        assert said(log, "worker_init") == [running.fork_server()]
    else:
        assert said(log, "worker_init") == [pid] == [running.pid]
    running.stop()
    assert said(running.log, "worker_process_shutdown") == [pid]
