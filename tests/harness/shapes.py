"""Workflows as data: what they are made of, and what they give.

A tree is written as JSON, so that clients in any language can build the same:

    {"task": "tasks.add", "args": [1, 1]}    and "immutable"
    {"chain": [tree, ...]}    {"group": [tree, ...]}    {"chord": [[tree, ...], body]}
    {"map": [task, items]}    {"starmap": [task, items]}    {"chunks": [task, items, n]}

What a shape gives is computed here from what comes before it; an exception that it
throws is a `Failure`.
"""

import itertools
from dataclasses import dataclass
from typing import Any, Callable

from celery import chain, chord, group

from harness.celery_tasks import make_app

app = make_app("memory://", "cache+memory://")


class Failure(Exception):
    """How a task ends that fails: the exception's type."""


def build(tree: dict):
    """The signature, made with Celery's own functions."""
    if "task" in tree:
        signature = app.tasks[tree["task"]].s(*tree["args"])
        return signature.set(immutable=tree.get("immutable", False))
    ((kind, of),) = tree.items()
    match kind:
        case "chain":
            return chain(*(build(x) for x in of))
        case "group":
            return group([build(x) for x in of])
        case "chord":
            return chord([build(x) for x in of[0]], build(of[1]))
        case "map":
            return app.tasks[of[0]].map(of[1])
        case "starmap":
            return app.tasks[of[0]].starmap(of[1])
        case "chunks":
            return app.tasks[of[0]].chunks(of[1], of[2]).group()
    raise ValueError(kind)


@dataclass
class Shape:
    name: str
    tree: dict
    value: Callable[..., Any]

    def make(self):
        return build(self.tree)

    def outcome(self):
        """What it gives, or the type of the exception that it ends with."""
        try:
            return self.value()
        except Failure as e:
            return str(e)


def task(name: str, tree_name: str, *args, value) -> Shape:
    return Shape(name, {"task": f"tasks.{tree_name}", "args": list(args)}, value)


def start(n: int) -> Shape:
    return task(f"{n}+1", "add", n, 1, value=lambda: n + 1)


def failing(*_):
    raise Failure("ValueError")


def mistyped(*_):
    raise Failure("TypeError")


PLUS = task("+10", "add", 10, value=lambda x: x + 10)
TIMES = task("*3", "mul", 3, value=lambda x: x * 3)
SUM = task("sum", "xsum", value=sum)
ECHO = task("echo", "echo", value=lambda x: x)
#: Throws a ValueError, whatever comes before it.
FAIL = Shape("fail", {"task": "tasks.fail", "args": ["no"], "immutable": True}, failing)
MISUSE = task("+'x'", "add", "x", value=mistyped)  #: throws a TypeError


def chain_of(*steps: Shape) -> Shape:
    def value(*first):
        for i, step in enumerate(steps):
            try:
                first = (step.value(*first),)
            except Failure as e:
                # With something after it, it is the header of a chord.
                if "group" in step.tree and i + 1 < len(steps):
                    raise Failure("ChordError") from e
                raise
        return first[0]

    name = " | ".join(x.name for x in steps)
    return Shape(f"({name})", {"chain": [x.tree for x in steps]}, value)


def group_of(*tasks: Shape) -> Shape:
    name = ", ".join(x.name for x in tasks)
    return Shape(
        f"[{name}]",
        {"group": [x.tree for x in tasks]},
        lambda *first: [x.value(*first) for x in tasks],
    )


def chord_of(header: list[Shape], body: Shape) -> Shape:
    def value(*first):
        try:
            results = [x.value(*first) for x in header]
        except Failure as e:
            raise Failure("ChordError") from e
        return body.value(results)

    name = ", ".join(x.name for x in header)
    return Shape(f"chord([{name}], {body.name})", {"chord": [[x.tree for x in header], body.tree]}, value)


MAP = Shape("map", {"map": ["tasks.xsum", [[1, 2], [3]]]}, lambda *_: [3, 3])
STARMAP = Shape("starmap", {"starmap": ["tasks.add", [[1, 2], [3, 4]]]}, lambda *_: [3, 7])
CHUNKS = Shape(
    "chunks",
    {"chunks": ["tasks.add", [[1, 2], [3, 4], [5, 6]], 2]},
    lambda *_: [[3, 7], [11]],
)

#: From a number to a number, of every kind.
NUMBERS = [
    PLUS,
    chain_of(PLUS, TIMES),
    chord_of([PLUS, TIMES], SUM),
    chain_of(group_of(PLUS, TIMES), SUM, TIMES),
    chord_of([chain_of(PLUS, TIMES), TIMES], chain_of(SUM, PLUS)),
]
#: From a number to a list.
LISTS = [
    group_of(PLUS, TIMES),
    group_of(chain_of(PLUS, TIMES), TIMES),
    chain_of(TIMES, group_of(PLUS, PLUS)),
]


def table() -> list[Shape]:
    shapes = [start(2), MAP, STARMAP, CHUNKS, chain_of(MAP, SUM), chain_of(STARMAP, SUM)]
    for x, y in itertools.product(NUMBERS, NUMBERS):
        shapes.append(chain_of(start(1), x, y))
    for x, y in itertools.combinations_with_replacement(NUMBERS, 2):
        shapes.append(group_of(chain_of(start(1), x), chain_of(start(2), y)))
        shapes.append(chord_of([chain_of(start(1), x), chain_of(start(2), y)], SUM))
    for x in NUMBERS:
        shapes.append(chord_of([start(1), start(2)], chain_of(SUM, x)))
        shapes.append(chain_of(start(1), group_of(x, x, PLUS), SUM))
        shapes.append(chord_of([start(1), MAP, STARMAP, chain_of(start(1), x)], ECHO))
        shapes.append(group_of(start(1), STARMAP, chain_of(start(1), x)))
    for x in LISTS:
        shapes.append(chain_of(start(1), x))
        shapes.append(chain_of(start(1), x, SUM))
        shapes.append(chain_of(start(1), x, SUM, x))
        shapes.append(chord_of([start(1), start(2)], chain_of(SUM, x)))
        shapes.append(chord_of([start(1), chain_of(start(2), x)], ECHO))
    return shapes


def failures() -> list[Shape]:
    """Where one task of a workflow fails: at its beginning, within, and at its end."""
    shapes = [FAIL, chain_of(start(1), FAIL), chain_of(start(1), MISUSE)]
    for x in NUMBERS:
        shapes.append(chain_of(FAIL, x))
        shapes.append(chain_of(start(1), FAIL, x))
        shapes.append(chain_of(start(1), x, MISUSE))
        shapes.append(chord_of([chain_of(start(1), x), FAIL], SUM))
        shapes.append(chord_of([start(1), start(2)], chain_of(SUM, MISUSE, x)))
        shapes.append(group_of(start(1), chain_of(start(1), x, FAIL)))
        shapes.append(chain_of(start(1), group_of(x, MISUSE), SUM))
    return shapes


SHAPES = table()
FAILURES = failures()
