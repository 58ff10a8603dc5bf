"""Workflows from Python's client through the worker.

The table is generated: everything that takes a number is put into everything that
workflows can be made of, and the result is compared with what the same tree gives
when it is evaluated here. `--worker python` holds the table against Celery.
"""

import json

import pytest
from celery import chain, chord, group
from celery.exceptions import ChordError, NotRegistered
from celery.result import GroupResult

from harness.shapes import (
    ECHO, PLUS, SHAPES, SUM, TIMES, Shape, app, chain_of, chord_of, group_of, start,
)
from harness.waiting import eventually
from harness.workers import build_dir

add, mul, xsum, echo, fail, crash = (
    app.tasks[f"tasks.{name}"] for name in "add mul xsum echo fail crash".split()
)


def end_of(celery, result):
    """What it has ended with itself: `result.get()` throws what its parents have."""
    return celery.AsyncResult(result.id).get(timeout=60)


def value_of(celery, result):
    """One by one: GroupResult.get of Celery 5.2.6 waits for ever for a chord in it
    whose body is a chain, although all results are there."""
    if isinstance(result, GroupResult):
        return [value_of(celery, x) for x in result.results]
    return end_of(celery, result)


def of(app_, signature):
    """The same signature as one of this app, as it comes over the wire."""
    return app_.signature(json.loads(json.dumps(signature)))


def test_every_nesting_gives_what_plain_evaluation_gives(celery, worker):
    assert len(SHAPES) >= 60
    worker()
    started = [(x, of(celery, x.make()).apply_async()) for x in SHAPES]
    wrong = []
    for shape, result in started:
        try:
            value = value_of(celery, result)
        except Exception as e:
            value = repr(e)
        if value != shape.value():
            wrong.append(f"{shape.name}: {value}, not {shape.value()}")
    assert not wrong, "\n".join(wrong)


def test_callbacks(celery, worker):
    worker()
    one = of(celery, add.s(1, 1))
    one.link(of(celery, PLUS.make()).set(task_id="one"))
    one.apply_async()
    assert celery.AsyncResult("one").get(timeout=60) == 12
    two = of(celery, add.s(2, 2))
    for i, shape in enumerate((PLUS, chain_of(TIMES, PLUS), chord_of([PLUS, TIMES], SUM))):
        two.link(of(celery, shape.make()) | of(celery, echo.s()).set(task_id=f"two{i}"))
    parent = two.apply_async()
    found = [celery.AsyncResult(f"two{i}").get(timeout=60) for i in range(3)]
    assert found == [14, 22, 26]
    assert eventually(lambda: parent.children)  # the group that they were


def test_a_step_knows_where_it_comes_from(celery, umbel_worker, broker):
    umbel_worker(config={"result_extended": True})
    last = of(celery, chain(add.s(1, 1), add.s(2), add.s(3))).apply_async()
    assert last.get(timeout=60) == 7
    first = last.parent.parent
    assert broker.document(last.id)["parent_id"] == last.parent.id
    assert broker.document(last.parent.id)["parent_id"] == first.id
    assert [x.id for x in first.children] == [last.parent.id]
    assert list(first.collect())[-1][1] == 7


def test_what_comes_after_a_failure_fails_too(celery, umbel_worker, broker):
    """Celery leaves out the body of a chord that is to come."""
    umbel_worker()
    last = of(celery, chain(fail.s("no"), group(add.s(1), add.s(2)), xsum.s(), add.s(1))).apply_async()
    with pytest.raises(ValueError, match="no"):
        last.get(timeout=60)
    nodes = [last, last.parent]
    for node in nodes:
        eventually(lambda: broker.document(node.id).get("status") == "FAILURE")


def test_errbacks(celery, worker):
    worker()
    one = of(celery, fail.s("no")).on_error(of(celery, echo.s()).set(task_id="errback"))
    failed = one.apply_async()
    assert celery.AsyncResult("errback").get(timeout=60) == failed.id
    # Those of the whole chain are those of each step.
    steps = of(celery, chain(add.s(1, 1), add.s("x"), add.s(1)))
    steps.link_error(of(celery, echo.s()).set(task_id="of-chain"))
    last = steps.apply_async()
    assert celery.AsyncResult("of-chain").get(timeout=60) == last.parent.id


def test_a_chord_with_a_failed_part(celery, worker):
    worker()
    body = of(celery, xsum.s()).on_error(of(celery, echo.s()).set(task_id="errback"))
    result = chord([of(celery, x) for x in (add.s(1, 1), fail.s("it's no"), add.s(2, 2))], body)()
    with pytest.raises(ChordError) as caught:
        end_of(celery, result)
    culprit = result.parent.results[1].id
    assert str(caught.value) == f'Dependency {culprit} raised ValueError("it\'s no")'
    assert celery.AsyncResult("errback").get(timeout=60) == result.id


def test_a_failed_chord_fails_the_chord_around_it(celery, umbel_worker):
    """Celery leaves the outer one waiting for ever."""
    umbel_worker()
    inner = chord([add.s(1, 1), fail.s("no")], xsum.s())
    outer = of(celery, chord([add.s(1, 1), chain(inner, add.s(1))], chain(xsum.s(), add.s(1)))).apply_async()
    with pytest.raises(ChordError, match="Dependency .* raised ChordError"):
        end_of(celery, outer)


@pytest.mark.parametrize("end", ["crash", "unknown", "time limit", "revoked", "expired"])
def test_a_part_that_no_child_can_speak_for(celery, umbel_worker, end):
    """The worker itself writes its end, and counts it."""
    umbel_worker()
    part = {
        "crash": lambda: of(celery, crash.s(9)),
        "unknown": lambda: celery.signature("tasks.unknown"),
        "time limit": lambda: of(celery, app.tasks["tasks.spin"].s(60)).set(time_limit=0.2),
        "revoked": lambda: of(celery, add.s(1, 1)).set(task_id="revoked"),
        "expired": lambda: of(celery, add.s(1, 1)).set(expires=-1),
    }[end]()
    if end == "revoked":
        assert celery.control.revoke("revoked", reply=True, timeout=20, limit=1)
    result = chord([of(celery, add.s(1, 1)), part], of(celery, xsum.s()))()
    why = {
        "crash": "WorkerLostError",
        "unknown": r"NotRegistered\('tasks.unknown'\)",
        "time limit": r"TimeLimitExceeded\(0.2\)",
        "revoked": r"TaskRevokedError\('revoked'\)",
        "expired": r"TaskRevokedError\('expired'\)",
    }[end]
    with pytest.raises(ChordError, match=why):
        end_of(celery, result)


def test_a_part_that_runs_twice_counts_once(celery, umbel_worker, broker):
    result = chord([of(celery, add.s(i, i)) for i in range(10)], of(celery, xsum.s()))()
    for message in broker.messages():
        broker.put(json.dumps(message))
    assert broker.queued() == 20
    umbel_worker()
    assert result.get(timeout=60) == 90
    eventually(broker.idle)
    totals = next(iter(celery.control.inspect(timeout=20, limit=1).stats().values()))["total"]
    assert totals["tasks.xsum"] == 1
    assert totals["tasks.add"] == 20


def test_python_and_umbel_count_the_same_chord(celery, umbel_worker, python_worker):
    umbel_worker("-n", "umbel@h", config={"worker_prefetch_multiplier": 1})
    python_worker("-n", "python@h", config={"worker_prefetch_multiplier": 1})
    results = [
        chord(
            [of(celery, app.tasks["tasks.sleep"].s(0.1)) for _ in range(20)],
            of(celery, chain(xsum.s(), mul.s(100))),
        )()
        for _ in range(5)
    ]
    assert [round(x.get(timeout=60)) for x in results] == [200] * 5
    totals = celery.control.inspect(timeout=20, limit=2).stats()
    ran = [x["total"].get("tasks.sleep", 0) for x in totals.values()]
    assert len(ran) == 2 and min(ran) > 0, ran


@pytest.mark.parametrize("body_by", ["umbel", "python"])
def test_tasks_that_join_the_chord(celery, umbel_worker, python_worker, body_by):
    """0 has no more, 1 has 0, 2 has 0 and 1 (which has 0): all are waited for."""
    umbel_worker(app=str(build_dir() / "tests/system/libfeatures.so"))
    python_worker("-Q", "python")
    body = {"umbel": celery.signature("features.numbers"),
            "python": of(celery, echo.s()).set(queue="python")}[body_by]
    header = [celery.signature(f"features.{name}", (n,)) for name, n in
              [("spread", 3), ("spread", 0), ("spread_later", 1)]]
    result = chord(header, body)()
    numbers = result.get(timeout=60)
    assert sorted(numbers) == sorted([3, 0, 1, 0, 2, 0, 1, 0] + [0] + [1, 1, 0])
    assert numbers[-3:].count(1) == 2  # in the place of the one that has added them
    eventually(lambda: not celery.backend.client.keys("celery-taskset-meta-*"))
    with pytest.raises(ValueError, match="Current task is not member of any chord"):
        celery.send_task("features.spread", (1,)).get(timeout=60)


def replace_by(shape):
    """A task that `shape` takes the place of."""
    return Shape(
        f"replaced by {shape.name}",
        {"task": "tasks.replace", "args": [json.loads(json.dumps(shape.make()))], "immutable": True},
        lambda *_: shape.value(),
    )


def test_what_takes_the_place_of_a_task(celery, umbel_worker):
    """Under its id, with its place in a chain, group and chord."""
    umbel_worker()
    shapes = []
    for x in (
        start(1),
        chain_of(start(1), TIMES),
        chord_of([start(1), start(2)], SUM),
        chain_of(start(1), group_of(PLUS, TIMES), SUM),
        group_of(start(1), start(2)),
        chain_of(start(1), group_of(PLUS, TIMES)),
        replace_by(start(3)),
    ):
        y = replace_by(x)
        shapes += [y, chain_of(start(0), y, ECHO), group_of(y, start(1)), chord_of([start(5), y, start(6)], ECHO)]
    started = [(x, of(celery, x.make()).apply_async()) for x in shapes]
    assert {x.name: value_of(celery, y) for x, y in started} == {x.name: x.value() for x in shapes}


def test_the_tasks_that_every_app_has(celery, worker):
    worker()
    send = celery.send_task
    assert send("celery.accumulate", (1, 2)).get(timeout=60) == [1, 2]
    assert send("celery.accumulate", (1, 2), {"index": 1}).get(timeout=60) == 2
    assert send("celery.backend_cleanup").get(timeout=60) is None
    unknown = send("celery.map", (), {"task": {"task": "no.such"}, "it": [1]})
    with pytest.raises(NotRegistered):
        unknown.get(timeout=60)
