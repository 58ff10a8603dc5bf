#!/usr/bin/python3
"""Captures task messages from the real Celery client, for the unit tests.

    capture_vectors.py PORT

starts a Redis server of its own on 127.0.0.1:PORT (which must be free), sends
one message of every kind with the installed Celery, writes each list entry as
it is in Redis to vectors/NAME.json and stops the server. Two of them need more
than a client: `retry` is published by a real Python worker, `redelivered` is a
message that a Python consumer reserved and gave back.

Host names are replaced by `gen123@example`; nothing else is touched. Ids come
from a seeded generator, so that a new capture differs little from the last
(what is left: times of countdowns, node names hashed into reply_to).
"""
import base64
import datetime
import json
import pathlib
import random
import re
import subprocess
import sys
import time
import uuid

import redis
from celery import Celery, chain, chord, group
from kombu import Exchange, Queue
from kombu.utils.uuid import uuid as make_id

VECTORS = pathlib.Path(__file__).parent / 'vectors'
ETA = datetime.datetime(2031, 5, 6, 7, 8, 9, 123456,
                        tzinfo=datetime.timezone.utc)
WHOLE = datetime.datetime(2031, 5, 6, 7, 8, 9, tzinfo=datetime.timezone.utc)

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 0
app = Celery('capture', broker=f'redis://127.0.0.1:{PORT}/0',
             backend=f'redis://127.0.0.1:{PORT}/0')


@app.task(name='tasks.add')
def add(x, y):
    return x + y


@app.task(name='tasks.echo')
def echo(*args, **kwargs):
    return args


@app.task(name='tasks.flaky', bind=True)
def flaky(self, *args, **kwargs):
    raise self.retry(countdown=60, queue='captured', exc=ValueError('again'))


def seed_ids():
    rng = random.Random(20261123)
    fresh = lambda: uuid.UUID(int=rng.getrandbits(128), version=4)  # noqa
    make_id.__defaults__ = (fresh,)


def nested(depth):
    value = 'bottom'
    for i in range(depth):
        value = [value] if i % 2 else {'down': value}
    return value


def messages():
    """(name, callable that publishes to the queue `celery`)."""
    yield 'plain', lambda: add.delay(2, 3)
    yield 'kwargs', lambda: add.apply_async(kwargs={'x': 2, 'y': 3})
    yield 'no_args', lambda: echo.delay()
    yield 'countdown', lambda: add.apply_async((2, 3), countdown=90)
    yield 'eta', lambda: add.apply_async((2, 3), eta=ETA)
    yield 'eta_whole_second', lambda: add.apply_async((2, 3), eta=WHOLE)
    yield 'eta_naive', lambda: add.apply_async(
        (2, 3), eta=ETA.replace(tzinfo=None))
    yield 'expires_seconds', lambda: add.apply_async((2, 3), expires=120)
    yield 'expires_time', lambda: add.apply_async((2, 3), expires=ETA)
    yield 'priority', lambda: add.apply_async((2, 3), priority=6)
    yield 'time_limits', lambda: add.apply_async(
        (2, 3), time_limit=30, soft_time_limit=20)
    yield 'time_limit_float', lambda: add.apply_async((2, 3), time_limit=2.5)
    yield 'headers', lambda: add.apply_async(
        (2, 3), headers={'tenant': 'acme', 'attempt': 7,
                         'nested': {'a': [1, None]}})
    yield 'shadow', lambda: add.apply_async((2, 3), shadow='adding')
    yield 'ignore_result', lambda: add.apply_async((2, 3), ignore_result=True)
    yield 'link', lambda: add.apply_async((2, 3), link=add.s(10))
    yield 'links_and_errbacks', lambda: add.apply_async(
        (2, 3), link=[add.s(1), add.s(2)], link_error=[echo.s('failed')])
    yield 'chain', lambda: chain(add.s(1, 2), add.s(3), echo.si('end'))()
    yield 'chord', lambda: chord([add.s(1, 1), add.s(2, 2)], echo.s())()
    yield 'group', lambda: group(add.s(1, 1), add.s(2, 2))()
    yield 'child', lambda: add.apply_async(
        (2, 3), root_id='root-1', parent_id='parent-1')
    yield 'custom_id', lambda: add.apply_async((2, 3), task_id='order:42/ä')
    yield 'unicode', lambda: echo.delay(
        'Zellerie – ☘ 𝄞', 'tab\there', 'quote\'s "both"', '\x00\x7f')
    yield 'not_a_number', lambda: echo.delay(
        float('nan'), float('inf'), [-float('inf')], 'NaN in text')
    yield 'numbers', lambda: echo.delay(
        0.1, 1e-7, 1e16, 123456789.123, 5e-324, -0.0, 8.0, 2 ** 63, 2 ** 64,
        -2 ** 63, 10 ** 30, 0.1 + 0.2)
    yield 'nested', lambda: echo.delay(nested(60))
    yield 'datetime_args', lambda: echo.delay(
        ETA, ETA.replace(tzinfo=None), ETA.date(), uuid.UUID(int=7))
    yield 'long_repr', lambda: echo.delay('x' * 2000, list(range(1000)))
    yield 'persistent_off', lambda: add.apply_async((2, 3), delivery_mode=1)
    yield 'reply_to', lambda: add.apply_async((2, 3), reply_to='replies')
    yield 'exchange', lambda: add.apply_async(
        (2, 3), queue=Queue('orders', Exchange('orders', 'topic'),
                            routing_key='orders.new'))
    yield 'map', lambda: echo.map([[1, 2], [3, 4]]).apply_async()


def protocol1():
    app.conf.task_protocol = 1
    app.amqp.__dict__.pop('create_task_message', None)
    yield 'v1_plain', lambda: add.delay(2, 3)
    yield 'v1_kwargs', lambda: add.apply_async(
        kwargs={'x': 2, 'y': 3}, headers={'tenant': 'acme'})
    yield 'v1_eta', lambda: add.apply_async(
        (2, 3), eta=ETA, expires=ETA, time_limit=30, soft_time_limit=20,
        priority=3)
    yield 'v1_links', lambda: add.apply_async(
        (2, 3), link=add.s(10), link_error=echo.s('failed'))
    yield 'v1_group', lambda: add.apply_async(
        (2, 3), group_id='group-1', group_index=1)


def scrub_text(text):
    return re.sub(r'gen\d+@[^"\\]+', 'gen123@example', text)


def scrub(entry):
    """`entry` without host names, in its body too."""
    envelope = json.loads(entry)
    body = base64.b64decode(envelope['body']).decode()
    clean = base64.b64encode(scrub_text(body).encode()).decode()
    return scrub_text(entry.decode()).replace(envelope['body'], clean)


def store(name, entry):
    (VECTORS / f'{name}.json').write_text(scrub(entry))


def capture(client, name, publish):
    client.flushall()
    publish()
    keys = [k for k in client.keys() if client.type(k) == b'list']
    if not keys:
        raise SystemExit(f'{name}: nothing was published')
    entries = [e for k in sorted(keys) for e in client.lrange(k, 0, -1)[::-1]]
    for i, entry in enumerate(entries):
        store(name if len(entries) == 1 else f'{name}_{i + 1}', entry)


def capture_redelivered(client):
    client.flushall()
    add.delay(2, 3)
    with app.connection_for_read() as connection:
        queue = connection.SimpleQueue('celery')
        queue.get(timeout=5).requeue()
        queue.close()
    store('redelivered', client.lrange('celery', 0, -1)[0])


def capture_retry(client):
    # Without expires: Celery 5.2.6 cannot retry a message that has one.
    client.flushall()
    flaky.apply_async((1, 'two'), {'three': 3}, headers={'tenant': 'acme'},
                      link=add.s(10), priority=6,
                      time_limit=30, soft_time_limit=20)
    worker = subprocess.Popen(
        [sys.executable, __file__, str(PORT), '--worker'],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            for key in client.keys('captured*'):
                if client.type(key) == b'list':
                    store('retry', client.lrange(key, 0, -1)[0])
                    return
            time.sleep(0.1)
        raise SystemExit('retry: the worker published nothing')
    finally:
        worker.terminate()
        worker.wait()


def main():
    if '--worker' in sys.argv:
        app.worker_main(['worker', '-P', 'solo', '-l', 'warning',
                         '--without-mingle', '--without-gossip'])
        return
    if not PORT:
        raise SystemExit(__doc__)
    server = subprocess.Popen(
        ['redis-server', '--bind', '127.0.0.1', '--port', str(PORT),
         '--save', '', '--appendonly', 'no'], stdout=subprocess.DEVNULL)
    try:
        client = redis.Redis(port=PORT)
        for _ in range(100):
            try:
                client.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.05)
        if server.poll() is not None:
            raise SystemExit(f'no server: is port {PORT} in use?')
        VECTORS.mkdir(exist_ok=True)
        for old in VECTORS.glob('*.json'):
            old.unlink()
        seed_ids()
        for name, publish in messages():
            capture(client, name, publish)
        capture_redelivered(client)
        capture_retry(client)
        for name, publish in protocol1():
            capture(client, name, publish)
    finally:
        server.terminate()
        server.wait()


if __name__ == '__main__':
    main()
