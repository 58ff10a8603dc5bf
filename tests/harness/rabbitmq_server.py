"""A private rabbitmq-server on free loopback ports."""

import ctypes
import os
import signal
import subprocess
from pathlib import Path

import amqp

from harness.ports import free_port
from harness.waiting import eventually

#: Debian's /usr/sbin/rabbitmq-server insists on the user rabbitmq and on /var.
PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"

_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class RabbitMQServer:
    """Started by `start`, ended by `stop`; `kill` and `start` again for a restart,
    on the same port and with what was durable. It takes about five seconds to
    start, so share one and give each test a virtual host.

    Node name, cookie, epmd and all files are its own, and no name but localhost is
    looked up. Standard input is the node's Erlang shell: `virtual_host` writes
    there, which takes a hundredth of the time that rabbitmqctl does, and the node
    ends when this process is gone and the pipe with it.
    """

    def __init__(self, directory: Path):
        self.directory = directory
        self.port = free_port()
        self.process: subprocess.Popen | None = None
        self._questions = 0
        self._epmd: subprocess.Popen | None = None
        self._epmd_port = free_port()
        self._environment = {
            **os.environ,
            "HOME": str(directory),  # for the cookie
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_CRASH_DUMP_SECONDS": "0",
            "RABBITMQ_ALLOW_INPUT": "1",  # the shell; and no script in between
            "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(directory / "generated"),
            "RABBITMQ_LOG_BASE": str(directory / "log"),
            "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
            "RABBITMQ_NODENAME": "rabbit@localhost",
            "RABBITMQ_PID_FILE": str(directory / "pid"),
        }
        cookie = directory / ".erlang.cookie"
        cookie.write_text("harness")
        cookie.chmod(0o400)
        (directory / "plugins").write_text("[].\n")
        (directory / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            "disk_free_limit.absolute = 50MB\n"
        )

    def start(self) -> "RabbitMQServer":
        self._epmd = subprocess.Popen(
            ["epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=_die_with_parent,
        )
        with open(self.directory / "output", "ab") as out:
            self.process = subprocess.Popen(
                [PROGRAM],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self._environment,
                cwd=self.directory,
                start_new_session=True,
            )
        eventually(self.answers, 120, "rabbitmq-server lets a client log in")
        return self

    def answers(self, virtual_host: str = "/") -> bool:
        assert self.process and self.process.poll() is None, (
            f"rabbitmq-server did not start, see {self.directory}/output"
        )
        try:
            self.connect(virtual_host).close()
            return True
        except (OSError, amqp.AMQPError):
            return False

    def virtual_host(self, name: str) -> str:
        """Makes an empty virtual host. @returns its URL."""
        anything = '<<".*">>'
        self._evaluate(
            f'rabbit_vhost:add(<<"{name}">>, <<"harness">>), '
            f'rabbit_auth_backend_internal:set_permissions(<<"guest">>, <<"{name}">>, '
            f'{anything}, {anything}, {anything}, <<"harness">>)'
        )
        eventually(lambda: self.answers(name), what=f"virtual host {name} is there")
        return self.url(name)

    def remove_virtual_host(self, name: str) -> None:
        self._ask(f'begin rabbit_vhost:delete(<<"{name}">>, <<"harness">>), "" end')

    def queues(self, virtual_host: str) -> dict[str, tuple[int, int]]:
        """Messages that are ready and unacknowledged, for each queue."""
        text = self._ask(
            '[io_lib:format("~s\\t~b\\t~b~n", [element(4, Name), Ready, Unacked]) || '
            "[{name, Name}, {messages_ready, Ready}, {messages_unacknowledged, Unacked}] "
            f'<- rabbit_amqqueue:info_all(<<"{virtual_host}">>, '
            "[name, messages_ready, messages_unacknowledged])]"
        )
        rows = (line.split("\t") for line in text.splitlines())
        return {name: (int(ready), int(unacked)) for name, ready, unacked in rows}

    def declarations(self, virtual_host: str) -> dict[str, str]:
        """Of each queue whether it is durable, exclusive and deletes itself, and its
        arguments."""
        text = self._ask(
            '[io_lib:format("~s\\t~w ~w ~w ~w~n", [element(4, Name), Durable, '
            "is_pid(Owner), Goes, [{K, V} || {K, _, V} <- lists:sort(Arguments)]]) || "
            "[{name, Name}, {durable, Durable}, {owner_pid, Owner}, {auto_delete, Goes}, "
            "{arguments, Arguments}] "
            f'<- rabbit_amqqueue:info_all(<<"{virtual_host}">>, '
            "[name, durable, owner_pid, auto_delete, arguments])]"
        )
        return dict(line.split("\t") for line in text.splitlines())

    def cut_connections(self, virtual_host: str, addresses: set[str]) -> int:
        """Closes the sockets of clients at these addresses ("host:port"), without
        a word. @returns how many."""
        ports = ", ".join(x.rpartition(":")[2] for x in addresses)
        text = self._ask(
            'io_lib:format("~b", [length([exit(Pid, kill) || '
            "Pid <- rabbit_networking:connections(), "
            "[{peer_port, Port}, {vhost, Host}] <- "
            "[catch rabbit_networking:connection_info(Pid, [peer_port, vhost])], "
            f'Host == <<"{virtual_host}">>, lists:member(Port, [{ports}])])])'
        )
        return int(text)

    def heartbeats(self, virtual_host: str) -> list[int]:
        """What was agreed with each client, in seconds."""
        text = self._ask(
            '[io_lib:format("~b ", [Seconds]) || Pid <- rabbit_networking:connections(), '
            "[{timeout, Seconds}, {vhost, Host}] <- "
            "[catch rabbit_networking:connection_info(Pid, [timeout, vhost])], "
            f'Host == <<"{virtual_host}">>]'
        )
        return [int(x) for x in text.split()]

    def _evaluate(self, expression: str) -> None:
        self.process.stdin.write(f"{expression}.\n".encode())
        self.process.stdin.flush()

    def _ask(self, text: str) -> str:
        """What an expression evaluates to, which is text. It is asked again when it
        fails: what it looks at may go away meanwhile."""
        return eventually(lambda: self._ask_once(text), what=f"an answer to {text}")[0]

    def _ask_once(self, text: str) -> tuple[str] | None:
        self._questions += 1
        answer = self.directory / f"answer{self._questions}"
        self._evaluate(
            f'ok = file:write_file("{answer}.part", '
            f'try [$=, iolist_to_binary({text})] catch _:_ -> "failed" end), '
            f'file:rename("{answer}.part", "{answer}")'
        )
        eventually(answer.exists, what=f"an answer to {text}", interval=0.002)
        found = answer.read_text()
        answer.unlink()
        return (found[1:],) if found.startswith("=") else None

    def stop(self) -> None:
        """In order, so that everything durable is on the disk."""
        if self.process:
            self.process.terminate()
            self._end()

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self._end()

    def _end(self) -> None:
        self.process.wait(60)
        self.process.stdin.close()
        self.process = None
        self._epmd.kill()
        self._epmd.wait(60)

    def url(self, virtual_host: str = "/", port: int = 0) -> str:
        """The URL as Celery spells it; `port` is for a proxy before this."""
        path = "/" if virtual_host == "/" else virtual_host
        return f"amqp://guest:guest@127.0.0.1:{port or self.port}/{path}"

    def connect(self, virtual_host: str = "/") -> amqp.Connection:
        """A connection that looks and publishes without Celery."""
        connection = amqp.Connection(
            f"127.0.0.1:{self.port}", virtual_host=virtual_host, connect_timeout=60
        )
        connection.connect()
        return connection

    # -- what can be changed while it runs ---------------------------------------

    def listen_tls(self, authority: "Authority", host: str = "localhost") -> int:
        """Accepts TLS as `host`. @returns the port."""
        certificate, key = authority.issue(host)
        port = free_port()
        self._ask(
            "begin {ok, _} = application:ensure_all_started(ssl), "
            f'ok = rabbit_networking:start_ssl_listener({{"127.0.0.1", {port}}}, '
            f'[{{cacertfile, "{authority.certificate}"}}, '
            f'{{certfile, "{certificate}"}}, {{keyfile, "{key}"}}], 1), "" end'
        )
        return port

    def set_login_methods(self, *names: str) -> None:
        text = ", ".join(f"'{name}'" for name in names)
        self._ask(
            f'begin application:set_env(rabbit, auth_mechanisms, [{text}]), "" end'
        )

    def set_memory_limit(self, share: float) -> None:
        """Takes nothing in while it uses more than this share of the machine's
        memory, as `rabbitmqctl set_vm_memory_high_watermark` has it."""
        self._ask(
            f'begin ok = vm_memory_monitor:set_vm_memory_high_watermark({share:f}), "" end'
        )

    def takes_nothing_in(self) -> bool:
        """Whether it has noticed that it is short of memory."""
        return self._ask('io_lib:format("~w", [rabbit_alarm:get_alarms()])') != "[]"

    def set_consumer_timeout(self, milliseconds: int, every: int) -> None:
        """For channels that are opened from now on; they look every so often."""
        self._ask(
            f"begin application:set_env(rabbit, consumer_timeout, {milliseconds}), "
            f'application:set_env(rabbit, channel_tick_interval, {every}), "" end'
        )


class Authority:
    """Signs certificates."""

    def __init__(self, directory: Path, name: str):
        self.directory = directory / name
        self.directory.mkdir()
        self.certificate = self.directory / "ca.pem"
        self._key = self.directory / "ca.key"
        self._openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", self._key,
            "-out", self.certificate,
        )

    def issue(self, host: str) -> tuple[Path, Path]:
        """A certificate for a server, and its key."""
        certificate, key = self.directory / f"{host}.pem", self.directory / f"{host}.key"
        request = self.directory / "request"
        extension = self.directory / "extension"
        extension.write_text(f"subjectAltName=DNS:{host}\n")
        self._openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", f"/CN={host}", "-keyout", key, "-out", request,
        )
        self._openssl(
            "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key,
            "-CAcreateserial", "-days", "2", "-extfile", extension, "-out", certificate,
        )
        return certificate, key

    @staticmethod
    def _openssl(*args: object) -> None:
        subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)
