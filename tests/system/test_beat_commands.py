"""`umbel beat list|add|...` beside a running beat, with the schedule in a file.
(test_beat_shared.py does so in Redis.)"""

import json
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from harness.beats import Beat, beat_command
from harness.waiting import eventually
from harness.workers import umbel_binary

HOURLY = {"task": "tasks.add", "schedule": 3_600, "args": [4, 4]}


@pytest.fixture
def schedule(tmp_path):
    return str(tmp_path / "schedule.db")


@pytest.fixture
def beat(broker, schedule, tmp_path):
    started = []

    def start(entries, *args, **options):
        log = tmp_path / f"beat{len(started)}.log"
        started.append(
            Beat(*args, log=log, broker=broker.url, schedule=schedule,
                 entries=entries, **options)
        )
        return started[-1].wait_ready()

    yield start
    for process in started:
        process.clean_up()
        print(f"--- {process.log_path.name}\n{process.log[-3000:]}")


def shown(schedule, *names):
    return {x["name"]: x for x in json.loads(beat_command(schedule, "list", "-j", *names))}


def test_a_running_beat_follows(beat, schedule, broker):
    running = beat({"a": HOURLY})
    text = beat_command(
        schedule, "add", "b", "--task", "tasks.add", "--args", "[1, 2]",
        "--every", "0.2", "--options", '{"queue": "live"}',
    )
    assert text.startswith("b: added, due next at ")
    eventually(lambda: broker.queued("live") > 1, what="tasks of the new entry")
    message = broker.messages("live")[-1]
    assert message["headers"]["argsrepr"] == "[1, 2]"
    assert beat_command(schedule, "disable", "b") == "b: disabled\n"
    running.wait_for_log("Entry 'b' was changed by a command")
    eventually(lambda: not shown(schedule)["b"]["enabled"])
    running.wait_for_log(r"(?s)(Entry 'b' was changed.*){2}")
    count = broker.queued("live")
    beat_command(schedule, "run-now", "a", "b")
    eventually(lambda: broker.queued("celery") == 1, what="one task of a")
    eventually(lambda: broker.queued("live") == count + 1, what="one task of b")
    beat_command(schedule, "enable", "b")
    eventually(lambda: broker.queued("live") > count + 1, what="b again")
    running.stop()
    again = beat({"a": HOURLY})
    count = broker.queued("live")
    eventually(lambda: broker.queued("live") > count, what="b after a restart")
    beat_command(schedule, "remove", "b")
    again.wait_for_log("Entry 'b' was changed by a command")
    assert set(shown(schedule)) == {"a"}


def test_what_is_shown(beat, schedule):
    beat(
        {
            "a": HOURLY,
            "c": HOURLY | {"schedule": {"crontab": "0 4 * * *"}},
            "s": HOURLY | {"schedule": {"solar": ["sunset", 52.5, 13.4]}},
        },
        timezone="Asia/Tokyo",
    )
    lines = beat_command(schedule, "list").splitlines()
    assert lines[0].split()[:4] == ["NAME", "TASK", "SCHEDULE", "NEXT"]
    assert lines[1].startswith("a     tasks.add  every 3600 s") or "every 3600 s" in lines[1]
    assert "crontab 0 4 * * *" in lines[2] and "04:00:00+09:00" in lines[2]
    entry = shown(schedule, "a")["a"]
    assert entry["entry"] == HOURLY and entry["source"] == "configuration"
    assert entry["enabled"]
    assert datetime.fromisoformat(entry["next"]) - datetime.fromisoformat(
        entry["last_run_at"]
    ) == timedelta(hours=1)
    due = json.loads(beat_command(schedule, "next", "-j", "-n", "30"))
    assert [x["due"] for x in due] == sorted(x["due"] for x in due)
    assert len(due) == 30 and {x["name"] for x in due} == {"a", "c", "s"}


@pytest.mark.parametrize(
    "args, status, text",
    [
        (["remove", "a"], 1, "entry 'a' comes from the configuration"),
        (["disable", "aa"], 1, "there is no entry 'aa'"),
        (["disable"], 2, "which entry?"),
        (["add", "a", "--task", "t", "--every", "1"], 1, "there is an entry 'a' already"),
        (["add", "b", "--task", "t"], 2, "entry 'b': schedule is missing"),
        (["add", "b", "--task", "t", "--crontab", "x"], 2, "crontab 'x': expected five"),
        (["add", "b", "--json-entry", '{"task": "t", "x": 1}'], 2, "x is not known"),
        (["add", "b", "--every", "soon"], 2, "'soon' is not JSON such as 30"),
        (["list", "--jason"], 2, "there is no option --jason"),
    ],
)
def test_mistakes_are_one_line(beat, schedule, args, status, text):
    beat({"a": HOURLY}).stop()
    said = beat_command(schedule, *args, status=status)
    assert text in said and len(said.splitlines()) == 1
    assert said.startswith(f"umbel beat {args[0]}: ")


def test_without_a_beat(beat, schedule):
    said = beat_command(schedule, "list", status=1)
    assert f"there is no schedule file '{schedule}' (-s): umbel beat makes it" in said
    beat({"a": HOURLY}).stop()
    argv = [umbel_binary(), "beat", "run-now", "a", "-s", schedule]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == "a: will be sent at once\n"
    assert done.stderr == "no beat is running: one that is started will know\n"
    beat({"a": HOURLY}).wait_for_log(r"Sending due task a \(tasks.add\)")


def test_an_entry_may_be_given_as_a_whole(beat, schedule):
    beat({"a": HOURLY}).stop()
    entry = {"task": "t", "schedule": 30, "catch_up": "all", "options": {"priority": 3}}
    argv = ["add", "b", "--json-entry", json.dumps(entry), "-j"]
    assert json.loads(beat_command(schedule, *argv))["entry"] == entry
    assert json.loads(beat_command(schedule, *argv, "--replace"))["name"] == "b"


def test_results_that_do_not_expire_are_cleaned_up_daily(beat, schedule, tmp_path):
    beat({}, "--result-backend", f"file://{tmp_path}")
    entry = shown(schedule)["celery.backend_cleanup"]["entry"]
    assert entry["task"] == "celery.backend_cleanup"
    assert entry["schedule"] == {"crontab": "0 4 * * *"}


def test_the_short_program():
    beat = Path(umbel_binary()).with_name("beat")

    def run(*args):
        return subprocess.run([beat, *args], capture_output=True, text=True, timeout=60)

    assert run("--help").stdout.startswith("Usage: umbel beat [OPTIONS]")
    assert run("list", "--help").stdout.startswith("Usage: umbel beat list [OPTIONS]")
    for word, advice in [("lst", "did you mean 'list'?"),
                         ("frobnicate", "'umbel beat --help' names all of them")]:
        refused = run(word)
        assert refused.returncode == 2
        assert refused.stderr == f"umbel beat: there is no command '{word}'; {advice}\n"


@pytest.mark.parametrize("verb", ["list", "add", "run-now", "next"])
def test_help(verb):
    argv = [umbel_binary(), "beat", verb, "--help"]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0 and f"Usage: umbel beat {verb}" in done.stdout
    assert "--json" in done.stdout and "-s,--schedule" in done.stdout.replace(", ", ",")
