"""The client of models behind an API, against real servers: connections are used again, by one call at a time."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from chat_endpoint import serve_chat

from benches.throughput import REPLY, latency_server
from chains.connections import LendingClient
from chains.models import load_chat_model


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
        assert load_chat_model("endpoint:m@http://models.invalid/v1").invoke("Which?").text == "yes"
        assert proxy.requests[0].headers["host"] == "models.invalid"


@pytest.mark.parametrize("spec", ["openai:gpt-4o", "endpoint:m@http://localhost:1/v1"])
def test_a_proxy_for_openai_alone_is_left_to_langchain(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-123")
    lent = load_chat_model(spec)
    assert isinstance(getattr(lent, "inner", lent).http_client, LendingClient)
    monkeypatch.setenv("OPENAI_PROXY", "http://localhost:1")
    proxied = load_chat_model(spec)
    assert not isinstance(getattr(proxied, "inner", proxied).http_client, LendingClient)


def test_what_is_idle_is_closed_with_the_client() -> None:
    client = LendingClient()
    with serve_chat(lambda body: "yes") as server:
        client.send(client.build_request("POST", f"{server.base_url}/chat/completions", json={}))
    (lent,) = client._idle
    client.close()
    assert client.is_closed
    assert lent.is_closed
