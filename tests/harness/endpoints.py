"""HTTP servers for webhook tasks: endpoints as functions, also over TLS."""

import json
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Callable
from urllib.parse import parse_qsl, urlsplit


class Request:
    """What an endpoint was sent."""

    def __init__(self, handler: BaseHTTPRequestHandler):
        url = urlsplit(handler.path)
        self.method = handler.command
        self.path = url.path
        self.query = dict(parse_qsl(url.query))
        self.headers = handler.headers
        self.body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))

    @property
    def json(self) -> dict:
        return json.loads(self.body)

    @property
    def form(self) -> dict:
        return dict(parse_qsl(self.body.decode()))


#: Status, headers, body. An object is written as JSON.
Answer = tuple[int, dict, object]


def success(value) -> Answer:
    return 200, {}, {"status": "success", "retval": value}


def failure(reason) -> Answer:
    return 200, {}, {"status": "failure", "reason": reason}


class Endpoints:
    """A server whose paths are functions: `server.routes["/add"] = lambda r: ...`.
    Every request is in `requests`."""

    def __init__(self, certificate: Path | None = None, key: Path | None = None):
        self.routes: dict[str, Callable[[Request], Answer]] = {}
        self.requests: list[Request] = []
        self.closing = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                request = Request(self)
                outer.requests.append(request)
                route = outer.routes.get(request.path, lambda r: (404, {}, "not here"))
                status, headers, body = route(request)
                text = body if isinstance(body, str) else json.dumps(body)
                try:
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(text.encode())))
                    self.end_headers()
                    self.wfile.write(text.encode())
                except OSError:
                    pass  # the worker did not wait

            do_GET = do_POST = do_PUT = do_DELETE = answer

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 256  # or connections that come at once wait a second

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda *_: None
        self.port = self._server.server_port
        self.scheme = "http"
        if certificate:
            self.scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Authority:
    """A certificate authority of one test."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.file = folder / "ca.pem"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                      "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test",
                      "-days", "2")

    def _openssl(self, *args: str) -> None:
        subprocess.run(["openssl", *args], cwd=self.folder, check=True, capture_output=True)

    def sign(self, name: str) -> tuple[Path, Path]:
        """A certificate for "DNS:localhost" or "IP:127.0.0.1", and its key."""
        stem = name.replace(":", "-")
        (self.folder / f"{stem}.ext").write_text(f"subjectAltName={name}\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-keyout", f"{stem}.key", "-out", f"{stem}.csr", "-subj", "/CN=server")
        self._openssl("x509", "-req", "-in", f"{stem}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                      "-CAcreateserial", "-out", f"{stem}.pem", "-days", "2",
                      "-extfile", f"{stem}.ext")
        return self.folder / f"{stem}.pem", self.folder / f"{stem}.key"
