"""How many messages a worker takes ahead of what it runs."""

import pytest

from harness.waiting import eventually

LATE = {"task_acks_late": True}


@pytest.mark.parametrize("option", ["--disable-prefetch", "worker.disable_prefetch=1"])
def test_nothing_is_taken_ahead(umbel_worker, tasks, broker, option):
    umbel_worker("-c", "2", option, config=LATE)
    results = [tasks.sleep.delay(4) for _ in range(4)]
    eventually(lambda: (broker.queued(), broker.in_flight()) == (2, 2))
    assert [r.get(timeout=60) for r in results] == [4] * 4


def test_the_multiplier_is_the_law(umbel_worker, tasks, broker):
    umbel_worker("-c", "1", "--prefetch-multiplier", "3", "-O", "fair", config=LATE)
    results = [tasks.sleep.delay(3) for _ in range(4)]
    eventually(lambda: (broker.queued(), broker.in_flight()) == (1, 3))
    assert [r.get(timeout=60) for r in results] == [3] * 4
