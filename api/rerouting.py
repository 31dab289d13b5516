"""Requests put as the routes know them: what lost a part of its path to a proxy, and what asks for the head alone."""

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Rerouted"]

FORWARDED_PREFIX = "X-Forwarded-Prefix"
PREFIX = re.compile(r"(?:/[\w.~-]+)+", re.ASCII)


class Rerouted:
    """Hands requests on.

    What a proxy took from the path, as its `X-Forwarded-Prefix` says, leads the addresses in replies, as ASGI has it:
    `root_path`, with which `path` begins. A HEAD is a GET whose body the server leaves out.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        handed = dict(scope) | {"method": "GET" if scope["method"] == "HEAD" else scope["method"]}
        prefix = Headers(scope=scope).get(FORWARDED_PREFIX, "").rstrip("/")
        if PREFIX.fullmatch(prefix):
            raw_path = prefix.encode() + scope.get("raw_path", b"")
            handed |= {"root_path": prefix, "path": prefix + scope["path"], "raw_path": raw_path}
        try:
            await self._app(handed, receive, send)
        finally:
            scope["route"] = handed.get("route")  # for whoever counts
