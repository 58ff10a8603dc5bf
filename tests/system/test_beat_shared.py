"""Several beats with one schedule in Redis: one leads, and nothing is sent twice.

UMBEL_BEAT_KILLS sets how often the leader is killed.
"""

import json
import os
import re
import signal
import time
import uuid
from collections import Counter
from datetime import datetime, timedelta, timezone

import pytest

from harness.beats import Beat, beat_command
from harness.brokers import RedisBroker
from harness.waiting import PATIENCE, eventually

KILLS = int(os.environ.get("UMBEL_BEAT_KILLS", "5"))
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
EVERY_SECOND = {"task": "tasks.add", "schedule": 1, "args": [4, 4], "catch_up": "all"}


#: The tests look into both.
in_redis = pytest.mark.only_redis("the queues are where the shared schedule is")


@pytest.fixture
def schedule(redis_server):
    return redis_server.url() + "?lease=0.5"


@pytest.fixture
def beat(broker, schedule, tmp_path):
    url = broker.url
    started = []

    def start(entries, *args, **options):
        options = {"broker": url, "schedule": schedule, **options}
        log = tmp_path / f"beat{len(started)}.log"
        started.append(Beat(*args, log=log, entries=entries, **options))
        return started[-1]

    yield start
    for process in started:
        process.clean_up()
        print(f"--- {process.log_path.name}\n{process.log[-3000:]}")


def leader(client):
    """The process id in the lease; 0 if nobody leads."""
    lease = client.get("umbel.beat.lease")
    return int(lease.split("/gen")[1].split("@")[0]) if lease else 0


def runs(client):
    """Microseconds since 1970 of the last run, and the number of runs, by entry."""
    return {
        name: tuple(map(int, text.split()[:2]))
        for name, text in client.hgetall("umbel.beat.runs").items()
    }


def ids_on_queue(client, queue="celery"):
    return [json.loads(x)["headers"]["id"] for x in client.lrange(queue, 0, -1)]


def expected_ids(client, before, after):
    """Of each second after the runs `before` until those `after`."""
    identity = client.hget("umbel.beat.schedule", "identity")
    for name, (end, _) in after.items():
        last, count = before[name]
        for due in range(last - (count - 1) * 1_000_000, end + 1, 1_000_000):
            text = (EPOCH + timedelta(microseconds=due)).isoformat()
            name_of_id = f"umbel:beat/{identity}/{name}@{text}"
            yield str(uuid.uuid5(uuid.NAMESPACE_URL, name_of_id))


@in_redis
def test_the_leader_is_killed_and_no_second_is_lost_or_sent_twice(beat, redis_client):
    entries = {f"e{i}": EVERY_SECOND for i in range(50)}
    beats = {x.pid: x for x in (beat(entries), beat(entries))}
    eventually(lambda: len(runs(redis_client)) == 50, what="all entries are known")
    before = runs(redis_client)
    gaps = []
    for _ in range(KILLS):
        victim = beats.pop(eventually(lambda: leader(redis_client), what="a leader"))
        victim.kill()
        killed = time.monotonic()
        fresh = beat(entries)
        beats[fresh.pid] = fresh
        eventually(
            lambda: leader(redis_client) not in (0, victim.pid), what="another leader"
        )
        gaps.append(time.monotonic() - killed)
        count = redis_client.llen("celery")
        eventually(lambda: redis_client.llen("celery") > count, what="it sends")
    for process in beats.values():
        process.stop()
    sent = Counter(ids_on_queue(redis_client))
    expected = set(expected_ids(redis_client, before, runs(redis_client)))
    print(f"{len(sent)} due times, takeover within {max(gaps):.2f} s")
    assert not [x for x, n in sent.items() if n > 1], "sent twice"
    assert set(sent) == expected
    # Not all: the machine may have had something else to do.
    assert sorted(gaps)[len(gaps) // 2] < 5 * PATIENCE


@in_redis
def test_a_leader_that_was_paused_sends_nothing_of_its_own(beat, redis_client):
    entries = {f"e{i}": EVERY_SECOND for i in range(10)}
    beats = {x.pid: x for x in (beat(entries), beat(entries))}
    eventually(lambda: redis_client.llen("celery"), what="the first tasks")
    paused = beats[eventually(lambda: leader(redis_client), what="a leader")]
    paused.signal(signal.SIGSTOP)
    eventually(lambda: leader(redis_client) not in (0, paused.pid), what="another leader")
    count = redis_client.llen("celery")
    eventually(lambda: redis_client.llen("celery") > count, what="it sends")
    paused.signal(signal.SIGCONT)
    paused.wait_for_log(r"beat: Stands by, gen\d+@\S+ leads")
    assert max(Counter(ids_on_queue(redis_client)).values()) == 1


@in_redis
def test_a_beat_that_is_stopped_hands_over_at_once(beat, redis_client, redis_server):
    schedule = redis_server.url() + "?lease=3600"
    first = beat({"a": EVERY_SECOND}, schedule=schedule)
    first.wait_for_log(r"beat: Leads, with 1 entries in 'redis://")
    second = beat({"a": EVERY_SECOND}, schedule=schedule)
    second.wait_for_log(rf"beat: Stands by, gen{first.pid}@\S+ leads")
    first.stop()
    second.wait_for_log("beat: Leads")


@in_redis
def test_workers_share_a_schedule_too(umbel_worker, redis_client, redis_server):
    entries = {"beat_schedule": {"a": EVERY_SECOND | {"options": {"queue": "other"}}}}
    options = {"config": entries | {"beat_schedule_filename": redis_server.url() + "?lease=3600"}}
    workers = [umbel_worker("-B", **options) for _ in range(2)]
    eventually(lambda: redis_client.llen("other") > 1, what="tasks")
    assert max(Counter(ids_on_queue(redis_client, "other")).values()) == 1
    eventually(lambda: all(re.search("beat: (Leads|Stands by)", x.log) for x in workers))
    assert sum("beat: Leads" in x.log for x in workers) == 1
    assert sum("beat: Stands by" in x.log for x in workers) == 1


@pytest.fixture
def another(broker, request):
    """A broker that is not where the schedule is."""
    if broker.name != "redis":
        return broker
    return RedisBroker(request.getfixturevalue("make_redis")())


def test_the_broker_may_be_another_one(beat, another, state):
    """Then publishing and noting are two steps, and the broker may know a repeat."""
    running = beat({"a": EVERY_SECOND}, broker=another.url).wait_ready()
    eventually(lambda: another.queued() > 1, what="tasks")
    running.kill()
    again = beat({"a": EVERY_SECOND}, broker=another.url).wait_ready()
    count = another.queued()
    eventually(lambda: another.queued() > count, what="it goes on")
    again.stop()
    last = runs(state)
    first = last["a"][0] - (last["a"][1] - 1) * 1_000_000
    expected = expected_ids(state, {"a": (first, 1)}, last)
    sent = [x["headers"]["id"] for x in another.messages()]
    assert set(expected) == set(sent)
    if another.publishes_once:
        assert len(sent) == len(set(sent))


@pytest.fixture
def state(redis_server):
    """Where the schedule is."""
    return redis_server.client()


def test_the_state_may_be_away(beat, broker, state_server):
    running = beat({"a": EVERY_SECOND}, schedule=state_server.url() + "?lease=0.5")
    eventually(broker.queued, what="a task")
    state_server.kill()
    running.wait_for_log(r"cannot (lead the beats|send periodic tasks|connect)")
    state_server.start()
    count = broker.queued()
    eventually(lambda: broker.queued() > count, what="it goes on")


@pytest.fixture
def state_server(make_redis):
    return make_redis()


def test_a_url_that_cannot_be_meant_is_one_line(beat):
    running = beat({}, schedule="amqp://localhost//")
    assert running.wait_exit() == 2 and len(running.log.splitlines()) == 1
    assert "beat_schedule_filename (-s): " in running.log
    assert "a path or redis://" in running.log


@in_redis
def test_commands_and_a_shared_schedule(beat, schedule, redis_client):
    beats = [beat({"a": EVERY_SECOND | {"schedule": 3_600}}) for _ in range(2)]
    for process in beats:
        process.wait_ready()
    beat_command(schedule, "run-now", "a")
    eventually(lambda: redis_client.llen("celery") == 1, what="the task")
    beat_command(
        schedule, "add", "b", "--task", "tasks.add", "--every", "0.2",
        "--options", '{"queue": "live"}',
    )
    eventually(lambda: redis_client.llen("live") > 1, what="the new entry")
    shown = {x["name"]: x for x in json.loads(beat_command(schedule, "list", "-j"))}
    assert shown["b"]["total_run_count"] > 0 and shown["b"]["source"] == "command"
    eventually(lambda: f"Led by gen{leader(redis_client)}@" in beat_command(schedule, "list"))
    assert redis_client.llen("celery") == 1
