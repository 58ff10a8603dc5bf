"""A TCP proxy that cuts connections, or swallows what a server answers."""

import selectors
import socket
import struct
import threading
from typing import Callable

#: Closed with this, a socket tells its peer at once and without a farewell (RST).
_ABORT = struct.pack("ii", 1, 0)

Which = Callable[[bytes], bool]


class _Link:
    """One connection: the client's socket and the server's."""

    def __init__(self, client: socket.socket, server: socket.socket):
        self.client = client
        self.server = server
        self.asked = b""  #: what the client said last
        self.deaf = False

    def other(self, end: socket.socket) -> socket.socket:
        return self.server if end is self.client else self.client


class Proxy:
    """Forwards connections to `port` to a loopback port. A context manager."""

    def __init__(self, target: int):
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._links: set[_Link] = set()
        self._deafened: Which | None = None
        self._lock = threading.Lock()
        self._running = True
        self._held = threading.Event()  # set: nothing is held back
        self._held.set()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Proxy":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._running = False
        self._thread.join()
        self.cut()
        self._listener.close()
        self._selector.close()

    # -- strikes ---------------------------------------------------------------

    def cut(self) -> int:
        """Aborts all connections on both sides. @returns how many."""
        with self._lock:
            links = list(self._links)
            for link in links:
                self._close(link)
        return len(links)

    def deafen(self, which: Which = lambda asked: True) -> int:
        """From now on swallows what the server says to the connections that are
        there, to those of them whose last words are `which`. @returns how many."""
        with self._lock:
            for link in self._links:
                link.deaf = link.deaf or which(link.asked)
            return sum(link.deaf for link in self._links)

    def deafen_always(self, which: Which) -> None:
        """The same for every connection, from the moment when it says that."""
        with self._lock:
            self._deafened = which

    def hold(self) -> None:
        """From now on lets nothing through, in either direction, and tells nobody;
        new connections are accepted and left alone."""
        self._held.clear()

    def go_on(self) -> None:
        """Lets through what was held back, and all that comes."""
        self._held.set()

    # -- forwarding ------------------------------------------------------------

    def _run(self) -> None:
        while self._running:
            if not self._held.wait(0.1):
                continue
            for key, _ in self._selector.select(0.1):
                with self._lock:
                    if key.fileobj is self._listener:
                        self._accept()
                    elif key.data in self._links:
                        self._forward(key.data, key.fileobj)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        try:
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            client.close()
            return
        link = _Link(client, server)
        self._links.add(link)
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(end, selectors.EVENT_READ, link)

    def _forward(self, link: _Link, end: socket.socket) -> None:
        try:
            data = end.recv(1 << 18)
            if not data:
                return self._close(link)
            if end is link.client:
                link.asked = data
                if self._deafened and self._deafened(data):
                    link.deaf = True
            elif link.deaf:
                return
            link.other(end).sendall(data)
        except OSError:
            self._close(link)

    def _close(self, link: _Link) -> None:
        self._links.discard(link)
        for end in (link.client, link.server):
            self._selector.unregister(end)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
            end.close()
