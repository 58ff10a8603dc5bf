"""Fixtures for all tests that drive real servers, workers and Celery clients.

`umbel_worker` and `python_worker` start that kind; `worker` starts the kind
that `--worker` names, so that a test's expectations can be held against Celery
itself: what passes with `--worker python` is what Celery does.
"""

import inspect
import os
import tempfile
from pathlib import Path
from typing import Callable, Iterator

import pytest
from celery import Celery

from harness.brokers import LACKS, AmqpBroker, Broker, RedisBroker, SqliteBroker, why_not
from harness.celery_tasks import close_app, make_app
from harness.rabbitmq_server import RabbitMQServer
from harness.redis_server import RedisServer
from harness.workers import PythonWorker, UmbelWorker, Worker

WorkerFactory = Callable[..., Worker]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--worker",
        choices=["umbel", "python"],
        default="umbel",
        help="kind of worker that the fixture `worker` starts",
    )
    parser.addoption(
        "--broker",
        choices=["redis", "amqp", "sqlite"],
        default="redis",
        help="kind of broker that the fixture `broker` is",
    )


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """pytest's, unless other users have to get at it: each run of pytest that begins
    closes the folder of all runs to them."""
    if request.node.get_closest_marker("other_users") is None:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="umbel-test-") as folder:
        os.chmod(folder, 0o777)
        yield Path(folder)


def _why_skipped(config: pytest.Config, item) -> str:
    """The reason why a test does not run with these options; empty: it does."""
    fixtures = item.fixturenames
    if config.getoption("--worker") == "python" and "umbel_worker" in fixtures:
        return "needs Umbel's worker"
    own = item.get_closest_marker("own_broker")
    only = item.get_closest_marker("only_redis")
    # `redis_server` comes with `broker`; who names it himself looks into it.
    named = {"make_redis", "redis_server", "redis_client"}
    if not own and not only and named & set(inspect.signature(item.function).parameters):
        raise pytest.UsageError(f"{item.nodeid}: what is so about Redis? (only_redis)")
    broker = config.getoption("--broker")
    if broker == "redis":
        return ""
    if own and broker not in own.args:
        return "is about a broker of its own"
    if only:
        return f"is about Redis: {only.args[0]}"
    if "broker" not in fixtures:
        return "nothing in it depends on the broker"
    needed = [x for marker in item.iter_markers("needs") for x in marker.args]
    needed += ["Celery"] * ("python_worker" in fixtures)
    for what in needed:
        if what in LACKS[broker]:
            return LACKS[broker][what]
    return why_not(broker, f"{item.path.stem}::{item.name}")


def pytest_collection_modifyitems(config: pytest.Config, items: list) -> None:
    for item in items:
        if why := _why_skipped(config, item):
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture
def make_redis(tmp_path: Path) -> Iterator[Callable[..., RedisServer]]:
    """Starts a further private server: make_redis(password="secret") ..."""
    servers: list[RedisServer] = []

    def make(**options) -> RedisServer:
        directory = tmp_path / f"redis{len(servers)}"
        directory.mkdir()
        server = RedisServer(directory, **options)
        servers.append(server)
        return server.start()

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def redis_server(make_redis) -> RedisServer:
    """A private redis-server on a free loopback port."""
    return make_redis()


@pytest.fixture
def redis_client(redis_server: RedisServer):
    """Looks into `redis_server`, database 0."""
    return redis_server.client()


@pytest.fixture(scope="session")
def rabbitmq_server(tmp_path_factory) -> Iterator[RabbitMQServer]:
    """One for all tests of a file: it takes seconds to start."""
    server = RabbitMQServer(tmp_path_factory.mktemp("rabbitmq"))
    yield server.start()
    server.kill()


@pytest.fixture
def broker(request, tmp_path) -> Iterator[Broker]:
    """An empty broker, with a result store, of the kind that `--broker` names."""
    kind = request.config.getoption("--broker")
    if kind == "sqlite":
        yield SqliteBroker(tmp_path / "umbel.db")
    elif kind == "redis" and request.node.get_closest_marker("durable"):
        yield RedisBroker(request.getfixturevalue("make_redis")(appendonly=True))
    elif kind == "redis":
        yield RedisBroker(request.getfixturevalue("redis_server"))
    else:
        redis_server = request.getfixturevalue("redis_server")
        broker = AmqpBroker(request.getfixturevalue("rabbitmq_server"), redis_server)
        yield broker
        broker.close()


@pytest.fixture
def make_celery(broker: Broker) -> Iterator[Callable[..., Celery]]:
    """A Celery client: make_celery(task_protocol=1, url="redis://...")."""
    apps: list[Celery] = []

    def make(url: str = "", backend: str | None = None, **settings) -> Celery:
        if backend is None:
            backend = url or broker.result_url
        if not url:
            settings = {**broker.client_settings, **settings}
        app = make_app(url or broker.url, backend, **settings)
        apps.append(app)
        return app

    yield make
    for app in apps:
        close_app(app)


@pytest.fixture
def celery(make_celery) -> Celery:
    """A Celery client of `broker`; call tasks as celery.tasks["tasks.add"]."""
    return make_celery()


class Tasks:
    """The example tasks as attributes: tasks.add.delay(4, 4)."""

    def __init__(self, app: Celery):
        self._app = app

    def __getattr__(self, name: str):
        return self._app.tasks[f"tasks.{name}"]


@pytest.fixture
def tasks(celery: Celery) -> Tasks:
    return Tasks(celery)


def _factory(kind: type[Worker], broker: Broker, directory: Path):
    """A function that starts workers of `kind`, and the list of them.

    worker("-c", "1", config={...}) takes command line arguments and settings.
    The broker and the result store are those of the test unless the options
    `broker` or `backend` say otherwise. It returns when the worker is ready,
    unless ready=False.
    """
    started: list[Worker] = []

    def start(*args: str, ready: bool = True, **options) -> Worker:
        options.setdefault("backend", options.get("broker", broker.result_url))
        options.setdefault("broker", broker.url)
        log = directory / f"{kind.kind}{len(started)}.log"
        if "-c" not in args and not any(a.startswith("--autoscale") for a in args):
            args = ("-c", "2", *args)
        worker = kind(*args, log=log, **options)
        started.append(worker)
        return worker.wait_ready() if ready else worker

    return start, started


def _finish(started: list[Worker]) -> None:
    """Ends what a test left running, shows the logs (pytest prints them when
    the test failed), and insists that a warm shutdown works every time."""
    failure: AssertionError | None = None
    for worker in started:
        try:
            if worker.running():
                worker.stop()
        except AssertionError as x:
            failure = failure or x
        finally:
            worker.clean_up()
        print(f"--- {worker.log_path.name} ({' '.join(worker.argv)})")
        print("\n".join(worker.log.splitlines()[-200:]))
    if failure:
        raise failure


@pytest.fixture
def umbel_worker(broker, tmp_path) -> Iterator[WorkerFactory]:
    start, started = _factory(UmbelWorker, broker, tmp_path)
    yield start
    _finish(started)


@pytest.fixture
def python_worker(broker, tmp_path) -> Iterator[WorkerFactory]:
    start, started = _factory(PythonWorker, broker, tmp_path)
    yield start
    _finish(started)


@pytest.fixture
def worker(request, broker, tmp_path) -> Iterator[WorkerFactory]:
    """Starts workers of the kind that `--worker` names."""
    kinds = {"umbel": UmbelWorker, "python": PythonWorker}
    kind = kinds[request.config.getoption("--worker")]
    start, started = _factory(kind, broker, tmp_path)
    yield start
    _finish(started)
