"""Celery's client on Umbel's embedded broker: a transport of kombu that publishes and
listens, and a result backend, on the tables of protocol/broker/sqlite/schema.sql. Python
has no client of its own; a worker in Python is not to be had this way, because nothing
here consumes a queue.
"""

import dataclasses
import json
import os
import sqlite3
import time
from queue import Empty
from typing import Iterable

from celery.backends.base import KeyValueStoreBackend
from celery.result import GroupResult
from kombu.transport import TRANSPORT_ALIASES, virtual

from harness.waiting import PATIENCE
from harness.workers import REPOSITORY

SCHEMA = REPOSITORY / "protocol" / "broker" / "sqlite" / "schema.sql"
APPLICATION, VERSION = 0x756D6271, 3  # as in database.cpp
STEPS = (0, 3, 6, 9)

TRANSPORT_ALIASES["sqlite"] = "harness.sqlite_client:Transport"

#: What Celery is to be told: the result backend of a scheme.
BACKENDS = {"sqlite": "harness.sqlite_client:Backend"}


class Database:
    """The file, for one who publishes and looks. Made if it is not there."""

    def __init__(self, path: str):
        self.path = path
        self._connection = sqlite3.connect(
            path, timeout=60 * PATIENCE, isolation_level=None, check_same_thread=False
        )
        self._connection.execute("PRAGMA journal_mode = WAL")
        if self._is_empty():
            with self:
                if self._is_empty():
                    self._make_tables()

    def _is_empty(self) -> bool:
        return self.rows("PRAGMA application_id") == [(0,)]

    def _make_tables(self) -> None:
        for statement in SCHEMA.read_text().split(";\n"):
            self._connection.execute(statement)
        self._connection.execute(f"PRAGMA application_id = {APPLICATION}")
        self._connection.execute(f"PRAGMA user_version = {VERSION}")

    def __enter__(self) -> sqlite3.Connection:
        self._connection.execute("BEGIN EXCLUSIVE")
        return self._connection

    def __exit__(self, kind, *_) -> None:
        self._connection.execute("ROLLBACK" if kind else "COMMIT")

    def close(self) -> None:
        self._connection.close()

    def rows(self, sql: str, *values) -> list[tuple]:
        return self._connection.execute(sql, values).fetchall()

    def put(self, messages: Iterable[tuple[str, int, str]]) -> None:
        """Publishes (queue, priority, payload) in one transaction."""
        with self as change:
            for queue, priority, payload in messages:
                step = max(x for x in STEPS if x <= priority)
                done = change.execute(
                    "INSERT INTO message (queue, step, payload) VALUES (?, ?, ?)",
                    (queue, step, payload.encode()),
                )
                change.execute(
                    "INSERT INTO waiting SELECT ?1, ?2, coalesce(max(position), 0) + 1, "
                    "?3 FROM waiting WHERE queue = ?1 AND step = ?2",
                    (queue, step, done.lastrowid),
                )
        self._ring("messages")

    def waiting(self, queue: str) -> list[tuple[int, bytes]]:
        """Number and payload of each message, those first that are consumed first."""
        return self.rows(
            "SELECT m.id, m.payload FROM waiting w JOIN message m ON m.id = w.message "
            "WHERE w.queue = ? ORDER BY w.step, w.position",
            queue,
        )

    def take(self, queue: str) -> bytes | None:
        with self as change:
            if not (found := self.waiting(queue)):
                return None
            number, payload = found[0]
            change.execute("DELETE FROM waiting WHERE message = ?", (number,))
            change.execute("DELETE FROM message WHERE id = ?", (number,))
        return payload

    def broadcast(self, exchange: str, payload: bytes) -> None:
        with self as change:
            change.execute(
                "INSERT INTO broadcast SELECT ?1, coalesce(max(number), 0) + 1, ?2 "
                "FROM broadcast WHERE exchange = ?1",
                (exchange, payload),
            )
        self._ring("broadcasts")

    def listen(self, exchange: str) -> "Source":
        """From now on; until `hang_up`."""
        until = time.time_ns() // 1000 + 3_600_000_000
        with self as change:
            number = change.execute(
                "INSERT INTO subscriber (exchange, lease) VALUES (?, ?)", (exchange, until)
            ).lastrowid
            last = "SELECT coalesce(max(number), 0) FROM broadcast WHERE exchange = ?"
            return Source(exchange, number, self.rows(last, exchange)[0][0])

    def hear(self, source: "Source") -> bytes | None:
        found = self.rows(
            "SELECT number, payload FROM broadcast WHERE exchange = ? AND number > ? "
            "ORDER BY number LIMIT 1",
            source.exchange,
            source.last,
        )
        if not found:
            return None
        source.last, payload = found[0]
        return payload

    def hang_up(self, source: "Source") -> None:
        with self as change:
            change.execute("DELETE FROM subscriber WHERE id = ?", (source.number,))

    def document(self, task_id: str) -> dict | None:
        rows = self.rows(
            "SELECT document FROM result WHERE id = ? "
            "AND (expires IS NULL OR expires > ?)",
            task_id,
            time.time_ns() // 1000,
        )
        return json.loads(rows[0][0]) if rows else None

    def store(self, task_id: str, document: str) -> None:
        """Unless a success is stored."""
        with self as change:
            change.execute("DELETE FROM result WHERE id = ? AND NOT success", (task_id,))
            change.execute(
                "INSERT INTO result (id, success, document) VALUES (?, ?, ?) "
                "ON CONFLICT DO NOTHING",
                (task_id, json.loads(document)["status"] == "SUCCESS", document),
            )
        self._ring("results")

    def group(self, group_id: str) -> str | None:
        rows = self.rows("SELECT document FROM result_group WHERE id = ?", group_id)
        return rows[0][0] if rows else None

    def save_group(self, group_id: str, document: str) -> None:
        with self as change:
            change.execute(
                "INSERT OR REPLACE INTO result_group (id, document) VALUES (?, ?)",
                (group_id, document),
            )

    def set_chord_size(self, group_id: str, size: int) -> None:
        with self as change:
            change.execute(
                "INSERT INTO chord (id, size) VALUES (?, ?) "
                "ON CONFLICT DO UPDATE SET size = excluded.size",
                (group_id, size),
            )

    def _ring(self, bell: str) -> None:
        try:
            os.utime(f"{self.path}-{bell}")
        except FileNotFoundError:
            pass  # nobody has ever waited


@dataclasses.dataclass
class Source:
    """What somebody listens to."""

    exchange: str
    number: int  #: as a subscriber
    last: int  #: the number of the last message that was heard


def sources_of(exchange: str, key: str, events: bool) -> list[str]:
    """As protocol/broker/fanout.hpp names what is sent to all, or to a mailbox."""
    if events:
        return [exchange, f"{exchange}/worker"]
    if exchange.startswith("reply."):
        return [f"{exchange}/{key}"]
    return [exchange] if exchange.endswith(".pidbox") else []


class Channel(virtual.Channel):
    supports_fanout = True
    do_restore = False

    def basic_publish(self, message, exchange, routing_key, **options):
        if not self._is_of_events(exchange):
            return super().basic_publish(message, exchange, routing_key, **options)
        self._inplace_augment_message(message, exchange, routing_key)
        name = exchange + ("/worker" if routing_key.startswith("worker.") else "")
        self.connection.database.broadcast(name, json.dumps(message).encode())

    def _get(self, queue):
        for source in self.connection.sources.get(queue, []):
            if payload := self.connection.database.hear(source):
                return json.loads(payload)
        raise Empty

    def _purge(self, queue):
        return 0

    def _delete(self, queue, *_, **__):
        for source in self.connection.sources.pop(queue, []):
            self.connection.database.hang_up(source)

    def _put(self, queue, message, **_):
        priority = self._get_message_priority(message)
        self.connection.database.put([(queue, priority, json.dumps(message))])

    def _put_fanout(self, exchange, message, routing_key, **_):
        self.connection.database.broadcast(exchange, json.dumps(message).encode())

    def _queue_bind(self, exchange, routing_key, pattern, queue):
        self.connection.sources.setdefault(queue, []).extend(
            self.connection.database.listen(x)
            for x in sources_of(exchange, routing_key, self._is_of_events(exchange))
        )

    def _is_of_events(self, exchange) -> bool:
        """By its name, as tests give them; tasks may go through topic exchanges, too."""
        return exchange.endswith("ev") and self.typeof(exchange).type == "topic"

    def _new_queue(self, queue, **_):
        pass

    def _has_queue(self, queue, **_):
        return True

    def _size(self, queue):
        sql = "SELECT count(*) FROM waiting WHERE queue = ?"
        return self.connection.database.rows(sql, queue)[0][0]


class Transport(virtual.Transport):
    Channel = Channel
    driver_type = driver_name = "sqlite"
    polling_interval = 0.02
    implements = virtual.Transport.implements.extend(
        exchange_type=frozenset(["direct", "topic", "fanout"])
    )

    def __init__(self, client, **options):
        super().__init__(client, **options)
        self.database = Database("/" + client.virtual_host.lstrip("/"))
        self.sources: dict[str, list[Source]] = {}

    def close_connection(self, connection):
        super().close_connection(connection)
        for sources in self.sources.values():
            for source in sources:
                self.database.hang_up(source)
        self.sources.clear()
        self.database.close()

    def driver_version(self):
        return sqlite3.sqlite_version


class Backend(KeyValueStoreBackend):
    #: Seconds between two looks.
    interval = 0.01

    def __init__(self, app, url: str = "", **options):
        super().__init__(app, url=url, **options)
        self.database = Database("/" + url.partition("://")[2].lstrip("/"))

    def get(self, key):
        name = self._strip_prefix(key)
        if self._is_group(key):
            return self.database.group(name)
        found = self.database.document(name)
        return json.dumps(found) if found else None

    def set(self, key, value):
        name = self._strip_prefix(key)
        if self._is_group(key):
            self.database.save_group(name, value)
        else:
            self.database.store(name, value)

    def _is_group(self, key) -> bool:
        return self.key_t(key).startswith(self.key_t(self.group_keyprefix))

    # As of Celery's Redis backend: workers count the parts.

    def set_chord_size(self, group_id, chord_size):
        self.database.set_chord_size(group_id, chord_size)

    def apply_chord(self, header_result_args, body, **kwargs):
        header = self.app.GroupResult(*header_result_args)
        if any(isinstance(x, GroupResult) for x in header.results):
            header.save(backend=self)

    def wait_for(self, task_id, timeout=None, interval=None, **options):
        return super().wait_for(task_id, timeout, self.interval, **options)
