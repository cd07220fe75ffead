"""A LangSmith of a few lines: takes traces, datasets, experiments and feedback by the real SDK's protocol.

It is slow or refuses where a test says so.
"""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

TENANT = "00000000-0000-4000-8000-000000000001"
MADE_AT = "2026-01-01T00:00:00+00:00"
INFO = {
    "version": "0.13.0",
    "batch_ingest_config": {
        "use_multipart_endpoint": True,
        "scale_up_qsize_trigger": 1000,
        "scale_up_nthreads_limit": 16,
        "scale_down_nempty_trigger": 4,
        "size_limit": 100,
        "size_limit_bytes": 20_971_520,
    },
    "instance_flags": {"dataset_examples_multipart_enabled": True},
}


class Mood(NamedTuple):
    """How it answers; each may change while it runs."""

    status: int = 202
    latency_s: float = 0.0


class TraceServer:
    """What reached it.

    Attributes:
        runs: By their ids, as they were posted and patched.
        feedback: By their ids.
        datasets: By their names.
        examples: By their ids.
        sessions: Projects and experiments, by their names.
        posted: How often each id, and each name of a dataset or a session, was posted.
        mood: How requests are answered from now on.
        attempts: Requests, to any address.
        received: All that was sent, as it came.
    """

    def __init__(self, mood: Mood) -> None:
        self.mood = mood
        self.runs: dict[str, dict[str, Any]] = {}
        self.feedback: dict[str, dict[str, Any]] = {}
        self.datasets: dict[str, dict[str, Any]] = {}
        self.examples: dict[str, dict[str, Any]] = {}
        self.sessions: dict[str, dict[str, Any]] = {}
        self.posted: Counter[str] = Counter()
        self.received = b""
        self.address = ""
        self.attempts = 0
        self.closing = threading.Event()
        self._lock = threading.Lock()

    def answer(self, method: str, target: str, content_type: str, body: bytes) -> tuple[int, Any]:
        """Return the status and the content of the answer to a request."""
        with self._lock:
            self.received += body
            where, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
            if where.endswith("/runs/multipart"):
                self._take_runs(_parts(content_type, body))
                return 202, {}
            if where.endswith("/info"):
                return 200, INFO
            if where.startswith("/v1/platform/datasets/"):
                return self._take_examples(where.split("/")[4], _parts(content_type, body))
            content = json.loads(body) if body else {}
            if where == "/datasets":
                return self._dataset(content) if method == "POST" else (200, _named(self.datasets, query))
            if where == "/sessions":
                return self._session(content) if method == "POST" else (200, _named(self.sessions, query))
            if where.startswith("/sessions/"):
                return 200, next(one for one in self.sessions.values() if one["id"] == where.split("/")[2])
            if where == "/examples":
                mine = [one for one in self.examples.values() if one["dataset_id"] == query["dataset"][0]]
                start = int(query["offset"][0])
                return 200, mine[start : start + int(query["limit"][0])]
            return 404, {"detail": f"{method} {target}"}

    def _take_runs(self, parts: Iterator[tuple[str, Any]]) -> None:
        for name, content in parts:
            kind, part_of, *field = name.split(".")
            if kind == "feedback":
                self.posted[part_of] += 1
                self.feedback[part_of] = content
                continue
            if kind == "post" and not field:
                self.posted[part_of] += 1
            self.runs.setdefault(part_of, {}).update({field[0]: content} if field else content)

    def _take_examples(self, dataset: str, parts: Iterator[tuple[str, Any]]) -> tuple[int, Any]:
        taken: dict[str, dict[str, Any]] = {}
        for name, content in parts:
            example, *field = name.split(".")
            taken.setdefault(example, {}).update({field[0]: content} if field else content)
        if taken.keys() & self.examples.keys():
            return 409, {"detail": "there already"}
        for example, content in taken.items():
            self.posted[example] += 1
            self.examples[example] = {**content, "id": example, "dataset_id": dataset, "modified_at": MADE_AT}
        return 201, {"example_ids": list(taken), "count": len(taken)}

    def _dataset(self, content: dict[str, Any]) -> tuple[int, Any]:
        self.posted[content["name"]] += 1
        about = {"id": str(uuid4()), "created_at": MADE_AT, "metadata": content["extra"]["metadata"]}
        self.datasets[content["name"]] = {"name": content["name"], "data_type": "kv", **about}
        return 200, self.datasets[content["name"]]

    def _session(self, content: dict[str, Any]) -> tuple[int, Any]:
        self.posted[content["name"]] += 1
        made = {"tenant_id": TENANT, "start_time": MADE_AT, "reference_dataset_id": None, **content}
        return 200, self.sessions.setdefault(content["name"], made)

    @property
    def roots(self) -> list[dict[str, Any]]:
        """The runs that no other made: a trace each, in the order in which they began."""
        roots = [run for run in self.runs.values() if run.get("trace_id") == run["id"]]
        return sorted(roots, key=lambda run: str(run["dotted_order"]))

    def scores_of(self, run: dict[str, Any]) -> dict[str, Any]:
        """Return the scores and values that were given to a run, by key."""
        given = [one for one in self.feedback.values() if one["run_id"] == run["id"]]
        return {one["key"]: one["score"] if one.get("score") is not None else one.get("value") for one in given}


def _parts(content_type: str, body: bytes) -> Iterator[tuple[str, Any]]:
    """Yield the name and the content of each part of a form."""
    form = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    for part in form.get_payload():
        name = str(part.get_param("name", header="content-disposition"))
        yield name, json.loads(part.get_payload(decode=True))


def _named(them: dict[str, dict[str, Any]], query: dict[str, list[str]]) -> list[dict[str, Any]]:
    return [one for one in them.values() if one["name"] in query.get("name", [one["name"]])]


def is_uuid7(text: str) -> bool:
    return UUID(text).version == 7


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def _answer(self) -> None:
        seen = self.server.seen
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        seen.attempts += 1
        mood = seen.mood
        seen.closing.wait(mood.latency_s)
        if mood.status == 202:
            self._send(*seen.answer(self.command, self.path, self.headers.get("Content-Type", ""), body))
        else:
            self._send(mood.status, "<html><body>not today</body></html>")

    do_GET = do_POST = do_PATCH = _answer  # the names that the base class calls

    def _send(self, status: int, content: Any) -> None:
        data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "30")
        self.send_header("Content-Type", "text/html" if isinstance(content, str) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        return


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

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
