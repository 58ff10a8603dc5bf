"""A private redis-server on a free loopback port or a unix socket."""

import subprocess
from pathlib import Path
from urllib.parse import quote

import redis

from harness.ports import free_port
from harness.waiting import eventually


class RedisServer:
    """Started by `start`, ended by `stop`; `kill` and `start` again for a restart.

    With `unix_socket` it listens there alone. `password` is the default user's;
    `acl_user` is a further user with the same password. `address` is listened on
    besides the loopback.
    """

    def __init__(
        self,
        directory: Path,
        *,
        password: str = "",
        acl_user: str = "",
        unix_socket: bool = False,
        appendonly: bool = False,
        address: str = "",
    ):
        self.directory = directory
        self.password = password
        self.acl_user = acl_user
        self.appendonly = appendonly
        self.address = address
        self.socket_path = str(directory / "redis.sock") if unix_socket else ""
        self.port = 0 if unix_socket else free_port()
        self.process: subprocess.Popen | None = None

    def start(self) -> "RedisServer":
        argv = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1"]
        argv += [self.address, "--protected-mode", "no"] if self.address else []
        argv += ["--save", "", "--dir", str(self.directory)]
        argv += ["--appendonly", "yes" if self.appendonly else "no"]
        argv += ["--appendfsync", "always"] if self.appendonly else []
        argv += ["--logfile", str(self.directory / "redis.log")]
        if self.socket_path:
            argv += ["--unixsocket", self.socket_path]
        if self.password:
            argv += ["--requirepass", self.password]
        self.process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        eventually(self._answers, what="redis-server answers")
        if self.acl_user:
            self.client().acl_setuser(
                self.acl_user,
                enabled=True,
                passwords=[f"+{self.password}"],
                keys=["*"],
                channels=["*"],
                categories=["+@all"],
            )
        return self

    def _answers(self) -> bool:
        assert self.process and self.process.poll() is None, (
            f"redis-server did not start, see {self.directory}/redis.log"
        )
        try:
            return bool(self.client().ping())
        except redis.ConnectionError:
            return False

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait(60)
            self.process = None

    def url(self, db: int = 0, port: int = 0) -> str:
        """The URL as Celery spells it; `port` is for a proxy before this."""
        user, password = quote(self.acl_user, ""), quote(self.password, "")
        login = f"{user}:{password}@" if password else ""
        if self.socket_path:
            return f"redis+socket://{login}{self.socket_path}?virtual_host={db}"
        return f"redis://{login}127.0.0.1:{port or self.port}/{db}"

    def client(self, db: int = 0, **options) -> redis.Redis:
        """A connection as the default user."""
        if self.socket_path:
            options["unix_socket_path"] = self.socket_path
        else:
            options.update(host="127.0.0.1", port=self.port)
        return redis.Redis(
            db=db, password=self.password or None, decode_responses=True, **options
        )
