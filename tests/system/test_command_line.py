"""Help, errors and exit statuses of the programs, and what the options do."""

import json
import os
import re
import socket
import subprocess

import pytest

from harness.workers import umbel_binary

HOST = socket.gethostname()


def run(*args, program="umbel", env=None, cwd=None):
    """Runs to the end: a program that starts working instead is an error."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("CELERY_")}
    return subprocess.run(
        [umbel_binary(program), *args],
        env={**clean, **(env or {})},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def refused(*args, status=2, **options):
    """The one line with which a command is refused."""
    done = run(*args, **options)
    assert done.returncode == status, (done.stdout, done.stderr)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


# -- help and version ------------------------------------------------------------


@pytest.mark.parametrize("program", ["umbel", "worker"])
def test_version(program):
    done = run("--version", program=program)
    assert done.returncode == 0
    assert re.fullmatch(r"umbel \d+\.\d+\.\d+\n", done.stdout)


def test_without_a_command_it_helps():
    plain, asked = run(), run("--help")
    assert plain.returncode == asked.returncode == 0
    assert plain.stdout == asked.stdout
    assert plain.stdout.startswith("Usage: umbel [OPTIONS] COMMAND")
    for word in ["worker", "settings", "--app", "--broker", "--config"]:
        assert word in plain.stdout


def test_help_of_the_worker():
    done = run("worker", "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: umbel worker [OPTIONS]")
    headings = re.findall(r"^(\S.*):$", done.stdout, re.MULTILINE)
    assert headings[:4] == [
        "Global options",
        "Worker options",
        "Pool options",
        "Queue options",
    ]
    assert "Process options" in headings
    assert max(map(len, done.stdout.splitlines())) <= 80
    text = " ".join(done.stdout.split())
    assert "-A, --app" in text and "default: tasks" in text
    assert "-n, --hostname NAME" in text and "default: celery@%h" in text
    assert "default: redis://127.0.0.1:6379/0" in text
    assert "-l, --loglevel LEVEL" in text and "default: WARNING" in text


def test_the_short_program_has_the_same_options():
    short, long = run("--help", program="worker"), run("worker", "--help")
    assert short.stdout.startswith("Usage: worker [OPTIONS]")

    def options(text):
        return set(re.findall(r"(?<=\s)--?[a-zA-Z][\w-]*", text))

    assert options(short.stdout) - options(long.stdout) <= {"--version"}
    assert options(long.stdout) <= options(short.stdout)


def test_settings_are_described():
    done = run("settings")
    assert done.returncode == 0
    row = r"\| `task_acks_late` \| true or false \| `false` \| Acknowledge .+ \|"
    assert re.search(row, done.stdout)
    assert "`beat_schedule`" in done.stdout


# -- refusals --------------------------------------------------------------------


@pytest.mark.parametrize(
    "args, line",
    [
        (["wrker"], "umbel: there is no command 'wrker'; did you mean 'worker'?"),
        (["shell"], "umbel: the command 'shell' is not supported yet"),
        (
            ["-l", "info", "worker"],
            "umbel: option -l belongs after the command: umbel worker -l",
        ),
        (
            ["worker", "--quues", "a"],
            "umbel worker: there is no option --quues; did you mean --queues?",
        ),
        (
            ["worker", "--max-tasks-per-child=0"],
            "umbel worker: option --max-tasks-per-child: '0' is not a whole number "
            "from 1 up",
        ),
        (
            ["worker", "--hard-max-memory-per-child=1", "--max-memory-per-child=2"],
            "umbel worker: worker_hard_max_memory_per_child (1 KiB) is less than "
            "worker_max_memory_per_child (2 KiB)",
        ),
        (
            ["worker", "-l", "foo"],
            "umbel worker: option --loglevel: 'foo' is not one of DEBUG, INFO, "
            "WARNING, ERROR, CRITICAL, FATAL",
        ),
        (
            ["worker", "-P", "greenlet"],
            "umbel worker: option --pool: 'greenlet' is not one of prefork, "
            "processes, threads, eventlet, gevent, solo",
        ),
        (
            ["worker", "-c", "0"],
            "umbel worker: option --concurrency: '0' is not a whole number from "
            "1 to 65536",
        ),
        (["worker", "-c"], "umbel worker: option --concurrency: a value is missing"),
        (
            ["worker", "--no-color=3"],
            "umbel worker: option --no-color: takes no value",
        ),
        (
            ["worker", "--autoscale=10,x"],
            "umbel worker: option --autoscale: '10,x' is not MAX[,MIN] with MAX "
            "at least 1, such as 10,3",
        ),
        (
            ["worker", "-O", "fast"],
            "umbel worker: option --optimization: 'fast' is not one of default, "
            "fair",
        ),
        (
            ["worker", "-n", "w1@%x"],
            "umbel worker: node name 'w1@%x' has '%x'; allowed are %h (host "
            "name), %n (host name without domain), %d (domain) and %%",
        ),
        (
            ["worker", "stray"],
            "umbel worker: unexpected argument 'stray'; settings are written "
            "name=value",
        ),
        (
            ["worker", "--", "-c", "3"],
            "umbel worker: unexpected argument '-c'; settings are written "
            "name=value",
        ),
        (
            ["worker", "--", "worker.concurency=3"],
            "umbel worker: unknown setting 'worker.concurency' on the command "
            "line; did you mean 'worker_concurrency'?",
        ),
        (
            ["worker", "worker.concurency=3"],
            "umbel worker: unknown setting 'worker.concurency' on the command "
            "line; did you mean 'worker_concurrency'?",
        ),
        (
            ["worker", "worker_log_format=%(nonsense)s"],
            "umbel worker: setting 'worker_log_format' has '%(nonsense)s'; known "
            "fields are %(asctime)s, %(levelname)s, %(message)s, %(process)s, "
            "%(processName)s, %(thread)s, %(threadName)s",
        ),
        (
            ["worker", "--workdir", "/no/such/place"],
            "umbel worker: option --workdir: cannot change to '/no/such/place': "
            "No such file or directory",
        ),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, list) else "",
)
def test_a_wrong_command_line_is_one_line(args, line):
    assert refused(*args) == line


def test_the_short_program_speaks_of_itself():
    line = refused("--quues", "a", program="worker")
    assert line == "worker: there is no option --quues; did you mean --queues?"


@pytest.mark.parametrize(
    "args",
    [
        ["-b", "sqs://user:s3cret@host//"],
        ["-b", "redis://user:s3cret@host:port/0"],
        ["-b", "redis://user:s3cret@host/first"],
        ["-b", "rediss://user:s3cret@host/0"],
        ["-b", "user:s3cret@host"],
        ["--result-backend", "couchdb://user:s3cret@host"],
    ],
    ids=lambda x: x[1].replace("s3cret@", ""),
)
def test_a_wrong_url_is_refused_without_its_password(args):
    line = refused("worker", *args)
    assert "s3cret" not in line
    assert ("broker_url: " if args[0] == "-b" else "result_backend: ") in line


@pytest.mark.parametrize(
    "conf, why",
    [
        (
            {"task_ack_late": True},
            "unknown setting 'task_ack_late' in conf.json; did you mean "
            "'task_acks_late'?",
        ),
        (
            {"CELERY_ACKS_LATE": True},
            "setting 'CELERY_ACKS_LATE' in conf.json is an old upper-case name; "
            "write 'task_acks_late'",
        ),
        (
            {"worker_concurrency": "four"},
            "setting 'worker_concurrency' in conf.json is \"four\"; expected a "
            "whole number from 1 to 65536",
        ),
    ],
)
def test_a_wrong_settings_file(tmp_path, conf, why):
    (tmp_path / "conf.json").write_text(json.dumps(conf))
    line = refused("worker", "--config", "conf.json", cwd=tmp_path)
    assert line == f"umbel worker: {why}"
    env = {"CELERY_CONFIG": "conf.json"}
    assert refused("worker", cwd=tmp_path, env=env) == line


def test_wrong_variables():
    line = refused("worker", env={"CELERY_WORKER_LOGLEVEL": "loud"})
    assert "environment variable CELERY_WORKER_LOGLEVEL: 'loud' is not" in line
    line = refused("worker", env={"CELERY_TASK_ACKS_LATE": "maybe"})
    assert "(CELERY_TASK_ACKS_LATE) is \"maybe\"; expected true or false" in line


def test_a_missing_library_is_a_failure():
    line = refused("worker", "-A", "no_such_library", status=1)
    assert line.startswith("umbel worker: ") and "no_such_library" in line
    line = refused("worker", env={"CELERY_APP": "no_such_library"}, status=1)
    assert "no_such_library" in line


def test_global_options_may_stand_before_the_command():
    line = refused("-A", "no_such_library", "worker", "-l", "info", status=1)
    assert "no_such_library" in line


# -- what the options do ---------------------------------------------------------


def test_the_banner(umbel_worker, broker):
    running = umbel_worker("-n", "w1@%h", "-Q", "mail,celery", "-c", "1")
    log = running.log
    assert f"w1@{HOST} v" in log
    assert f".> transport:   {broker.shown}\n" in log
    assert f".> results:     {broker.shown_results}\n" in log
    assert ".> app:         tasks\n" in log
    assert ".> concurrency: 1 (prefork)\n" in log
    assert ".> task events: OFF\n" in log
    assert re.search(r"\.> mail +exchange=mail\(direct\) key=mail", log)
    assert re.search(r"\[tasks\]\n(  \. .*\n)*  \. tasks\.add\n", log)
    assert "\033" not in log, "no colours in a file"
    line = r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}: INFO/MainProcess\] "
    assert re.search(line + rf"w1@{re.escape(HOST)} ready", log, re.MULTILINE)


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan"])
def test_a_wrong_time_of_idleness(text):
    wanted = "expected seconds, more than 0"
    line = refused("worker", "--autoscale=3", env={"AUTOSCALE_KEEPALIVE": text})
    assert line == f"umbel worker: AUTOSCALE_KEEPALIVE in the environment: {wanted}"
    line = refused("worker", "--autoscale=3", "worker_autoscale_keepalive=0")
    assert line == f"umbel worker: worker_autoscale_keepalive: {wanted}"


def test_autoscale_in_either_order(umbel_worker):
    running = umbel_worker("--autoscale=3,10")
    assert ".> concurrency: {min=3, max=10} (prefork)" in running.log


def test_the_command_line_outranks_the_environment_and_that_the_file(umbel_worker):
    running = umbel_worker(
        "-P",
        "threads",
        "worker.prefetch_multiplier=1",
        config={"worker_pool": "solo", "task_default_queue": "from_file"},
        env={"CELERY_WORKER_POOL": "prefork", "CELERY_TASK_DEFAULT_QUEUE": "from_env"},
    )
    assert "(threads)" in running.log
    assert ".> from_env " in running.log


def test_settings_without_effect_are_named(umbel_worker):
    running = umbel_worker(config={"worker_agent": "x", "task_protocol": 2})
    warnings = re.findall(r"WARNING/MainProcess\] (.*)", running.log)
    assert any("'worker_agent'" in w and "no effect" in w for w in warnings)
    assert not any("task_protocol" in w for w in warnings)


def test_quiet_with_the_options_of_start_scripts(umbel_worker):
    running = umbel_worker(
        "-q", "-O", "fair", "--without-gossip", "--without-mingle",
        "--without-heartbeat",
    )
    assert "[config]" not in running.log
