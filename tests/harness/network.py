"""Machines of their own for workers: network namespaces that can be cut off from
the server, or, where there are none, proxies that can be."""

import os
import subprocess
from typing import Protocol

from harness.proxy import Proxy


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Link(Protocol):
    """How one worker reaches the server."""

    #: Put before the worker's command.
    prefix: list[str]

    def url(self, db: int = 0) -> str:
        """The Redis server as the worker sees it."""

    def cut(self) -> None:
        """No packet comes through, and nobody is told so."""

    def mend(self) -> None: ...


class Network(Protocol):
    """A context manager that removes all that it has made."""

    kind: str

    def __enter__(self) -> "Network": ...

    def __exit__(self, *_) -> None: ...

    def link(self) -> Link: ...


# -- namespaces ------------------------------------------------------------------


class _Namespace:
    def __init__(self, network: "Namespaces", number: int):
        self._network = network
        self.name = f"{network.name}n{number}"
        self.outside, inside = f"{network.name}v{number}", f"{network.name}w{number}"
        _ip("netns", "add", self.name)
        _ip("link", "add", self.outside, "type", "veth", "peer", "name", inside)
        _ip("link", "set", inside, "netns", self.name)
        _ip("link", "set", self.outside, "master", network.name, "up")
        for words in (
            f"addr add {network.subnet}.{number + 10}/24 dev {inside}",
            f"link set {inside} up",
            "link set lo up",
        ):
            _ip("-n", self.name, *words.split())
        self.prefix = ["ip", "netns", "exec", self.name]

    def url(self, db: int = 0) -> str:
        return f"redis://{self._network.address}:{self._network.port}/{db}"

    def cut(self) -> None:
        _ip("link", "set", self.outside, "down")

    def mend(self) -> None:
        _ip("link", "set", self.outside, "up")

    def remove(self) -> None:
        _ip("netns", "del", self.name)  # and with it both ends of the cable


class Namespaces:
    """A bridge with the server's address on it, and a namespace for each worker."""

    kind = "network namespaces"

    def __init__(self) -> None:
        self.name = f"u{os.getpid()}"
        self.subnet = f"10.213.{os.getpid() % 250 + 1}"
        self.address = f"{self.subnet}.1"
        self.port = 0  # of the server, when it is there
        self._links: list[_Namespace] = []

    def __enter__(self) -> "Namespaces":
        _ip("link", "add", self.name, "type", "bridge")
        try:
            _ip("addr", "add", f"{self.address}/24", "dev", self.name)
            _ip("link", "set", self.name, "up")
        except subprocess.CalledProcessError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        for link in self._links:
            link.remove()
        _ip("link", "del", self.name)

    def link(self) -> _Namespace:
        self._links.append(_Namespace(self, len(self._links)))
        return self._links[-1]


def can_have_namespaces() -> bool:
    """Root may, unless a container forbids it."""
    name = f"u{os.getpid()}t"
    try:
        _ip("netns", "add", name)
        try:
            _ip("link", "add", name, "type", "bridge")
            _ip("link", "del", name)
        finally:
            _ip("netns", "del", name)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return False
    return True


# -- proxies ---------------------------------------------------------------------


class _Proxied:
    prefix: list[str] = []

    def __init__(self, port: int):
        self.proxy = Proxy(port)
        self.proxy.__enter__()

    def url(self, db: int = 0) -> str:
        return f"redis://127.0.0.1:{self.proxy.port}/{db}"

    def cut(self) -> None:
        self.proxy.hold()

    def mend(self) -> None:
        self.proxy.go_on()


class Proxies:
    kind = "proxies"

    def __init__(self) -> None:
        self.address = ""
        self.port = 0
        self._links: list[_Proxied] = []

    def __enter__(self) -> "Proxies":
        return self

    def __exit__(self, *_) -> None:
        for link in self._links:
            link.proxy.__exit__()

    def link(self) -> _Proxied:
        self._links.append(_Proxied(self.port))
        return self._links[-1]


def make_network() -> Network:
    """UMBEL_CHAOS_NETWORK=proxies does without namespaces."""
    wanted = os.environ.get("UMBEL_CHAOS_NETWORK", "")
    return Namespaces() if wanted != "proxies" and can_have_namespaces() else Proxies()
