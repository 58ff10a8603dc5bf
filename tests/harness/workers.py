"""Worker processes: Umbel's and Celery's, driven alike."""

import json
import os
import re
import signal
import socket
import subprocess
from collections import Counter
from pathlib import Path
from typing import Sequence

import redis
from celery import Celery

from harness.waiting import eventually

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHON = "/usr/bin/python3"  # the one that has Debian's python3-celery


def build_dir() -> Path:
    """Where the binaries under test are: UMBEL_BUILD_DIR or <repository>/build."""
    return Path(os.environ.get("UMBEL_BUILD_DIR") or REPOSITORY / "build").resolve()


def umbel_binary(name: str = "umbel") -> str:
    path = build_dir() / "apps" / name
    assert path.exists(), f"{path} is not built (UMBEL_BUILD_DIR names the build)"
    return str(path)


def proc(pid: int, name: str) -> str:
    """What is in /proc/<pid>/<name>; empty for a process, or thread, that is gone."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def resident(pid: int) -> float:
    """Resident memory in MiB; 0 for a process that is gone."""
    found = re.search(r"VmRSS:\s+(\d+)", proc(pid, "status"))
    return int(found.group(1)) / 1024 if found else 0.0


def name_of(pid: int) -> str:
    """As `ps -o comm` shows it; empty for a process that is gone."""
    return proc(pid, "comm").strip()


def state_of(pid: int) -> tuple[str, int]:
    """One letter, and the parent's pid."""
    fields = proc(pid, "stat").rpartition(")")[2].split()
    return (fields[0], int(fields[1])) if fields else ("gone", 0)


def has_ended(pid: int) -> bool:
    """Whether or not somebody has asked what became of it."""
    return state_of(pid)[0] in ("gone", "X", "Z")


def direct_children(pid: int) -> list[int]:
    """Oldest first."""
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except (FileNotFoundError, ProcessLookupError):
        return []
    found = (proc(pid, f"task/{task}/children") for task in tasks)
    return sorted(int(x) for text in found for x in text.split())


class Worker:
    """One worker in a process group of its own, its output in a file."""

    kind = "?"

    def __init__(self, argv: list[str], log: Path, env: dict[str, str]):
        self.argv = argv
        self.log_path = log
        with open(log, "wb") as out:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **env},
                cwd=Path(__file__).resolve().parents[1],
                start_new_session=True,
            )

    # -- looking ---------------------------------------------------------------

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def running(self) -> bool:
        return self.process.poll() is None

    def children(self) -> list[int]:
        """Pids of the direct children that run tasks, oldest first."""
        return [x for x in direct_children(self.pid) if name_of(x) != "fork server"]

    def fork_server(self) -> int | None:
        """Pid of the process that children are forked from."""
        for pid in direct_children(self.pid):
            if name_of(pid) == "fork server":
                return pid
        return None

    def group_alive(self) -> bool:
        """Whether any process of the worker is left."""
        try:
            os.killpg(self.pid, 0)
            return True
        except ProcessLookupError:
            return False

    def tcp_addresses(self) -> set[str]:
        """The worker's TCP connections as `CLIENT LIST` names them."""
        fds = Path(f"/proc/{self.pid}/fd")
        links = set()
        for fd in fds.iterdir():
            try:
                links.add(os.readlink(fd))
            except FileNotFoundError:
                continue
        found = set()
        for line in Path(f"/proc/{self.pid}/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if f"socket:[{fields[9]}]" in links:
                host, port = fields[1].split(":")
                host = socket.inet_ntoa(bytes.fromhex(host)[::-1])
                found.add(f"{host}:{int(port, 16)}")
        return found

    # -- waiting ---------------------------------------------------------------

    def wait_for_log(self, pattern: str, timeout: float = 60) -> re.Match:
        """Waits for a line of output; fails at once if the worker ends."""

        def seen():
            found = re.search(pattern, self.log, re.MULTILINE)
            if not found and not self.running():
                found = re.search(pattern, self.log, re.MULTILINE)
                assert found, (
                    f"worker ended with {self.process.returncode} before "
                    f"/{pattern}/:\n{self.log}"
                )
            return found

        return eventually(seen, timeout, f"/{pattern}/ in {self.log_path}")

    def wait_ready(self) -> "Worker":
        self.wait_for_log(r"\S+@\S+ ready")
        return self

    def wait_exit(self, timeout: float = 60) -> int:
        eventually(lambda: not self.running(), timeout, f"exit of {self.argv[0]}")
        return self.process.returncode

    # -- ending ----------------------------------------------------------------

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self, timeout: float = 60) -> None:
        """Warm shutdown: SIGTERM, exit status 0, and no process left behind."""
        self.signal(signal.SIGTERM)
        status = self.wait_exit(timeout)
        assert status == 0, f"exit status {status} after SIGTERM:\n{self.log}"
        eventually(lambda: not self.group_alive(), what="no process left behind")

    def kill(self) -> None:
        """kill -9 of the worker; its children must go by themselves."""
        self.process.kill()
        self.process.wait(60)
        eventually(lambda: not self.group_alive(), what="children died as well")

    def cut_connections(self, server: redis.Redis) -> int:
        """CLIENT KILL of every connection that the worker has."""
        mine = self.tcp_addresses()
        clients = [c for c in server.client_list() if c["addr"] in mine]
        for client in clients:
            try:
                server.client_kill(client["addr"])
            except redis.ResponseError:
                pass  # closed by itself in the meantime
        return len(clients)

    def clean_up(self) -> None:
        """Whatever the state, leaves nothing behind."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(60)


def runs(*workers: Worker) -> Counter:
    """How often each task was run to its end, by the workers' logs."""
    return Counter(
        task_id
        for x in workers
        for task_id in re.findall(r"Task \S+\[(\S+)\] succeeded", x.log)
    )


class UmbelWorker(Worker):
    kind = "umbel"

    def __init__(
        self,
        *args: str,
        log: Path,
        broker: str,
        backend: str = "",
        config: dict | None = None,
        app: str = "tasks",
        loglevel: str = "info",
        env: dict[str, str] | None = None,
        prefix: Sequence[str] = (),
    ):
        argv = [*prefix, umbel_binary(), "worker", *(["-A", app] if app else [])]
        argv += ["-b", broker, "-l", loglevel]
        if backend:
            argv += ["--result-backend", backend]
        if config:
            path = log.with_suffix(".json")
            path.write_text(json.dumps(config))
            argv += ["--config", str(path)]
        super().__init__([*argv, *args], log, env or {})


class PythonWorker(Worker):
    kind = "python"

    #: Tests do not wait a second for neighbours that are not there, unless they
    #: are about them (neighbours=True).
    alone = ["--without-mingle", "--without-gossip"]

    def __init__(
        self,
        *args: str,
        log: Path,
        broker: str,
        backend: str = "",
        config: dict | None = None,
        loglevel: str = "info",
        env: dict[str, str] | None = None,
        neighbours: bool = False,
    ):
        argv = [PYTHON, "-m", "celery", "-A", "harness.celery_tasks", "worker"]
        argv += ["-l", loglevel, *([] if neighbours else self.alone)]
        settings = {"broker": broker, "backend": backend, **(config or {})}
        env = {
            "HARNESS_SETTINGS": json.dumps(settings),
            "C_FORCE_ROOT": "1",
            **(env or {}),
        }
        super().__init__([*argv, *args], log, env)
        self.broker, self.config = broker, config or {}

    def wait_ready(self) -> "PythonWorker":
        """Celery's says that it is ready before it hears anything that is broadcast."""
        node = self.wait_for_log(r"(\S+@\S+) ready")[1]
        if self.broker.startswith(("redis:", "amqp:")):
            with Celery(broker=self.broker, set_as_current=False) as app:
                app.conf.update(self.config)
                eventually(
                    lambda: app.control.ping([node], timeout=1), what=f"{node} hears"
                )
        return self

    def stop(self, timeout: float = 5) -> None:
        """Warm shutdown; Celery 5.2 now and then hangs in it for ever."""
        self.signal(signal.SIGTERM)
        try:
            self.wait_exit(timeout)
        except AssertionError:
            self.kill()

    def kill(self) -> None:
        """kill -9 of the whole group: Celery's children outlive their parent."""
        os.killpg(self.pid, signal.SIGKILL)
        self.process.wait(60)
