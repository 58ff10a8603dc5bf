"""Task messages made without the client's cost, from one that it did make."""

import json
import uuid

import redis
from celery import Celery

_QUEUE = "harness-template"


def template(app: Celery, task: str, args=(), **options) -> str:
    """The envelope that the real client sends for this call, as JSON text."""
    app.send_task(task, args, queue=_QUEUE, **options)
    with app.connection_for_write() as connection:
        client = connection.default_channel.client
        text = client.rpop(_QUEUE).decode()
        client.delete(_QUEUE, f"_kombu.binding.{_QUEUE}")
    envelope = json.loads(text)
    envelope["properties"]["delivery_info"]["routing_key"] = "celery"
    return json.dumps(envelope)


def fill(
    client: redis.Redis, text: str, count: int, queue: str = "celery"
) -> list[str]:
    """Puts `count` messages like `text` on a queue, each with an id and a
    delivery tag of its own. @returns the ids in order."""
    envelope = json.loads(text)
    old_id = envelope["headers"]["id"]
    old_tag = envelope["properties"]["delivery_tag"]
    ids = [str(uuid.UUID(int=(0x4000_8000 << 64) + i)) for i in range(count)]
    with client.pipeline(transaction=False) as pipe:
        for start in range(0, count, 500):
            batch = [
                text.replace(old_id, i).replace(old_tag, "t" + i[1:])
                for i in ids[start : start + 500]
            ]
            pipe.lpush(queue, *batch)
            pipe.execute()
    return ids


def result_keys(ids: list[str]) -> list[str]:
    return [f"celery-task-meta-{i}" for i in ids]


def statuses(client: redis.Redis, ids: list[str]) -> dict[str, int]:
    """How many of the tasks are in which state; "missing" has no result."""
    counts: dict[str, int] = {}
    for start in range(0, len(ids), 1000):
        for text in client.mget(result_keys(ids[start : start + 1000])):
            status = json.loads(text)["status"] if text else "missing"
            counts[status] = counts.get(status, 0) + 1
    return counts


def in_flight(client: redis.Redis, prefix: str = "") -> tuple[int, int]:
    """Lengths of `unacked` and `unacked_index`."""
    return client.hlen(prefix + "unacked"), client.zcard(prefix + "unacked_index")
