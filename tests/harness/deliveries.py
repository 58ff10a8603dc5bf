"""What workers had in their hands, by their own logs: which tasks ran twice, and
whether they had to."""

import re
from collections import defaultdict
from datetime import datetime
from itertools import pairwise
from typing import Iterable

#: "[2026-01-31 12:00:00,123: INFO/MainProcess] Task tasks.sleep[<id>] received"
_LINE = re.compile(
    r"^\[(\S+ [\d:,]+): .*\] Task \S+\[(\S+)\] (received|succeeded in )", re.MULTILINE
)

Strike = tuple[float, float]  #: when it began and ended, in seconds since the epoch


class Deliveries:
    """When each task was received, and when its runs have ended."""

    def __init__(self, logs: Iterable[str]):
        self.received: dict[str, list[float]] = defaultdict(list)
        self.ended: dict[str, list[float]] = defaultdict(list)
        for log in logs:
            for stamp, task, what in _LINE.findall(log):
                time = datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S,%f").timestamp()
                (self.received if what == "received" else self.ended)[task].append(time)
        for times in (*self.received.values(), *self.ended.values()):
            times.sort()

    def doubles(self) -> int:
        """Runs that would not have been needed."""
        return sum(len(ends) - 1 for ends in self.ended.values())

    def unexplained(self, strikes: list[Strike], slack: float) -> list[str]:
        """Tasks that have run again although no worker had them in hand when
        something was struck. A worker has a task from when it receives it until
        `slack` seconds after its run has ended: then it is settled."""

        def late(received: float, end: float) -> float:
            """How long after its end the first strike began that it can have met."""
            return min(
                (begin - end for begin, over in strikes if over >= received),
                default=float("inf"),
            )

        return [
            f"{task}: had ended {late(received, end):.3f} s before anything was struck"
            for task, ends in self.ended.items()
            for received, (end, _) in zip(self.received[task], pairwise(ends))
            if late(received, end) > slack
        ]
