"""What is checked of a request before any route sees it."""

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import refusal

__all__ = ["BodyLimit"]

JSON_ESCAPES = 3  # JSON may write a character of 4 bytes in UTF-8 as 12
FORM_BYTES = 100_000
QUESTION_BYTES = 4_000_000
DOCUMENTS = "/v1/ingest/"


class BodyLimit:
    """Refuses bodies that are larger than what their route can need, before they are read or as soon as it shows."""

    def __init__(self, app: ASGIApp, *, max_document_mb: float) -> None:
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
