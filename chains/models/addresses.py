"""Where a model is asked, by what way, and whether anything answers there."""

import os
import socket
import urllib.request
from typing import NamedTuple
from urllib.parse import urlsplit

from langchain_core.language_models import BaseChatModel

from data.common.errors import ConfigurationError, MissingResourceError

CONNECT_SECONDS = 2.0
_ANSWER_SECONDS = 10.0  # for a proxy, which asks another server first
# What a proxy says that cannot, or will not, ask the server; any other answer is the server's own.
_NOT_ASKED = frozenset({407, 502, 503, 504})


def check_address(base_url: str) -> str:
    """Return the address of a server, refusing what is not one and what carries a secret.

    Raises:
        ConfigurationError: It is not http(s)://host[:port][/path]; a secret in it is not repeated.
    """
    from httpx2 import URL, InvalidURL

    form = "give it as http://host:port/v1"
    try:
        parts = urlsplit(base_url)
        is_good = (parts.port is None or parts.port > 0) and bool(URL(base_url).host)
    except (InvalidURL, ValueError):
        is_good = False
    if not is_good or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"'{base_url.rpartition('@')[2]}' is not the address of a server; {form}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigurationError(
            f"the address of the server at {parts.hostname} must hold no credentials and no query; {form}, "
            "and put a key in ENDPOINT_API_KEY"
        )
    return base_url.rstrip("/")


def address_of(model: BaseChatModel) -> str | None:
    """Return the address a model is asked at, without credentials; None for a local model or a provider's default."""
    inner = getattr(model, "inner", model)
    base_url = getattr(inner, "openai_api_base", None) or getattr(inner, "base_url", None)
    if not base_url and os.environ.get("OPENAI_BASE_URL"):  # which OpenAI's client alone reads
        base_url = _client_s_address(inner)
    return _without_credentials(base_url.rstrip("/")) if isinstance(base_url, str) else None


def given_address(spec: str) -> str | None:
    """Return the address that the environment gives for OpenAI's models; None for others, and where it gives none."""
    given = os.environ.get("OPENAI_API_BASE") or os.environ.get("OPENAI_BASE_URL")
    return _without_credentials(given.rstrip("/")) if given and spec.startswith("openai:") else None


def _client_s_address(model: BaseChatModel) -> str | None:
    address = getattr(getattr(model, "root_client", None), "base_url", None)
    return None if address is None else str(address).rstrip("/")


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def check_reachable(model: BaseChatModel) -> None:
    """See that something answers where the model is asked, by the way that its calls take.

    A server of one's own gets one TCP connection; behind a proxy, wherever the model is, one request without a key.

    Raises:
        MissingResourceError: Nothing answers within two seconds, or the proxy does not reach it.
        ConfigurationError: What the environment says is no address.
    """
    inner = getattr(model, "inner", model)
    base_url = address_of(model)
    asked_at = base_url or _client_s_address(inner)
    if asked_at is None:
        return
    check_address(asked_at)
    if (proxy := _proxy_of(asked_at, getattr(inner, "openai_proxy", None))) is not None:
        _check_proxy(proxy, asked_at)
    elif base_url is not None:
        _check_connection(base_url)


def _check_connection(base_url: str) -> None:
    parts = urlsplit(base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((str(parts.hostname), port), timeout=CONNECT_SECONDS).close()
    except (OSError, UnicodeError):  # the latter for a host that no name server can be asked for
        raise MissingResourceError(f"nothing answers at {base_url}; start the server or correct the address") from None


class _Proxy(NamedTuple):
    """A proxy's address, and the variable that names it."""

    url: str
    variable: str

    def __str__(self) -> str:
        return f"the proxy {_without_credentials(self.url)} of {self.variable}"


def _proxy_of(base_url: str, given: str | None) -> _Proxy | None:
    """Return the proxy by which an address is asked; None where that is asked directly.

    Args:
        base_url: The server's address.
        given: The proxy that the model itself was given.
    """
    if given:
        return _Proxy(given, "OPENAI_PROXY")
    parts, proxies = urlsplit(base_url), urllib.request.getproxies()
    kind = parts.scheme if proxies.get(parts.scheme) else "all"
    if not proxies.get(kind) or urllib.request.proxy_bypass(parts.netloc):
        return None
    name = f"{kind}_proxy"  # in small letters it comes first, also where both are set
    variable = name if os.environ.get(name) else name.upper() if os.environ.get(name.upper()) else "the system"
    url = proxies[kind]
    return _Proxy(url if "://" in url else f"http://{url}", variable)


def _check_proxy(proxy: _Proxy, base_url: str) -> None:
    import httpx2

    host = str(urlsplit(base_url).hostname)
    remedy = f"correct {proxy.variable}, or name {host} in NO_PROXY to ask it directly"
    try:
        with httpx2.Client(proxy=proxy.url, timeout=httpx2.Timeout(_ANSWER_SECONDS, connect=CONNECT_SECONDS)) as client:
            status = client.get(f"{base_url}/models").status_code
    except (httpx2.ReadTimeout, httpx2.ReadError, httpx2.RemoteProtocolError):
        return  # it is there; what is wrong beyond it, the calls will tell
    except httpx2.ProxyError as error:
        raise MissingResourceError(f"{proxy} does not let {base_url} be asked: {error}; {remedy}") from None
    except (httpx2.TransportError, httpx2.InvalidURL, ValueError, ImportError) as error:
        raise MissingResourceError(f"{proxy} cannot be asked for {base_url}: {error}; {remedy}") from None
    own = host in ("localhost", "::1") or host.startswith("127.")  # another machine's proxy does not reach it
    if status in _NOT_ASKED or (status == 403 and own):
        raise MissingResourceError(f"{proxy} answers {status} for {base_url}; {remedy}")
