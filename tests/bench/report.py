"""The table: what was measured, in words, numbers and ratios."""

import platform
import re
import subprocess
from pathlib import Path
from typing import Any

import celery
import kombu
import redis


def surroundings() -> dict[str, str]:
    """The machine and the versions that the numbers belong to."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", cpuinfo)
    server = subprocess.run(
        ["redis-server", "--version"], capture_output=True, text=True, check=True
    ).stdout
    return {
        "processor": model.group(1) if model else platform.machine(),
        "cores": str(cpuinfo.count("processor\t")),
        "kernel": platform.release(),
        "redis": re.search(r"v=(\S+)", server).group(1),
        "celery": celery.__version__,
        "kombu": kombu.__version__,
        "redis-py": redis.__version__,
        "python": platform.python_version(),
    }


#: What the ratios should reach: (name, how to read it, bound). Ratios that are
#: not listed are shown without a goal.
GOALS: dict[str, tuple[str, float]] = {
    "umbel prefork / celery prefork": (">=", 30),
    "umbel prefork / floor": (">=", 0.35),
    "umbel threads / floor": (">=", 0.45),
    "umbel prefork, delayed / loopback": (">=", 0.7),
    "umbel threads, delayed / loopback": (">=", 0.7),
    "latency p50 of a bare client, umbel prefork / celery prefork": ("<=", 1 / 3),
    "memory of the parent, MiB": ("<=", 30),
    "memory of a child, MiB": ("<=", 12),
    "start to ready, s": ("<=", 0.3),
    "recycling, tasks of 1 ms, % of throughput": (">=", 90),
    "crash to successor's first task, p50, ms": ("<=", 20),
    "crash to successor's first task, p99, ms": ("<=", 20),
    "idle CPU, % of a core": ("<=", 0.5),
    "due tasks late, p99, ms": ("<=", 100),
    "memory of the parent while a crowd waits, MiB": ("<=", 30),
    "latency p50 while a crowd waits / before": ("<=", 1.5),
    "calls sent, umbel's pipeline / celery": (">=", 60),
    "calls sent, umbel's pipeline / bare LPUSH": (">=", 0.6),
    "rabbitmq, drained, umbel prefork / celery prefork": (">=", 6),
    "sqlite, drained a second, umbel prefork": (">=", 10_000),
    "sqlite, drained, umbel prefork / floor": (">=", 0.5),
}


def _goal(name: str, value: float) -> str:
    bare = re.sub(r" \((ignored|results)\)$", "", name)
    if bare not in GOALS:
        return ""
    sense, bound = GOALS[bare]
    met = value >= bound if sense == ">=" else value <= bound
    return f"{sense} {bound:.3g}  {'met' if met else 'NOT MET'}"


def ratios(found: dict[str, Any]) -> dict[str, float]:
    """All comparisons that the measured numbers allow."""
    result: dict[str, float] = {}
    rates = found.get("throughput", {})

    def rate(who: str, where: str, mode: str) -> float | None:
        return rates.get(who, {}).get(f"{where} {mode}")

    def compare(name: str, a: float | None, b: float | None) -> None:
        if a and b:
            result[name] = a / b

    for mode in ("ignored", "results"):
        for a, b in [
            ("umbel prefork", "celery prefork"),
            ("umbel threads", "celery prefork"),
            ("umbel prefork", "floor"),
            ("umbel threads", "floor"),
        ]:
            compare(
                f"{a} / {b} ({mode})", rate(a, "loopback", mode), rate(b, "loopback", mode)
            )
    for who in rates:
        for mode in ("ignored", "results"):
            compare(
                f"{who}, delayed / loopback ({mode})",
                rate(who, "delayed", mode),
                rate(who, "loopback", mode),
            )
    latency = found.get("latency", {})
    for kind, client in (("p50", "the stock client"), ("bare p50", "a bare client")):
        p50 = {who: x[kind] for who, x in latency.items()}
        for who in ("ideal", "umbel prefork", "umbel threads"):
            compare(
                f"latency p50 of {client}, {who} / celery prefork",
                p50.get(who),
                p50.get("celery prefork"),
            )
    umbel = "umbel prefork"
    if memory := found.get("memory", {}).get(umbel):
        result["memory of the parent, MiB"] = memory["parent"]
        result["memory of a child, MiB"] = memory["child"]
    if recycling := found.get("recycling", {}).get(umbel):
        result["recycling, tasks of nothing, % of throughput"] = recycling["nothing"]
        result["recycling, tasks of 1 ms, % of throughput"] = recycling["1 ms"]
    if crash := found.get("crash", {}).get(umbel):
        result["crash to successor's first task, p50, ms"] = crash["p50"]
        result["crash to successor's first task, p99, ms"] = crash["p99"]
    if start := found.get("startup", {}).get(umbel):
        result["start to ready, s"] = start["ready"]
    if idle := found.get("idle", {}).get(umbel):
        result["idle CPU, % of a core"] = idle["cpu"]
    if eta := found.get("eta", {}).get(umbel):
        result["due tasks late, p99, ms"] = eta["p99"]
    if crowd := found.get("crowd", {}).get(umbel):
        result["memory of the parent while a crowd waits, MiB"] = crowd["parent"]
        result["latency p50 while a crowd waits / before"] = (
            crowd["p50"] / crowd["p50 before"]
        )
    if sent := found.get("sending"):
        mine = sent["umbel"]["pipelined"]
        compare("calls sent, umbel's pipeline / celery", mine, sent["celery"]["waiting"])
        compare("calls sent, umbel's pipeline / bare LPUSH", mine, sent["bare LPUSH"]["pipelined"])
    if took := found.get("workflows"):
        for what in ("chord", "chain"):
            compare(f"{what}, time, celery / umbel", took["celery"][what], took["umbel"][what])
    for broker in ("rabbitmq", "sqlite", "sqla"):
        rows = found.get(broker, {})
        for what in ("drained", "published"):
            mine = rows.get(umbel, {}).get(what)
            if mine:
                result[f"{broker}, {what} a second, {umbel}"] = mine
            for other in ("celery prefork", "floor"):
                name = f"{broker}, {what}, {umbel} / {other}"
                compare(name, mine, rows.get(other, {}).get(what))
    return result


def _rows(title: str, columns: list[str], rows: dict[str, list[str]]) -> list[str]:
    lines = ["", f"{title:<32}" + "".join(f"{c:>20}" for c in columns)]
    for name, cells in rows.items():
        lines.append(f"  {name:<30}" + "".join(f"{c:>20}" for c in cells))
    return lines


def _section(
    found: dict, title: str, columns: dict[str, str], format: str
) -> list[str]:
    """One table; `columns` maps headings to keys of the inner dictionaries."""
    rows = {
        who: [f"{x[k]:{format}}" if k in x else "-" for k in columns.values()]
        for who, x in found.items()
    }
    return _rows(title, list(columns), rows) if rows else []


def text(found: dict[str, Any]) -> str:
    """The whole report."""
    lines = [", ".join(f"{k} {v}" for k, v in found["surroundings"].items())]
    lines += [f"{k}: {v}" for k, v in found["conditions"].items()]
    lines += _section(
        found.get("throughput", {}),
        "tasks per second",
        {
            "results ignored": "loopback ignored",
            "with results": "loopback results",
            "+1 ms, ignored": "delayed ignored",
            "+1 ms, results": "delayed results",
        },
        ",.0f",
    )
    lines += _section(
        found.get("coroutines", {}),
        "coroutines",
        {
            "short, tasks/s": "rate",
            "s until all sleep": "asleep",
            "s beyond one sleep": "over",
            "KiB for each": "each",
        },
        ",.2f",
    )
    lines += _section(
        found.get("latency", {}),
        "one task at a time, ms",
        {
            "p50": "p50",
            "p99": "p99",
            "bare client, p50": "bare p50",
            "bare client, p99": "bare p99",
        },
        ".3f",
    )
    lines += _section(
        found.get("memory", {}),
        "resident memory, MiB",
        {"parent": "parent", "parent's peak": "parent peak", "a child": "child"},
        ".1f",
    )
    lines += _section(
        found.get("recycling", {}),
        "children replaced every 100 tasks, %",
        {"tasks of nothing": "nothing", "tasks of 1 ms": "1 ms", "CPU each, ms": "cpu"},
        ".1f",
    )
    lines += _section(
        found.get("crash", {}),
        "crash to successor's task, ms",
        {"p50": "p50", "p99": "p99"},
        ".1f",
    )
    lines += _section(
        found.get("startup", {}),
        "start-up, s",
        {"ready": "ready", "first result": "first result"},
        ".3f",
    )
    lines += _section(
        found.get("idle", {}),
        "idle",
        {"% of one core": "cpu", "commands/s": "commands"},
        ".3f",
    )
    lines += _section(
        found.get("eta", {}),
        "late, tasks with an eta, ms",
        {"p50": "p50", "p99": "p99", "max": "max"},
        ".1f",
    )
    lines += _section(
        found.get("crowd", {}),
        "a crowd waits",
        {
            "MiB before": "parent before",
            "MiB": "parent",
            "MiB peak": "parent peak",
            "put away/s": "put away",
            "p50 before, ms": "p50 before",
            "p50, ms": "p50",
        },
        ",.1f",
    )
    lines += _section(
        found.get("sending", {}),
        "calls sent a second",
        {"pipelined": "pipelined", "each waits": "waiting"},
        ",.0f",
    )
    lines += _section(
        found.get("workflows", {}),
        "workflows, s",
        {"chord": "chord", "chain": "chain"},
        ".2f",
    )
    for broker in ("rabbitmq", "sqlite", "sqla"):
        lines += _section(
            found.get(broker, {}),
            f"{broker}, a second",
            {"drained": "drained", "published": "published"},
            ",.0f",
        )
    compared = ratios(found)
    if compared:
        lines += ["", f"{'compared':<66}{'':>10}  goal"]
        for name, value in compared.items():
            lines.append(f"  {name:<64}{value:>10.3f}  {_goal(name, value)}".rstrip())
    return "\n".join(lines)
