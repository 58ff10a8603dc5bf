"""The file of the embedded broker, used as a program in another language would:
with SQL, and a touch of the bell (protocol/broker/sqlite/README.md)."""

import base64
import json
import os
import sqlite3
import uuid
from pathlib import Path


class SqliteFile:
    """A file that a worker has made."""

    def __init__(self, path: Path):
        self.path = path
        self.url = f"sqlite://{path}"

    def _rows(self, sql: str, *values) -> list[tuple]:
        db = sqlite3.connect(self.path, timeout=20, isolation_level=None)
        try:
            return db.execute(sql, values).fetchall()
        finally:
            db.close()

    def _ring(self, bell: str) -> None:
        path = f"{self.path}-{bell}"
        if os.path.exists(path):
            os.utime(path)

    # -- messages --------------------------------------------------------------

    def publish(self, task: str, calls: list[list], queue: str = "celery") -> list[str]:
        """Puts tasks on a queue in one transaction. @returns their ids"""
        ids = [str(uuid.uuid4()) for _ in calls]
        db = sqlite3.connect(self.path, timeout=20, isolation_level=None)
        db.execute("BEGIN IMMEDIATE")
        for id, args in zip(ids, calls):
            message = db.execute(
                "INSERT INTO message (queue, step, payload) VALUES (?, 0, ?)",
                (queue, task_message(task, id, args, queue).encode()),
            ).lastrowid
            db.execute(
                "INSERT INTO waiting SELECT ?1, 0, coalesce(max(position), 0) + 1, ?2"
                " FROM waiting WHERE queue = ?1 AND step = 0",
                (queue, message),
            )
        db.execute("COMMIT")
        db.close()
        self._ring("messages")
        return ids

    def size(self, queue: str = "celery") -> int:
        return self._rows("SELECT count(*) FROM waiting WHERE queue = ?", queue)[0][0]

    def in_flight(self) -> int:
        return self._rows("SELECT count(*) FROM reserved")[0][0]

    def holders(self) -> int:
        """How many lives of workers hold something."""
        return self._rows("SELECT count(DISTINCT owner) FROM reserved")[0][0]

    def broadcast(self, exchange: str, body: dict) -> None:
        self._rows(
            "INSERT INTO broadcast SELECT ?1, coalesce(max(number), 0) + 1, ?2"
            " FROM broadcast WHERE exchange = ?1",
            exchange,
            envelope(body, {}, "").encode(),
        )
        self._ring("broadcasts")

    # -- results ---------------------------------------------------------------

    def result(self, id: str) -> dict | None:
        rows = self._rows("SELECT document FROM result WHERE id = ?", id)
        return json.loads(rows[0][0]) if rows else None

    def statuses(self, ids: list[str]) -> dict[str, int]:
        """How many of the tasks are in which state; "missing" has no result."""
        states = {i: json.loads(d)["status"] for i, d in self._rows(
            "SELECT id, document FROM result"
        )}
        counts: dict[str, int] = {}
        for id in ids:
            status = states.get(id, "missing")
            counts[status] = counts.get(status, 0) + 1
        return counts

    def check(self) -> str:
        return self._rows("PRAGMA integrity_check")[0][0]


def envelope(body, headers: dict, queue: str) -> str:
    return json.dumps({
        "body": base64.b64encode(json.dumps(body).encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": headers,
        "properties": {
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": queue},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
        },
    })


def task_message(task: str, id: str, args: list, queue: str) -> str:
    return envelope([args, {}, None], {"lang": "py", "task": task, "id": id}, queue)
