"""Beat with real brokers and real workers."""

import os
import signal
import subprocess
import tempfile
import time

import pytest

from harness.beats import Beat
from harness.waiting import PATIENCE, eventually
from harness.workers import build_dir, umbel_binary

TICK = {"task": "tasks.add", "schedule": 0.2, "args": [4, 4]}


@pytest.fixture
def beat(broker, tmp_path):
    url = broker.url
    started = []

    def start(entries, *args, broker="", schedule="", **settings):
        log = tmp_path / f"beat{len(started)}.log"
        broker = broker or url
        schedule = schedule or str(tmp_path / "schedule.db")
        process = Beat(
            *args, log=log, broker=broker, schedule=schedule, entries=entries, **settings
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.clean_up()


def ids_of(broker):
    return [x["headers"]["id"] for x in broker.messages()]


def test_a_python_worker_runs_what_beat_sends(beat, python_worker):
    worker = python_worker()
    running = beat({"tick": TICK}).wait_ready()
    worker.wait_for_log(r"Task tasks.add\[.+\] succeeded in .+: 8")
    running.stop()


def test_our_worker_runs_what_beat_sends(beat, umbel_worker):
    worker = umbel_worker()
    running = beat({"tick": TICK}).wait_ready()
    worker.wait_for_log(r"Task tasks.add\[.+\] succeeded")
    running.stop()


def test_a_worker_sends_them_itself(umbel_worker, tmp_path):
    worker = umbel_worker(
        "-B", "-s", str(tmp_path / "s.db"), config={"beat_schedule": {"tick": TICK}}
    )
    worker.wait_for_log(r"Scheduler: Sending due task tick \(tasks.add\)")
    worker.wait_for_log(r"Task tasks.add\[.+\] succeeded")


def test_the_message_is_celerys(beat, broker):
    options = {"expires": 60, "queue": "other", "headers": {"mine": 1},
               "delivery_mode": "transient"}
    entry = TICK | {"kwargs": {"x": 1}, "options": options}
    beat({"tick": entry})
    eventually(lambda: broker.queued("other"), what="a message")
    message = broker.messages("other")[-1]
    headers = message["headers"]
    assert headers["task"] == "tasks.add"
    assert headers["argsrepr"] == "[4, 4]" and headers["kwargsrepr"] == "{'x': 1}"
    assert headers["expires"] and headers["eta"] is None and headers["mine"] == 1
    assert headers["origin"].startswith("gen")
    assert headers["root_id"] == headers["id"]
    assert message["properties"]["delivery_mode"] == 1


def test_kill_9_loses_no_due_time(beat, broker):
    """Each life is cut at another moment; `all` makes up for the time between."""
    entries = {"tick": TICK | {"schedule": 0.1, "catch_up": "all"}}
    begin = time.time()
    for i in range(8):
        running = beat(entries).wait_ready()
        time.sleep(0.13 + 0.05 * i)
        running.kill()
    running = beat(entries).wait_ready()
    eventually(
        lambda: broker.queued() >= (time.time() - begin) / 0.1 - 10,
        what="a task for each due time",
    )
    running.stop()
    # Those that were accepted and not yet noted when it was killed are tried again, and
    # the broker has them already.
    ids = ids_of(broker)
    assert len(set(ids)) <= (time.time() - begin) / 0.1 + 1
    if broker.publishes_once:
        assert len(set(ids)) == len(ids)


@pytest.mark.needs("server")
def test_the_broker_may_be_away(beat, broker):
    running = beat({"tick": TICK})
    eventually(broker.queued, what="a task")
    broker.kill()
    running.wait_for_log(r"(?i)(redis|amqp).*(refused|closed|lost|reset|nobody accepts)")
    broker.start()
    count = broker.queued()
    eventually(lambda: broker.queued() > count, what="a task after the outage")
    running.stop()


def refused(running, path):
    """It has ended with one line that names the file."""
    assert running.wait_exit() == 1
    assert f"cannot use the schedule file '{path}' (-s): " in running.log
    assert "Traceback" not in running.log and len(running.log.splitlines()) < 4
    return running.log


@pytest.mark.parametrize("how", ["corrupt", "folder"])
def test_a_file_that_cannot_be_used_is_kept(beat, tmp_path, how):
    path = tmp_path / "schedule.db"
    if how == "corrupt":
        path.write_bytes(b"SQLite format 3\0" + os.urandom(8_000))
    else:
        path.mkdir()
    before = path.read_bytes() if path.is_file() else None
    refused(beat({"tick": TICK}), path)
    assert before is None or path.read_bytes() == before


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@as_root
def test_a_file_that_is_read_only_is_refused(beat):
    """As somebody who may not write it: root may, whatever the mode says."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        path = f"{folder}/schedule.db"
        beat({"tick": TICK}, schedule=path).wait_ready().stop()
        before = open(path, "rb").read()
        running = beat({"tick": TICK}, "--uid", "nobody", schedule=path)
        assert "it is read-only" in refused(running, path)
        assert open(path, "rb").read() == before


@as_root
def test_root_is_refused_too(beat, tmp_path):
    path = tmp_path / "schedule.db"
    beat({"tick": TICK}).wait_ready().stop()
    before = path.read_bytes()
    if subprocess.run(["chattr", "+i", path], capture_output=True).returncode != 0:
        pytest.skip("the filesystem has no immutable files")
    try:
        assert "it is read-only" in refused(beat({"tick": TICK}), path)
        assert path.read_bytes() == before
    finally:
        subprocess.run(["chattr", "-i", path], check=True)


@pytest.fixture
def small_disk(tmp_path):
    """A filesystem of its own, which can be filled."""
    folder = tmp_path / "disk"
    folder.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]
    if subprocess.run(argv, capture_output=True).returncode != 0:
        pytest.skip("no filesystem can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(disk):
    """@returns what takes all of the room"""
    with open(disk / "filler", "wb", buffering=0) as out:
        try:
            while True:
                out.write(b"x" * 4096)
        except OSError:
            pass
    return disk / "filler"


def test_a_full_disk_delays_the_note_and_loses_nothing(beat, small_disk, broker):
    path = small_disk / "schedule.db"
    entry = TICK | {"schedule": 0.5, "catch_up": "all"}
    running = beat({"tick": entry}, schedule=str(path)).wait_ready()
    eventually(broker.queued, what="a task")
    filler = fill(small_disk)
    running.wait_for_log("full; the tasks are sent, and are sent again under the same")
    count = broker.queued()
    eventually(lambda: broker.queued() > count, what="more tasks")
    filler.unlink()
    running.stop()
    # The file is whole, and what was sent when there was no room is noted in it.
    again = beat({"tick": entry}, schedule=str(path)).wait_ready()
    count = broker.queued()
    eventually(lambda: broker.queued() > count, what="a task")
    again.stop()
    ids = ids_of(broker)
    assert len(set(ids)) == len(ids)


def test_a_new_file_needs_room(beat, small_disk):
    path = small_disk / "schedule.db"
    fill(small_disk)
    assert "full" in refused(beat({"tick": TICK}, schedule=str(path)), path)


def test_a_library_brings_its_schedule_along(beat, broker):
    library = str(build_dir() / "tests/system/libperiodic.so")
    running = beat({}, "-A", library).wait_ready()
    eventually(lambda: broker.queued("plain"), what="a task")
    message = broker.messages("plain")[-1]
    assert message["headers"]["task"] == "periodic.echo"
    assert message["headers"]["argsrepr"] == "[4, 'x']"
    assert message["headers"]["kwargsrepr"] == "{'y': 5}"
    # Arguments that are computed when the task is sent.
    eventually(lambda: broker.queued("lazy") > 1, what="two tasks")
    second, first = (x["headers"]["argsrepr"] for x in broker.messages("lazy")[:2])
    assert first.startswith("[1, '20") and first != second
    running.wait_for_log("Cannot compute the arguments of failing: no idea")
    assert broker.queued("failing") == 0
    running.stop()


def test_a_worker_sends_what_its_library_brings(umbel_worker, tmp_path, broker):
    library = str(build_dir() / "tests/system/libperiodic.so")
    umbel_worker("-B", "-s", str(tmp_path / "s.db"), app=library)
    eventually(lambda: broker.queued("lazy"), what="a task")


@pytest.mark.parametrize(
    "entries, text",
    [
        ({"a": {"task": "t"}}, "beat_schedule, entry 'a': schedule is missing"),
        (
            {"a": TICK | {"schedule": {"crontab": "61 * * * *"}}},
            "crontab minute '61': 61 is not between 0 and 59",
        ),
        ({"a": TICK | {"schedule": {"solar": ["moon", 0, 0]}}}, 'the event "moon" is none'),
    ],
)
def test_mistakes_are_one_line(beat, entries, text):
    running = beat(entries)
    assert running.wait_exit() == 2
    assert text in running.log and len(running.log.splitlines()) == 1


def test_a_second_beat_is_refused(beat):
    beat({"tick": TICK}).wait_ready()
    second = beat({"tick": TICK})
    assert second.wait_exit() == 1
    assert "another process uses it" in second.log


def test_detached_it_leaves_a_pidfile(beat, tmp_path, broker):
    pidfile = tmp_path / "beat.pid"
    launcher = beat(
        {"tick": TICK}, "--detach", "--pidfile", str(pidfile), "-f",
        str(tmp_path / "detached.log"),
    )
    assert launcher.wait_exit() == 0
    pid = int(pidfile.read_text())
    eventually(broker.queued, what="a task")
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: not pidfile.exists(), what="the pidfile is gone")


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def with_ten_thousand(beat, schedule=""):
    """One that ticks among many entries."""
    entries = {f"e{i}": TICK | {"schedule": 86_400} for i in range(10_000)}
    entries["tick"] = TICK | {"schedule": 0.3}
    return beat(entries, schedule=schedule).wait_ready()


def is_idle(running, next_task):
    """3 % of a core for six tasks, with room for some of the clock's ticks of 10 ms."""
    next_task()
    begin, before = time.monotonic(), cpu_seconds(running.pid)
    for _ in range(6):
        next_task()
    used = cpu_seconds(running.pid) - before
    print(f"{used:.2f} s of CPU")
    return used < ((time.monotonic() - begin) * 0.03 + 0.05) * PATIENCE


def test_ten_thousand_entries_are_idle(beat, broker):
    running = with_ten_thousand(beat)
    assert is_idle(running, lambda: eventually(broker.take, what="a task"))
    running.stop()


@pytest.mark.only_redis("a schedule that is shared is in Redis")
def test_ten_thousand_shared_entries_are_idle_and_on_time(beat, redis_server):
    running = with_ten_thousand(beat, redis_server.url())
    client = redis_server.client()
    late = []

    def next_task():
        client.blpop("celery", 60)
        arrived = time.time()
        # Noted in the same step.
        due = int(client.hget("umbel.beat.runs", "tick").split()[0]) / 1e6
        late.append(arrived - due)

    assert is_idle(running, next_task)
    print(f"late: {late}")
    # Not all: the machine may have had something else to do.
    assert sorted(late)[1] < 0.1 * PATIENCE
    running.stop()


def test_help_shows_an_example():
    done = subprocess.run(
        [umbel_binary(), "beat", "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0 and "--max-interval" in done.stdout
    assert "umbel beat list" in done.stdout
    # All that Celery's has.
    wanted = """--detach --schedule --scheduler --max-interval --loglevel --logfile
        --pidfile --uid --gid --umask --executable"""
    assert [x for x in wanted.split() if x not in done.stdout] == []
    assert '"crontab": "* * * * *"' in done.stdout
