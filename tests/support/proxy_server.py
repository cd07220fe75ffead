"""An HTTP proxy on loopback: asks the servers that it knows in the client's place, and refuses all others."""

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlsplit


class Proxy(NamedTuple):
    """Its address, and the addresses that it was asked for."""

    url: str
    asked: list[str]


@contextmanager
def serve_proxy(known: Mapping[str, str] = MappingProxyType({}), *, refusal: int = 502) -> Iterator[Proxy]:
    """Serve a proxy on a free port.

    Args:
        known: Host to the address of the server that stands for it, such as "http://127.0.0.1:8000".
        refusal: The status for every other host.
    """
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length", 0))
            if parts.hostname not in known:
                self._send(refusal, b"no such host")
                return
            body = self.rfile.read(length) or None
            request = urllib.request.Request(
                known[parts.hostname] + parts.path, body, {"Content-Type": "application/json"}
            )
            try:
                with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as reply:
                    self._send(reply.status, reply.read())
            except urllib.error.HTTPError as error:
                self._send(error.code, error.read())

        do_POST = do_GET

        def do_CONNECT(self) -> None:
            asked.append(self.path)
            self._send(refusal, b"")

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Proxy(f"http://127.0.0.1:{server.server_port}", asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
