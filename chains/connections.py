"""The HTTP client of a model behind an API, made for many threads that ask at once.

A pool of connections looks at each of them before and after every request. Where 256 requests are in flight in one
pool, that is a quarter of a run's CPU time (`python -m benches throughput --concurrency 256 --latency-ms 1000`).
"""

import os
from collections import deque
from collections.abc import Mapping
from typing import Any

from httpx2 import Client, Request, Response, create_ssl_context
from openai import DefaultHttpxClient


def http_client(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the setting that gives a model of langchain-openai a client for many threads.

    Args:
        settings: The model's others. One that names a proxy for OpenAI's models needs langchain-openai's own client.
    """
    proxied = settings.get("openai_proxy") or os.environ.get("OPENAI_PROXY")
    return {} if proxied else {"http_client": LendingClient()}


class LendingClient(DefaultHttpxClient):
    """An HTTP client with openai's settings that lends every request a client which nobody else uses meanwhile.

    The one that came back last is lent next, so that connections are used again. A streamed response is read after
    `send` has returned; such requests share this client's own pool. Proxies and certificates are the environment's.
    """

    def __init__(self) -> None:
        self._certificates = create_ssl_context()  # once: reading them takes 20 ms
        self._idle: deque[Client] = deque()
        super().__init__(verify=self._certificates)

    def send(self, request: Request, *, stream: bool = False, **options: Any) -> Response:
        if stream:
            return super().send(request, stream=True, **options)
        try:
            client = self._idle.pop()
        except IndexError:
            client = DefaultHttpxClient(verify=self._certificates)
        try:
            return client.send(request, **options)
        finally:
            self._idle.append(client)

    def close(self) -> None:
        super().close()
        while self._idle:
            self._idle.pop().close()
