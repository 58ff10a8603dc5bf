"""Beat processes, and the commands that change their schedule."""

import json
import subprocess
from pathlib import Path

from harness.workers import Worker, umbel_binary


class Beat(Worker):
    """`umbel beat` with its entries in a file of settings."""

    kind = "beat"

    def __init__(
        self,
        *args: str,
        log: Path,
        broker: str,
        schedule: str,
        entries: dict | None = None,
        **settings,
    ):
        config = log.with_suffix(".json")
        config.write_text(json.dumps({"beat_schedule": entries or {}, **settings}))
        argv = [umbel_binary(), "beat", "--config", str(config), "-l", "info"]
        super().__init__([*argv, "-b", broker, "-s", schedule, *args], log, {})

    def wait_ready(self) -> "Beat":
        self.wait_for_log(r"beat: (Leads|Stands by)")
        return self


def beat_command(schedule: str, *args: str, status: int = 0) -> str:
    """What `umbel beat <args>` says: standard output, or errors if it has to fail."""
    done = subprocess.run(
        [umbel_binary(), "beat", *args, "-s", schedule],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == status, f"{args}: {done.returncode}\n{done.stderr}"
    return done.stderr if status else done.stdout
