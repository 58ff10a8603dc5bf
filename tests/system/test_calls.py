"""A stock Celery client calls tasks and gets values and errors back."""

import pytest
from celery.exceptions import NotRegistered


@pytest.fixture(autouse=True)
def running(worker):
    return worker()


def test_the_first_sum(tasks):
    assert tasks.add.delay(4, 4).get(timeout=60) == 8


def test_arguments_by_position_and_by_name(tasks):
    assert tasks.add.delay(4, y=5).get(timeout=60) == 9
    assert tasks.add.delay(y=2, x=1).get(timeout=60) == 3
    assert tasks.mul.apply_async((6,), {"y": 7}).get(timeout=60) == 42


def test_containers(tasks):
    assert tasks.xsum.delay([1, 2, 3, 4]).get(timeout=60) == 10
    assert tasks.xsum.delay(numbers=list(range(1000))).get(timeout=60) == 499500


def test_no_arguments_and_no_value(tasks):
    result = tasks.noop.delay()
    assert result.get(timeout=60) is None
    assert result.state == "SUCCESS"


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -(2**63),
        2**53 + 1,
        0.1,
        1e300,
        "",
        "Grüße \U0001f33f \u0000 \"\\",
        [],
        {},
        [1, [2, [3, {"a": [None, False]}]]],
        {"ключ": {"nested": [1.5, "x"]}},
        "x" * 1_000_000,
    ],
    ids=lambda v: repr(v)[:24],
)
def test_values_come_back_as_they_went(tasks, value):
    returned = tasks.echo.delay(value).get(timeout=60)
    assert returned == value
    assert type(returned) is type(value)


def test_many_at_once(tasks):
    results = [tasks.add.delay(i, i) for i in range(200)]
    assert [r.get(timeout=60) for r in results] == [2 * i for i in range(200)]


def test_an_error_reraises_with_type_and_message(tasks):
    result = tasks.fail.delay("it's broken: ключ")
    with pytest.raises(ValueError, match="^it's broken: ключ$"):
        result.get(timeout=60)
    assert result.state == "FAILURE"
    assert "ValueError" in result.traceback


@pytest.mark.parametrize(
    "args, kwargs, named",
    [
        ((1,), {}, "y"),
        ((1, 2, 3), {}, "3"),
        ((1, 2), {"z": 3}, "z"),
        ((1, 2), {"x": 3}, "x"),
    ],
    ids=["missing", "too many", "unknown", "twice"],
)
def test_a_wrong_call_is_a_type_error(celery, args, kwargs, named):
    # By name: the client's own check of the signature must not interfere.
    result = celery.send_task("tasks.add", args, kwargs)
    with pytest.raises(TypeError, match=rf"\b{named}\b"):
        result.get(timeout=60)


def test_a_wrong_type_names_the_argument(celery, umbel_worker):
    result = celery.send_task("tasks.add", (1, "two"))
    with pytest.raises(TypeError, match=r"\by\b"):
        result.get(timeout=60)


def test_an_unknown_task_is_not_registered(celery, tasks):
    result = celery.send_task("tasks.no_such_thing", (1,))
    with pytest.raises(NotRegistered, match="tasks.no_such_thing"):
        result.get(timeout=60)
    assert tasks.add.delay(1, 1).get(timeout=60) == 2
