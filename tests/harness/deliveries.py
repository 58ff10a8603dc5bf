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

    def unexplained(self, strikes: list[Strike], slack: float) -> dict[Strike, list[str]]:
        """Tasks that have run again although no worker had them in hand when
        something was struck, by the first strike that they can have met. A worker has
        a task from when it receives it until `slack` seconds after its run has ended:
        then it is settled."""
        never = (float("inf"), float("inf"))
        found: dict[Strike, list[str]] = defaultdict(list)
        for task, ends in self.ended.items():
            for received, (end, _) in zip(self.received[task], pairwise(ends)):
                strike = min((x for x in strikes if x[1] >= received), default=never)
                late = strike[0] - end
                if late > slack:
                    found[strike].append(f"{task}: had ended {late:.3f} s before")
        return found
