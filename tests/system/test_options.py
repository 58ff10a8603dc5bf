"""Every option of `umbel worker`: what it refuses, and what the new ones do."""

import os
import pty
import re
import subprocess

import pytest

from harness.waiting import eventually
from harness.workers import direct_children, umbel_binary
from test_command_line import refused, run

#: For each option that takes a value: one that is wrong, and what is allowed.
WRONG = {
    "--app": (",", "is not a list of names such as one,two"),
    "--broker": ("http://host", "the scheme 'http' is not one of redis://"),
    "--result-backend": ("couchdb://x", "the scheme 'couchdb' is not one of redis://"),
    "--config": ("/no/such/file", "cannot read the settings file"),
    "--workdir": ("/no/such/dir", "No such file or directory"),
    "--hostname": ("a b", "holds white space"),
    "--loglevel": ("loud", "is not one of DEBUG, INFO"),
    "--prefetch-multiplier": ("-1", "is not a whole number from 0 up"),
    "--concurrency": ("many", "is not a whole number from 1 to"),
    "--autoscale": ("1,2,3", "is not MAX[,MIN]"),
    "--max-tasks-per-child": ("0", "is not a whole number from 1 up"),
    "--max-memory-per-child": ("1MB", "is not a whole number from 0 up"),
    "--hard-max-memory-per-child": ("-1", "is not a whole number from 0 up"),
    "--pool": ("forks", "is not one of prefork"),
    "--queues": (",", "is not a list of names such as one,two"),
    "--exclude-queues": (",", "is not a list of names such as one,two"),
    "--include": (",", "is not a list of names such as one,two"),
    "--logfile": ("%z.log", "has '%z'; allowed are %n"),
    "--statedb": ("%x.db", "has '%x'; allowed are %n"),
    "--pidfile": ("%x.pid", "has '%x'; allowed are %n"),
    "--uid": ("no such user", "is not a user of this machine or a number"),
    "--gid": ("no such group", "is not a group of this machine or a number"),
    "--umask": ("8", "is not an octal number from 0 to 777"),
    "--executable": ("/no/such/program", "is not a program that can be executed"),
    "--schedule": ("", "a value is missing"),
    "--scheduler": ("", "a value is missing"),
    "--time-limit": ("soon", "is not a number of seconds"),
    "--soft-time-limit": ("-1", "is not a number of seconds"),
    "--optimization": ("fast", "is not one of default, fair"),
    "--heartbeat-interval": ("0", "is not a whole number from 1 up"),
}

#: Celery's classes of loaders are not looked at.
ANYTHING = {"--loader"}


def options_in_help() -> dict[str, bool]:
    """Each option by its last long name, and whether it takes a value."""
    found = {}
    for line in run("worker", "--help").stdout.splitlines():
        entry = re.match(r"  (?:-\w, |    )(--[\w-]+(?:, --[\w-]+)*)(?: ([A-Z]\S*))?", line)
        if entry:
            found[entry[1].split(", ")[-1]] = entry[2] is not None
    return found


def test_every_option_with_a_value_is_in_the_table():
    takers = {name for name, takes in options_in_help().items() if takes}
    assert takers == set(WRONG) | ANYTHING


@pytest.mark.parametrize("option", WRONG)
def test_a_wrong_value_is_one_line(option):
    value, allowed = WRONG[option]
    line = refused("worker", f"{option}={value}")
    assert line.startswith("umbel worker: ")
    assert allowed in line


def test_every_flag_refuses_a_value():
    for name, takes in options_in_help().items():
        if not takes and name != "--help":
            line = refused("worker", f"{name}=3")
            assert line.endswith(": takes no value"), line


def test_names_of_celery_are_there():
    """Sections "Global CLI" and "celery worker" of Celery's reference."""
    text = run("worker", "--help").stdout
    given = set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", text))
    wanted = """
        -A --app -b --broker --result-backend --loader --config --workdir -C
        --no-color -q --quiet --skip-checks -n --hostname -D --detach -l
        --loglevel -O --optimization --prefetch-multiplier -c --concurrency -P
        --pool -E --task-events --events --purge --discard -Q --queues -X
        --exclude-queues -I --include --without-gossip --without-mingle
        --without-heartbeat --heartbeat-interval --autoscale -B --beat -s
        --schedule --schedule-filename --scheduler -f --logfile --pidfile --uid
        --gid --umask --executable --max-tasks-per-child --max-memory-per-child
        -S --statedb --time-limit --soft-time-limit
    """
    assert set(wanted.split()) - given == set()


@pytest.mark.parametrize(
    "variable, value, line",
    [
        ("CELERY_WORKER_BEAT", "maybe", "'maybe' is not true or false"),
        ("CELERY_WORKER_AUTOSCALE", "x", "'x' is not MAX[,MIN]"),
        ("CELERY_WORKER_EXCLUDE_QUEUES", ",", "is not a list of names"),
        ("CELERY_WORKER_UMASK", "9", "'9' is not an octal number"),
        ("CELERY_WORKER_UID", "nobody at all", "is not a user of this machine"),
        ("CELERY_QUIET", "perhaps", "'perhaps' is not true or false"),
    ],
)
def test_options_from_the_environment(variable, value, line):
    assert line in refused("worker", env={variable: value})


# -- queues ------------------------------------------------------------------------


def test_excluded_queues(umbel_worker):
    running = umbel_worker("-Q", "a,b,c", "-X", "b,d")
    queues = re.findall(r"exchange=(\w+)\(direct\)", running.log)
    assert queues == ["a", "c"]
    assert "--exclude-queues: 'd' is not among the queues" in running.log


def test_no_queue_left():
    line = refused("worker", "-X", "celery")
    assert line == (
        "umbel worker: option --exclude-queues: no queue is left to consume"
    )


def test_included_libraries_are_loaded():
    line = refused("worker", "-I", "no_such_library", status=1)
    assert "no_such_library" in line


# -- purge -------------------------------------------------------------------------


def fill(celery, /, **queues):
    for queue, n in queues.items():
        for _ in range(n):
            celery.send_task("tasks.noop", queue=queue)


def test_purge_needs_force_without_a_terminal(broker, celery):
    fill(celery, celery=2)
    line = refused("worker", "-b", broker.url, "--purge")
    assert "there is no terminal to ask on; add --force" in line
    assert broker.queued() == 2


def test_forced_purge(umbel_worker, broker, celery):
    fill(celery, celery=3, mail=2, other=1)
    running = umbel_worker("-Q", "celery,mail", "--purge", "--force")
    assert "purge: deleted 5 messages (celery: 3, mail: 2)" in running.log
    assert "received" not in running.log
    assert broker.queued("other") == 1


def on_terminal(answer: str, *args: str) -> tuple[subprocess.Popen, int]:
    """Runs the worker with a terminal as its input, where `answer` is typed."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [umbel_binary(), "worker", *args],
        stdin=slave,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    os.close(slave)
    os.write(master, f"{answer}\n".encode())
    return process, master


def test_purge_asks_on_a_terminal(broker, celery):
    fill(celery, celery=2)
    args = ["-b", broker.url, "-c", "1", "--discard"]
    process, terminal = on_terminal("", *args)
    text = process.communicate(timeout=60)[1].decode()
    os.close(terminal)
    assert process.returncode == 1
    assert "--purge deletes 2 messages (celery: 2) for good.\n" in text
    assert "nothing was deleted, no worker was started" in text
    assert broker.queued() == 2

    process, terminal = on_terminal("y", *args)
    try:
        eventually(lambda: broker.queued() == 0)
        assert b"Delete them? [y/N] " in os.read(process.stderr.fileno(), 4096)
        # From then on signals are its own to handle.
        eventually(lambda: direct_children(process.pid))
    finally:
        process.terminate()
        process.communicate(timeout=60)
        os.close(terminal)
    assert process.returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.other_users
@pytest.mark.parametrize("url, last", [
    ("sqlite://{0}/x.db", "x.db-messages"),
    ("filesystem://?data_folder_in={0}/in&data_folder_out={0}/in&control_folder={0}/c",
     "c/celery.pidbox.exchange"),
])
def test_purge_looks_as_the_user_that_the_worker_becomes(tmp_path, url, last):
    process, terminal = on_terminal(
        "y", "-b", url.format(tmp_path), "-c", "1", "--purge", "--uid", "nobody")
    try:
        eventually((tmp_path / last).exists)
        assert {x.owner() for x in tmp_path.rglob("*")} == {"nobody"}
    finally:
        process.terminate()
        process.communicate(timeout=60)
        os.close(terminal)


# -- accepted for later ------------------------------------------------------------


def test_options_without_meaning_are_accepted(umbel_worker):
    running = umbel_worker(
        "--heartbeat-interval", "5", "--loader", "a.B", "--skip-checks",
    )
    assert "loader" not in running.log.replace(" ".join(running.argv), "")
