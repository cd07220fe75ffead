"""An OpenAI-compatible server of a few lines: remembers every request, and answers as it is told.

What reaches a server, headers and all, is the only proof of what was sent to it.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Request(NamedTuple):
    headers: dict[str, str]  # names in lower case
    body: dict[str, Any]


class ChatEndpoint(NamedTuple):
    base_url: str
    requests: list[Request]


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # of five, a busy machine drops some of those that come at once


@contextmanager
def serve_chat(
    reply: Callable[[dict[str, Any]], str | dict[str, Any] | int | bytes | tuple[int, dict[str, Any]]],
    *,
    finish_reason: str = "stop",
    logprobs: Callable[[dict[str, Any]], list[dict[str, Any]] | None] | None = None,
    prompt_tokens: Callable[[dict[str, Any]], int] = lambda body: 7,
    keeps_schemas: bool = False,
) -> Iterator[ChatEndpoint]:
    """Answer /v1/chat/completions on a free loopback port with `reply(body)`, streamed where that is asked for.

    A reply is a text, or a message's fields, or the status of an error, or that and its body, or the body of the answer
    as it is; fields that are streamed are texts. With `keeps_schemas`, a text is put into the JSON schema that is asked
    for, as a provider does it.

    `logprobs(body)` are those of the reply's tokens, sent only to who asks for them; `prompt_tokens(body)` is what the
    server says that it read.
    """
    requests: list[Request] = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            requests.append(Request({name.lower(): value for name, value in self.headers.items()}, body))
            text = reply(body)
            if keeps_schemas and isinstance(text, str) and "response_format" in body:
                text = _in_schema(text, body["response_format"]["json_schema"]["schema"])
            if isinstance(text, int):
                text = text, {"error": {"message": "failed"}}
            if isinstance(text, tuple):
                self._send(json.dumps(text[1]), "application/json", status=text[0])
            elif isinstance(text, bytes):
                self._send(text.decode(), "application/json")
            elif body.get("stream"):
                fields = {"content": text} if isinstance(text, str) else text
                chunks = [_chunk({name: part}, None) for name, said in fields.items() for part in _parts(said)]
                chunks.append(_chunk({}, finish_reason))
                payload = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
                self._send(payload, "text/event-stream")
            else:
                completion = _completion(text, finish_reason, prompt_tokens(body))
                if logprobs and body.get("logprobs"):
                    completion["choices"][0]["logprobs"] = {"content": logprobs(body)}
                self._send(json.dumps(completion), "application/json")

        def _send(self, payload: str, content_type: str, *, status: int = 200) -> None:
            data = payload.encode()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            return

    server = _Server(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield ChatEndpoint(f"http://127.0.0.1:{server.server_port}/v1", requests)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _in_schema(text: str, schema: dict[str, Any]) -> str:
    """Return the object of a schema whose label a text names: the longest that it holds, or the first of all."""
    assert schema["type"] == "object" and schema["additionalProperties"] is False
    assert schema["required"] == list(schema["properties"])
    said = {
        name: max((one for one in field["enum"] if one in text), key=len, default=field["enum"][0])
        if "enum" in field
        else text
        for name, field in schema["properties"].items()
    }
    return json.dumps(said, ensure_ascii=False)


def _parts(said: str | None) -> list[str]:
    return [said[start : start + 3] for start in range(0, len(said), 3)] if said else []


def _completion(said: str | dict[str, Any], finish_reason: str, prompt_tokens: int) -> dict[str, Any]:
    message = {"role": "assistant", **({"content": said} if isinstance(said, str) else said)}
    return {
        "id": "chat-1",
        "object": "chat.completion",
        "created": 1,
        "model": "served",
        "choices": [{"index": 0, "finish_reason": finish_reason, "message": message}],
        "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": 3, "total_tokens": prompt_tokens + 3},
    }


def _chunk(delta: dict[str, str], finish_reason: str | None) -> dict[str, Any]:
    return {
        "id": "chat-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "served",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    }
