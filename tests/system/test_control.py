"""Remote control: Celery's clients and its command line ask and steer workers.

Those that use `worker` hold with Celery's worker, too.
"""

import json
import os
import subprocess

import pytest

from harness.results import started
from harness.waiting import eventually
from harness.workers import PYTHON, umbel_binary

TRACK = {"task_track_started": True}

INSPECT = ["active", "active_queues", "clock", "conf", "ping", "registered"]
INSPECT += ["memsample", "report", "reserved", "revoked", "scheduled", "stats"]


def command_line(url: str, *words: str) -> subprocess.Popen:
    """`celery ...`, Python's."""
    return subprocess.Popen(
        [PYTHON, "-m", "celery", "-b", url, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "C_FORCE_ROOT": "1"},
    )


def output(process: subprocess.Popen) -> str:
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 0, text
    return text


def only(replies) -> object:
    """The answer of the only worker."""
    assert len(replies) == 1, replies
    return next(iter(replies.values() if isinstance(replies, dict) else replies[0].values()))


@pytest.fixture
def inspect(celery):
    return celery.control.inspect(timeout=20, limit=1)


def control(celery, method: str, **arguments):
    replies = celery.control.broadcast(method, arguments=arguments, reply=True, limit=1, timeout=20)
    return only(replies)


# -- the real command line -------------------------------------------------------


@pytest.mark.needs("Celery")
def test_the_command_line_asks(broker, umbel_worker, tasks):
    running = umbel_worker("-c", "1", "-n", "one@here")
    tasks.add.delay(1, 1).get(timeout=60)
    started = {x: command_line(broker.url, "inspect", x, "-j", "-d", "one@here", "-t", "20") for x in INSPECT}
    status = command_line(broker.url, "status", "-d", "one@here", "-t", "20")
    answers = {}
    for name, process in started.items():
        answers[name] = json.loads(output(process))["one@here"]
    text = output(status)
    assert "one@here" in text and "OK" in text and "1 node online" in text
    assert answers["ping"] == {"ok": "pong"}
    assert answers["active"] == answers["reserved"] == answers["scheduled"] == []
    assert answers["revoked"] == []
    assert answers["clock"]["clock"] > 0
    assert "tasks.add" in answers["registered"]
    assert answers["stats"]["pid"] == running.pid
    assert answers["stats"]["total"] == {"tasks.add": 1}
    assert answers["stats"]["pool"]["processes"] == running.children()
    assert answers["stats"]["pool"]["max-concurrency"] == 1
    assert answers["stats"]["broker"]["transport"] == broker.name
    assert set(answers["stats"]["rusage"]) >= {"utime", "stime", "maxrss"}
    assert [x["name"] for x in answers["active_queues"]] == ["celery"]
    assert answers["conf"]["broker_url"].startswith(f"{broker.name}://")
    assert "software -> umbel" in answers["report"]["ok"]


def within(theirs, ours, where: str = "") -> list[str]:
    """What is in an answer of Celery's and not in ours."""
    if not isinstance(theirs, dict):
        return []
    if not isinstance(ours, dict):
        return [where]
    missing = [f"{where}.{k}" for k in theirs if k not in ours]
    return missing + [m for k in theirs if k in ours for m in within(theirs[k], ours[k], f"{where}.{k}")]


@pytest.mark.needs("Celery")
def test_answers_have_the_shape_of_celerys(umbel_worker, python_worker, celery, tasks):
    """All that Celery 5.2.6 says of itself."""
    umbel_worker("-n", "ours@x", "-c", "2", "--autoscale", "3,2")
    python_worker("-n", "theirs@x", "-c", "2", "--autoscale", "3,2")
    for name in ("stats", "active_queues", "clock", "ping", "report", "registered", "revoked",
                 "active", "reserved", "scheduled"):
        inspect = celery.control.inspect(timeout=20, limit=2)
        answers = getattr(inspect, name)()
        ours, theirs = answers["ours@x"], answers["theirs@x"]
        assert type(ours) is type(theirs), name
        if isinstance(theirs, list) and theirs and ours:
            ours, theirs = ours[0], theirs[0]
        assert type(ours) is type(theirs), name
        assert not within(theirs, ours, name)


@pytest.mark.needs("Celery")
def test_the_command_line_steers(broker, umbel_worker, celery, tasks):
    """All commands of it; each at once, in no order."""
    running = umbel_worker("-c", "1", "-n", "one@here", config={"worker_pool_restarts": True})
    words = [
        (["pool_grow", "2"], "pool will grow"),
        (["pool_grow"], "pool will grow"),
        (["pool_restart"], "reload started"),
        (["add_consumer", "more", "zoo", "topic", "cat.#"], "add consumer more"),
        (["cancel_consumer", "another"], "no longer consuming from another"),
        (["enable_events"], "task events enabled"),
        (["heartbeat"], "OK"),
        (["rate_limit", "tasks.add", "10/m"], "new rate limit set successfully"),
        (["time_limit", "tasks.add", "30", "60"], "time limits set successfully"),
        (["revoke", "an-id"], "tasks an-id flagged as revoked"),
        (["terminate", "SIGKILL", "another"], "terminate: tasks unknown"),
    ]
    started = [
        (command_line(broker.url, "control", *x, "-d", "one@here", "-t", "20"), answer) for x, answer in words
    ]
    for process, answer in started:
        assert answer in output(process)
    eventually(lambda: len(running.children()) == 4, what="three children more")
    words = [
        (["pool_shrink", "2"], "pool will shrink"),
        (["disable_events"], "task events disabled"),
        (["election"], "election without an id"),
        (["autoscale", "3", "1"], "Autoscale not enabled"),
    ]
    started = [(command_line(broker.url, "control", *x, "-d", "one@here", "-t", "20"), answer)
               for x, answer in words]
    for process, answer in started:
        text, _ = process.communicate(timeout=60)
        assert answer in text, text
    eventually(lambda: len(running.children()) == 2)
    task = tasks.add.apply_async((4, 4), queue="more")
    assert task.get(timeout=60) == 8
    found = command_line(broker.url, "inspect", "query_task", task.id, "-d", "one@here", "-t", "20", "-j")
    assert json.loads(output(found)) == {"one@here": {}}
    command_line(broker.url, "control", "shutdown", "-t", "1").communicate(timeout=60)
    assert running.wait_exit() == 0
    assert "Got shutdown from remote" in running.log


def test_a_mixed_cluster(umbel_worker, python_worker, celery):
    umbel_worker("-n", "one@here", "-c", "1")
    umbel_worker("-n", "two@there", "-c", "1")
    python_worker("-n", "three@here", "-c", "1")
    everybody = {"one@here", "two@there", "three@here"}
    replies = celery.control.inspect(timeout=20, limit=3).ping()
    assert set(replies) == everybody
    assert all(x == {"ok": "pong"} for x in replies.values())

    def who(limit, **selection):
        return set(celery.control.inspect(timeout=20, limit=limit, **selection).ping())

    assert who(1, destination=["two@there"]) == {"two@there"}
    assert who(2, pattern="*@here", matcher="glob") == {"one@here", "three@here"}
    assert who(2, pattern="t(wo|hree)@", matcher="pcre") == {"two@there", "three@here"}


# -- tasks -----------------------------------------------------------------------


def test_where_tasks_are(worker, celery, tasks, inspect):
    running = worker("-c", "1", config=TRACK)
    long = tasks.sleep.delay(60.5)
    where = started(long)
    behind = tasks.add.delay(1, y=2)
    later = tasks.add.apply_async((3, 4), countdown=5)
    running.wait_for_log(rf"{later.id}\] received")
    (scheduled,) = only(inspect.scheduled())
    assert scheduled["request"]["id"] == later.id and scheduled["priority"] == 6
    assert scheduled["eta"].startswith("20")
    (active,) = only(inspect.active())
    assert active["id"] == long.id and active["args"] == [60.5] and active["kwargs"] == {}
    assert active["name"] == active["type"] == "tasks.sleep"
    assert active["worker_pid"] == where["pid"]
    assert active["acknowledged"] is True and active["time_start"] > 1e9
    assert active["delivery_info"]["routing_key"] == "celery"
    (reserved,) = only(inspect.reserved())
    assert reserved["id"] == behind.id and reserved["args"] == [1] and reserved["kwargs"] == {"y": 2}
    assert reserved["time_start"] is reserved["worker_pid"] is None
    found = only(inspect.query_task(long.id, behind.id, "nothing"))
    assert {x: state for x, (state, _) in found.items()} == {
        long.id: "active",
        behind.id: "reserved",
    }
    assert only(inspect.active(safe=True))[0]["args"] == "(60.5,)"
    celery.control.terminate(long.id)  # nobody waits for it


def test_revoked(worker, celery, inspect):
    worker("-c", "1")
    assert control(celery, "revoke", task_id=["a"]) == {"ok": "tasks a flagged as revoked"}
    assert only(inspect.revoked()) == ["a"]


def test_terminate(worker, celery, tasks):
    worker("-c", "1", config=TRACK)
    result = tasks.sleep.delay(60)
    eventually(lambda: result.state == "STARTED")
    answer = control(celery, "terminate", task_id=[result.id], signal="SIGKILL")
    assert answer == {"ok": f"terminate: {result.id}"}
    eventually(lambda: result.state == "REVOKED")


def test_limits(worker, celery, inspect):
    worker("-c", "1")

    def limit(task, rate):
        return control(celery, "rate_limit", task_name=task, rate_limit=rate)

    assert limit("tasks.add", "10/m") == {"ok": "new rate limit set successfully"}
    assert "tasks.add [rate_limit=10/m]" in only(inspect.registered())
    assert limit("tasks.add", 0) == {"ok": "rate limit disabled successfully"}
    assert "tasks.add [rate_limit=10/m]" not in only(inspect.registered())
    assert limit("no.such", "1/s") == {"error": "unknown task"}
    assert "error" in limit("tasks.add", "often")
    answer = control(celery, "time_limit", task_name="no.such", soft=1.0, hard=2.0)
    assert answer == {"error": "unknown task"}


def test_a_time_limit_that_is_set_holds(umbel_worker, celery, tasks):
    umbel_worker("-c", "1")
    answer = control(celery, "time_limit", task_name="tasks.sleep", soft=None, hard=0.3)
    assert answer == {"ok": "time limits set successfully"}
    result = tasks.sleep.delay(60)
    eventually(lambda: result.state == "FAILURE")


# -- the worker ------------------------------------------------------------------


def test_the_pool(umbel_worker, celery):
    running = umbel_worker("-c", "2")
    assert control(celery, "pool_shrink", n=1) == {"ok": "pool will shrink"}
    eventually(lambda: len(running.children()) == 1)
    for bad in ({"n": 1}, {"n": 10**18}, {"n": -1}, {"n": "x"}, {"n": [1]}):
        assert "error" in control(celery, "pool_shrink", **bad)
    assert "error" in control(celery, "autoscale", max=4, min=1)
    assert "error" in control(celery, "pool_restart")


def test_autoscale(umbel_worker, celery, inspect):
    umbel_worker("--autoscale=3,1")
    assert control(celery, "autoscale", max=5, min=2) == {"ok": "autoscale now max=5 min=2"}
    assert only(inspect.stats())["autoscaler"]["max"] == 5
    assert "error" in control(celery, "autoscale", max=1, min=2)
    assert "error" in control(celery, "pool_grow")


def test_the_tree(umbel_worker, celery):
    umbel_worker("-c", "1")
    tree = only(celery.control.broadcast("tree", reply=True, limit=1, timeout=20))

    def names(node):
        yield node["id"]
        for child in node["children"]:
            yield from names(child)

    assert {"root", "consumer", "pool", "control", "listener"} <= set(names(tree))


def test_an_exchange_of_its_own(umbel_worker, make_celery, broker, tmp_path):
    umbel_worker("-n", "one@here", "-c", "1", config={"control_exchange": "shop"})
    pong = {"one@here": {"ok": "pong"}}
    assert make_celery(control_exchange="shop").control.ping(timeout=20, limit=1) == [pong]
    assert make_celery().control.ping(timeout=1) == []
    settings = tmp_path / "shop.json"
    settings.write_text(json.dumps({"control_exchange": "shop"}))
    argv = [umbel_binary(), "inspect", "ping", "-j", "-b", broker.url, "--config", str(settings)]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert json.loads(ended.stdout) == pong, ended


def test_answers_take_one_connection(umbel_worker, celery, broker):
    running = umbel_worker("-c", "1", "-Q", "a,b,c,d")
    for _ in range(3):
        assert only(celery.control.ping(timeout=20, limit=1)) == {"ok": "pong"}
    running.wait_for_log("mingle: all alone")  # which has one for a second
    # On RabbitMQ consuming, publishing and listening have connections of their own; on
    # Redis one waits for messages, and one hears of those that it does not wait for.
    most = 6 if broker.name == "amqp" else 5
    eventually(lambda: len(running.tcp_addresses()) <= most)


@pytest.mark.needs("server")
def test_after_a_lost_connection(umbel_worker, celery, broker):
    running = umbel_worker("-c", "1")
    assert only(celery.control.ping(timeout=20, limit=1)) == {"ok": "pong"}
    broker.cut_connections(running)
    eventually(lambda: celery.control.ping(timeout=0.5, limit=1), what="it answers again")


# -- bad requests ------------------------------------------------------------------


BAD = [
    {"method": "no_such"},
    {"method": "revoke"},
    {"method": "revoke", "arguments": {"task_id": [1]}},
    {"method": "terminate", "arguments": {"task_id": "x", "signal": "SIGNOTHING"}},
    {"method": "rate_limit"},
    {"method": "rate_limit", "arguments": {"task_name": {}, "rate_limit": []}},
    {"method": "time_limit", "arguments": {"task_name": "tasks.add", "hard": -1}},
    {"method": "time_limit", "arguments": {"task_name": "tasks.add", "soft": "x"}},
    {"method": "query_task", "arguments": {"ids": 7}},
    {"method": "registered", "arguments": {"taskinfoitems": 7}},
    {"method": "pool_grow", "arguments": {"n": 1.5}},
    {"method": "hello", "arguments": {"from_node": 1}},
]


def test_bad_requests(umbel_worker, celery, tasks, broker):
    running = umbel_worker("-c", "1")
    for x in BAD:
        answer = control(celery, x["method"], **x.get("arguments", {}))
        assert list(answer) == ["error"], (x, answer)
    assert control(celery, "no_such") == {"error": "KeyError('no_such')"}
    form = {"content-type": "application/json", "content-encoding": "utf-8"}
    body = json.dumps({"method": "ping", "arguments": {}, "destination": None})
    for payload in (
        b"", b"[]", b"\xff", b"{}", b'{"body": 1}', b'{"body": "[]"}',
        json.dumps({"body": "{}", "properties": {}, **form}).encode(),
        json.dumps({"body": body[:-1] + ', "reply_to": 1}', "properties": {}, **form}).encode(),
        json.dumps({"body": body[:-1] + ', "reply_to": {"exchange": []}}', "properties": {}, **form}).encode(),
        json.dumps({"body": body[:-1] + ', "reply_to": {}, "ticket": 1}', "properties": {}, **form}).encode(),
        json.dumps({"body": body, "headers": {"clock": "x"}, "properties": {}, **form}).encode(),
        json.dumps({"body": body, "headers": {"clock": 2**64}, "properties": {}, **form}).encode(),
    ):
        broker.shout("celery.pidbox", payload)
    assert only(celery.control.ping(timeout=20, limit=1)) == {"ok": "pong"}
    assert tasks.add.delay(4, 4).get(timeout=60) == 8
    eventually(broker.idle)
    assert running.running()


@pytest.mark.only_redis("a key that says who is bound to an exchange")
def test_an_answer_that_cannot_be_delivered(umbel_worker, celery, tasks, broker, redis_client):
    running = umbel_worker("-c", "1")
    # An answer that cannot be delivered is no reason to do anything else.
    redis_client.set("_kombu.binding.reply.celery.pidbox", "no set")
    reply_to = {"exchange": "reply.celery.pidbox", "routing_key": "k"}
    asking = {"method": "ping", "arguments": {}, "ticket": "t", "reply_to": reply_to}
    envelope = {"body": json.dumps(asking), "properties": {}, "content-type": "application/json",
                "content-encoding": "utf-8"}
    broker.shout("celery.pidbox", json.dumps(envelope).encode())
    running.wait_for_log("cannot publish to the exchange reply.celery.pidbox")
    redis_client.delete("_kombu.binding.reply.celery.pidbox")
    assert only(celery.control.ping(timeout=20, limit=1)) == {"ok": "pong"}
    assert tasks.add.delay(4, 4).get(timeout=60) == 8
    eventually(broker.idle)
