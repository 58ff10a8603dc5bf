"""The Celery clients of npm, installed into the build directory when they are needed."""

import fcntl
import functools
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.waiting import PATIENCE
from harness.workers import REPOSITORY, build_dir

SOURCE = REPOSITORY / "tests" / "system" / "npm"

#: What npm says when it is the network's, or the registry's, fault: all else is ours.
UNREACHABLE = re.compile(
    r"\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH"
    r"|ERR_SOCKET_TIMEOUT|E(?:40[137]|5\d\d))\b"
)


@functools.cache
def installed() -> Path | str:
    """The folder that has the packages of package-lock.json, exactly. It is filled
    once for each lock. @returns a line that says why, where it cannot be filled."""
    npm = shutil.which("npm")
    if not npm or not shutil.which("node"):
        return "npm is not installed, which installs the clients"
    folder = build_dir() / "npm"
    folder.mkdir(exist_ok=True)
    wanted = (SOURCE / "package-lock.json").read_text()
    with open(folder / ".lock", "w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        stamp = folder / "installed"
        if not stamp.exists() or stamp.read_text() != wanted:
            if why := _install(npm, folder):
                return why
            stamp.write_text(wanted)
    return folder


def _install(npm: str, folder: Path) -> str:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(SOURCE / name, folder)
    done = subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier",
         "--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=20000"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120 * PATIENCE,
    )
    if done.returncode != 0 and (why := UNREACHABLE.search(done.stderr)):
        return f"npm's registry cannot be reached: {why[0]}"
    assert done.returncode == 0, done.stderr
    return ""


class NpmClient:
    """A client of one of the packages: a script in tests/system/npm and its input."""

    def __init__(self, script: str, broker: str, backend: str, **more):
        folder = installed()
        if isinstance(folder, str):
            pytest.skip(folder)
        self._folder = folder
        self._script = SOURCE / script
        self._given = {"broker": broker, "backend": backend, **more}

    def call(self, *calls: list) -> list:
        """Sends all at once. @returns what each has come to, in the same order."""
        done = subprocess.run(
            ["node", "--no-deprecation", str(self._script)],
            input=json.dumps({**self._given, "calls": calls}),
            env={"PATH": "/usr/local/bin:/usr/bin:/bin",
                 "NODE_PATH": str(self._folder / "node_modules")},
            capture_output=True,
            text=True,
            timeout=60 * PATIENCE,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
