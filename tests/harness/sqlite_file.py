"""The file of the embedded broker, looked at from outside."""

import base64
import json
import uuid
from contextlib import closing
from pathlib import Path

from harness.sqlite_client import Database


class SqliteFile:
    """Opened for each look: workers make it, and tests delete it."""

    def __init__(self, path: Path):
        self.path = path
        self.url = f"sqlite://{path}"

    def _database(self) -> closing:
        return closing(Database(str(self.path)))

    def _number(self, sql: str, *values) -> int:
        with self._database() as db:
            return db.rows(sql, *values)[0][0]

    # -- messages --------------------------------------------------------------

    def publish(self, task: str, calls: list[list], queue: str = "celery") -> list[str]:
        """Puts tasks on a queue in one transaction. @returns their ids"""
        ids = [str(uuid.uuid4()) for _ in calls]
        with self._database() as db:
            db.put(
                (queue, 0, task_message(task, id, args, queue))
                for id, args in zip(ids, calls)
            )
        return ids

    def broadcast(self, exchange: str, body: dict) -> None:
        with self._database() as db:
            db.broadcast(exchange, envelope(body, {}, ""))

    def size(self, queue: str = "celery") -> int:
        return self._number("SELECT count(*) FROM waiting WHERE queue = ?", queue)

    def in_flight(self) -> int:
        return self._number("SELECT count(*) FROM reserved")

    def holders(self) -> int:
        """How many lives of workers hold something."""
        return self._number("SELECT count(DISTINCT owner) FROM reserved")

    # -- results ---------------------------------------------------------------

    def result(self, id: str) -> dict | None:
        with self._database() as db:
            return db.document(id)

    def statuses(self, ids: list[str]) -> dict[str, int]:
        """How many of the tasks are in which state; "missing" has no result."""
        with self._database() as db:
            rows = db.rows("SELECT id, document FROM result")
        states = {id: json.loads(document)["status"] for id, document in rows}
        counts: dict[str, int] = {}
        for id in ids:
            status = states.get(id, "missing")
            counts[status] = counts.get(status, 0) + 1
        return counts

    def check(self) -> str:
        with self._database() as db:
            return db.rows("PRAGMA integrity_check")[0][0]


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
