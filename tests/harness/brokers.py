"""The brokers that the system tests run on, alike to look at.

`pytest --broker amqp` runs a test on RabbitMQ, `--broker sqlite` on a file. What
such a test needs of its broker is in `Broker`; what a broker cannot do, in `LACKS`
and `CANNOT`, and a test that needs it is skipped for that reason.
"""

import contextlib
import itertools
import json
import os
import signal
import sqlite3
import struct
import time
from pathlib import Path
from typing import ContextManager, Iterator

import amqp
import redis

from harness import sqlite_client
from harness.messages import as_amqp, from_amqp, result_keys, spread
from harness.proxy import Proxy
from harness.rabbitmq_server import RabbitMQServer
from harness.redis_server import RedisServer
from harness.waiting import PATIENCE, eventually
from harness.workers import REPOSITORY, Worker

Letter = dict[str, str]

KOMBU_SCHEMA = REPOSITORY / "protocol" / "broker" / "sqlite" / "kombu_schema.sql"


class Broker:
    """An empty broker and result store of one test."""

    name = "?"
    url = ""  #: as both workers and Celery's client spell it
    result_url = ""
    shown = ""  #: as logs spell it, without the password
    shown_results = ""
    #: Whether the most urgent priority is 0 (as on Redis) or the highest number.
    zero_is_urgent = True
    #: Whether dead letters keep payloads byte for byte.
    exact = True
    #: Whether a server that is killed remembers what was acknowledged just before.
    keeps_acknowledgements = True
    #: Whether it takes a message once that is sent twice with `publish_once`.
    publishes_once = True
    #: Whether what a worker held comes back when its lease is gone, and it says so.
    has_leases = True
    #: What Celery's client needs to lose nothing.
    client_settings: dict = {}

    @property
    def options(self) -> tuple[str, ...]:
        """For commands."""
        return ("-b", self.url, "--result-backend", self.result_url)

    # -- looking ---------------------------------------------------------------

    def queued(self, queue: str = "celery") -> int:
        """Messages that wait in a queue."""
        raise NotImplementedError

    def messages(self, queue: str = "celery") -> list[dict]:
        """The envelopes that wait in a queue, the oldest first. They stay."""
        raise NotImplementedError

    def in_flight(self) -> int:
        """Messages that workers have and have not settled."""
        raise NotImplementedError

    def leases(self) -> int:
        """How many lives of workers hold a lease."""
        raise NotImplementedError

    def unique_keys(self) -> list[str]:
        """Those of unique tasks that are held."""
        raise NotImplementedError

    def mailboxes(self) -> int:
        """How many wait for answers to commands."""
        raise NotImplementedError

    def delayed(self) -> int:
        """Messages that wait in the broker until they are due."""
        raise NotImplementedError

    def idle(self) -> bool:
        """Nothing is queued and nothing in flight."""
        return self.in_flight() == 0 and self.queued() == 0

    def dead_letters(self, queue: str = "celery") -> list[Letter]:
        """The newest first."""
        raise NotImplementedError

    def documents(self, ids: list[str]) -> list[dict | None]:
        """What the result store has of each task."""
        raise NotImplementedError

    def document(self, task_id: str) -> dict:
        return self.documents([task_id])[0] or {}

    def all_documents(self) -> list[dict]:
        """Everything that the result store has of tasks."""
        raise NotImplementedError

    def raw_document(self, task_id: str) -> bytes:
        """The same of one, byte for byte."""
        raise NotImplementedError

    def expires_in(self, task_id: str) -> float | None:
        """Seconds until a result expires; none: never."""
        raise NotImplementedError

    def statuses(self, ids: list[str]) -> dict[str, int]:
        """How many of the tasks are in which state; "missing" has no result."""
        counts: dict[str, int] = {}
        for start in range(0, len(ids), 1000):
            for found in self.documents(ids[start : start + 1000]):
                status = found["status"] if found else "missing"
                counts[status] = counts.get(status, 0) + 1
        return counts

    # -- doing -----------------------------------------------------------------

    def put(self, payload: str, queue: str = "celery") -> bool:
        """Publishes this envelope, or whatever it is, without Celery. @returns
        whether there is such a thing on this broker."""
        raise NotImplementedError

    def fill(self, text: str, count: int, queue: str = "celery") -> list[str]:
        """Puts `count` messages like the envelope `text` on a queue, each with an
        id of its own. @returns the ids in order."""
        raise NotImplementedError

    def take(self, queue: str = "celery") -> dict | None:
        """The oldest message of a queue, which is gone from it."""
        raise NotImplementedError

    def shout(self, exchange: str, payload: bytes) -> bool:
        """Publishes this to all who listen to a fanout exchange. @returns whether
        there is such a thing on this broker."""
        raise NotImplementedError

    def cut_connections(self, worker: Worker) -> int:
        """Closes the worker's connections from the outside. @returns how many."""
        raise NotImplementedError

    def proxy(self) -> ContextManager[Proxy | None]:
        """Stands before the server, if there is one."""
        return contextlib.nullcontext()

    def url_by(self, port: int) -> str:
        """The URL for those who come through a proxy."""
        raise NotImplementedError

    def stop(self) -> None:
        """Ends the server in order."""
        raise NotImplementedError

    def kill(self) -> None:
        """kill -9 of the server."""
        raise NotImplementedError

    def start(self) -> None:
        """Again, on the same port and with what it had on the disk."""
        raise NotImplementedError

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """Meanwhile the server answers nothing, and closes nothing."""
        os.kill(self.server.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.server.process.pid, signal.SIGCONT)

    def let_age(self, seconds: float) -> None:
        """Waits until what is in flight is so old, where that plays a part."""


class RedisBroker(Broker):
    name = "redis"

    def __init__(self, server: RedisServer):
        self.server = server
        self.url = self.result_url = server.url()
        self.shown = self.shown_results = self.url
        self.client = server.client()

    def queued(self, queue: str = "celery") -> int:
        steps = [queue, *(f"{queue}\x06\x16{step}" for step in (3, 6, 9))]
        return sum(self.client.llen(x) for x in steps)

    def messages(self, queue: str = "celery") -> list[dict]:
        return [json.loads(x) for x in self.client.lrange(queue, 0, -1)][::-1]

    def leases(self) -> int:
        return len(self.client.keys("umbel.lease.*"))

    def unique_keys(self) -> list[str]:
        prefix = "umbel.unique."
        return [x.removeprefix(prefix) for x in self.client.keys(prefix + "*")]

    def mailboxes(self) -> int:
        return len(self.client.keys("*reply.celery.pidbox*"))

    def in_flight(self) -> int:
        tags = {*self.client.hkeys("unacked"), *self.client.zrange("unacked_index", 0, -1)}
        return len(tags.difference(self.client.zrange("umbel.delayed", 0, -1)))

    def delayed(self) -> int:
        return self.client.zcard("umbel.delayed")

    def dead_letters(self, queue: str = "celery") -> list[Letter]:
        found = self.client.lrange(f"umbel.dead.{queue}", 0, -1)
        return [json.loads(x) for x in found]

    def documents(self, ids: list[str]) -> list[dict | None]:
        return documents_in_redis(self.client, ids)

    def all_documents(self) -> list[dict]:
        return all_documents_in_redis(self.client)

    def raw_document(self, task_id: str) -> bytes:
        return raw_document_in_redis(self.server, task_id)

    def expires_in(self, task_id: str) -> float | None:
        return ttl_in_redis(self.client, task_id)

    def put(self, payload: str, queue: str = "celery") -> bool:
        self.client.lpush(queue, payload)
        return True

    def fill(self, text: str, count: int, queue: str = "celery") -> list[str]:
        ids = []
        with self.client.pipeline(transaction=False) as pipe:
            for batch in batches(spread(text, count)):
                ids += [task_id for task_id, _ in batch]
                pipe.lpush(queue, *(payload for _, payload in batch))
                pipe.execute()
        return ids

    def take(self, queue: str = "celery") -> dict | None:
        found = self.client.rpop(queue)
        return json.loads(found) if found else None

    def shout(self, exchange: str, payload: bytes) -> bool:
        self.client.publish(f"/0.{exchange}", payload)
        return True

    def cut_connections(self, worker: Worker) -> int:
        return worker.cut_connections(self.client)

    def stop(self) -> None:
        self.server.stop()

    def kill(self) -> None:
        self.server.kill()

    def start(self) -> None:
        self.server.start()

    def proxy(self) -> Proxy:
        return Proxy(self.server.port)

    def url_by(self, port: int) -> str:
        return self.server.url(port=port)

    def let_age(self, seconds: float) -> None:
        def stamps() -> list[float]:
            entries = self.client.zrange("unacked_index", 0, -1, withscores=True)
            return [stamp for _, stamp in entries]

        eventually(lambda: all(x < time.time() - seconds for x in stamps()))


class AmqpBroker(Broker):
    """RabbitMQ, a virtual host of its own; results are in a Redis."""

    name = "amqp"
    zero_is_urgent = False
    exact = False
    keeps_acknowledgements = False
    publishes_once = False
    has_leases = False
    # Without it what was published may be lost when RabbitMQ is killed.
    client_settings = {"broker_transport_options": {"confirm_publish": True}}

    _hosts = itertools.count()

    def __init__(self, server: RabbitMQServer, results: RedisServer):
        self.server = server
        self.virtual_host = f"test{next(self._hosts)}"
        self.url = server.virtual_host(self.virtual_host)
        self.result_url = self.shown_results = results.url()
        self.shown = self.url.replace("guest:guest@", "guest:**@")
        self.result_server = results
        self.results = results.client()

    def close(self) -> None:
        """The server forgets all of it: it is shared by many tests."""
        if self.server.process:
            self.server.remove_virtual_host(self.virtual_host)

    def queues(self) -> dict[str, tuple[int, int]]:
        """Messages that are ready and unacknowledged, for each queue."""
        return self.server.queues(self.virtual_host)

    def queued(self, queue: str = "celery") -> int:
        return self.queues().get(queue, (0, 0))[0]

    def messages(self, queue: str = "celery") -> list[dict]:
        found = []
        if queue in self.queues():
            with self.server.connect(self.virtual_host) as connection:
                channel = connection.channel()
                while message := channel.basic_get(queue):
                    found.append(from_amqp(message))
                # What was not acknowledged goes back, in its order.
        return found

    def mailboxes(self) -> int:
        return sum(x.endswith(".reply.celery.pidbox") for x in self.queues())

    def in_flight(self) -> int:
        return sum(unacked for _, unacked in self.queues().values())

    def delayed(self) -> int:
        return sum(
            ready
            for name, (ready, _) in self.queues().items()
            if name.startswith("celery_delayed_")
        )

    def dead_letters(self, queue: str = "celery") -> list[Letter]:
        letters = []
        with self.server.connect(self.virtual_host) as connection:
            channel = connection.channel()
            name = f"umbel.dead.{queue}"
            if name not in self.queues():
                return []
            while message := channel.basic_get(name):
                reason = message.headers["umbel_dead_reason"]
                letters.append({"reason": reason, "payload": message.body, "at": "?"})
            # What was not acknowledged goes back, in its order.
        return letters[::-1]

    def documents(self, ids: list[str]) -> list[dict | None]:
        return documents_in_redis(self.results, ids)

    def all_documents(self) -> list[dict]:
        return all_documents_in_redis(self.results)

    def raw_document(self, task_id: str) -> bytes:
        return raw_document_in_redis(self.result_server, task_id)

    def expires_in(self, task_id: str) -> float | None:
        return ttl_in_redis(self.results, task_id)

    def put(self, payload: str, queue: str = "celery") -> bool:
        message = as_amqp(payload)
        if message is None:
            return False
        self._publish([message], queue)
        return True

    def fill(self, text: str, count: int, queue: str = "celery") -> list[str]:
        ids = []
        for batch in batches(spread(text, count)):
            ids += [task_id for task_id, _ in batch]
            self._publish([as_amqp(payload) for _, payload in batch], queue)
        return ids

    def _publish(self, messages: list[amqp.Message], queue: str) -> None:
        with self.server.connect(self.virtual_host) as connection:
            channel = connection.channel()
            channel.queue_declare(queue, durable=True, auto_delete=False)
            channel.exchange_declare(queue, "direct", durable=True, auto_delete=False)
            channel.queue_bind(queue, queue, queue)
            channel.confirm_select()
            # `basic_publish_confirm` waits for the first confirm that comes.
            open_ = set(range(1, len(messages) + 1))
            channel.events["basic_ack"].add(
                lambda tag, multiple: open_.difference_update(
                    range(1, tag + 1) if multiple else [tag]
                )
            )
            for message in messages:
                channel.basic_publish(message, "", queue)
            while open_:
                connection.drain_events(timeout=60 * PATIENCE)

    def take(self, queue: str = "celery") -> dict | None:
        if queue not in self.queues():
            return None
        with self.server.connect(self.virtual_host) as connection:
            message = connection.channel().basic_get(queue, no_ack=True)
            return from_amqp(message) if message else None

    def shout(self, exchange: str, payload: bytes) -> bool:
        message = as_amqp(payload)
        if message is None:
            return False
        with self.server.connect(self.virtual_host) as connection:
            channel = connection.channel()
            channel.confirm_select()
            try:
                channel.basic_publish_confirm(message, exchange, "")
            except struct.error:  # no such number in a header
                return False
        return True

    def cut_connections(self, worker: Worker) -> int:
        return self.server.cut_connections(self.virtual_host, worker.tcp_addresses())

    def proxy(self) -> Proxy:
        return Proxy(self.server.port)

    def url_by(self, port: int) -> str:
        return self.server.url(self.virtual_host, port)

    def stop(self) -> None:
        self.server.stop()

    def kill(self) -> None:
        self.server.kill()

    def start(self) -> None:
        self.server.start()


class SqliteBroker(Broker):
    """A file. Celery's client takes part through `sqlite_client`. It is opened for
    each look: workers make it, and tests delete it."""

    name = "sqlite"

    def __init__(self, path: Path):
        self.path = path
        self.url = self.result_url = f"sqlite://{path}"
        self.shown = self.shown_results = self.url

    def _open(self) -> contextlib.closing[sqlite_client.Database]:
        return contextlib.closing(sqlite_client.Database(str(self.path)))

    def _rows(self, sql: str, *values) -> list[tuple]:
        with self._open() as database:
            return database.rows(sql, *values)

    def _number(self, sql: str, *values) -> int:
        return self._rows(sql, *values)[0][0]

    # -- looking ---------------------------------------------------------------

    def queued(self, queue: str = "celery") -> int:
        return self._number("SELECT count(*) FROM waiting WHERE queue = ?", queue)

    def messages(self, queue: str = "celery") -> list[dict]:
        with self._open() as database:
            return [json.loads(payload) for _, payload in database.waiting(queue)]

    def leases(self) -> int:
        sql = "SELECT count(*) FROM owner WHERE lease > ?"
        return self._number(sql, time.time_ns() // 1000)

    def in_flight(self) -> int:
        return self._number("SELECT count(*) FROM reserved")

    def mailboxes(self) -> int:
        sql = "SELECT count(*) FROM subscriber WHERE exchange LIKE '%reply.celery.pidbox%'"
        return self._number(sql)

    def unique_keys(self) -> list[str]:
        if not self._number("SELECT count(*) FROM sqlite_master WHERE name = 'unique_key'"):
            return []
        return [name for (name,) in self._rows("SELECT name FROM unique_key")]

    def holders(self) -> int:
        """How many lives of workers hold something."""
        return self._number("SELECT count(DISTINCT owner) FROM reserved")

    def delayed(self) -> int:
        return self._number("SELECT count(*) FROM delayed")

    def dead_letters(self, queue: str = "celery") -> list[Letter]:
        rows = self._rows(
            "SELECT reason, payload, at FROM dead WHERE queue = ? ORDER BY number DESC",
            queue,
        )
        return [
            {"reason": reason, "payload": payload.decode(), "at": str(at)}
            for reason, payload, at in rows
        ]

    def documents(self, ids: list[str]) -> list[dict | None]:
        with self._open() as database:
            return [database.document(task_id) for task_id in ids]

    def all_documents(self) -> list[dict]:
        return [json.loads(x) for (x,) in self._rows("SELECT document FROM result")]

    def raw_document(self, task_id: str) -> bytes:
        sql = "SELECT CAST(document AS BLOB) FROM result WHERE id = ?"
        return self._rows(sql, task_id)[0][0]

    def expires_in(self, task_id: str) -> float | None:
        sql = "SELECT expires FROM result WHERE id = ?"
        expires = self._number(sql, task_id)
        return None if expires is None else expires / 1e6 - time.time()

    @contextlib.contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """A transaction of which nobody is told."""
        with self._open() as database, database as change:
            yield change

    def integrity(self) -> str:
        """What SQLite says of the file: "ok"."""
        return self._rows("PRAGMA integrity_check")[0][0]

    # -- doing -----------------------------------------------------------------

    def put(self, payload: str, queue: str = "celery") -> bool:
        with self._open() as database:
            database.put([(queue, 0, payload)])
        return True

    def fill(self, text: str, count: int, queue: str = "celery") -> list[str]:
        ids = []
        with self._open() as database:
            for batch in batches(spread(text, count)):
                ids += [task_id for task_id, _ in batch]
                database.put([(queue, 0, payload) for _, payload in batch])
        return ids

    def take(self, queue: str = "celery") -> dict | None:
        with self._open() as database:
            payload = database.take(queue)
        return json.loads(payload) if payload else None

    def shout(self, exchange: str, payload: bytes) -> bool:
        with self._open() as database:
            database.broadcast(exchange, payload)
        return True


class KombuFile(Broker):
    """kombu's SQLAlchemy transport in a SQLite file, and a folder for results that
    Celery and Umbel can read."""

    name = "sqla"

    def __init__(self, folder: Path):
        self.path = folder / "celerydb.sqlite"
        self.url = f"sqla+sqlite:///{self.path}"
        results = folder / "results"
        results.mkdir()
        self.result_url = f"file://{results}"

    def _open(self) -> contextlib.closing[sqlite3.Connection]:
        return contextlib.closing(sqlite3.connect(self.path, timeout=60 * PATIENCE))

    def number(self, sql: str, *values):
        with self._open() as file:
            return file.execute(sql, values).fetchone()[0]

    def _has_tables_of_ours(self) -> bool:
        sql = "SELECT count(*) FROM sqlite_master WHERE name = 'reserved'"
        return self.number(sql) == 1

    def queued(self, queue: str = "celery") -> int:
        return self.number(
            "SELECT count(*) FROM kombu_message m JOIN kombu_queue q "
            "ON q.id = m.queue_id WHERE m.visible AND q.name = ?", queue)

    def taken_by_python(self) -> int:
        return self.number("SELECT count(*) FROM kombu_message WHERE NOT visible")

    def in_flight(self) -> int:
        """What Umbel has; of Python nobody can say."""
        if not self._has_tables_of_ours():
            return 0
        return self.number("SELECT count(*) FROM reserved")

    def delayed(self) -> int:
        return self.number("SELECT count(*) FROM delayed")

    def fill(self, text: str, count: int, queue: str = "celery") -> list[str]:
        rows = dict(spread(text, count))
        with self._open() as file, file:
            file.executescript(KOMBU_SCHEMA.read_text())
            file.execute("INSERT OR IGNORE INTO kombu_queue (name) VALUES (?)", [queue])
            file.executemany(
                "INSERT INTO kombu_message (visible, payload, version, queue_id) "
                "SELECT 1, ?, 1, id FROM kombu_queue WHERE name = ?",
                [(payload, queue) for payload in rows.values()],
            )
        return list(rows)


# -- what a broker cannot do ---------------------------------------------------------

#: What tests may need (`@pytest.mark.needs("server")`), and why a broker lacks it.
LACKS = {
    "amqp": {
        "leases": "RabbitMQ keeps no leases: it takes back what a lost connection had",
        "unique keys": "RabbitMQ keeps no keys of unique tasks",
        "turns": "RabbitMQ counts no turns: each worker limits itself",
    },
    "sqlite": {
        "server": "there is no server that could be away",
        "Celery": "Python has no worker and no command line for sqlite://",
        "broadcast": "nobody would end the queues of nodes that are no more",
        "exchanges": "there are no exchanges to be seen or changed",
        "npm": "npm's clients know Redis and RabbitMQ alone",
        "reply queues": "Celery's client consumes no queue there (sqlite_client.py)",
        "serializers": "Celery's client reads results there in JSON (sqlite_client.py)",
    },
}

#: Why a single test does not run on a broker. By the beginning of "<file>::<test>".
CANNOT = {
    "amqp": {
        "test_malformed::test_what_is_readable_runs[no properties]": "AMQP's "
        "properties are there always",
        "test_dead_letters::test_a_task_that_kills_its_worker": "a message that "
        "RabbitMQ gives to somebody again is as it was: nobody has counted",
    },
}


def why_not(broker: str, test: str) -> str:
    """The reason why this broker cannot run the test; empty: it can."""
    for beginning, reason in CANNOT.get(broker, {}).items():
        if test.startswith(beginning):
            return reason
    return ""


# -- parts ---------------------------------------------------------------------------


def documents_in_redis(client: redis.Redis, ids: list[str]) -> list[dict | None]:
    return [json.loads(x) if x else None for x in client.mget(result_keys(ids))]


def all_documents_in_redis(client: redis.Redis) -> list[dict]:
    return [json.loads(client.get(x)) for x in client.keys("celery-task-meta-*")]


def raw_document_in_redis(server: RedisServer, task_id: str) -> bytes:
    with redis.Redis(port=server.port) as client:
        return client.get(*result_keys([task_id]))


def ttl_in_redis(client: redis.Redis, task_id: str) -> int | None:
    (key,) = result_keys([task_id])
    ttl = client.ttl(key)
    return None if ttl == -1 else ttl


def batches(items: Iterator, size: int = 500) -> Iterator[list]:
    while batch := list(itertools.islice(items, size)):
        yield batch
