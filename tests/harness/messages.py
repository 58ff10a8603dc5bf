"""Task messages made without the client's cost, from one that it did make."""

import base64
import itertools
import json
import uuid
from typing import Iterator

import amqp
from celery import Celery

_QUEUE = "harness-template"

#: No two messages of a run have the same id.
_numbers = itertools.count()


def template(app: Celery, task: str, args=(), **options) -> str:
    """The envelope that the real client sends for this call, as JSON text."""
    with app.connection_for_write(url="memory://") as connection:
        with connection.channel() as channel:
            producer = app.amqp.Producer(channel, auto_declare=False)
            channel.queue_declare(_QUEUE)
            app.send_task(task, args, producer=producer, queue=_QUEUE, **options)
            envelope = channel._get(_QUEUE)
    # Some of it is of the transport and not sent by the others.
    envelope["properties"]["delivery_info"] = {"exchange": "", "routing_key": "celery"}
    return json.dumps(envelope)


def spread(text: str, count: int) -> Iterator[tuple[str, str]]:
    """(id, message) of `count` messages like `text`, each with an id and a
    delivery tag of its own."""
    envelope = json.loads(text)
    old_id = envelope["headers"]["id"]
    old_tag = envelope["properties"]["delivery_tag"]
    for i in itertools.islice(_numbers, count):
        new_id = str(uuid.UUID(int=(0x4000_8000 << 64) + i))
        yield new_id, text.replace(old_id, new_id).replace(old_tag, "t" + new_id[1:])


def as_amqp(payload: str | bytes) -> amqp.Message | None:
    """The message of an envelope as py-amqp sends it, or none if AMQP cannot say
    that. What is no envelope becomes a message without properties."""
    try:
        envelope = json.loads(payload)
    except (ValueError, RecursionError):
        envelope = None
    if not isinstance(envelope, dict):
        return amqp.Message(payload)
    headers = envelope.get("headers", {})
    properties = envelope.get("properties", {})
    body = envelope.get("body")
    if not isinstance(body, str) or not isinstance(headers, dict):
        return None
    if properties.get("body_encoding") == "base64":
        try:
            body = base64.b64decode(body, validate=True)
        except ValueError:
            return None
    names = {"content-type": "content_type", "content-encoding": "content_encoding"}
    return amqp.Message(
        body,
        application_headers=headers,
        **{ours: envelope[theirs] for theirs, ours in names.items() if theirs in envelope},
        **{
            name: properties[name]
            for name in ("correlation_id", "reply_to", "delivery_mode", "priority")
            if name in properties
        },
    )


def from_amqp(message: amqp.Message) -> dict:
    """The envelope of what py-amqp has received."""
    properties = dict(message.properties)
    body = message.body
    raw = body if isinstance(body, bytes) else body.encode()
    return {
        "body": base64.b64encode(raw).decode(),
        "headers": properties.pop("application_headers", {}),
        "content-type": properties.pop("content_type", None),
        "content-encoding": properties.pop("content_encoding", None),
        "properties": {
            **properties,
            "body_encoding": "base64",
            "delivery_info": {
                name: message.delivery_info[name] for name in ("exchange", "routing_key")
            },
        },
    }


def result_keys(ids: list[str]) -> list[str]:
    return [f"celery-task-meta-{i}" for i in ids]
