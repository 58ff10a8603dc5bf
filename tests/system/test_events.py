"""Events: Python's Receiver and State build a correct picture from them.

Those that use `worker` hold with Celery's worker, too.
"""

import json
import subprocess
import threading
import time

import pytest

from harness.waiting import eventually
from harness.workers import build_dir, umbel_binary


class Monitor:
    """Celery's own receiver of events, on a thread."""

    def __init__(self, app):
        self.app = app
        self.events: list[dict] = []
        self.state = app.events.State()
        self._ended = threading.Event()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._listening.wait(60)

    def _on_event(self, event):
        self.state.event(event)
        self.events.append(event)

    def _run(self):
        with self.app.connection_for_read() as connection:
            receiver = self.app.events.Receiver(connection, handlers={"*": self._on_event})
            with receiver.consumer_context(wakeup=False) as (connection, _, _):
                self._listening.set()
                while not self._ended.is_set():
                    try:
                        connection.drain_events(timeout=0.2)
                    except TimeoutError:
                        pass

    def stop(self):
        self._ended.set()
        self._thread.join(60)

    def of(self, kind: str, uuid: str = "") -> list[dict]:
        return [x for x in list(self.events) if x["type"] == kind and (not uuid or x["uuid"] == uuid)]

    def wait(self, kind: str, uuid: str = "") -> dict:
        return eventually(lambda: self.of(kind, uuid), what=f"event {kind} {uuid}")[0]


@pytest.fixture
def monitor(celery):
    x = Monitor(celery)
    yield x
    x.stop()


COMMON = {"type", "hostname", "timestamp", "utcoffset", "pid", "clock"}


def test_a_task_that_succeeds(worker, tasks, monitor):
    running = worker("-E", "-c", "1", "-n", "one@here")
    result = tasks.add.delay(1, y=2)
    assert result.get(timeout=60) == 3
    received = monitor.wait("task-received", result.id)
    started = monitor.wait("task-started", result.id)
    succeeded = monitor.wait("task-succeeded", result.id)
    for x in (received, started, succeeded):
        assert COMMON <= set(x)
        assert x["hostname"] == "one@here" and x["pid"] == running.pid
        assert abs(x["timestamp"] - time.time()) < 60
    assert received["clock"] < started["clock"] < succeeded["clock"]
    assert received["name"] == "tasks.add"
    assert received["args"] == "(1,)" and received["kwargs"] == "{'y': 2}"
    assert received["root_id"] == result.id and received["parent_id"] is None
    assert received["retries"] == 0
    assert received["eta"] is received["expires"] is None
    assert succeeded["result"] == "3" and 0 <= succeeded["runtime"] < 10
    task = monitor.state.tasks[result.id]
    assert task.state == "SUCCESS" and task.worker.hostname == "one@here"
    assert task.name == "tasks.add" and task.result == "3"


def test_a_task_that_fails(worker, tasks, monitor):
    worker("-E", "-c", "1")
    result = tasks.fail.delay("oh")
    with pytest.raises(Exception):
        result.get(timeout=60)
    failed = monitor.wait("task-failed", result.id)
    assert "oh" in failed["exception"] and "traceback" in failed
    assert monitor.state.tasks[result.id].state == "FAILURE"


def test_revoked_and_expired(worker, celery, tasks, monitor):
    running = worker("-E", "-c", "1")
    assert celery.control.revoke("my-id", reply=True, limit=1, timeout=20)
    tasks.add.apply_async((1, 1), task_id="my-id")
    revoked = monitor.wait("task-revoked", "my-id")
    assert revoked["terminated"] is False and revoked["expired"] is False
    assert revoked["signum"] is None
    assert not monitor.of("task-received", "my-id")
    late = tasks.add.apply_async((1, 1), expires=-1)
    assert monitor.wait("task-revoked", late.id)["expired"] is True
    assert running.running()


def test_terminated(umbel_worker, celery, tasks, monitor):
    umbel_worker("-E", "-c", "1")
    result = tasks.sleep.delay(60)
    monitor.wait("task-started", result.id)
    celery.control.revoke(result.id, terminate=True, signal="SIGKILL")
    revoked = monitor.wait("task-revoked", result.id)
    assert revoked["terminated"] is True and revoked["signum"] == 9


def test_a_child_that_is_lost(umbel_worker, tasks, monitor):
    umbel_worker("-E", "-c", "1")
    result = tasks.sleep.apply_async((60,), time_limit=0.3)
    assert "TimeLimitExceeded" in monitor.wait("task-failed", result.id)["exception"]


def test_the_worker_itself(worker, monitor):
    running = worker("-c", "1", "-n", "one@here", "--heartbeat-interval", "1")
    online = monitor.wait("worker-online")
    beat = monitor.wait("worker-heartbeat")
    for x in (online, beat):
        assert COMMON <= set(x)
        assert x["freq"] == 1 and len(x["loadavg"]) == 3
        assert x["active"] == x["processed"] == 0
        assert x["sw_ident"] and x["sw_ver"] and x["sw_sys"] == "Linux"
    eventually(lambda: monitor.state.workers["one@here"].alive)
    running.stop()
    monitor.wait("worker-offline")
    assert not monitor.state.workers["one@here"].alive


def test_offline_is_said_before_the_last_task_ends(umbel_worker, tasks, monitor):
    running = umbel_worker("-E", "-c", "1")
    result = tasks.sleep.delay(5)
    monitor.wait("task-started", result.id)
    running.stop()
    monitor.wait("task-succeeded", result.id)
    kinds = [x["type"] for x in monitor.events]
    assert kinds.index("worker-offline") < kinds.index("task-succeeded")
    assert monitor.of("worker-offline")[0]["active"] == 1


def test_on_and_off(umbel_worker, celery, tasks, monitor):
    umbel_worker("-c", "1")

    def order(method):
        (reply,) = celery.control.broadcast(method, reply=True, limit=1, timeout=20)
        return next(iter(reply.values()))

    quiet = tasks.add.delay(1, 1)
    quiet.get(timeout=60)
    assert order("enable_events") == {"ok": "task events enabled"}
    assert order("enable_events") == {"ok": "task events already enabled"}
    loud = tasks.add.delay(1, 1)
    monitor.wait("task-succeeded", loud.id)
    assert not [x for x in monitor.events if x.get("uuid") == quiet.id]
    assert order("disable_events") == {"ok": "task events disabled"}
    assert order("disable_events") == {"ok": "task events already disabled"}
    assert order("heartbeat") is None
    eventually(lambda: [x for x in monitor.of("worker-heartbeat") if x["freq"] == 5])


def test_who_sends_a_task_says_so(umbel_worker, celery, tasks, monitor, tmp_path):
    """Tasks that await, start or retry one, and a beat; while task events are off, too."""
    tick = {"task": "tasks.noop", "schedule": 0.5}
    config = {"task_send_sent_event": True, "beat_schedule": {"tick": tick}}
    umbel_worker("-n", "one@here", "-B", "-s", str(tmp_path / "s.db"), config=config)
    awaits = tasks.total.delay(1)
    retries = tasks.flaky.delay(1)
    chain = (tasks.add.s(1, 1) | tasks.add.s(2)).apply_async()
    assert (awaits.get(timeout=60), retries.get(timeout=60), chain.get(timeout=60)) == (0, 1, 4)

    def sent(**fields) -> dict:
        def found():
            all_sent = monitor.of("task-sent")
            return [x for x in all_sent if fields.items() <= x.items()]

        return eventually(found, what=f"task-sent {fields}")[0]

    called = sent(parent_id=awaits.id)
    assert called["name"] == "tasks.add" and called["args"] == "(0, 0)"
    assert called["hostname"] == "one@here" and called["queue"] == called["routing_key"] == "celery"
    assert sent(uuid=retries.id)["retries"] == 1
    assert sent(uuid=chain.id)["parent_id"] == chain.parent.id
    assert sent(name="tasks.noop")["hostname"].startswith("gen")
    assert not monitor.of("task-received")


def test_events_in_another_serializer(umbel_worker, make_celery):
    """Among nodes that write JSON."""
    app = make_celery(event_serializer="yaml")
    monitor = Monitor(app)
    try:
        yaml = {"event_serializer": "yaml"}
        one = umbel_worker("-E", "-c", "1", "-n", "one@here", config=yaml, loglevel="debug")
        two = umbel_worker("-c", "1", "-n", "two@here", "-Q", "x", config=yaml, loglevel="debug")
        umbel_worker("-c", "1", "-n", "three@here", "-Q", "x")
        result = app.tasks["tasks.add"].delay(1, 1)
        assert monitor.wait("task-succeeded", result.id)["result"] == "2"
        one.wait_for_log("two@here joined the party")
        two.wait_for_log("three@here joined the party")
    finally:
        monitor.stop()


def test_another_exchange(umbel_worker, make_celery, broker, monitor, tmp_path):
    """Among those who agree on it; the others hear nothing of it."""
    app = make_celery(event_exchange="shopev")
    shop = Monitor(app)
    try:
        config = {"event_exchange": "shopev", "task_send_sent_event": True}
        one = umbel_worker("-E", "-c", "1", "-n", "one@here", config=config, loglevel="debug")
        umbel_worker("-c", "1", "-n", "two@here", "-Q", "x", config=config)
        umbel_worker("-c", "1", "-n", "three@here", "-Q", "x")
        settings = tmp_path / "shop.json"
        settings.write_text(json.dumps(config))
        ours = [umbel_binary(), "events", "--dump", "-b", broker.url, "--config", str(settings)]
        told = tmp_path / "events"
        with open(told, "w") as out:
            dump = subprocess.Popen(ours, stdout=out)
        try:
            eventually(lambda: "starting capture" in told.read_text())
            argv = [umbel_binary(), "call", "tasks.add", "-a", "[1, 1]", "-b", broker.url,
                    "--config", str(settings)]
            called = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
            task = called.stdout.strip()
            assert shop.wait("task-sent", task)["name"] == "tasks.add"
            assert shop.wait("task-succeeded", task)["result"] == "2"
            eventually(lambda: f"task succeeded: tasks.add({task})" in told.read_text())
        finally:
            dump.terminate()
            dump.wait(60)
        one.wait_for_log("two@here joined the party")
        eventually(lambda: monitor.of("worker-heartbeat"))
        assert {x["hostname"] for x in monitor.events} == {"three@here"}
        assert "three@here" not in {x["hostname"] for x in shop.events}
        assert "three@here joined" not in one.log
    finally:
        shop.stop()


def test_a_tasks_own_events(umbel_worker, celery, monitor):
    """While task events are off, too."""
    umbel_worker("-c", "1", "-n", "one@here", app=str(build_dir() / "tests/system/libfeatures.so"))
    told = celery.send_task("features.tell")
    event = monitor.wait("task-progress", told.id)
    assert (event["current"], event["hostname"]) == (3, "one@here") and COMMON <= set(event)
    assert not monitor.of("task-received")


def test_none_without_heartbeat(umbel_worker, tasks, monitor):
    running = umbel_worker("-E", "-c", "1", "--without-heartbeat")
    result = tasks.add.delay(1, 1)
    monitor.wait("task-succeeded", result.id)
    running.stop()
    assert not [x for x in monitor.events if x["type"].startswith("worker-")]


@pytest.mark.needs("server")
def test_many_and_a_lost_connection(umbel_worker, celery, tasks, monitor, broker):
    running = umbel_worker("-E", "-c", "2")
    results = [tasks.add.delay(i, i) for i in range(500)]
    assert [x.get(timeout=60) for x in results] == [2 * i for i in range(500)]
    eventually(lambda: len(monitor.of("task-succeeded")) == 500)
    assert len(monitor.of("task-started")) == 500
    # What is given back for want of room is received twice.
    assert len({x["uuid"] for x in monitor.of("task-received")}) == 500
    assert all(monitor.state.tasks[x.id].state == "SUCCESS" for x in results)
    broker.cut_connections(running)
    again = tasks.add.delay(1, 1)
    monitor.wait("task-succeeded", again.id)
    eventually(lambda: len(monitor.of("worker-online")) >= 2)
