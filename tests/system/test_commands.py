"""Commands of remote control that a task library brings along."""

import json
import os
import subprocess

import pytest

from harness.waiting import eventually
from harness.workers import PYTHON, build_dir, umbel_binary

LIBRARY = {"app": str(build_dir() / "tests" / "system" / "libcommands.so")}

#: What a Python app says of them for its own command line.
DECLARED = """
from celery import Celery
from celery.worker.control import control_command, inspect_command

@inspect_command()
def where(state): "Where a command runs"

@control_command(args=[("name", str), ("times", int)], signature="NAME [TIMES]")
def greet(state, name, times=1): "Greets"

app = Celery(broker={broker!r})
from celery.bin.celery import main
main()
"""


def ask(celery, method: str, timeout: float = 20, **arguments):
    (reply,) = celery.control.broadcast(
        method, arguments=arguments, reply=True, limit=1, timeout=timeout
    )
    return next(iter(reply.values()))


@pytest.mark.needs("Celery")
def test_commands(umbel_worker, celery, broker):
    running = umbel_worker("-n", "one@here", "-c", "1", **LIBRARY)
    where = ask(celery, "where")
    assert where["node"] == "one@here" and where["worker"] == running.pid
    assert where["process"] not in (running.pid, *running.children())
    assert ask(celery, "greet", name="you") == "hello you "
    assert ask(celery, "say_hello", name="you", times=2) == "hello you hello you "
    assert ask(celery, "greet") == {
        "error": "TypeError(\"greet() missing 1 required positional argument: 'name'\")"
    }
    assert "must be int" in ask(celery, "greet", name="you", times="x")["error"]
    assert ask(celery, "no_such") == {"error": "KeyError('no_such')"}
    assert ask(celery, "no_such") == {"error": "KeyError('no_such')"}
    assert ask(celery, "where")["node"] == "one@here"

    # Celery's own command line, and ours.
    def celery_says(*words: str):
        ended = subprocess.run(
            [PYTHON, "-c", DECLARED.format(broker=broker.url), *words, "-d", "one@here", "-j"],
            capture_output=True, text=True, timeout=60, env={**os.environ, "C_FORCE_ROOT": "1"},
        )
        assert ended.returncode == 0, ended
        return json.loads(ended.stdout)

    assert celery_says("inspect", "where")["one@here"]["worker"] == running.pid
    assert celery_says("control", "greet", "you", "2") == [{"one@here": "hello you hello you "}]

    def umbel_says(*words: str) -> subprocess.CompletedProcess:
        argv = [umbel_binary(), words[0], "-b", broker.url, "-A", LIBRARY["app"], *words[1:]]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60)

    ended = umbel_says("inspect", "where", "--json", "-t", "20", "-d", "one@here")
    assert json.loads(ended.stdout)["one@here"]["worker"] == running.pid, ended
    ended = umbel_says("control", "greet", "you", "times=2", "--json", "-d", "one@here", "-t", "20")
    assert json.loads(ended.stdout) == {"one@here": "hello you hello you "}, ended
    ended = umbel_says("control", "greet", "you", "2", "3")
    assert ended.returncode == 2 and "usage: greet NAME [TIMES]" in ended.stderr
    ended = umbel_says("control", "where")
    assert ended.returncode == 2 and "there is no command 'where'" in ended.stderr


def test_a_command_harms_nobody(umbel_worker, celery):
    running = umbel_worker("-c", "1", **LIBRARY)
    children = running.children()
    for _ in range(4):
        celery.control.broadcast("hang")
    running.wait_for_log(r"(?s)(asked for 'hang'.*){4}")
    assert "run already" in ask(celery, "where")["error"]
    assert ask(celery, "ping") == {"ok": "pong"}
    assert celery.send_task("commands.noop").get(timeout=60) is None
    running.wait_for_log(r"(?s)(hang did not answer: no answer within 5 s.*){4}")
    eventually(lambda: "node" in ask(celery, "where"))
    assert ask(celery, "fail") == {"error": "ValueError('no luck')"}
    assert ask(celery, "crash") == {
        "error": "crash did not answer: it ended by signal 11 (SIGSEGV)"
    }
    assert ask(celery, "leave") == {"error": "leave did not answer: it ended with exit status 3"}
    assert "at most 16777216 are possible" in ask(celery, "flood")["error"]
    assert ask(celery, "greet", name="x" * 70_000)["error"].startswith("arguments of 70")
    assert ask(celery, "where")["worker"] == running.pid
    assert running.children() == children


def test_threads(umbel_worker, celery):
    """The libraries are in the worker's process there; a command is not."""
    running = umbel_worker("-P", "threads", "-c", "1", **LIBRARY)
    assert "SIGSEGV" in ask(celery, "crash")["error"]
    assert ask(celery, "where")["process"] != running.pid
