"""The client in C++ against workers of both kinds."""

import json
import subprocess

import pytest

from harness.shapes import FAILURES, SHAPES
from harness.workers import build_dir

#: What client_answers prints; plain arithmetic.
ANSWERS = {
    "typed": 8,
    "options": ["chosen", 3, "SUCCESS", 3],
    "chain": 36,
    "group": [2, 4],
    "chord": 18,
    "group and task": 118,
    "task, group, task": 9,
    "chord of chains": 42,
    "map": [3, 7],
    "starmap": [3, 7],
    "chunks": [[3, 7], [11]],
    "failure": {"type": "ValueError", "args": ["no"], "module": "builtins"},
    "failed step": {"type": "ValueError", "args": ["no"], "module": "builtins"},
    "failed part": "ChordError",
    "callbacks": [7, "callback"],
    "timeout": {
        "type": "TimeoutError",
        "args": ["The operation timed out."],
        "module": "celery.exceptions",
    },
    "forgotten": "PENDING",
    "threads": 200,
    "revoked": {
        "type": "TaskRevokedError",
        "args": ["revoked"],
        "module": "celery.exceptions",
    },
    "saved group": [2, 4, False],
    "collected": [2, 12, 36],
    "pipeline": 600,
}


@pytest.fixture
def workers_of(umbel_worker, python_worker):
    """Starts a worker of that kind."""
    kinds = {"umbel": umbel_worker, "python": python_worker}
    return lambda kind, **options: kinds[kind](**options)


def run(program: str, broker, stdin: str = "", results: str = "") -> dict:
    ran = subprocess.run(
        [str(build_dir() / "tests/system" / program), broker.url, results or broker.result_url],
        input=stdin, capture_output=True, text=True, timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    return dict(json.loads(line) for line in ran.stdout.splitlines())


@pytest.mark.parametrize("kind", ["umbel", "python"])
def test_answers(workers_of, broker, kind):
    workers_of(kind)
    assert run("client_answers", broker) == ANSWERS


@pytest.mark.parametrize("kind", ["umbel", "python"])
def test_every_nesting_gives_what_plain_evaluation_gives(workers_of, broker, kind):
    """As test_canvas.py, from a client in C++."""
    workers_of(kind)
    shapes = SHAPES + FAILURES
    lines = "".join(f"{json.dumps([x.name, x.tree])}\n" for x in shapes)
    got = run("client_shapes", broker, lines)
    wrong = [f"{x.name}: {got[x.name]}, not {x.outcome()}" for x in shapes if got[x.name] != x.outcome()]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("kind, store", [
    ("umbel", "file://{}"), ("python", "file://{}"), ("umbel", "sqlite:///{}/results.db"),
])
def test_chords_where_nobody_counts(workers_of, broker, tmp_path, kind, store):
    """With files celery.chord_unlock goes with each of them; SQLite is for workers of
    another broker to count in."""
    folder = tmp_path / "results"
    folder.mkdir()
    results = store.format(folder)
    workers_of(kind, backend=results)
    shapes = [x for x in SHAPES if "chord" in json.dumps(x.tree)]
    if kind == "python":  # which waits for ever for most of the others
        shapes = [x for x in shapes if x.name.startswith("chord") and x.name.count("chord") == 1]
    assert len(shapes) > 3
    lines = "".join(f"{json.dumps([x.name, x.tree])}\n" for x in shapes)
    got = run("client_shapes", broker, lines, results)
    wrong = [f"{x.name}: {got[x.name]}, not {x.outcome()}" for x in shapes if got[x.name] != x.outcome()]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("kind", ["umbel", "python"])
def test_results_by_rpc(workers_of, broker, kind):
    """Without anything that needs a chord."""
    workers_of(kind, backend="rpc://")
    answers = run("client_answers", broker, results="rpc://")
    assert answers.keys() > {"typed", "chain", "group", "failure", "threads"}
    assert answers == {name: x for name, x in ANSWERS.items() if name in answers}


def test_a_mailbox_outlives_what_its_client_does_meanwhile(umbel_worker, broker):
    """RabbitMQ ends a connection whose heartbeats nobody sends, and the mailbox with
    it: so there are none."""
    argv = [str(build_dir() / "tests/system/client_idle"), broker.url, "rpc://"]
    client = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert len(client.stdout.readline().strip()) == 36
        if broker.name == "amqp":
            agreed = broker.server.heartbeats(broker.virtual_host)
            assert agreed and not any(agreed)
        worker = umbel_worker(backend="rpc://")
        worker.wait_for_log(r"tasks.add\[\S+\] succeeded")
        assert client.communicate("go on\n", timeout=60)[0] == "8\n"
    finally:
        client.kill()
        client.wait()
