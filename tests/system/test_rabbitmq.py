"""What there is on RabbitMQ alone: TLS, a server that is short of memory, queues
that vanish or are bound in other ways, its limit for long tasks, quorum queues,
and what becomes of running tasks when a connection is lost."""

import json
import os
import re
import signal
import subprocess
import time

import pytest
from amqp.exceptions import ResourceLocked
from kombu import Exchange, Queue

from harness.brokers import AmqpBroker, SqliteBroker
from harness.messages import template
from harness.rabbitmq_server import Authority
from harness.waiting import eventually
from harness.workers import umbel_binary

LATE = {"task_acks_late": True, "task_reject_on_worker_lost": True}


@pytest.fixture
def broker(rabbitmq_server, redis_server) -> AmqpBroker:
    return AmqpBroker(rabbitmq_server, redis_server)


def received(worker) -> int:
    return worker.log.count("] received")


def ended(worker, task_id: str = "") -> int:
    return len(re.findall(re.escape(task_id) + r"\] succeeded in ", worker.log))


# -- TLS -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "trusted")


@pytest.fixture(scope="module")
def tls_port(rabbitmq_server, authority) -> int:
    return rabbitmq_server.listen_tls(authority)


def over_tls(broker: AmqpBroker, port: int, host: str = "localhost") -> str:
    return f"amqps://guest:guest@{host}:{port}/{broker.virtual_host}"


def test_tls(umbel_worker, tasks, broker, authority, tls_port):
    umbel_worker(
        broker=over_tls(broker, tls_port),
        backend=broker.result_url,
        config={"broker_use_ssl": {"ca_certs": str(authority.certificate)}},
    )
    assert tasks.add.delay(4, 4).get(timeout=60) == 8


def test_tls_without_verification(umbel_worker, tasks, broker, tls_port):
    umbel_worker(
        broker=over_tls(broker, tls_port, "127.0.0.1"),
        backend=broker.result_url,
        config={"broker_use_ssl": {"cert_reqs": "CERT_NONE"}},
    )
    assert tasks.add.delay(4, 4).get(timeout=60) == 8


@pytest.mark.parametrize(
    "host, known, why",
    [
        ("localhost", False, "is not signed by an authority of broker_use_ssl's ca_certs"),
        ("127.0.0.1", True, "is not for host 127.0.0.1"),
    ],
    ids=["another authority", "another host"],
)
def test_a_server_that_is_not_the_one(
    umbel_worker, broker, authority, tls_port, tmp_path, host, known, why
):
    """One line says what is wrong, and nobody's password."""
    trusted = authority if known else Authority(tmp_path, "other")
    worker = umbel_worker(
        broker=over_tls(broker, tls_port, host),
        backend=broker.result_url,
        config={"broker_use_ssl": {"ca_certs": str(trusted.certificate)}},
        ready=False,
    )
    line = worker.wait_for_log(rf"^.*certificate {why}.*$").group()
    assert "guest:guest" not in worker.log
    assert f"{host}:{tls_port}" in line
    worker.kill()


# -- logging in ------------------------------------------------------------------------


def test_a_server_that_wants_amqplain(umbel_worker, make_celery, broker):
    broker.server.set_login_methods("AMQPLAIN")
    try:
        worker = umbel_worker(ready=False)
        worker.wait_for_log(r"cannot log in on .*: .*(?i:sasl)")
        worker.kill()
        config = {"broker_login_method": "AMQPLAIN"}
        umbel_worker(config=config)
        add = make_celery(**config).tasks["tasks.add"]
        assert add.delay(4, 4).get(timeout=60) == 8
        worker = umbel_worker(
            broker=broker.url.replace("guest:guest", "guest:wrong"),
            backend=broker.result_url,
            config=config,
            ready=False,
        )
        worker.wait_for_log(r"cannot log in on .*: ACCESS_REFUSED")
        assert "wrong" not in worker.log
        worker.kill()
    finally:
        broker.server.set_login_methods("PLAIN", "AMQPLAIN")


def test_how_soon_a_dead_connection_is_noticed(umbel_worker, tasks, broker):
    """As soon as the setting says, because connections are looked after often enough;
    and one that lives is kept."""
    worker = umbel_worker(
        config={"broker_heartbeat": 2, "broker_heartbeat_checkrate": 4}
    )
    assert tasks.add.delay(1, 1).get(timeout=60) == 2
    eventually(lambda: broker.server.heartbeats(broker.virtual_host).count(2) >= 2)
    lived = time.monotonic()
    eventually(lambda: time.monotonic() > lived + 5)  # two beats are missed after four
    assert tasks.add.delay(2, 2).get(timeout=60) == 4
    assert "Connection" not in worker.log and "lost" not in worker.log


# -- short of memory -------------------------------------------------------------------


#: The writer and the watchdog would give up a connection that answers nothing
#: after these seconds.
PATIENT = 4
HASTY = {
    "broker_transport_options": {"socket_timeout": PATIENT},
    "worker_deaf_timeout": PATIENT,
}


def test_a_server_that_takes_nothing_in(umbel_worker, tasks, broker):
    """Publishing waits for as long as it lasts, what runs goes on, the log says so
    once, and all is well when there is memory again."""
    worker = umbel_worker("-c", "2", config=HASTY)
    children = eventually(lambda: len(worker.children()) == 2 and worker.children())
    for child in children:
        os.kill(child, signal.SIGSTOP)  # they begin when there is no memory
    running = tasks.sleep.delay(3 * PATIENT)
    retried = tasks.flaky.delay(1)
    eventually(lambda: received(worker) == 2)
    broker.server.set_memory_limit(0.00001)
    try:
        eventually(broker.server.takes_nothing_in)
        for child in children:
            os.kill(child, signal.SIGCONT)
        worker.wait_for_log(r"takes no messages in: low on memory; publishing waits")
        # Seconds more than anybody's patience.
        assert running.get(timeout=60) == 3 * PATIENT
        assert worker.running() and not retried.ready()
        assert "lost" not in worker.log and "watchdog" not in worker.log
    finally:
        broker.server.set_memory_limit(0.4)
    assert retried.get(timeout=60) == 1
    worker.wait_for_log(r"takes messages in again")
    assert worker.log.count("takes no messages in") == 1
    eventually(broker.idle)
    assert ended(worker, running.id) == 1


def test_what_only_ends_goes_on_while_nothing_is_taken_in(
    umbel_worker, celery, tasks, broker
):
    """Many more than are sent ahead: they are acknowledged, and results are stored, while
    a retry and the worker's own events wait to be published."""
    ids = broker.fill(template(celery, "tasks.sleep", [0.05]), 200)
    retried = tasks.flaky.delay(1)
    config = {**HASTY, **LATE, "worker_prefetch_multiplier": 1}
    worker = umbel_worker("-c", "1", "-E", config=config)
    eventually(lambda: ended(worker) > 5)
    broker.server.set_memory_limit(0.00001)
    try:
        eventually(broker.server.takes_nothing_in)
        worker.wait_for_log("takes no messages in: low on memory")
        eventually(lambda: broker.statuses(ids) == {"SUCCESS": 200})
        eventually(lambda: retried.state == "RETRY")
        eventually(lambda: broker.queued() == 0 and broker.in_flight() == 1)
        assert broker.server.takes_nothing_in()
        assert worker.running() and "watchdog" not in worker.log
    finally:
        broker.server.set_memory_limit(0.4)
    assert retried.get(timeout=60) == 1
    eventually(broker.idle)


# -- queues ----------------------------------------------------------------------------


def test_a_queue_that_is_deleted(umbel_worker, tasks, broker):
    worker = umbel_worker()
    assert tasks.add.delay(1, 1).get(timeout=60) == 2
    with broker.server.connect(broker.virtual_host) as connection:
        connection.channel().queue_delete("celery")
    worker.wait_for_log(r"its queue was deleted or moved")
    eventually(lambda: "celery" in broker.queues(), what="the queue is there again")
    assert tasks.add.delay(2, 2).get(timeout=60) == 4


MEDIA = {
    "name": "media",
    "exchange": "streams",
    "exchange_type": "topic",
    "routing_key": "video.#",
}


@pytest.mark.parametrize("first", ["umbel", "python"])
def test_a_queue_that_is_bound_in_another_way(
    umbel_worker, make_celery, broker, first
):
    """Declared as Python declares it, in either order."""
    app = make_celery()
    queue = Queue("media", Exchange("streams", type="topic"), routing_key="video.#")

    def declare() -> None:
        with app.connection_for_write() as connection:
            queue(connection.default_channel).declare()

    if first == "python":
        declare()
    umbel_worker(config={"task_queues": [MEDIA]})
    declare()
    result = app.tasks["tasks.add"].apply_async(
        (4, 4), exchange="streams", exchange_type="topic", routing_key="video.mpeg.hd"
    )
    assert result.get(timeout=60) == 8


def test_an_exchange_of_a_type_that_there_is_not(umbel_worker, broker):
    config = {"task_queues": [{**MEDIA, "exchange_type": "no-such-type"}]}
    worker = umbel_worker(config=config, ready=False)
    line = worker.wait_for_log(r"^.*cannot declare exchange streams.*$").group()
    assert "no-such-type" in line
    worker.kill()


# -- long tasks, and lost connections ----------------------------------------------------


def test_a_running_task_goes_on_when_its_connection_is_lost(
    umbel_worker, tasks, broker
):
    """Its message comes back to the worker that runs it, and is not run twice,
    although the worker has no room for another."""
    worker = umbel_worker("-c", "1", config={**LATE, "worker_prefetch_multiplier": 1})
    result = tasks.sleep.delay(5)
    worker.wait_for_log(r"tasks.sleep\[\S+\] received")
    assert broker.cut_connections(worker) > 0
    assert result.get(timeout=60) == 5
    eventually(broker.idle)
    assert tasks.add.delay(1, 1).get(timeout=60) == 2
    assert ended(worker, result.id) == 1
    assert worker.log.count(f"{result.id}] received") == 1


def test_what_rabbitmq_forgets_is_remembered(umbel_worker, celery, broker):
    """kill -9 of a server that has not written down what was acknowledged."""
    ids = broker.fill(template(celery, "tasks.sleep", (0.003,)), 6000)
    worker = umbel_worker("-c", "2", config=LATE)
    eventually(lambda: ended(worker) >= 400, interval=0.01)
    broker.server.kill()
    at_the_cut = ended(worker)
    broker.server.start()
    eventually(
        lambda: broker.idle() and broker.statuses(ids) == {"SUCCESS": len(ids)}, 60
    )
    doubles = ended(worker) - len(ids)
    assert at_the_cut < len(ids), "the server was killed too late"
    assert doubles <= 64, "more than what was in hand ran again"


def test_consumer_timeout(umbel_worker, tasks, broker):
    """RabbitMQ takes a long task's message back. It comes to the same worker,
    which goes on with it; the log has said what the limit is."""
    broker.server.set_consumer_timeout(3000, 300)
    try:
        worker = umbel_worker("-c", "1", config=LATE)
        result = tasks.sleep.delay(8)
        eventually(lambda: received(worker) == 1)
        # The next channel stays: a task that ends while there is none runs again.
        broker.server.set_consumer_timeout(1_800_000, 300)
        worker.wait_for_log(r"consumer_timeout \(30 minutes unless configured\)")
        worker.wait_for_log(r"PRECONDITION_FAILED.*timed out|delivery acknowledgement")
        assert result.get(timeout=60) == 8
        eventually(broker.idle)
        assert ended(worker, result.id) == 1
    finally:
        broker.server.set_consumer_timeout(1_800_000, 60_000)


# -- Python and C++ ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_python_and_umbel_together(
    umbel_worker, python_worker, make_celery, broker, kind
):
    """Workers of both kinds and a Python client on one queue; each takes its share,
    and what one of them leaves is run by the other."""
    celery_queue = {
        "exchange": "celery",
        "exchange_type": "direct",
        "routing_key": "celery",
        "queue_arguments": {"x-queue-type": kind},
    }
    queues = {"task_queues": {"celery": celery_queue}}
    umbel = umbel_worker("-n", "umbel@%h", config={**LATE, **queues})
    python = python_worker(
        "-n", "python@%h", config={**LATE, **queues}, env={"HARNESS_QUORUM": "1"}
    )
    sleep = make_celery(**queues).tasks["tasks.sleep"]
    results = [sleep.delay(0.15) for _ in range(100)]
    for result in results:
        assert result.get(timeout=60) == 0.15
    eventually(lambda: ended(umbel) + ended(python) == 100)
    assert ended(umbel) > 10 and ended(python) > 10
    results = [sleep.delay(4) for _ in range(8)]
    eventually(lambda: received(umbel) + received(python) == 108)
    assert received(umbel) > ended(umbel)
    umbel.kill()
    for result in results:
        assert result.get(timeout=60) == 4


# -- umbel migrate -------------------------------------------------------------------------


def test_an_endless_migration_never_drops_what_stays(make_celery, broker, tmp_path):
    """A quorum queue drops what has come back too often."""
    to = SqliteBroker(tmp_path / "new.db")
    celery_queue = {
        "exchange": "celery",
        "exchange_type": "direct",
        "routing_key": "celery",
        "queue_arguments": {"x-queue-type": "quorum", "x-delivery-limit": 3},
    }
    tasks = make_celery(task_queues={"celery": celery_queue}).tasks
    staying = [tasks["tasks.add"].delay(1, 1).id for _ in range(10)]
    argv = [umbel_binary(), "migrate", "-F", "-T", "tasks.noop"]
    running = subprocess.Popen(
        [*argv, broker.url, to.url], stdout=subprocess.PIPE, text=True
    )
    try:
        for n in range(1, 6):
            tasks["tasks.noop"].delay()
            eventually(lambda: to.queued() == n)
        running.terminate()
        assert running.communicate(timeout=60)[0] == f"5 messages moved to {to.url}\n"
    finally:
        running.kill()
        running.wait()
    eventually(lambda: broker.queues()["celery"] == (10, 0))
    assert [x["headers"]["id"] for x in broker.messages()] == staying


def test_a_migration_gets_past_many_others(celery, broker, tmp_path):
    to = SqliteBroker(tmp_path / "new.db")
    broker.fill(template(celery, "tasks.add", [1, 1]), 5000)
    broker.fill(template(celery, "tasks.noop", []), 1)
    ran = subprocess.run(
        [umbel_binary(), "migrate", "-t", "10", "-T", "tasks.noop", broker.url, to.url],
        capture_output=True, text=True, timeout=60,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == f"1 message moved to {to.url}\n"
    eventually(lambda: (broker.queued(), broker.in_flight()) == (5000, 0))


# -- the settings event_* and control_* ---------------------------------------------------


def test_queues_of_commands_and_events(umbel_worker, make_celery, broker, rabbitmq_server):
    config = {
        "control_exchange": "shop",
        "control_queue_ttl": 20,
        "control_queue_expires": 30,
        "event_queue_prefix": "shopev",
        "event_queue_ttl": 7,
        "event_queue_expires": None,
        "event_queue_exclusive": True,
    }
    umbel_worker("-n", "one@here", "-c", "1", config=config)
    assert make_celery(**config).control.ping(timeout=20, limit=1) == [{"one@here": {"ok": "pong"}}]
    with rabbitmq_server.connect(broker.virtual_host) as connection:
        channel = connection.channel()
        # Declared in any other way it would be refused.
        arguments = {"x-expires": 30_000, "x-message-ttl": 20_000}
        channel.queue_declare("one@here.shop.pidbox", durable=False, auto_delete=True, arguments=arguments)
        (events,) = eventually(lambda: [
            x for x in rabbitmq_server.queues(broker.virtual_host) if x.startswith("shopev.")])
        with pytest.raises(ResourceLocked):
            channel.queue_declare(events, passive=True)


def declared(rabbitmq_server, virtual_host: str, *prefixes: str) -> dict[str, str]:
    """How each of these queues was declared; nothing while one of them is missing."""
    found = {}
    for name, how in rabbitmq_server.declarations(virtual_host).items():
        for prefix in prefixes:
            if name.startswith(prefix):
                found[prefix] = how
    return found if len(found) == len(prefixes) else {}


@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_declared_as_celery_declares(umbel_worker, python_worker, broker, rabbitmq_server, first):
    """Whoever is first; a worker of the other kind takes over the name."""
    kinds = {"ours": umbel_worker, "theirs": python_worker}
    options = {"theirs": {"neighbours": True}}
    hows = []
    for kind in sorted(kinds, key=lambda x: x != first):
        running = kinds[kind]("-n", "same@here", "-c", "1", **options.get(kind, {}))
        hows.append(eventually(lambda: declared(
            rabbitmq_server, broker.virtual_host, "same@here.celery.pidbox", "celeryev.")))
        assert "PRECONDITION_FAILED" not in running.log
        running.stop()
    ours, theirs = hows if first == "ours" else hows[::-1]
    assert ours == theirs


@pytest.mark.parametrize("kind", ["durable", "exclusive"])
def test_durable_and_exclusive_queues(umbel_worker, broker, rabbitmq_server, tmp_path, kind):
    """As Celery 5.6 declares them: what is durable does not end with its connection."""
    config = {f"{x}_queue_{kind}": True for x in ("control", "event")}
    running = umbel_worker("-n", "one@here", "-c", "1", config=config)
    queues = eventually(lambda: declared(
        rabbitmq_server, broker.virtual_host, "one@here.celery.pidbox", "celeryev."))
    for how in queues.values():
        durable, exclusive, auto_delete = how.split()[:3]
        assert (durable, exclusive, auto_delete) == (
            ("true", "false", "false") if kind == "durable" else ("false", "true", "true"))
    settings = tmp_path / "client.json"
    settings.write_text(json.dumps(config))
    argv = [umbel_binary(), "inspect", "ping", "-j", "-t", "60", "-d", "one@here",
            "-b", broker.url, "--config", str(settings)]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    assert json.loads(ended.stdout) == {"one@here": {"ok": "pong"}}, ended
    running.stop()


def test_what_is_durable_and_exclusive_is_a_mistake(umbel_worker):
    running = umbel_worker(config={"event_queue_durable": True, "event_queue_exclusive": True},
                           ready=False)
    assert running.wait_exit() == 2
    assert "event_queue_exclusive and event_queue_durable cannot both be true" in running.log
