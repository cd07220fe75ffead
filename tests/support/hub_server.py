"""A Hugging Face hub on loopback: the API, the files, the revisions and the faults that its clients meet.

It answers huggingface_hub, datasets and transformers as the hub does: `/api/models/…`, `/api/datasets/…`, trees, and
`/resolve/REVISION/FILE` with ETags, commits, ranges, and large files that are moved to another host.

Source: the requests and headers that huggingface_hub 1.33 makes and reads (`hf_api.py`, `file_download.py`).
"""

import hashlib
import json
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.hub_repository import Blob, Fault, Repository


class Request(NamedTuple):
    """A request as the server saw it."""

    method: str
    path: str
    headers: Mapping[str, str]


class Hub:
    """What the hub holds and what it was asked.

    Attributes:
        url: What `HF_ENDPOINT` is to be, once it was started.
        aliases: Names that repositories had before.
        requests: In the order of their arrival.
        slow_s: Seconds that a slow answer takes; the client is to give up before.
    """

    def __init__(self) -> None:
        self.url = ""
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.aliases: dict[tuple[str, str], str] = {}
        self.requests: list[Request] = []
        self.slow_s = 60.0
        self.answered: dict[str, int] = defaultdict(int)
        self._server: Server | None = None

    def add(self, kind: Literal["models", "datasets"], name: str, *, alias: str | None = None) -> Repository:
        """Add an empty repository."""
        repository = self.repositories[kind, name] = Repository(kind, name)
        if alias is not None:
            self.aliases[kind, alias] = name
        return repository

    def start(self) -> None:
        """Serve on a free loopback port, or on that of before."""
        self._server = Server(self, urlsplit(self.url).port or 0)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """Answer nobody any more."""
        assert self._server is not None
        self._server.closing.set()
        self._server.shutdown()
        self._server.server_close()

    @contextmanager
    def taken_down(self) -> Iterator[None]:
        """Be out of reach inside."""
        self.stop()
        try:
            yield
        finally:
            self.start()


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Server"

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.hub.requests.append(Request(self.command, self.path, dict(self.headers)))
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        if parts[0] == "large":
            self._large(parts[1])
        elif parts[0] == "api" and parts[1] in ("models", "datasets"):
            self._api(parts[1], parts[2:])
        elif "resolve" in parts:
            kind = "datasets" if parts[0] == "datasets" else "models"
            at = parts.index("resolve")
            name = "/".join(parts[kind == "datasets" : at])
            self._resolve(kind, name, parts[at + 1], "/".join(parts[at + 2 :]))
        else:
            self._json(404, {"error": "Not Found"})

    # What repositories are and hold

    def _api(self, kind: str, parts: list[str]) -> None:
        at = next((place for place, part in enumerate(parts) if part in ("revision", "tree", "paths-info")), len(parts))
        repository = self._repository(kind, "/".join(parts[:at]), path=self.path)
        if repository is None or self._is_slow(repository, "slow-api"):
            return
        what, revision = (*parts[at:], "info", "main")[:2] if at < len(parts) else ("info", "main")
        sha = self._commit(repository, revision)
        if sha is None:
            return
        files = repository.commits[sha]
        if what == "tree":
            self._tree(files, "/".join(parts[at + 2 :]))
        elif what == "paths-info":
            asked = parse_qs(self.body.decode())["paths"]
            self._json(200, [_entry(path, files[path]) for path in asked if path in files])
        else:
            about = {"id": repository.name, "sha": sha, "private": False, "disabled": False, "tags": [], "downloads": 0}
            gated = "auto" if repository.gated else False
            siblings = [{"rfilename": path} for path in files]
            self._json(200, about | {"gated": gated, "siblings": siblings, "lastModified": "2024-01-01T00:00:00.000Z"})

    def _tree(self, files: Mapping[str, Blob], folder: str) -> None:
        prefix = f"{folder}/" if folder else ""
        below = {path: blob for path, blob in files.items() if path.startswith(prefix)}
        if not below and folder:
            self._error(404, "EntryNotFound", f"{folder} does not exist")
            return
        is_recursive = parse_qs(urlsplit(self.path).query).get("recursive", ["false"])[0].lower() == "true"
        entries: dict[str, Any] = {}
        for path, blob in below.items():
            first, *deeper = path.removeprefix(prefix).split("/")
            if deeper:
                name = prefix + first
                entries[name] = {"type": "directory", "oid": hashlib.md5(name.encode()).hexdigest(), "path": name}
            if is_recursive or not deeper:
                entries[path] = _entry(path, blob)
        self._json(200, list(entries.values()))

    def _repository(self, kind: str, name: str, *, path: str) -> Repository | None:
        """Return a repository; where there is none, answer as the hub does to a user it does not know."""
        hub = self.server.hub
        if (kind, name) in hub.aliases:
            self._send(307, b"", {"Location": path.replace(name, hub.aliases[kind, name], 1)})
            return None
        repository = hub.repositories.get((kind, name))
        if repository is None:
            self._error(401, "RepoNotFound", "Invalid username or password.")
        return repository

    def _commit(self, repository: Repository, revision: str) -> str | None:
        sha = repository.at(revision)
        if sha is None:
            self._error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return sha

    # Files

    def _resolve(self, kind: str, name: str, revision: str, path: str) -> None:
        repository = self._repository(kind, name, path=self.path)
        if repository is None:
            return
        if repository.gated:
            self._error(repository.gated, "GatedRepo", f"Access to {name} is restricted.")
            return
        sha = self._commit(repository, revision)
        if sha is None or self._is_slow(repository, "slow", "slow-api"):
            return
        blob = repository.commits[sha].get(path)
        if blob is None:
            self._error(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": sha})
            return
        if repository.fault == "error":
            self._json(500, {"error": "Internal Error - We're working hard to fix this as soon as possible!"})
            return
        headers = {"X-Repo-Commit": sha, "Accept-Ranges": "bytes", "ETag": f'"{blob.oid}"'}
        if not blob.is_large:
            self._file(blob.content, headers, repository.fault)
            return
        self.server.large[blob.sha256] = (blob.content, repository.fault)
        other = self.server.hub.url.replace("127.0.0.1", "localhost")
        headers |= {"X-Linked-Etag": f'"{blob.sha256}"', "X-Linked-Size": str(len(blob.content))}
        self._send(302, b"", headers | {"Location": f"{other}/large/{blob.sha256}"})

    def _large(self, sha256: str) -> None:
        content, fault = self.server.large[sha256]
        self._file(content, {"ETag": f'"{sha256[:32]}"', "Accept-Ranges": "bytes"}, fault)

    def _file(self, content: bytes, headers: dict[str, str], fault: Fault | None) -> None:
        """Send a file or the rest of it."""
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
        status, sent = 206 if start else 200, content[start:]
        if start:
            headers |= {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        if self.command == "HEAD" or fault in (None, "slow-api"):
            self._send(status, sent, headers)
        elif fault == "other":
            self._send(status, bytes(byte ^ 1 for byte in sent), headers)
        elif fault == "shorter":
            self._send(status, sent[: len(sent) // 2], headers)
        elif fault == "cut" or self._is_first():
            self._send(status, sent, headers, until=0 if start else len(sent) // 2)
        else:
            self._send(status, sent, headers)

    def _is_first(self) -> bool:
        hub = self.server.hub
        key = f"{self.command} {self.path}"
        hub.answered[key] += 1
        return hub.answered[key] == 1

    def _is_slow(self, repository: Repository, *faults: str) -> bool:
        if repository.fault not in faults:
            return False
        self.server.closing.wait(self.server.hub.slow_s)
        self.close_connection = True
        return True

    # Answers

    def _error(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        self._json(status, {"error": message}, {"X-Error-Code": code, "X-Error-Message": message, **(headers or {})})

    def _json(self, status: int, content: Any, headers: Mapping[str, str] | None = None) -> None:
        self._send(status, json.dumps(content).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _send(self, status: int, payload: bytes, headers: Mapping[str, str], *, until: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload[:until])
        if until is not None:
            self.wfile.flush()
            self.close_connection = True

    def log_message(self, *args: object) -> None:
        return


def _entry(path: str, blob: Blob) -> dict[str, Any]:
    """Return a file as trees name it."""
    entry = {"type": "file", "oid": blob.oid, "size": len(blob.content), "path": path}
    large = {"oid": blob.sha256, "size": len(blob.content), "pointerSize": 130}
    return entry | {"lfs": large} if blob.is_large else entry


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, hub: Hub, port: int) -> None:
        super().__init__(("127.0.0.1", port), Answer)
        self.hub = hub
        self.large: dict[str, tuple[bytes, Fault | None]] = {}
        self.closing = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        return  # a client that gave up is what is tested


@contextmanager
def serve_hub() -> Iterator[Hub]:
    """Serve a hub, to which repositories are added and changed while it is served."""
    hub = Hub()
    hub.start()
    try:
        yield hub
    finally:
        hub.stop()
