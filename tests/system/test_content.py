"""Serializers and compressions, with the stock client and kombu on the other side."""

import base64

import kombu.compression
import kombu.serialization
import pytest
from celery import chain, chord, group
from celery.exceptions import ChordError

from harness.waiting import eventually

SERIALIZERS = ["json", "yaml", "msgpack"]
COMPRESSIONS = [None, "zlib", "bzip2", "lzma", "zstd", "brotli"]
TYPES = ["application/json", "application/x-yaml", "application/x-msgpack"]
ALL = {"accept_content": SERIALIZERS}

VALUE = {"text": "ümläut 🌿", "list": [1, -2.5, True, None, []], "x" * 2000: "y" * 5000}


def decode(envelope: dict):
    """The body as kombu reads it."""
    body = base64.b64decode(envelope["body"])
    if name := envelope["headers"].get("compression"):
        body = kombu.compression.decompress(body, name)
    content_type = envelope["content-type"]
    return kombu.serialization.loads(
        body, content_type, envelope["content-encoding"], accept=TYPES
    )


def next_message(broker, queue: str) -> dict:
    return eventually(lambda: broker.take(queue), what=f"a message in {queue}")


def test_tasks_and_follow_ups_in_every_form(
    umbel_worker, celery, broker
):
    """The callback goes where nobody runs it, and is as the task was."""
    running = umbel_worker(config=ALL)
    callback = dict(celery.signature("tasks.echo", queue="elsewhere"))
    for serializer in SERIALIZERS:
        for compression in COMPRESSIONS:
            form = {"serializer": serializer, "compression": compression}
            result = celery.send_task(
                "tasks.echo", [VALUE], link=callback, **form
            )
            assert result.get(timeout=60) == VALUE, form
            envelope = next_message(broker, "elsewhere")
            args, kwargs, _ = decode(envelope)
            assert args == [VALUE] and kwargs == {}, form
            types = {"yaml": "x-yaml", "msgpack": "x-msgpack"}
            assert envelope["content-type"].endswith(types.get(serializer, "json"))
            mime = compression and kombu.compression.get_encoder(compression)[1]
            assert envelope["headers"].get("compression") == mime
    assert broker.dead_letters() == []
    assert running.running()


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_retries_keep_their_form(umbel_worker, celery, serializer):
    umbel_worker(config=ALL)
    result = celery.send_task(
        "tasks.flaky", [2], serializer=serializer, compression="bzip2"
    )
    assert result.get(timeout=60) == 2


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_a_python_worker_runs_what_follows(
    umbel_worker, python_worker, make_celery, serializer
):
    settings = {"task_serializer": serializer, "result_serializer": serializer, **ALL}
    umbel_worker(config=settings)
    python_worker("-Q", "python", config=settings)
    celery = make_celery(**settings)
    callback = dict(celery.signature("tasks.echo", queue="python", task_id="next"))
    celery.send_task("tasks.add", (1, 2), link=callback, compression="zlib")
    assert celery.AsyncResult("next").get(timeout=60) == 3


@pytest.mark.needs("serializers")
@pytest.mark.parametrize("serializer", SERIALIZERS)
@pytest.mark.parametrize("pool", ["prefork", "gevent"])
def test_results_in_every_serializer(
    umbel_worker, make_celery, broker, serializer, pool
):
    settings = {"result_serializer": serializer, **ALL}
    config = {**settings, "result_extended": True, "task_track_started": True}
    umbel_worker("-P", pool, config=config)
    celery = make_celery(**settings)
    result = celery.send_task("tasks.echo", [VALUE])
    assert result.get(timeout=60) == VALUE
    assert result.name == "tasks.echo" and result.args == [VALUE]
    stored = broker.raw_document(result.id)
    read = kombu.serialization.loads(
        stored, TYPES[SERIALIZERS.index(serializer)], "utf-8", accept=TYPES
    )
    assert read["status"] == "SUCCESS" and read["result"] == VALUE
    with pytest.raises(ValueError, match="no"):
        celery.send_task("tasks.fail", ["no"]).get(timeout=60)
    states = []
    progress = celery.send_task("tasks.progress", [2, 1.5])
    progress.get(timeout=60, on_message=lambda m: states.append(m["status"]))
    assert "PROGRESS" in states
    # A document of the worker itself, and a task that awaits another one.
    unknown = celery.send_task("tasks.no_such")
    with pytest.raises(Exception, match="no_such"):
        unknown.get(timeout=60)
    call = celery.send_task("tasks.forward", ["tasks.echo", VALUE])
    assert call.get(timeout=60) == VALUE


@pytest.mark.needs("serializers")
@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_chords_in_every_serializer(worker, make_celery, serializer):
    """The body gets what the tasks have returned, also of a nested header; `--worker
    python` holds it against Celery."""
    settings = {"result_serializer": serializer, **ALL}
    worker("-c", "4", config=settings)
    celery = make_celery(**settings)
    echo, add, xsum = (celery.tasks[f"tasks.{x}"] for x in ("echo", "add", "xsum"))
    values = [VALUE, 1.0, [], {}, None, "ü", 2**40]
    assert chord([echo.s(x) for x in values])(echo.s()).get(timeout=60) == values
    nested = chord([chain(add.s(1, 1), group(add.s(1), add.s(2))), add.s(3, 3)])(echo.s())
    assert nested.get(timeout=60) == [[3, 4], 6]
    inner = chord([add.s(1, 1), add.s(2, 2)], xsum.s())
    assert chord([inner, add.s(1, 0)])(xsum.s()).get(timeout=60) == 7
    fail = celery.tasks["tasks.fail"]
    failed = chord([add.s(1, 1), fail.s("it's")])(xsum.s())
    with pytest.raises(ChordError, match="raised ValueError.*it's"):
        celery.AsyncResult(failed.id).get(timeout=60)


@pytest.mark.needs("serializers")
@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_what_never_runs_has_failed_in_every_serializer(
    umbel_worker, make_celery, serializer
):
    settings = {"result_serializer": serializer, **ALL}
    umbel_worker(config=settings)
    celery = make_celery(**settings)
    fail, echo = celery.tasks["tasks.fail"], celery.tasks["tasks.echo"]
    last = chain(fail.si("ü"), echo.s(), echo.s())()
    with pytest.raises(ValueError, match="ü"):
        celery.AsyncResult(last.id).get(timeout=60)


@pytest.mark.needs("serializers", "Celery")
@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_parts_of_a_chord_run_by_both(
    umbel_worker, python_worker, make_celery, serializer
):
    """Whichever of them counts the last one."""
    settings = {"result_serializer": serializer, **ALL}
    umbel_worker(config=settings)
    python_worker("-Q", "python", config=settings)
    celery = make_celery(**settings)
    echo = celery.tasks["tasks.echo"]
    sleep = celery.tasks["tasks.sleep"]
    for slow in ("celery", "python"):
        quick = "python" if slow == "celery" else "celery"
        result = chord([
            echo.s(VALUE).set(queue=quick), sleep.s(0.5).set(queue=slow),
            echo.s([1.5]).set(queue=quick),
        ])(echo.s())
        assert result.get(timeout=60) == [VALUE, 0.5, [1.5]], slow
    failed = chord([celery.tasks["tasks.fail"].s("no").set(queue="python"),
                    sleep.s(0.5)])(echo.s())
    with pytest.raises(ChordError, match="ValueError.*no"):
        celery.AsyncResult(failed.id).get(timeout=60)


@pytest.mark.needs("serializers")
def test_a_success_is_not_overwritten(
    umbel_worker, make_celery, broker
):
    """Whichever peer has stored it, in whichever serializer."""
    running = umbel_worker("-c", "1")
    stored = {}
    for serializer in SERIALIZERS:
        celery = make_celery(result_serializer=serializer, **ALL)
        celery.backend.store_result(serializer, "first", "SUCCESS")
        stored[serializer] = broker.raw_document(serializer)
        celery.send_task("tasks.noop", task_id=serializer)
        running.wait_for_log(rf"\[{serializer}\] succeeded")
    eventually(broker.idle)
    assert {x: broker.raw_document(x) for x in stored} == stored


def test_commands_in_the_clients_serializer(umbel_worker, make_celery):
    running = umbel_worker(config=ALL)
    celery = make_celery(task_serializer="msgpack", **ALL)
    celery.control.revoke("some-id")
    running.wait_for_log("some-id")


def test_what_is_not_accepted_is_parked(umbel_worker, celery, broker):
    running = umbel_worker()
    for n, (serializer, reason) in enumerate(
        [
            ("yaml", "content type 'application/x-yaml' is not accepted, only "
                     "application/json (accept_content)"),
            ("pickle", "pickle is refused: reading one runs any code"),
        ],
        1,
    ):
        celery.send_task("tasks.add", (4, 4), serializer=serializer)
        eventually(lambda: len(broker.dead_letters()) == n, what=serializer)
        assert reason in broker.dead_letters()[0]["reason"]
    assert celery.send_task("tasks.add", (1, 2)).get(timeout=60) == 3
    eventually(broker.idle)
    assert running.running()


def test_a_bomb_is_parked(umbel_worker, celery, broker):
    running = umbel_worker(config={"task_body_max": 1 << 20})
    celery.send_task("tasks.echo", ["x" * (2 << 20)], compression="zlib")
    eventually(lambda: len(broker.dead_letters()) == 1)
    assert broker.dead_letters()[0]["reason"] == (
        "body: zlib: more than the 1048576 bytes that are accepted (task_body_max)"
    )
    assert celery.send_task("tasks.add", (1, 2)).get(timeout=60) == 3
    eventually(broker.idle)
    assert running.running()


def test_own_messages_are_written_as_the_settings_say(
    umbel_worker, celery, broker
):
    """A task that calls another one, and a callback of a plain message."""
    umbel_worker(
        config={**ALL, "task_serializer": "msgpack", "task_compression": "gzip"}
    )
    link = celery.signature("tasks.echo", queue="elsewhere")
    celery.send_task("tasks.echo", [1], link=link)
    envelope = next_message(broker, "elsewhere")
    assert envelope["content-type"] == "application/json"
    assert envelope["headers"]["compression"] == "application/x-gzip"
    assert decode(envelope)[0] == [1]
    assert celery.send_task("tasks.forward", ["tasks.echo", 5]).get(timeout=60) == 5
