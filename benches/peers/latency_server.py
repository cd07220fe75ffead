"""An OpenAI-compatible server that only waits: every request is answered with the same words, so many seconds later.

    python latency_server.py '{"latency_s": 0.05, "reply": "neutral"}'

It has a process of its own, and no more than the standard library, so that what it takes is the same whoever asks. Out
goes, on stdout, one JSON object a line: first `{"port": …}`, then, for each line that comes in on stdin, what it has
seen since the line before: `{"requests": …, "connections": …, "seconds": …, "cpu_s": …}`. `seconds` is from the first
request to the last answer.
"""

import asyncio
import json
import re
import sys
import time
from typing import Any

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Seen:
    """What has been seen since it was last told."""

    def __init__(self) -> None:
        self.requests = self.connections = 0
        self.first = self.last = 0.0
        self.cpu_s = time.process_time()

    def told(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "connections": self.connections,
            "seconds": self.last - self.first,
            "cpu_s": time.process_time() - self.cpu_s,
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
        asyncio.get_running_loop().call_later(self.serving.latency_s, self.answer)

    def answer(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(self.serving.response)
        self.serving.seen.requests += 1
        self.serving.seen.last = time.perf_counter()


class Serving:
    """What all connections share: the answer, when it is sent, and what has been seen."""

    def __init__(self, latency_s: float, reply: str) -> None:
        self.latency_s = latency_s
        self.seen = Seen()
        body = json.dumps(_completion(reply)).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.response = head.encode() + body

    def tell(self) -> None:
        """Answer a line of stdin; end with it."""
        if not sys.stdin.readline():
            asyncio.get_running_loop().stop()
            return
        print(json.dumps(self.seen.told()), flush=True)
        self.seen = Seen()


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
    settings: dict[str, Any] = json.loads(sys.argv[1])
    loop = asyncio.new_event_loop()
    port = loop.run_until_complete(_listen(Serving(settings["latency_s"], settings["reply"])))
    print(json.dumps({"port": port}), flush=True)
    loop.run_forever()


if __name__ == "__main__":
    main()
