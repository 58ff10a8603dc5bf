"""task_routes and their kin: everybody who sends tasks sends them where Celery does."""

import json
import re
import subprocess

import pytest
from celery import chain, chord
from celery.exceptions import ChordError

from harness.beats import Beat, beat_command
from harness.celery_tasks import close_app, make_app
from harness.waiting import eventually
from harness.workers import umbel_binary

ROUTES = [
    {"tasks.mul": "fast", "/tasks\\.(echo|noop)/": {"queue": "notes", "headers": {"h": 1}}},
    [["tasks.x*", {"queue": "sums", "priority": 3, "compression": "zlib"}],
     ["tasks.sl*", {"priority": 6, "delivery_mode": 1}],
     ["tasks.spin", {"exchange": "anywhere", "routing_key": "to"}],
     ["tasks.noop", "never asked"]],
]
CALLS = [
    ("tasks.add", {}),
    ("tasks.add", {"queue": "mine", "priority": 9}),
    ("tasks.add", {"routing_key": "alone"}),
    ("tasks.add", {"exchange": "alone"}),
    ("tasks.mul", {}),
    ("tasks.mul", {"queue": "mine"}),
    ("tasks.echo", {}),
    ("tasks.noop", {}),
    ("tasks.xsum", {}),
    ("tasks.xsum", {"priority": 9, "compression": "bzip2"}),
    ("tasks.sleep", {}),
]
TOPICS = {
    "task_queues": [
        "celery",
        {"name": "cats", "exchange": "zoo", "exchange_type": "topic",
         "routing_key": "animal.cat.#"},
        {"name": "animals", "exchange": "zoo", "exchange_type": "topic",
         "routing_key": "animal.#"},
    ],
    "task_routes": {"tasks.mul": {"queue": "cats", "routing_key": "animal.cat.x"}},
}


def in_python(routes):
    """The same with what JSON cannot hold."""
    def pattern(text):
        return re.compile(text[1:-1]) if text.startswith("/") else text

    return [[(pattern(x), to) for x, to in (r.items() if isinstance(r, dict) else r)]
            for r in routes]


@pytest.fixture
def config(tmp_path):
    def write(**settings) -> str:
        path = tmp_path / "client.json"
        path.write_text(json.dumps(settings))
        return str(path)

    return write


def call(url: str, config: str, *args: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [umbel_binary(), "call", "-b", url, "--config", config, *args],
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
    )


def everything(client) -> dict:
    """What waits in Redis: by list, what matters of each message."""
    found = {}
    for key in client.keys():
        if client.type(key) != "list":
            continue
        for text in client.lrange(key, 0, -1):
            x = json.loads(text)
            found.setdefault(key, []).append({
                "task": x["headers"]["task"], "h": x["headers"].get("h"),
                "compression": x["headers"].get("compression"),
                "type": x["content-type"], "priority": x["properties"]["priority"],
                "info": x["properties"]["delivery_info"],
                "mode": x["properties"]["delivery_mode"],
            })
    return found


@pytest.mark.parametrize("more", [
    {}, {"task_default_queue": "other", "task_serializer": "yaml"},
    {"task_default_delivery_mode": "transient"},
    {"task_queues": {
        "celery": {"exchange": "celery", "routing_key": "celery", "delivery_mode": 1},
        "fast": {"exchange": "fast", "routing_key": "fast", "delivery_mode": "persistent"}},
     "task_default_delivery_mode": 1},
])
@pytest.mark.only_redis("messages are compared as they lie there")
def test_a_message_goes_where_celery_sends_it(redis_server, redis_client, config, more):
    url = redis_server.url()
    for task, options in CALLS:
        app = make_app(url, url, task_routes=in_python(ROUTES), **more)
        app.send_task(task, (1,), **options)
        close_app(app)
        celerys = everything(redis_client)
        redis_client.flushdb()
        words = [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]
        ended = call(url, config(task_routes=ROUTES, **more), task, "-a", "[1]", *words)
        assert ended.returncode == 0, ended.stderr
        assert everything(redis_client) == celerys, (task, options)
        redis_client.flushdb()


def test_what_may_be_lost_with_its_broker(config, broker):
    """RabbitMQ is told so; elsewhere it stands in the message."""
    settings = config(task_default_delivery_mode="transient")
    assert call(broker.url, settings, "tasks.noop").returncode == 0
    assert call(broker.url, config(), "tasks.noop").returncode == 0
    modes = [x["properties"]["delivery_mode"] for x in broker.messages()]
    assert modes == [1, 2]


def test_what_may_not_be_sent_has_failed(umbel_worker, celery):
    """Nobody waits for it for ever; and the worker says why."""
    running = umbel_worker(config={"task_create_missing_queues": False})
    add, xsum = celery.tasks["tasks.add"], celery.tasks["tasks.xsum"]
    body = xsum.s().set(queue="nowhere")
    result = chord([add.s(1, 1), add.s(2, 2)])(body)
    with pytest.raises(ChordError, match="cannot be sent: Queue 'nowhere' missing"):
        result.get(timeout=60)
    running.wait_for_log("the chord's body .* cannot be sent: Queue 'nowhere' missing")
    # The next step of a chain, and what stands behind it.
    last = chain(add.s(1, 1), add.s(2).set(queue="nowhere"), add.s(3))()
    for step in (last, last.parent, last.parent.parent):
        with pytest.raises(Exception, match="Queue 'nowhere' missing"):
            celery.AsyncResult(step.id).get(timeout=60)
    # A chord within a chord: the outer one fails, too.
    outer = chord([chord([add.s(1, 1), add.s(1, 1)], body.clone())])(xsum.s())
    with pytest.raises(ChordError):
        outer.get(timeout=60)


def test_tasks_of_tasks(umbel_worker, celery, broker):
    """Called by a coroutine, and as the next step of a chain."""
    umbel_worker(config={"task_routes": ROUTES})
    called = celery.send_task("tasks.forward", ("tasks.echo", 7))
    eventually(lambda: broker.queued("notes") == 1)
    add, mul = celery.signature("tasks.add", (1, 1)), celery.signature("tasks.mul", (4,))
    step = (add | mul).apply_async()
    eventually(lambda: broker.queued("fast") == 1)
    umbel_worker("-n", "b@x", "-Q", "notes,fast")
    assert called.get(timeout=60) == 7
    assert step.get(timeout=60) == 8


def test_a_chords_body(umbel_worker, celery, broker):
    umbel_worker(config={"task_routes": ROUTES})
    header = [celery.signature("tasks.add", (i, i)) for i in range(3)]
    body = celery.signature("tasks.xsum")
    result = chord(header, app=celery)(body)
    eventually(lambda: broker.queued("sums") == 1)
    umbel_worker("-n", "b@x", "-Q", "sums")
    assert result.get(timeout=60) == 6


def test_beat(broker, tmp_path):
    entries = {"one": {"task": "tasks.mul", "schedule": 0.2, "args": [2, 3]},
               "two": {"task": "tasks.add", "schedule": 0.2, "args": [2, 3],
                       "options": {"queue": "mine"}}}
    running = Beat(log=tmp_path / "beat.log", broker=broker.url,
                   schedule=str(tmp_path / "s.db"), entries=entries, task_routes=ROUTES)
    try:
        running.wait_ready()
        eventually(lambda: broker.queued("fast") > 0 and broker.queued("mine") > 0)
        assert broker.queued() == 0
    finally:
        running.stop()
        running.clean_up()


def test_through_a_topic_exchange(broker, umbel_worker, celery, config, tmp_path):
    """To all queues that are bound, by a client, by a task and by a beat."""
    worker = umbel_worker("-P", "threads", config=TOPICS)

    def runs(task_id: str) -> int:
        return len(re.findall(rf"\[{task_id}\] succeeded", worker.log))

    ended = call(broker.url, config(**TOPICS), "tasks.mul", "-a", "[2, 3]")
    assert ended.returncode == 0, ended.stderr
    eventually(lambda: runs(ended.stdout.strip()) == 2, what="both queues have it")
    add, mul = celery.signature("tasks.add", (1, 1)), celery.signature("tasks.mul", (4,))
    step = (add | mul).apply_async()
    assert step.get(timeout=60) == 8
    eventually(lambda: runs(step.id) == 2)
    called = celery.send_task("tasks.total", (2,))
    assert called.get(timeout=60) == 2
    before = len(re.findall(r"tasks.mul\[.+\] succeeded", worker.log))
    entries = {"one": {"task": "tasks.mul", "schedule": 60, "args": [2, 3]}}
    running = Beat(log=tmp_path / "beat.log", broker=broker.url,
                   schedule=str(tmp_path / "s.db"), entries=entries, **TOPICS)
    try:
        running.wait_ready()
        beat_command(str(tmp_path / "s.db"), "run-now", "one")
        eventually(lambda: len(re.findall(r"tasks.mul\[.+\] succeeded", worker.log))
                   >= before + 2)
    finally:
        running.stop()
        running.clean_up()


def test_a_chord_whose_body_goes_through_an_exchange(broker, umbel_worker, celery):
    config = {**TOPICS, "task_routes": {"tasks.xsum": TOPICS["task_routes"]["tasks.mul"]}}
    worker = umbel_worker(config=config)
    result = chord([celery.signature("tasks.add", (i, i)) for i in range(3)],
                   app=celery)(celery.signature("tasks.xsum"))
    assert result.get(timeout=60) == 6
    eventually(lambda: len(re.findall(rf"\[{result.id}\] succeeded", worker.log)) == 2)


def test_queues_that_may_not_be_made(broker, umbel_worker, celery, config):
    strict = {"task_create_missing_queues": False, "task_queues": ["celery", "mail"]}
    ended = call(broker.url, config(**strict), "tasks.add", "-Q", "mial")
    assert ended.returncode == 2
    assert ended.stderr.endswith("umbel call: Queue 'mial' missing from task_queues\n")
    assert broker.queued("mial") == 0
    assert call(broker.url, config(**strict), "tasks.add", "-Q", "mail").returncode == 0
    refused = umbel_worker("-Q", "mial", config=strict, ready=False)
    assert refused.wait_exit() == 2
    assert "option --queues: queue 'mial' is not in task_queues" in refused.log
    # As Celery: the task has failed that wants to send one there.
    umbel_worker(config=strict)
    lost = celery.signature("tasks.mul", (4,), options={"queue": "mial"})
    step = celery.signature("tasks.add", (1, 1)).apply_async(link=lost)
    with pytest.raises(Exception, match="Queue 'mial' missing from task_queues"):
        step.get(timeout=60)


def test_the_default_queue_behind_an_exchange(broker, umbel_worker, config):
    settings = {"task_default_queue": "work", "task_default_exchange": "jobs",
                "task_default_exchange_type": "topic",
                "task_default_routing_key": "jobs.any"}
    worker = umbel_worker(config=settings)
    ended = call(broker.url, config(**settings), "tasks.add", "-a", "[4, 4]")
    assert ended.returncode == 0, ended.stderr
    worker.wait_for_log(rf"tasks.add\[{ended.stdout.strip()}\] succeeded")
