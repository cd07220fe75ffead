"""A server with the batch APIs of OpenAI and Anthropic, whose requests fail and expire, and whose connections are lost.

It counts what it was paid for: each request that it answered, in whichever batch, or live.
"""

import json
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

USAGE = (50, 4)  # tokens of a prompt and of a reply
TYPES = {400: "invalid_request_error", 500: "api_error"}


class BatchFaults(NamedTuple):
    """How the server behaves.

    Attributes:
        error: The share of requests that fail and may be asked again.
        expired: The share of requests that the day is over for.
        bad: What a prompt holds that is refused for good.
        looks: How often a batch is looked at before it has ended.
        lost: Every kind of request loses its connection before it is handled, after it, and within its answer.
        cut: How often what a batch answered is cut short.
        refuse: What every batch is refused with; "" for none.
    """

    error: float = 0.0
    expired: float = 0.0
    bad: str = "\0"
    looks: int = 0
    lost: bool = False
    cut: int = 0
    refuse: str = ""


class SeenBatch:
    """A batch as the server has it: `answers` are (custom_id, status, body), and those that expired have status 0."""

    def __init__(self, number: int, key: str, requests: list[tuple[str, Any]], metadata: Any) -> None:
        self.id, self.key, self.requests, self.metadata = f"batch_{number}", key, requests, metadata
        self.created, self.looks, self.state = datetime.now(UTC), 0, "in_progress"
        self.answers: list[tuple[str, int, Any]] = []


class BatchServer:
    """What the server saw.

    Attributes:
        paid: Answers by prompt.
        asked: Requests by prompt, those that failed included.
        live: Single calls by prompt.
    """

    def __init__(self, faults: BatchFaults) -> None:
        self.faults, self.lock = faults, threading.Lock()
        self.paid: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.live: Counter[str] = Counter()
        self.steps: Counter[str] = Counter()
        self.files: dict[str, bytes] = {}
        self.batches: list[SeenBatch] = []
        self.base_url = self.root_url = ""

    def run(self, batch: SeenBatch, *, state: str, n: int | None = None) -> None:
        """Answer the requests of a batch, or only the first ones, in an order of the server's."""
        for name, body in batch.requests[:n]:
            prompt = prompt_of(body)
            drawn = random.Random(f"{prompt}/{self.asked[prompt]}").random()
            self.asked[prompt] += 1
            status = 400 if self.faults.bad in prompt else 200
            if status == 200 and drawn < self.faults.error + self.faults.expired:
                status = 500 if drawn < self.faults.error else 0
            self.paid[prompt] += status == 200
            batch.answers.append((name, status, self.answer(status, body)))
        random.Random(1).shuffle(batch.answers)
        batch.state = state

    def answer(self, status: int, body: Any) -> Any:
        if status != 200:
            return {"error": {"type": TYPES.get(status, "x"), "message": "bad words" if status == 400 else "busy"}}
        said = reply_to(prompt_of(body))
        if "max_tokens" in body and "system" in body:
            usage = dict(zip(("input_tokens", "output_tokens"), USAGE, strict=True))
            content = [{"type": "text", "text": said}]
            made = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": content}
            return made | {"stop_reason": "end_turn", "usage": usage}
        usage = {"prompt_tokens": USAGE[0], "completion_tokens": USAGE[1], "total_tokens": sum(USAGE)}
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}
        return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


def prompt_of(body: Any) -> str:
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else content[0]["text"]


def reply_to(prompt: str) -> str:
    """Answer a prompt as nobody would by chance: another choice for each."""
    return f"정답: {sum(prompt.encode()) % 5 + 1}번"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "_Server"

    def do_POST(self) -> None:
        self._handle("POST", self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def do_GET(self) -> None:
        self._handle("GET", b"")

    def _handle(self, method: str, sent: bytes) -> None:
        seen = self.server.seen
        path = self.path.partition("?")[0].removeprefix("/v1")
        kind = method + "".join(" id" if "_" in part else f" {part}" for part in path.split("/"))
        with seen.lock:
            turn = seen.steps[kind] if seen.faults.lost else 3
            seen.steps[kind] += 1
        if turn == 0:
            self._reset()
            return
        with seen.lock:
            status, answer = self._answer(method, path.strip("/").split("/"), sent)
        if turn == 1:
            self._reset()
            return
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if turn == 2 else data)
        if turn == 2:
            self._reset()

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    @property
    def _key(self) -> str:
        return self.headers.get("x-api-key") or str(self.headers.get("Authorization")).removeprefix("Bearer ")

    def _answer(self, method: str, path: list[str], sent: bytes) -> tuple[int, Any]:
        if path == ["chat", "completions"]:
            return self._live(json.loads(sent))
        if path[0] == "files":
            return self._upload(sent) if method == "POST" else (200, self._content(path[1]))
        form = _anthropic if path[0] == "messages" else _openai
        path = path[path.index("batches") + 1 :]
        if not path and method == "POST":
            return 200, form(self._begin(json.loads(sent)))
        own = [batch for batch in reversed(self.server.seen.batches) if batch.key == self._key]
        if not path:
            for one in own:
                self._look(one)
            return 200, {"object": "list", "data": [form(one) for one in own], "has_more": False}
        batch = next((one for one in own if one.id == path[0]), None)
        if batch is None:
            return 404, {"error": {"message": f"No batch found with id '{path[0]}'."}}
        if path[1:] == ["cancel"]:
            self.server.seen.run(batch, state="cancelled", n=len(batch.requests) // 2)
        elif path[1:] == ["results"]:
            return 200, self._cut([_anthropic_line(*one) for one in batch.answers])
        else:
            self._look(batch)
        return 200, form(batch)

    def _live(self, body: Any) -> tuple[int, Any]:
        seen = self.server.seen
        seen.live[prompt_of(body)] += 1
        seen.paid[prompt_of(body)] += 1
        return 200, seen.answer(200, body)

    def _upload(self, sent: bytes) -> tuple[int, Any]:
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        parts: Any = message_from_bytes(head + sent).get_payload()
        file = next(part for part in parts if part.get_filename())
        name = f"file_{len(self.server.seen.files)}"
        self.server.seen.files[name] = file.get_payload(decode=True)
        return 200, {"id": name, "object": "file", "bytes": 1, "created_at": 1, "filename": "f", "purpose": "batch"}

    def _begin(self, asked: Any) -> SeenBatch:
        seen = self.server.seen
        if "requests" in asked:
            requests = [(one["custom_id"], one["params"]) for one in asked["requests"]]
        else:
            lines = seen.files[asked["input_file_id"]].decode().split("\n")
            requests = [(one["custom_id"], one["body"]) for one in map(json.loads, filter(None, lines))]
        made = SeenBatch(len(seen.batches), self._key, requests, asked.get("metadata"))
        if seen.faults.refuse:
            made.state = "failed"
        seen.batches.append(made)
        return made

    def _look(self, batch: SeenBatch) -> None:
        if batch.state == "in_progress" and batch.looks >= self.server.seen.faults.looks:
            self.server.seen.run(batch, state="completed")
        batch.looks += 1

    def _content(self, name: str) -> bytes:
        kind, _, batch_id = name.partition("_of_")
        batch = next(one for one in self.server.seen.batches if one.id == batch_id)
        is_good = kind == "file_good"
        return self._cut([_openai_line(*one) for one in batch.answers if (one[1] == 200) is is_good])

    def _cut(self, lines: list[Any]) -> bytes:
        seen = self.server.seen
        if seen.faults.cut:
            seen.faults = seen.faults._replace(cut=seen.faults.cut - 1)
            lines = lines[: len(lines) // 2]
        return b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)

    def log_message(self, *args: object) -> None:
        return


def _openai(batch: SeenBatch) -> Any:
    good = sum(status == 200 for _, status, _ in batch.answers)
    bad = len(batch.answers) - good
    made = {"id": batch.id, "object": "batch", "completion_window": "24h", "endpoint": "/v1/chat/completions"}
    made |= {"created_at": int(batch.created.timestamp()), "input_file_id": "f", "metadata": batch.metadata}
    made |= {"status": batch.state, "request_counts": {"total": len(batch.requests), "completed": good, "failed": bad}}
    made |= {"output_file_id": f"file_good_of_{batch.id}" if good else None}
    if batch.state == "failed":
        made["errors"] = {"object": "list", "data": [{"code": "x", "message": "line 1 is too long"}]}
    return made | {"error_file_id": f"file_bad_of_{batch.id}" if bad else None}


def _openai_line(name: str, status: int, body: Any) -> Any:
    if not status:
        error = {"code": "batch_expired", "message": "This request could not be executed before the completion window."}
        return {"id": "r", "custom_id": name, "response": None, "error": error}
    return {"id": "r", "custom_id": name, "response": {"status_code": status, "body": body}, "error": None}


def _anthropic(batch: SeenBatch) -> Any:
    names = {200: "succeeded", 0: "expired"}
    counts = Counter(names.get(status, "errored") for _, status, _ in batch.answers)
    rest = len(batch.requests) - len(batch.answers)
    if batch.state != "in_progress":  # every request has a line then
        answered = {name for name, _, _ in batch.answers}
        batch.answers += [(name, -1, None) for name, _ in batch.requests if name not in answered]
        counts["canceled"], rest = counts["canceled"] + rest, 0
    state = "in_progress" if batch.state == "in_progress" else "ended"
    made = {"id": batch.id, "type": "message_batch", "processing_status": state, "request_counts": counts}
    return made | {"created_at": batch.created.isoformat()} | ({"request_counts": counts | {"processing": rest}})


def _anthropic_line(name: str, status: int, body: Any) -> Any:
    if status == 200:
        return {"custom_id": name, "result": {"type": "succeeded", "message": body}}
    if status <= 0:
        return {"custom_id": name, "result": {"type": "canceled" if status else "expired"}}
    return {"custom_id": name, "result": {"type": "errored", "error": {"type": "error", **body}}}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, faults: BatchFaults) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen = BatchServer(faults)
        self.seen.root_url = f"http://127.0.0.1:{self.server_port}"
        self.seen.base_url = f"{self.seen.root_url}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        return  # a client that was killed is what is tested


@contextmanager
def serve_batches(faults: BatchFaults = BatchFaults()) -> Iterator[BatchServer]:  # noqa: B008  # immutable
    """Serve /v1/files, /v1/batches, /v1/chat/completions and /v1/messages/batches on a free loopback port."""
    server = _Server(faults)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
