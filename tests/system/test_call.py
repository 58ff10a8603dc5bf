"""`umbel call`: a task from the command line, on every broker."""

import json
import re
import subprocess

import pytest

from harness.ports import free_port
from harness.workers import umbel_binary


def call(*args: str, timeout: float = 60) -> subprocess.CompletedProcess:
    return subprocess.run(
        [umbel_binary(), "call", *args],
        capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL,
    )


def answer(ended: subprocess.CompletedProcess):
    assert (ended.returncode, ended.stderr) == (0, "")
    return json.loads(ended.stdout)


def test_the_result_is_printed_as_json(umbel_worker, broker):
    umbel_worker()
    assert answer(call(*broker.options, "tasks.add", "--args", "[4, 4]", "--wait")) == 8
    ended = call(*broker.options, "tasks.add", "-k", '{"x": 4, "y": 0.5}', "--wait")
    assert ended.stdout == "4.5\n"
    text = "ü 花 \" \\ 'x'"
    assert answer(call(*broker.options, "tasks.echo", "-a", json.dumps([text]), "--wait")) == text


def test_an_error_is_told_by_type_and_message(umbel_worker, broker):
    umbel_worker()
    ended = call(*broker.options, "tasks.fail", "--args", '["so it goes"]', "--wait")
    assert ended.returncode == 1
    assert re.fullmatch(r"umbel call: task \S+ failed: \w+: so it goes\n", ended.stderr)
    assert ended.stdout == ""
    ended = call(*broker.options, "tasks.nowhere", "--wait")
    assert ended.returncode == 1
    assert "failed: NotRegistered: tasks.nowhere" in ended.stderr
    ended = call(*broker.options, "tasks.add", "--args", "[1, 1]", "--wait", "--expires", "0")
    assert ended.returncode == 1
    assert "was revoked: TaskRevokedError: expired" in ended.stderr


def test_without_waiting_the_id_is_printed(umbel_worker, broker):
    ended = call(*broker.options, "tasks.add", "--args", "[1, 1]", "-Q", "elsewhere")
    assert ended.returncode == 0
    assert re.fullmatch(r"[0-9a-f-]{36}\n", ended.stdout)
    running = umbel_worker("-Q", "elsewhere")
    running.wait_for_log(rf"Task tasks.add\[{ended.stdout.strip()}\] succeeded")


def test_priority_and_countdown(umbel_worker, broker):
    umbel_worker("-c", "1", config={"worker_prefetch_multiplier": 1})
    ended = call(*broker.options, "tasks.noop", "--countdown", "0.3", "--priority", "3", "--wait")
    assert answer(ended) is None


def test_giving_up_is_no_failure_of_the_task(broker):
    ended = call(*broker.options, "tasks.add", "--args", "[1, 1]", "--wait", "--timeout", "0.1")
    assert ended.returncode == 75
    assert "has not ended within the timeout" in ended.stderr


def test_nobody_is_there():
    ended = call("-b", f"redis://127.0.0.1:{free_port()}", "tasks.add")
    assert ended.returncode == 69
    assert "Connection refused" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "args, why",
    [
        ([], "which task?"),
        (["t", "--args", "{}"], "option --args: '{}' is not a list in JSON"),
        (["t", "--args", "[1,"], "is not a list in JSON"),
        (["t", "--kwargs", "[]"], "option --kwargs: '[]' is not a mapping in JSON"),
        (["t", "--priority", "10"], "is not a whole number from 0 to 9"),
        (["t", "--countdown", "soon"], "is not a number of seconds"),
        (["t", "--eta", "tomorrow"], "is not a time such as"),
        (["t", "--expires", "never"], "neither a number of seconds nor a time"),
        (["t", "--serializer", "pickle"], "pickle"),
        (["t", "--compression", "rar"], "rar"),
        (["t", "more"], "unexpected argument 'more'"),
        (["t", "--quue", "x"], "did you mean --queue?"),
        (["t", "-b", "kafka://"], "kafka"),
        (["t", "-b", "sqlite:///no/such/folder/x.db"], "there is no folder"),
        (["t", "--wait", "--result-backend", "disabled://"], "no result store"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, args, why):
    ended = call("-b", f"sqlite://{tmp_path}/x.db", *args)
    assert ended.returncode == 2, ended
    assert why in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.only_redis("users who may not publish")
def test_a_task_is_sent_whatever_becomes_of_its_event(redis_server, redis_client, tmp_path):
    """Monitors cannot be told; that is no reason to send it again, or to fail."""
    rights = ("on", ">pw", "~*", "&*", "+@all", "-publish")
    redis_client.execute_command("ACL", "SETUSER", "quiet", *rights)
    config = tmp_path / "conf.json"
    config.write_text(json.dumps({"task_send_sent_event": True}))
    url = redis_server.url().replace("redis://", "redis://quiet:pw@")
    ended = call("-b", url, "tasks.noop", "--config", str(config))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert redis_client.llen("celery") == 1


@pytest.mark.only_redis("the message is looked at as it lies there")
def test_every_option_is_in_the_message(redis_server, redis_client):
    options = (
        "tasks.add", "-a", "[1, 2]", "--serializer", "yaml", "--compression", "zlib",
        "--time-limit", "30", "--soft-time-limit", "20.5", "--expires", "60",
        "--exchange", "x", "--routing-key", "k", "--priority", "3",
    )
    ended = call("-b", redis_server.url(), *options)
    assert ended.returncode == 0, ended.stderr
    assert redis_client.llen("celery") == 0, "nobody is bound"
    redis_client.sadd("_kombu.binding.x", "k\x06\x16\x06\x16mine")
    assert call("-b", redis_server.url(), *options).returncode == 0
    message = json.loads(redis_client.lindex("mine\x06\x163", 0))
    assert message["content-type"] == "application/x-yaml"
    assert message["headers"]["compression"] == "application/x-gzip"
    assert message["headers"]["timelimit"] == [30, 20.5]
    assert message["headers"]["expires"]
    assert message["properties"]["delivery_info"] == {"exchange": "x", "routing_key": "k"}
