"""A LangSmith of a few lines: takes traces by the real SDK's protocol, and is slow or refuses where a test says so."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Mood(NamedTuple):
    """How it answers; each may change while it runs."""

    status: int = 202
    latency_s: float = 0.0


class TraceServer:
    """What reached it.

    Attributes:
        runs: By their ids, as they were posted and patched.
        mood: How requests are answered from now on.
        attempts: Requests with traces.
    """

    def __init__(self, mood: Mood) -> None:
        self.mood = mood
        self.runs: dict[str, dict[str, Any]] = {}
        self.address = ""
        self.attempts = 0
        self.closing = threading.Event()
        self._lock = threading.Lock()

    def take(self, content_type: str, body: bytes) -> None:
        parts = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
        with self._lock:
            for part in parts.get_payload():
                name = str(part.get_param("name", header="content-disposition"))
                _, run_id, *field = name.split(".")
                content = json.loads(part.get_payload(decode=True))
                self.runs.setdefault(run_id, {}).update({field[0]: content} if field else content)

    @property
    def roots(self) -> list[dict[str, Any]]:
        """The runs that no other made: a trace each, in the order in which they began."""
        roots = [run for run in self.runs.values() if run.get("trace_id") == run["id"]]
        return sorted(roots, key=lambda run: str(run["dotted_order"]))


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_GET(self) -> None:
        self._send(200)

    def do_POST(self) -> None:
        seen = self.server.seen
        body = self.rfile.read(int(self.headers["Content-Length"]))
        seen.attempts += 1
        mood = seen.mood
        seen.closing.wait(mood.latency_s)
        if mood.status == 202:
            seen.take(self.headers["Content-Type"], body)
        self._send(mood.status)

    def _send(self, status: int) -> None:
        data = b"{}" if status < 400 else json.dumps({"detail": "not today"}).encode()
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "30")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        return


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, mood: Mood) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.seen = TraceServer(mood)
        self.seen.address = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        return  # a client that went away is what is tested


@contextmanager
def serve_traces(mood: Mood = Mood()) -> Iterator[TraceServer]:  # noqa: B008  # immutable
    """Be LangSmith on a free loopback port."""
    server = _Server(mood)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.seen
    finally:
        server.seen.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
