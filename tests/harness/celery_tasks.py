"""The example tasks in Python: the client's view of them, and what a Python
worker runs. Same names and behaviour as the C++ library `tasks`.

As a module for `celery -A harness.celery_tasks worker` it takes its settings
from the environment variable HARNESS_SETTINGS, a JSON object.
"""

import json
import math
import os
import signal as signals
import time
import urllib.request

from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded, TimeoutError
from celery.result import AsyncResult, allow_join_result
from kombu import Queue
from kombu.common import Broadcast

from harness.sqlite_client import BACKENDS


leaked: list[bytes] = []


class PatientResult(AsyncResult):
    """Looks at the store again and again while it waits. Celery's subscribes on one
    connection and looks on another one: it sleeps through what is stored in between,
    if Redis takes the two together."""

    def get(self, timeout: float | None = None, **options):
        end = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            try:
                return super().get(timeout=min(1, max(left, 0.001)), **options)
            except TimeoutError:
                if self._cache or time.monotonic() >= end:
                    raise  # or the task's own


def make_app(broker: str = "", backend: str = "", **settings) -> Celery:
    """A Celery app that knows the example tasks by name."""
    app = Celery("tasks", broker=broker, backend=backend, set_as_current=False)
    app.loader.override_backends = BACKENDS
    app.conf.update(settings)
    app.AsyncResult = app.subclass_with_self(PatientResult, reverse="AsyncResult")

    @app.task(name="tasks.add")
    def add(x, y):
        return x + y

    @app.task(name="tasks.mul")
    def mul(x, y):
        return x * y

    @app.task(name="tasks.xsum")
    def xsum(numbers):
        return sum(numbers)

    @app.task(name="tasks.noop")
    def noop():
        return None

    @app.task(name="tasks.sleep")
    def sleep(seconds):
        time.sleep(seconds)
        return seconds

    @app.task(name="tasks.asleep")
    def asleep(seconds):
        time.sleep(seconds)
        return seconds

    @app.task(name="tasks.patient_sleep")
    def patient_sleep(seconds):
        try:
            time.sleep(seconds)
        except SoftTimeLimitExceeded:
            return "interrupted"
        return "done"

    @app.task(name="tasks.spin")
    def spin(seconds):
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass

    @app.task(name="tasks.fetch")
    def fetch(url):
        with urllib.request.urlopen(url) as answer:
            return {
                "status": answer.status,
                "type": answer.headers["content-type"],
                "bytes": len(answer.read()),
            }

    @app.task(name="tasks.total")
    def total(n):
        return sum(2 * i for i in range(n))

    @app.task(name="tasks.forward")
    def forward(task, x):
        with allow_join_result():
            return app.send_task(task, [x]).get()

    @app.task(name="tasks.fail")
    def fail(message):
        raise ValueError(message)

    @app.task(name="tasks.flaky", bind=True, max_retries=None)
    def flaky(self, times):
        if self.request.retries < times:
            raise self.retry(countdown=0.1)
        return self.request.retries

    @app.task(name="tasks.replace", bind=True)
    def replace(self, by):
        raise self.replace(app.signature(by))

    @app.task(name="tasks.allocate")
    def allocate(mib):
        return len(b"x" * (mib << 20)) >> 20

    @app.task(name="tasks.leak")
    def leak(mib):
        leaked.append(b"x" * (mib << 20))

    @app.task(name="tasks.crash")
    def crash(signal):
        os.kill(os.getpid(), signals.Signals(signal))

    @app.task(name="tasks.progress", bind=True)
    def progress(self, steps, pause=0.1):
        for i in range(steps):
            self.update_state(
                state="PROGRESS", meta={"current": i + 1, "total": steps}
            )
            time.sleep(pause)
        return steps

    @app.task(name="tasks.echo")
    def echo(value):
        return value

    return app


def close_app(app: Celery) -> None:
    """Lets go of the app's connections."""
    # Results that are collected later would unsubscribe from a server that may
    # be gone by then.
    app.backend.remove_pending_result = lambda result: result
    app.close()


if "HARNESS_QUORUM" in os.environ:
    # Quorum queues have no global prefetch count. Celery 5.5 finds out by itself,
    # older ones ask for it from every RabbitMQ.
    from kombu.transport.pyamqp import Transport

    Transport.qos_semantics_matches_spec = lambda self, connection: True

if "HARNESS_SETTINGS" in os.environ:
    settings = json.loads(os.environ["HARNESS_SETTINGS"])
    # Names of kombu's Broadcast queues, which JSON has no word for.
    if broadcast := settings.pop("harness_broadcast", []):
        settings["task_queues"] = [Queue("celery"), *map(Broadcast, broadcast)]
    app = make_app(**settings)
    app.set_current()
