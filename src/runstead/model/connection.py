"""The HTTP connection to one model server: its address, key, certificates, proxy and limits."""

import ssl
from base64 import b64encode
from pathlib import Path
from urllib.request import getproxies, proxy_bypass

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from yarl import URL

from runstead.domain.errors import ModelFailed

CONNECT_LIMIT = 10.0
KEEP_ALIVE = 4.0
"""Seconds. Servers on uvicorn close an idle connection after 5; a call must not be sent into a closing one."""


def parse_base_url(text: str) -> URL:
    """The address in RUNSTEAD_MODEL_URL. Raises ModelFailed if it is none."""
    try:
        url = URL(text.rstrip("/"))
    except ValueError:
        url = URL()
    if url.scheme not in {"http", "https"} or not url.host:
        raise ModelFailed("server_error", "RUNSTEAD_MODEL_URL is no address; it should look like http://host:port/v1")
    return url


def load_trust(ca_file: Path | None) -> ssl.SSLContext | bool:
    """What certificates are judged by: the system's authorities, and those in the file. Raises ModelFailed."""
    if ca_file is None:
        return True
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(ca_file)
    except OSError as error:
        # A file that is no certificate ends here as well: ssl.SSLError is an OSError.
        raise ModelFailed("server_error", f"RUNSTEAD_MODEL_CA ({ca_file}) cannot be used: {error}") from error
    return context


def identity(key: str | None, url: URL) -> dict[str, str]:
    """The headers that identify us: the key, or else the credentials in the address.

    They belong to each request, never to the session: aiohttp sends a session's headers to the proxy as well.
    """
    return {"Authorization": f"Bearer {key}"} if key else _basic(url)


def open_session(trust: ssl.SSLContext | bool, idle_limit: float) -> ClientSession:
    """A session without a total time limit, a connection limit or cookies. `idle_limit` in seconds."""
    headers = {
        # A proxy that compresses an event stream also holds it back.
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        "User-Agent": "runstead",
    }
    return ClientSession(
        connector=TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE, ssl=trust),
        timeout=ClientTimeout(total=None, sock_connect=CONNECT_LIMIT, sock_read=idle_limit),
        headers=headers,
        cookie_jar=DummyCookieJar(),
    )


def environment_proxy(url: URL) -> tuple[URL | None, dict[str, str]]:
    """The proxy that the environment names for an address, and the headers that it wants.

    aiohttp's own `trust_env` asks for this, and reads ~/.netrc in a thread, on every call; an adapter has one address.
    """
    host = url.host or ""
    found = getproxies().get(url.scheme) or getproxies().get("all")
    if not found or _is_loopback(host) or proxy_bypass(f"{host}:{url.port}"):
        return None, {}
    proxy = URL(found if "://" in found else f"http://{found}")
    if proxy.scheme not in {"http", "https"}:
        return None, {}
    # aiohttp makes it Proxy-Authorization, for plain requests and for tunnels.
    return proxy.with_user(None), _basic(proxy)


def _basic(url: URL) -> dict[str, str]:
    if not url.user:
        return {}
    return {"Authorization": "Basic " + b64encode(f"{url.user}:{url.password or ''}".encode()).decode()}


def _is_loopback(host: str) -> bool:
    # Through a proxy it would mean the proxy's own machine, which nobody wants.
    return host in {"localhost", "::1"} or host.startswith("127.")
