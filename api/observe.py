"""What a server tells of itself: a line of log and a count for each request, and figures for Prometheus.

Neither logs nor figures hold questions, answers or texts of documents.
"""

import logging
import re
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from http import HTTPMethod
from typing import Any, Literal

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import EventDict

__all__ = ["CONTENT_TYPE_LATEST", "Metrics", "Observed", "configure_logs"]

REQUEST_ID = "X-Request-ID"
SAFE_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
UNKNOWN_ROUTE = "none"
METHODS = frozenset(HTTPMethod)
OTHER_METHOD = "other"

_log = logging.getLogger("guide.requests")


class Metrics:
    """The figures of one application."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter("guide_requests", "Requests", ["method", "route", "status"], registry=self._registry)
        self._seconds = Histogram(
            "guide_request_seconds",
            "From a request's arrival to the end of its reply",
            ["method", "route"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self._stages = Histogram(
            "guide_stage_seconds",
            "Stages of searching and answering",
            ["stage"],
            buckets=SECONDS,
            registry=self._registry,
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        known = method if method in METHODS else OTHER_METHOD  # each one that is told of is kept for good
        self._requests.labels(known, route, status).inc()
        self._seconds.labels(known, route).observe(seconds)

    def stages(self, timings_ms: Mapping[str, float]) -> None:
        """Counts the stages of one search or answer."""
        for stage, spent in timings_ms.items():
            self._stages.labels(stage).observe(spent / 1000)

    def follow(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        """Adds a figure that is asked for whenever the figures are read."""
        Gauge(name, help_text, registry=self._registry).set_function(value)

    def text(self) -> bytes:
        """All figures, as Prometheus reads them."""
        return generate_latest(self._registry)


class Observed:
    """Gives every request an id, its own or a new one, and tells of its end."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500
        given = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = given if SAFE_ID.fullmatch(given) else uuid.uuid4().hex

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = request_id
                headers["Server-Timing"] = f"total;dur={1000 * (time.perf_counter() - began):.1f}"
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            finally:
                seconds = time.perf_counter() - began
                route = getattr(scope.get("route"), "path", UNKNOWN_ROUTE)
                self._metrics.request(scope["method"], route, status, seconds)
                told = {
                    "method": scope["method"],
                    "path": scope["path"],
                    "status": status,
                    "ms": round(1000 * seconds, 1),
                }
                _log.info("request", extra=told)


def _without_colours(logger: Any, method: str, told: EventDict) -> EventDict:  # noqa: ARG001
    """Leaves out what uvicorn says a second time, in colours."""
    told.pop("color_message", None)
    return told


def configure_logs(style: Literal["text", "json"]) -> None:
    """All logs of the process to stderr, a line each: for people, or as JSON objects."""
    chain: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _without_colours,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    as_json = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    as_text = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=chain,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(as_json if style == "json" else as_text),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it warns of a speed-up that nothing here asks for
    for name in ("guide", "uvicorn"):
        logging.getLogger(name).setLevel(logging.INFO)
