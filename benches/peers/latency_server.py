"""An OpenAI-compatible server that only waits: every request is answered with the same words, so many seconds later.

    python latency_server.py '{"latency_s": 0.05, "reply": "neutral"}'

It has a process of its own, and no more than the standard library, so that what it takes is the same whoever asks. Out
goes, on stdout, one JSON object a line: first `{"port": …}`, then, for each line that comes in on stdin, what it has
seen since the line before: `{"requests": …, "connections": …, "seconds": …, "cpu_s": …, "kinds": {…}, "early": …}`.
`requests` are those that were answered, `seconds` is from the first request to the last answer, `kinds` is what became
of them all, and `early` are those that came back before the time that they were told.

It can fail as well: `"faults": {"too_many": 0.1, …}` are shares of the requests, drawn from what is asked and how often
it has been, so that two clients that ask the same meet the same faults; `"window": [600, 60]` lets so many requests
through in any so many seconds.
"""

import asyncio
import json
import random
import re
import socket
import struct
import sys
import time
from collections import Counter, deque
from typing import Any

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_REFUSAL = '{"error": {"message": "slow down", "code": "rate_limit_exceeded"}}'


class Seen:
    """What has been seen since it was last told."""

    def __init__(self) -> None:
        self.requests = self.connections = 0
        self.first = self.last = 0.0
        self.cpu_s = time.process_time()
        self.kinds: Counter[str] = Counter()
        self.attempts: Counter[bytes] = Counter()
        self.again: dict[bytes, float] = {}  # when what was asked may be asked again
        self.early = 0

    def told(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "connections": self.connections,
            "seconds": self.last - self.first,
            "cpu_s": time.process_time() - self.cpu_s,
            "kinds": self.kinds,
            "early": self.early,
        }


class Answering(asyncio.Protocol):
    """One connection, kept alive: requests come one after another, as HTTP/1.1 clients send them."""

    def __init__(self, serving: "Serving") -> None:
        self.serving = serving
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.serving.seen.connections += 1

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        if not end:
            return
        length = _LENGTH.search(head)
        if len(body) < (int(length[1]) if length else 0):
            return
        self.received = b""
        seen = self.serving.seen
        seen.first = seen.first or time.perf_counter()
        kind = self.serving.kind_of(body)
        seen.kinds[kind] += 1
        if kind == "answer":
            asyncio.get_running_loop().call_later(self.serving.latency_s, self.answer)
        elif kind == "reset":
            self.reset()
        elif kind != "hang":
            self.transport.write(self.serving.responses[kind])

    def answer(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(self.serving.responses["answer"])
        self.serving.seen.requests += 1
        self.serving.seen.last = time.perf_counter()

    def reset(self) -> None:
        """Close the connection as a server does whose process ended."""
        connection = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


class Serving:
    """What all connections share: the answers, when they are sent, and what has been seen."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.latency_s: float = settings["latency_s"]
        self.faults: dict[str, float] = settings.get("faults", {})
        self.window: tuple[int, float] | None = settings.get("window")
        self.seen = Seen()
        self._passed: deque[float] = deque()
        self.retry_after_s: float | None = settings.get("retry_after_s")
        wait = {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}
        self.responses = {
            "answer": _response("200 OK", json.dumps(_completion(settings["reply"]))),
            "too_many": _response("429 Too Many Requests", _REFUSAL, wait),
            "server_error": _response("500 Internal Server Error", '{"error": {"message": "the server had an error"}}'),
            "broken_json": _response("200 OK", '{"id": "c", "choices": [{"index": 0, "mess'),
        }
        self.responses["over_window"] = self.responses["too_many"]

    def kind_of(self, body: bytes) -> str:
        """Say what is to become of a request."""
        now, asked, seen = time.monotonic(), body[body.find(b'"messages"') :], self.seen
        seen.early += now < seen.again.pop(asked, now)
        kind = self._draw(asked, now)
        if kind in ("too_many", "over_window") and self.retry_after_s is not None:
            seen.again[asked] = now + self.retry_after_s
        return kind

    def _draw(self, asked: bytes, now: float) -> str:
        if self.window:
            while self._passed and self._passed[0] <= now - self.window[1]:
                self._passed.popleft()
            if len(self._passed) >= self.window[0]:
                return "over_window"
            self._passed.append(now)
        self.seen.attempts[asked] += 1
        drawn = random.Random(asked + b"%d" % self.seen.attempts[asked]).random()
        for kind, share in self.faults.items():
            drawn -= share
            if drawn < 0:
                return kind
        return "answer"

    def tell(self) -> None:
        """Answer a line of stdin; end with it."""
        if not sys.stdin.readline():
            asyncio.get_running_loop().stop()
            return
        print(json.dumps(self.seen.told()), flush=True)
        self.seen = Seen()
        self._passed.clear()


def _response(status: str, body: str, headers: dict[str, str] | None = None) -> bytes:
    sent = body.encode()
    lines = {"Content-Type": "application/json", "Content-Length": str(len(sent)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + sent


def _completion(reply: str) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": reply}}
    usage = {"prompt_tokens": 50, "completion_tokens": 2, "total_tokens": 52}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


async def _listen(serving: Serving) -> int:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answering(serving), "127.0.0.1", 0, backlog=256)
    loop.add_reader(sys.stdin.fileno(), serving.tell)
    return int(server.sockets[0].getsockname()[1])


def main() -> None:
    """Serve until stdin ends."""
    serving = Serving(json.loads(sys.argv[1]))
    loop = asyncio.new_event_loop()
    port = loop.run_until_complete(_listen(serving))
    print(json.dumps({"port": port}), flush=True)
    loop.run_forever()


if __name__ == "__main__":
    main()
