"""Answers as they are written: from the thread that writes one to its client, and stopped when that client leaves."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import Request
from fastapi.responses import StreamingResponse
from pydantic_core import to_json

from kb.errors import BusyError

if TYPE_CHECKING:
    from kb.records import Answer
    from rag.asking import AnswerStream

__all__ = ["DONE", "EVENTS", "ClientLeft", "Desk", "event", "events"]

DONE = b"data: [DONE]\n\n"
EVENTS: dict[str, Any] = {"text/event-stream": {}}

T = TypeVar("T")


class ClientLeft(Exception):  # noqa: N818 - nothing is wrong
    """Whoever asked has closed the connection."""


class Desk:
    """The threads that write answers, and the places for those who wait for one.

    `observe` is given how long the stages of each answer took, in milliseconds.
    """

    def __init__(self, places: int, observe: Callable[[Mapping[str, float]], None] = lambda _: None) -> None:
        self._places, self._taken, self._observe = places, 0, observe
        self._threads = ThreadPoolExecutor(places, thread_name_prefix="answer")

    @property
    def taken(self) -> int:
        return self._taken

    @contextmanager
    def _place(self) -> Iterator[None]:
        """One of the places; only the event loop's thread counts them."""
        if self._taken >= self._places:
            raise BusyError(f"{self._taken} answers are being written already. Ask again in a few seconds.")
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    def close(self) -> None:
        """Waits for the answers that are being written."""
        self._threads.shutdown(cancel_futures=True)

    async def run(self, request: Request, work: Callable[[], T]) -> T:
        """What the work gives, done in a thread; if the client leaves, it is done for nobody."""
        with self._place():
            return await until_left(request, asyncio.get_running_loop().run_in_executor(self._threads, work))

    async def whole(self, request: Request, begin: "Callable[[], AnswerStream]") -> "Answer":
        """A whole answer; if the client leaves, its writing is stopped."""

        async def write() -> "Answer":
            async with aclosing(self.pieces(begin)) as written:
                async for piece in written:
                    if not isinstance(piece, str):
                        return piece
            raise AssertionError("an answer comes last")

        return await until_left(request, asyncio.ensure_future(write()))

    async def begun(self, begin: "Callable[[], AnswerStream]") -> "AsyncGenerator[str | Answer, None]":
        """The pieces as below, once the first is there; so what keeps an answer from being begun is raised here."""
        written = self.pieces(begin)
        try:
            first = await anext(written)
        except BaseException:
            await written.aclose()
            raise

        async def go_on() -> "AsyncGenerator[str | Answer, None]":
            async with aclosing(written):
                yield first
                async for piece in written:
                    yield piece

        return go_on()

    async def pieces(self, begin: "Callable[[], AnswerStream]") -> "AsyncGenerator[str | Answer, None]":
        """The text of an answer, piece by piece, then the answer; left before that, the writing is stopped.

        Raises:
            BusyError: all places are taken.
        """
        loop = asyncio.get_running_loop()
        ready: asyncio.Queue[str | Answer | BaseException] = asyncio.Queue()
        left = threading.Event()

        def tell(news: "str | Answer | BaseException") -> None:
            with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
                loop.call_soon_threadsafe(ready.put_nowait, news)

        def write() -> None:
            if left.is_set():
                return
            try:
                stream = begin()
                for piece in stream:
                    tell(piece)
                    if left.is_set():
                        stream.close()
                        return
                tell(stream.answer)
            except BaseException as problem:  # noqa: BLE001 - whoever waits is told
                tell(problem)

        with self._place():
            self._threads.submit(write)
            try:
                while True:
                    news = await ready.get()
                    if isinstance(news, BaseException):
                        raise news
                    if not isinstance(news, str):
                        self._observe(news.timings_ms)
                        yield news
                        return
                    yield news
            finally:
                left.set()


async def until_left(request: Request, work: Awaitable[T]) -> T:
    """What is waited for; cancelled when the client closes its connection.

    Raises:
        ClientLeft: it has.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientLeft
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def event(data: Any) -> bytes:
    """A server-sent event that carries JSON."""
    return b"data: " + to_json(data) + b"\n\n"


def events(parts: AsyncIterator[bytes]) -> StreamingResponse:
    """The response that sends events as they come, through nginx too."""
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(parts, media_type="text/event-stream", headers=headers)
