"""Celery's client on Umbel's embedded broker: a transport of kombu that publishes
and a result backend that reads, on the tables of
protocol/broker/sqlite/schema.sql. Python has no client of its own; a worker in
Python is not to be had this way, because nothing here consumes.
"""

import json
import os
import sqlite3
import time
from typing import Iterable

from celery.backends.base import KeyValueStoreBackend
from kombu.transport import TRANSPORT_ALIASES, virtual

from harness.waiting import PATIENCE
from harness.workers import REPOSITORY

SCHEMA = REPOSITORY / "protocol" / "broker" / "sqlite" / "schema.sql"
APPLICATION, VERSION = 0x756D6271, 2  # as in database.cpp
STEPS = (0, 3, 6, 9)

TRANSPORT_ALIASES["sqlite"] = "harness.sqlite_client:Transport"

#: What Celery is to be told: the result backend of a scheme.
BACKENDS = {"sqlite": "harness.sqlite_client:Backend"}


class Database:
    """The file, for one who publishes and looks. Made if it is not there."""

    def __init__(self, path: str):
        self.path = path
        self._connection = sqlite3.connect(
            path, timeout=10 * PATIENCE, isolation_level=None, check_same_thread=False
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

    def broadcast(self, exchange: str, payload: str) -> None:
        with self as change:
            change.execute(
                "INSERT INTO broadcast SELECT ?1, coalesce(max(number), 0) + 1, ?2 "
                "FROM broadcast WHERE exchange = ?1",
                (exchange, payload.encode()),
            )
        self._ring("broadcasts")

    def document(self, task_id: str) -> dict | None:
        rows = self.rows(
            "SELECT document FROM result WHERE id = ? "
            "AND (expires IS NULL OR expires > ?)",
            task_id,
            time.time_ns() // 1000,
        )
        return json.loads(rows[0][0]) if rows else None

    def _ring(self, bell: str) -> None:
        try:
            os.utime(f"{self.path}-{bell}")
        except FileNotFoundError:
            pass  # nobody has ever waited


class Channel(virtual.Channel):
    supports_fanout = True
    do_restore = False

    def _put(self, queue, message, **_):
        priority = self._get_message_priority(message)
        self.connection.database.put([(queue, priority, json.dumps(message))])

    def _put_fanout(self, exchange, message, routing_key, **_):
        self.connection.database.broadcast(exchange, json.dumps(message))

    def _queue_bind(self, *_):
        pass

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
    implements = virtual.Transport.implements.extend(
        exchange_type=frozenset(["direct", "topic", "fanout"])
    )

    def __init__(self, client, **options):
        super().__init__(client, **options)
        self.database = Database("/" + client.virtual_host.lstrip("/"))

    def close_connection(self, connection):
        super().close_connection(connection)
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
        task_id = self._strip_prefix(key)
        found = self.database.document(task_id)
        return json.dumps(found) if found else None

    def wait_for(self, task_id, timeout=None, interval=None, **options):
        return super().wait_for(task_id, timeout, self.interval, **options)
