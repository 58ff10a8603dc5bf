"""`umbel result`, `purge`, `migrate`, `report`, `list`, `graph` and `amqp`."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from harness.brokers import SqliteBroker
from harness.waiting import eventually
from harness.workers import umbel_binary

#: When nothing has come for so long, nothing will.
SOON = ("-t", "4")


def umbel(*args: str, stdin: str = "") -> subprocess.CompletedProcess:
    return subprocess.run(
        [umbel_binary(), *args], capture_output=True, text=True, timeout=60, input=stdin,
    )


def test_result(celery, tasks, umbel_worker, broker):
    def result(*args):
        return umbel("result", "-b", broker.url, "--result-backend", broker.result_url, *args)

    unknown = result("no-such-task")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert unknown.stderr == "umbel result: nothing is known of task no-such-task\n"
    waited = result("no-such-task", "--wait", "--timeout", "0.1")
    assert waited.returncode == 75
    umbel_worker()
    good, bad = tasks.echo.delay({"x": [1.0, "ü"]}), tasks.fail.delay("no")
    answered = result(good.id, "--wait", "--timeout", "20")
    assert (answered.returncode, answered.stderr) == (0, "")
    assert json.loads(answered.stdout) == {"x": [1.0, "ü"]}
    failed = result(bad.id, "--wait", "--traceback")
    assert failed.returncode == 1
    assert failed.stderr.endswith(f"umbel result: task {bad.id} failed: ValueError: no\n")
    assert "In task tasks.fail" in failed.stderr
    assert result().returncode == 2


def test_purge(tasks, broker):
    for _ in range(3):
        tasks.noop.apply_async(queue="mail")
    refused = umbel("purge", *broker.options, "-Q", "mail,other")
    assert refused.returncode == 2
    assert refused.stderr == "umbel purge: there is no terminal to ask on; add --force to delete without asking\n"
    assert broker.queued("mail") == 3
    done = umbel("purge", "-f", *broker.options, "-Q", "mail,other")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "purge: deleted 3 messages (mail: 3, other: 0)\n"
    assert broker.queued("mail") == 0


def test_purge_leaves_queues_out(tasks, broker, tmp_path):
    config = tmp_path / "conf.json"
    config.write_text(json.dumps({"task_queues": ["mail", "video"]}))
    for queue in ("mail", "video"):
        tasks.noop.apply_async(queue=queue)
    options = ("-f", "-b", broker.url, "--config", str(config))
    wrong = umbel("purge", *options, "-X", "vidoe")
    assert (wrong.returncode, broker.queued("mail")) == (2, 1)
    assert "option --exclude-queues: 'vidoe' is not among the queues" in wrong.stderr
    assert umbel("purge", *options, "-X", "mail,video").returncode == 2
    done = umbel("purge", *options, "-X", "video")
    assert done.returncode == 0, done.stderr
    assert (broker.queued("mail"), broker.queued("video")) == (0, 1)


def test_migrate_copies(tasks, broker, tmp_path):
    """As Celery does it without -a."""
    to = SqliteBroker(tmp_path / "new.db")
    ids = [tasks.add.apply_async((i, 1)).id for i in range(3)]
    wrong = umbel("migrate", "--copy", "-a", broker.url, to.url)
    assert wrong.returncode == 2 and "excludes" in wrong.stderr
    assert umbel("migrate", "--copy", "-F", broker.url, to.url).returncode == 2
    assert umbel("migrate", "-t", "5", "-F", broker.url, to.url).returncode == 2
    done = umbel("migrate", "--copy", *SOON, broker.url, to.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"3 messages copied to {to.url}\n"
    for at in (broker, to):
        # RabbitMQ takes back what was looked at when the connection is gone.
        eventually(lambda: [x["headers"]["id"] for x in at.messages()] == ids)
    eventually(lambda: broker.in_flight() == 0)
    done = umbel("migrate", "-a", *SOON, broker.url, to.url)
    assert done.stdout == f"3 messages moved to {to.url}\n"
    eventually(lambda: (broker.queued(), to.queued()) == (0, 6))


def test_migrate_goes_on_until_it_is_stopped(tasks, broker, tmp_path):
    to = SqliteBroker(tmp_path / "new.db")
    argv = [umbel_binary(), "migrate", "--forever", "-T", "tasks.noop", broker.url, to.url]
    started = time.monotonic()
    running = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        for n in range(1, 4):
            tasks.noop.apply_async()
            eventually(lambda: to.queued() == n)
        tasks.add.apply_async((1, 1))  # stays, and is looked at again and again
        for n in range(4, 7):
            tasks.noop.apply_async()
            eventually(lambda: to.queued() == n)
        # Its share of a core can be told when it has run for many ticks of the clock.
        eventually(lambda: time.monotonic() - started > 1)
        assert cpu_seconds(running.pid) < (time.monotonic() - started) / 5
        running.terminate()
        assert running.communicate(timeout=60)[0] == f"6 messages moved to {to.url}\n"
        assert running.returncode == 0
    finally:
        running.kill()
        running.wait()
    eventually(lambda: (broker.queued(), broker.in_flight()) == (1, 0))


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_migrate_some_tasks(tasks, broker, tmp_path):
    to = SqliteBroker(tmp_path / "new.db")
    for _ in range(3):
        tasks.add.apply_async((1, 1))
        tasks.noop.apply_async()
    done = umbel("migrate", *SOON, "-T", "tasks.noop,tasks.echo", broker.url, to.url)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"3 messages moved to {to.url}\n"
    eventually(lambda: (broker.queued(), to.queued()) == (3, 3))
    done = umbel("migrate", "-Q", "other", broker.url, to.url)
    assert done.stdout == f"0 messages moved to {to.url}\n"
    eventually(lambda: broker.in_flight() == 0)


def test_migrate(tasks, broker, tmp_path, umbel_worker):
    to = SqliteBroker(tmp_path / "new.db")
    ids = [tasks.add.apply_async((i, 1), priority=i % 10).id for i in range(250)]
    some = umbel("migrate", *SOON, "-n", "10", broker.url, to.url)
    assert (some.returncode, some.stderr) == (0, "")
    assert some.stdout == f"10 messages moved to {to.url}\n"
    eventually(lambda: broker.queued() == 240)
    rest = umbel("migrate", *SOON, broker.url, to.url)
    assert rest.stdout == f"240 messages moved to {to.url}\n"
    eventually(broker.idle)
    umbel_worker(broker=to.url, backend="")
    eventually(lambda: to.statuses(ids) == {"SUCCESS": 250})
    assert umbel("migrate", broker.url).returncode == 2


def test_report(broker):
    shown = umbel("report", "-b", "redis://:secret@example.org/3")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("software -> umbel:")
    assert "broker_url:" in shown.stdout
    assert "secret" not in shown.stdout


@pytest.mark.needs("exchanges")
def test_exchanges_and_queues(broker, tmp_path):
    def amqp(*words, status=0):
        ran = umbel("amqp", "-b", broker.url, *words)
        assert ran.returncode == status, ran.stderr
        return ran.stdout or ran.stderr

    assert amqp("queue.declare", "mail") == "ok. queue:mail messages:0\n"
    assert amqp("exchange.declare", "news", "direct") == "ok.\n"
    assert amqp("queue.bind", "mail", "news", "today") == "ok.\n"
    assert amqp("basic.publish", "a text", "news", "today") == "ok.\n"
    for _ in range(2):  # it goes back
        assert json.loads(amqp("basic.get", "mail"))["body"] == "a text"
    assert json.loads(amqp("basic.get", "mail", "true"))["body"] == "a text"
    assert amqp("basic.get", "mail").startswith("No messages in queue.")
    for _ in range(2):
        amqp("basic.publish", "x", "", "mail")
    refused = amqp("queue.delete", "mail", "false", "true", status=1)
    assert refused.startswith("umbel amqp: ") and "mail" in refused and refused.count("\n") == 1
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"task_queues": [
        {"name": "mail", "exchange": "news", "routing_key": "today"}, {"name": "not there"}]}))
    listed = umbel("list", "bindings", "-b", broker.url, "--config", str(config))
    assert listed.returncode == 0, listed.stderr
    bindings = [x.split() for x in listed.stdout.splitlines()][1:]
    assert ["mail", "news", "today"] in bindings
    if broker.url.startswith("redis"):
        assert listed.stderr == ""
    else:  # which does not tell: what is configured and there
        assert bindings == [["mail", "news", "today"]]
        assert "rabbitmqctl list_bindings tells all" in listed.stderr
    lines = "queue.purge mail\nno.such\n\nexchange.delete news\nqueue.delete mail\n"
    script = umbel("amqp", "-b", broker.url, stdin=lines)
    assert script.stdout == "ok. 2 messages deleted.\nok.\nok. 0 messages deleted.\n"
    assert script.stderr == "umbel amqp: 'no.such' is none of its commands; see umbel amqp --help\n"
    assert script.returncode == 2
    assert amqp("queue.bind", "mail", status=2) == "umbel amqp: queue.bind QUEUE EXCHANGE [ROUTING_KEY]\n"
    assert umbel("list", "-b", broker.url).returncode == 2


@pytest.mark.parametrize("scheme", ["sqlite", "filesystem", "memory"])
def test_bindings_in_files(umbel_worker, tmp_path, scheme):
    folders = "&".join(f"{x}={tmp_path}/{x}" for x in ("data_folder_in", "data_folder_out", "control_folder"))
    url = {"sqlite": f"sqlite://{tmp_path}/x.db", "filesystem": f"filesystem://?{folders}",
           "memory": "memory://"}[scheme]
    if scheme != "memory":
        umbel_worker("-Q", "mail", broker=url, backend="disabled://")
    listed = umbel("list", "bindings", "-b", url, "--result-backend", "disabled://")
    if scheme == "memory":
        assert listed.returncode == 2 and "no exchanges" in listed.stderr
    else:
        assert (listed.returncode, listed.stderr) == (0, "")
        assert "mail mail mail".split() in [x.split() for x in listed.stdout.splitlines()]


def test_graph(broker, umbel_worker):
    umbel_worker("-n", "one@h", "-c", "3")
    drawn = umbel("graph", "workers", "-b", broker.url, "--result-backend", broker.result_url, "-t", "8")
    assert (drawn.returncode, drawn.stderr) == (0, "")
    assert drawn.stdout.startswith("digraph workers {\n")
    assert '"one@h" [label="one@h (3 at once)"];' in drawn.stdout
    assert '-> "one@h"' in drawn.stdout and '"one@h" -> "results: ' in drawn.stdout
