"""An OpenAI-compatible server that fails as real ones do, each fault drawn from a seed, the item and the attempt.

Which attempts fail does not depend on the order in which threads arrive, so that a test sees the same faults each time.
Only the rate limit is real: a sliding window over the requests that were let through.
"""

import json
import random
import socket
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from typing import Any, NamedTuple

USAGE = {"prompt_tokens": 50, "completion_tokens": 4, "total_tokens": 54}


class Faults(NamedTuple):
    """How the server behaves; shares are of all attempts.

    Attributes:
        odd: Answers with status 200 that are whole, but no chat completion.
        drip: Answers that come byte by byte and never end: no timeout between two bytes helps.
        hang_s: Seconds that a hanging answer takes; the client is to give up before.
        retry_after: The header of a 429: "seconds", "date" or "" for none.
        window: (requests, seconds): the real limit; None for none.
        refuse: Status and error to answer everything with, where given: OpenAI's object, or the whole body.
        refuse_marked: The same, only where the prompt holds its first member.
        marked_headers: Of those refusals.
    """

    too_many: float = 0.0
    server_error: float = 0.0
    hang: float = 0.0
    reset: float = 0.0
    broken_json: float = 0.0
    odd: float = 0.0
    drip: float = 0.0
    seed: int = 0
    latency_s: float = 0.0
    hang_s: float = 10.0
    retry_after: str = ""
    retry_after_s: float = 0.05
    window: tuple[int, float] | None = None
    refuse: tuple[int, dict[str, Any] | str] | None = None
    refuse_marked: tuple[str, int, dict[str, Any] | str] | None = None
    marked_headers: tuple[tuple[str, str], ...] = ()


NO_FAULTS = Faults()
_NO_MESSAGE = {"index": 0, "finish_reason": "stop", "message": None}
# (type, body) of answers that gateways, proxies and servers under load have been seen to give.
ODD_ANSWERS = [
    ("text/html", "<html><body>Please wait</body></html>"),
    ("text/plain", '{"id": "c", "choices": [{"ind'),
    ("text/event-stream", "data: [DONE]\n\n"),
    ("application/json", ""),
    ("application/json", "{}"),
    ("application/json", "[]"),
    ("application/json", "null"),
    ("application/json", '{"detail": "busy"}'),
    ("application/json", '{"error": "overloaded"}'),
    ("application/json", '{"choices": []}'),
    ("application/json", '{"choices": null}'),
    ("application/json", '{"choices": "none"}'),
    ("application/json", '{"choices": [{}]}'),
    ("application/json", json.dumps({"choices": [_NO_MESSAGE]})),
    ("application/json", json.dumps({"choices": [_NO_MESSAGE | {"message": {"role": "assistant", "content": 3}}]})),
    ("application/json", json.dumps({"choices": [_NO_MESSAGE | {"message": {"role": "user", "content": "3"}}]})),
]


class FaultServer:
    """What the server saw.

    Attributes:
        attempts: Requests by item.
        paid: Answers that were sent whole, by item.
        shed: Requests that the real window refused.
        most_in_flight: At once.
        arrivals: When each request came, in seconds of the monotonic clock.
        asked: Of which item each was.
    """

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.attempts: Counter[str] = Counter()
        self.paid: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.arrivals: list[float] = []
        self.asked: list[str] = []
        self.shed = self.in_flight = self.most_in_flight = 0
        self.base_url = ""
        self._passed: deque[float] = deque()
        self._lock = threading.Lock()

    def paid_items(self) -> set[str]:
        with self._lock:
            return {item for item, answers in self.paid.items() if answers}

    def arrive(self, item: str) -> str:
        """Count a request and return what is to become of it."""
        faults, now = self.faults, time.monotonic()
        with self._lock:
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            self.arrivals.append(now)
            self.asked.append(item)
            if faults.window:
                while self._passed and self._passed[0] <= now - faults.window[1]:
                    self._passed.popleft()
                if len(self._passed) >= faults.window[0]:
                    self.shed += 1
                    return "too_many"
                self._passed.append(now)
            attempt = self.attempts[item]
            self.attempts[item] += 1
            kind = self._draw(item, attempt)
            self.kinds[kind] += 1
            return kind

    def _draw(self, item: str, attempt: int) -> str:
        drawn = random.Random(f"{self.faults.seed}/{item}/{attempt}").random()
        for kind in ("too_many", "server_error", "hang", "reset", "broken_json", "odd", "drip"):
            drawn -= getattr(self.faults, kind)
            if drawn < 0:
                return kind
        return "answer"

    def leave(self, item: str, *, paid: bool) -> None:
        with self._lock:
            self.in_flight -= 1
            self.paid[item] += paid


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes
    server: "Server"

    def do_POST(self) -> None:
        seen, faults = self.server.seen, self.server.seen.faults
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body["messages"][-1]["content"]
        kind, paid = seen.arrive(prompt), False
        try:
            marked = faults.refuse_marked
            if faults.refuse:
                self._error(*faults.refuse)
            elif marked and marked[0] in prompt:
                self.server.closing.wait(faults.latency_s)
                self._error(*marked[1:], dict(faults.marked_headers))
            else:
                paid = getattr(self, f"_{kind}")()
        finally:
            seen.leave(prompt, paid=paid)

    def _answer(self) -> bool:
        self.server.closing.wait(self.server.seen.faults.latency_s)
        message = {"role": "assistant", "content": "정답: 3번"}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        completion = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        self._send(200, json.dumps(completion | {"usage": USAGE}))
        return True

    def _too_many(self) -> bool:
        faults = self.server.seen.faults
        said = {
            "seconds": {"Retry-After": f"{faults.retry_after_s:g}"},
            "date": {"Retry-After": formatdate(time.time() + faults.retry_after_s, usegmt=True)},
        }
        self._error(429, {"message": "slow down", "code": "rate_limit_exceeded"}, said.get(faults.retry_after))
        return False

    def _server_error(self) -> bool:
        self._error(500, {"message": "the server had an error"})
        return False

    def _hang(self) -> bool:
        self.server.closing.wait(self.server.seen.faults.hang_s)
        self.close_connection = True
        return False

    def _reset(self) -> bool:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        return False

    def _broken_json(self) -> bool:
        self._send(200, '{"id": "c", "choices": [{"index": 0, "mess')
        return False

    def _odd(self) -> bool:
        content_type, body = ODD_ANSWERS[self.server.seen.kinds["odd"] % len(ODD_ANSWERS)]
        self._send(200, body, {"Content-Type": content_type})
        return False

    def _drip(self) -> bool:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        with suppress(OSError):  # the client may give up
            while not self.server.closing.wait(0.05):
                self.wfile.write(b" ")
        return False

    def _error(self, status: int, error: dict[str, Any] | str, headers: dict[str, str] | None = None) -> None:
        self._send(status, error if isinstance(error, str) else json.dumps({"error": error}), headers or {})

    def _send(self, status: int, payload: str, headers: dict[str, str] | None = None) -> None:
        data = payload.encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        return


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, faults: Faults, tls: SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.seen = FaultServer(faults)
        self.seen.base_url = f"{'https' if tls else 'http'}://127.0.0.1:{self.server_port}/v1"
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.closing = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        return  # a client that gave up is what is tested


@contextmanager
def serve_faults(faults: Faults = NO_FAULTS, *, tls: SSLContext | None = None) -> Iterator[FaultServer]:
    """Answer /v1/chat/completions on a free loopback port with the third choice, or with a fault."""
    server = Server(faults, tls)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.seen
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
