"""deploy/systemd: systemd reads the units, and the worker their options."""

import shlex
import shutil
import subprocess

import pytest

from harness.workers import REPOSITORY, umbel_binary
from test_command_line import run

UNITS = REPOSITORY / "deploy" / "systemd"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_systemd_accepts_the_unit(tmp_path):
    unit = tmp_path / "umbel-worker@.service"
    text = (UNITS / "worker@.service").read_text()
    unit.write_text(text.replace("/usr/local/bin/umbel", umbel_binary()))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_systemd_accepts_the_beat(tmp_path):
    unit = tmp_path / "umbel-beat.service"
    text = (UNITS / "beat.service").read_text()
    unit.write_text(text.replace("/usr/local/bin/umbel", umbel_binary()))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr


def environment_file() -> dict[str, str]:
    lines = (UNITS / "umbel.default").read_text().splitlines()
    return dict(
        shlex.split(line)[0].split("=", 1)
        for line in lines
        if line and not line.startswith("#")
    )


def test_the_worker_accepts_the_command():
    text = (UNITS / "worker@.service").read_text()
    command = next(x for x in text.splitlines() if x.startswith("ExecStart="))
    variables = environment_file()
    words = command.removeprefix("ExecStart=").replace("%i", "w1").replace("%%", "%")
    words = words.replace("$UMBELD_OPTS", variables["UMBELD_OPTS"]).split()
    assert words[0].endswith("/umbel")
    # A library that is not there is the first thing that it looks for.
    env = {**variables, "CELERY_APP": "no_such_library"}
    done = run(*words[1:], env=env)
    assert done.returncode == 1 and "no_such_library" in done.stderr
