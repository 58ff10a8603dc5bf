"""The other brokers: how quickly a full queue is drained and messages are
published, beside Celery on the same broker and beside the broker's own limit."""

import subprocess
import time
from pathlib import Path

from harness.brokers import AmqpBroker, Broker, KombuFile, SqliteBroker
from harness.celery_tasks import close_app, make_app
from harness.messages import template
from harness.rabbitmq_server import RabbitMQServer
from harness.redis_server import RedisServer
from measure import ARGS, KINDS, TASK, helper, watch_drain

#: Seconds between two looks at the broker while a worker works, and how many more for
#: each message that is left: a file's rows are counted one by one, on the same cores.
LOOK, LOOK_LATER = 0.02, 2e-6


def drain(broker: Broker, kind: str, payload: str, count: int, directory: Path) -> float:
    """Tasks per second, without results, from when a twentieth is done."""
    broker.fill(payload, count)
    worker_class, args = KINDS[kind]
    worker = worker_class(
        *args,
        log=directory / "worker.log",
        broker=broker.url,
        backend=broker.result_url,
        loglevel="warning",
    )

    def look() -> tuple[int, bool]:
        left = broker.queued() + broker.in_flight()
        return left, left == 0

    try:
        rate = watch_drain(
            worker, count, look, lambda left: LOOK + LOOK_LATER * left
        )
        worker.stop()
    finally:
        worker.clean_up()
    return rate


def run(*argv: object) -> float:
    """The seconds that one of the C++ programs prints."""
    out = subprocess.run(
        list(map(str, argv)), check=True, capture_output=True, text=True
    )
    return float(out.stdout)


def publish(broker: Broker, payload: str, count: int, directory: Path) -> float:
    file = directory / "payload"
    file.write_text(payload)
    return count / run(helper("publisher"), broker.url, count, file)


def rabbitmq(tasks: int, directory: Path) -> dict[str, dict[str, float]]:
    """Messages are persistent, queues durable, and publishing is confirmed. All
    drain a queue of the same length: the longer it is, the more RabbitMQ's garbage
    collector has to do for each message."""
    places = [directory / name for name in ("rabbitmq", "results")]
    for place in places:
        place.mkdir()
    server, results = RabbitMQServer(places[0]), RedisServer(places[1])
    found: dict[str, dict[str, float]] = {}
    try:
        server.start(), results.start()
        broker = AmqpBroker(server, results)
        app = make_app(broker.url, broker.result_url, **broker.client_settings)
        payload = template(app, TASK, ARGS, ignore_result=True)

        def floor(what: str) -> float:
            argv = (server.port, broker.virtual_host, tasks, what)
            return tasks / run(helper("amqp_floor"), *argv)

        broker.fill(payload, tasks)
        found["floor"] = {"drained": floor("consume"), "published": floor("publish")}
        with server.connect(broker.virtual_host) as connection:
            connection.channel().queue_purge("celery")
        for kind in ("umbel prefork", "umbel threads", "celery prefork"):
            rate = drain(broker, kind, payload, tasks, directory)
            found[kind] = {"drained": rate}
        found["umbel prefork"]["published"] = publish(broker, payload, tasks, directory)
        count, begin = max(200, tasks // 50), time.perf_counter()
        for _ in range(count):
            app.send_task(TASK, ARGS, ignore_result=True)
        found["celery prefork"]["published"] = count / (time.perf_counter() - begin)
        close_app(app)
    finally:
        server.kill()
        results.stop()
    return found


def sqlite(tasks: int, directory: Path) -> dict[str, dict[str, float]]:
    broker = SqliteBroker(directory / "umbel.db")
    app = make_app(broker.url, broker.result_url)
    payload = template(app, TASK, ARGS, ignore_result=True)
    argv = (helper("sqlite_floor"), directory / "floor.db", tasks, len(payload), "ack")
    found = {"floor": {"drained": tasks / run(*argv)}}
    for kind in ("umbel prefork", "umbel threads"):
        found[kind] = {"drained": drain(broker, kind, payload, tasks, directory)}
    found["umbel prefork"]["published"] = publish(broker, payload, tasks, directory)
    close_app(app)
    return found


def sqla(tasks: int, directory: Path) -> dict[str, dict[str, float]]:
    """Celery's own worker takes a twentieth of a second for each task."""
    found = {}
    for kind in ("umbel prefork", "umbel threads", "celery prefork"):
        folder = directory / kind.replace(" ", "-")
        folder.mkdir()
        file = KombuFile(folder)
        app = make_app(file.url, file.result_url)
        payload = template(app, TASK, ARGS, ignore_result=True)
        count = tasks if kind.startswith("umbel") else max(200, tasks // 50)
        found[kind] = {"drained": drain(file, kind, payload, count, folder)}
        close_app(app)
    return found


BROKERS = {"rabbitmq": rabbitmq, "sqlite": sqlite, "sqla": sqla}
