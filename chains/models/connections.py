"""The HTTP client of a model behind an API, made for many threads that ask at once.

A pool of connections looks at each of them before and after every request. Where 256 requests are in flight in one
pool, that is a quarter of a run's CPU time.
"""

import os
import socket
import time
import urllib.request
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from functools import cache, partial
from ssl import SSLContext
from typing import Any, NamedTuple

from httpx2 import AsyncHTTPTransport, Client, HTTPTransport, InvalidURL, Request, Response, create_ssl_context
from openai import DEFAULT_CONNECTION_LIMITS, DefaultAsyncHttpxClient, DefaultHttpxClient

from chains.models.families import Options
from data.common.errors import ConfigurationError

# A peer that is gone is noticed after a minute and a half, as langchain-openai has it, where the system can.
_KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 120_000}
_IDLE_S = 5.0  # as long as a pool keeps a connection that nobody uses


def http_client(settings: Mapping[str, Any]) -> Options:
    """Return the settings that give a model of langchain-openai a client for many threads.

    Args:
        settings: The other settings that the model is made with.

    Returns:
        Nothing where the model has a proxy of its own, or sockets are to have other options: that is left to
        langchain-openai. The environment's proxies are followed here: its client would be that of an earlier model.

    Raises:
        OSError: SSL_CERT_FILE cannot be read.
        ConfigurationError: What the environment names as a proxy is none.
    """
    special = os.environ.get("OPENAI_PROXY") or settings.keys() & {"openai_proxy", "http_socket_options"}
    if special:
        return {}
    try:
        # Both: where it is given only one, langchain-openai makes the other, which passes a proxy by and takes 20 ms.
        asynchronous = DefaultAsyncHttpxClient(**_connecting(AsyncHTTPTransport, proxied=bool(_proxies())))
        return {"http_client": LendingClient(), "http_async_client": asynchronous}
    except (ImportError, InvalidURL, ValueError) as error:
        named = ", ".join(f"{kind}_proxy" for kind in sorted(_proxies()))
        raise ConfigurationError(f"a proxy of the environment ({named}) cannot be used: {error}; correct it") from None


def _proxies() -> set[str]:
    return urllib.request.getproxies().keys() - {"no"}


class _Idle(NamedTuple):
    client: Client
    since: float  # seconds of the monotonic clock


class LendingClient(DefaultHttpxClient):
    """An HTTP client with openai's settings that lends every request a client which nobody else uses meanwhile.

    The one that came back last is lent next, so that connections are used again; what has not been for a while is
    closed. A streamed response is read after `send` has returned; such requests share this client's own pool.
    """

    def __init__(self) -> None:
        self._idle: deque[_Idle] = deque()
        self._settings = partial(_connecting, HTTPTransport, proxied=bool(_proxies()))
        super().__init__(**self._settings())

    def send(self, request: Request, *, stream: bool = False, **options: Any) -> Response:
        if stream or self.is_closed:
            return super().send(request, stream=stream, **options)
        try:
            client = self._idle.pop().client
        except IndexError:
            client = DefaultHttpxClient(**self._settings())
        try:
            return client.send(request, **options)
        finally:
            now = time.monotonic()
            self._idle.append(_Idle(client, now))
            self._close_unused_since(float("inf") if self.is_closed else now - _IDLE_S)

    def close(self) -> None:
        super().close()
        self._close_unused_since(float("inf"))

    def _close_unused_since(self, moment: float) -> None:
        with suppress(IndexError):  # there is none left, or another thread took it
            while self._idle[0].since <= moment:
                self._idle.popleft().client.close()


def _connecting(transport: type[HTTPTransport] | type[AsyncHTTPTransport], *, proxied: bool) -> Options:
    """Return how a client is to connect; a transport of our own would pass the environment's proxies by."""
    if proxied:
        return {"verify": _certificates()}
    known = {getattr(socket, name): value for name, value in _KEEPALIVE.items() if hasattr(socket, name)}
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), *((socket.IPPROTO_TCP, *pair) for pair in known.items())]
    made = transport(verify=_certificates(), limits=DEFAULT_CONNECTION_LIMITS, socket_options=options)
    return {"transport": made}


@cache
def _certificates() -> SSLContext:
    return create_ssl_context()  # takes 20 ms
