"""Urgent messages first: 0 is the most urgent on Redis."""

from harness.waiting import eventually


def test_urgent_tasks_run_first(worker, tasks, redis_server, redis_client):
    worker("-c", "1", "--prefetch-multiplier", "1", config={"task_track_started": True})
    plug = tasks.sleep.delay(2)
    eventually(lambda: plug.state == "STARTED", what="the only child is busy")
    # One more may be reserved ahead before the others are there: let it be.
    tasks.noop.delay()
    finished = redis_server.client().pubsub()
    finished.psubscribe("celery-task-meta-*")
    priorities = [9, 6, 3, 0, 9, 6, 3, 0]
    sent = {tasks.add.apply_async((p, 0), priority=p).id: p for p in priorities}
    order: list[int] = []

    def all_done():
        while message := finished.get_message(ignore_subscribe_messages=True):
            task_id = message["channel"].removeprefix("celery-task-meta-")
            if task_id in sent and '"SUCCESS"' in message["data"]:
                order.append(sent[task_id])
        return len(order) == len(priorities)

    eventually(all_done)
    assert order == sorted(priorities), order


def test_priorities_between_the_steps(worker, tasks, redis_client):
    results = [tasks.add.apply_async((p, 1), priority=p) for p in range(10)]
    assert redis_client.llen("celery\x06\x163") == 3
    worker()
    assert [r.get(timeout=10) for r in results] == [p + 1 for p in range(10)]
