"""The client of models behind an API, against real servers: connections are used again, by one call at a time."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import pytest

from benches.throughput import REPLY, latency_server
from chains.models.connections import LendingClient, _certificates
from chains.models.specs import load_chat_model
from data.common.errors import ConfigurationError
from tests.support.chat_endpoint import serve_chat


def test_connections_are_as_many_as_calls_at_once_whoever_calls() -> None:
    with latency_server(0.05) as server:
        model = load_chat_model(f"endpoint:m@{server.base_url}")
        for _ in range(3):
            with ThreadPoolExecutor(8) as fresh_threads:
                replies = list(fresh_threads.map(model.invoke, ["Which?"] * 16))
            assert [reply.text for reply in replies] == [REPLY] * 16
        seen = server.seen()
    assert seen["requests"] == 48
    assert seen["connections"] <= 8


def test_a_streamed_reply_is_read_to_its_end() -> None:
    with serve_chat(lambda body: "an answer in parts") as server:
        model = load_chat_model(f"endpoint:m@{server.base_url}")
        parts = [part.text for part in model.stream("Which?")]
    assert len(parts) > 1
    assert "".join(parts) == "an answer in parts"


def test_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_chat(lambda body: "yes") as proxy:
        monkeypatch.setenv("http_proxy", proxy.base_url.removesuffix("/v1"))
        monkeypatch.setenv("no_proxy", "")
        model = load_chat_model("endpoint:m@http://models.invalid/v1")
        assert model.invoke("Which?").text == "yes"
        assert asyncio.run(model.ainvoke("Which?")).text == "yes"
        assert [request.headers["host"] for request in proxy.requests] == ["models.invalid"] * 2


@pytest.mark.parametrize("spec", ["openai:gpt-4o", "endpoint:m@http://localhost:1/v1"])
def test_what_langchain_sets_up_itself_is_left_to_it(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def lends(**settings: Any) -> bool:
        model = load_chat_model(spec, **settings)
        return isinstance(getattr(model, "inner", model).http_client, LendingClient)

    monkeypatch.setattr("urllib.request.getproxies", dict)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-123")
    assert lends()
    assert not lends(http_socket_options=[])
    monkeypatch.setenv("OPENAI_PROXY", "http://localhost:1")
    assert not lends()


@pytest.mark.parametrize("spec", ["openai:gpt-4o", "endpoint:m@http://localhost:1/v1"])
def test_certificates_that_are_not_there_are_one_line(
    spec: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-123")
    monkeypatch.setattr("urllib.request.getproxies", dict)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    _certificates.cache_clear()
    with pytest.raises(ConfigurationError, match=r"cannot be made: .*No such file"):
        load_chat_model(spec)


def test_a_connection_that_breaks_silently_is_noticed() -> None:
    """Behind a gateway that drops idle connections, a reasoning model's call would wait for its whole timeout."""
    client = LendingClient()
    with latency_server(0) as server:
        sent = client.send(client.build_request("POST", f"{server.base_url}/chat/completions", json={}))
        connection = sent.extensions["network_stream"].get_extra_info("socket")
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_what_nobody_uses_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 1.0, 7.0])
    monkeypatch.setattr("chains.models.connections.time", SimpleNamespace(monotonic=lambda: next(moments)))
    client, both = LendingClient(), Barrier(2, timeout=20)

    def reply(body: dict[str, Any]) -> str:
        if body["at"] == "once":
            both.wait()  # else one client would serve both
        return "yes"

    with serve_chat(reply) as server:
        address = f"{server.base_url}/chat/completions"
        with ThreadPoolExecutor(2) as two:
            for sent in [two.submit(client.post, address, json={"at": "once"}) for _ in range(2)]:
                sent.result()
        early, late = (idle.client for idle in client._idle)
        client.post(address, json={"at": "last"})
        assert early.is_closed
        assert not late.is_closed
    client.close()
    assert late.is_closed
    with pytest.raises(RuntimeError, match="closed"):
        client.post(address, json={})
