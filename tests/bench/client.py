"""The client: how many tasks a second it sends, and how long large workflows take,
beside Celery's client, and workers, in the same run."""

import time

from celery import chain, chord

from brokers import run
from harness.messages import template
from measure import ARGS, TASK, Bench, helper


def sending(bench: Bench, count: int) -> dict[str, dict[str, float]]:
    """Messages a second, by one thread; nobody consumes them."""
    file = bench.directory / "payload"
    file.write_text(template(bench.app, TASK, ARGS))

    def rate(what: str, n: int, *more: object) -> float:
        bench.client.flushall()
        took = run(helper("client"), bench.server.url(), what, n, *more)
        assert bench.client.llen("celery") == n
        return n / took

    def celery(n: int) -> float:
        bench.client.flushall()
        task = bench.app.tasks[TASK]
        task.delay(*ARGS)
        begin = time.perf_counter()
        for _ in range(n):
            task.delay(*ARGS)
        return n / (time.perf_counter() - begin)

    return {
        "umbel": {"pipelined": rate("calls", count), "waiting": rate("single", count // 20)},
        "bare LPUSH": {"pipelined": rate("floor", count, file)},
        "celery": {"waiting": celery(max(200, count // 200))},
    }


def workflows(bench: Bench, parts: int, steps: int) -> dict[str, dict[str, float]]:
    """Seconds from the first message to the last result, with two children each."""
    found: dict[str, dict[str, float]] = {}
    bench.client.flushall()
    with bench.worker("umbel prefork"):
        bench.call()
        url = bench.server.url()
        found["umbel"] = {
            "chord": run(helper("client"), url, "chord", parts),
            "chain": run(helper("client"), url, "chain", steps),
        }
    bench.client.flushall()
    with bench.worker("celery prefork"):
        bench.call()
        add, xsum = bench.app.tasks["tasks.add"], bench.app.tasks["tasks.xsum"]
        begin = time.perf_counter()
        total = chord((add.s(i, 1) for i in range(parts)), xsum.s())().get(timeout=600)
        assert total == parts * (parts + 1) // 2
        found["celery"] = {"chord": time.perf_counter() - begin}
        begin = time.perf_counter()
        last = chain(add.s(0, 1), *(add.s(1) for _ in range(steps - 1)))()
        assert bench.app.AsyncResult(last.id).get(timeout=600) == steps
        found["celery"]["chain"] = time.perf_counter() - begin
    return found
