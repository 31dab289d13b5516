"""What is checked of a request before a route sees it: where it comes from, its key, how many there were, its size."""

import base64
import binascii
import hmac
import ipaddress
import math
import re
import time
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import refusal
from kb.settings import Settings

__all__ = ["BodyLimit", "Guard", "is_loopback"]

JSON_ESCAPES = 3  # JSON may write a character of 4 bytes in UTF-8 as 12
FORM_BYTES = 100_000
QUESTION_BYTES = 4_000_000
DOCUMENTS = "/v1/ingest/"
ALWAYS_OPEN = "/health"
PAGE = re.compile("/|/page/.*")
READING = {"GET", "HEAD", "OPTIONS"}

Check = Callable[[Scope, Headers], Response | None]


class Guard:
    """Lets a request in or says why not. Without a key only browsers and programs of this machine are expected."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        key = settings.api_key.get_secret_value() if settings.api_key else None
        self._checks: list[Check] = [OriginCheck(settings.listed_origins)]
        self._checks.append(KeyCheck(key) if key else HostCheck(settings.listed_hosts))
        if settings.rate_limit:
            self._checks.append(RateCheck(parse(settings.rate_limit)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"} and scope["path"] != ALWAYS_OPEN:
            headers = Headers(scope=scope)
            for check in self._checks:
                if refused := check(scope, headers):
                    await refused(scope, receive, send)
                    return
        await self._app(scope, receive, send)


class KeyCheck:
    """Asks for the key, as a bearer token or, for browsers, as the password of any user.

    The page itself is shown without: it holds nothing, and asks for the key that its requests carry.
    """

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def __call__(self, scope: Scope, headers: Headers) -> Response | None:
        if PAGE.fullmatch(scope["path"]):
            return None
        if hmac.compare_digest(_given_key(headers.get("authorization", "")), self._key):
            return None
        detail = "The key is missing or another one. Send the server's GUIDE_API_KEY as `Authorization: Bearer …`."
        challenge = {"WWW-Authenticate": 'Bearer realm="guide", Basic realm="guide", charset="UTF-8"'}
        return refusal(HTTPStatus.UNAUTHORIZED, detail, scope["path"], challenge)


class HostCheck:
    """Only takes requests that were sent to a name of this machine.

    A page of another site whose name was made to lead here (DNS rebinding) is not one.
    """

    def __init__(self, allowed: frozenset[str]) -> None:
        self._allowed = allowed

    def __call__(self, scope: Scope, headers: Headers) -> Response | None:
        host = _host(headers.get("host", ""))
        if is_loopback(host) or host in self._allowed:
            return None
        detail = f"This server does not go by the name {host!r}. Set GUIDE_ALLOWED_HOSTS to names it has, or a key."
        return refusal(HTTPStatus.MISDIRECTED_REQUEST, detail, scope["path"])


class OriginCheck:
    """Takes nothing that changes or costs something from pages of other sites; what is only read, browsers keep."""

    def __init__(self, allowed: frozenset[str]) -> None:
        self._allowed = allowed

    def __call__(self, scope: Scope, headers: Headers) -> Response | None:
        origin = headers.get("origin")
        if origin is None or scope.get("method") in READING or origin in self._allowed or "*" in self._allowed:
            return None
        if origin.partition("://")[2] == headers.get("host"):
            return None
        detail = f"Pages of {origin} may not use this server. Set GUIDE_CORS_ORIGINS to allow them."
        return refusal(HTTPStatus.FORBIDDEN, detail, scope["path"])


class RateCheck:
    """Takes so many requests of one client in a window of time; an IPv6 client is its network of 64 bits."""

    def __init__(self, limit: RateLimitItem) -> None:
        self._limit, self._limiter = limit, MovingWindowRateLimiter(MemoryStorage())

    def __call__(self, scope: Scope, headers: Headers) -> Response | None:  # noqa: ARG002
        client = _network(scope["client"][0] if scope.get("client") else "")
        if self._limiter.hit(self._limit, client):
            return None
        wait = math.ceil(self._limiter.get_window_stats(self._limit, client).reset_time - time.time())
        detail = f"More than {self._limit} from {client}. Come again in {max(wait, 1)} s."
        return refusal(HTTPStatus.TOO_MANY_REQUESTS, detail, scope["path"], {"Retry-After": str(max(wait, 1))})


class BodyLimit:
    """Refuses bodies that are larger than what their route can need, before they are read or as soon as it shows."""

    def __init__(self, app: ASGIApp, max_document_mb: float) -> None:
        self._app = app
        self._document_bytes = int(max_document_mb * JSON_ESCAPES * 1_000_000) + FORM_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._document_bytes if scope["path"].startswith(DOCUMENTS) else QUESTION_BYTES
        status, detail = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body has more than the {most:,} bytes taken here."
        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal() and int(length) > most:
            await refusal(status, detail, scope["path"])(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > most:
                raise HTTPException(status, detail)
            return message

        await self._app(scope, counted, send)


def is_loopback(host: str) -> bool:
    """Whether a name or address always means this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _given_key(authorization: str) -> bytes:
    """The key of an `Authorization` header; empty if there is none."""
    scheme, _, value = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return value.strip().encode("latin-1")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).partition(b":")[2]
        except binascii.Error:
            return b""
    return b""


def _host(header: str) -> str:
    """The name in a `Host` header, without port and brackets."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def _network(address: str) -> str:
    try:
        network = ipaddress.ip_network(address)
    except ValueError:
        return address
    return str(network.supernet(new_prefix=64)) if network.version == 6 else address
