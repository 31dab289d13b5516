"""Answers on their way to clients: in pieces, bounded in number, stopped when a client leaves."""

import asyncio
import threading
from collections.abc import Generator

import pytest

from api.streaming import Desk
from kb.errors import BusyError, NotFoundError
from kb.records import Answer, Usage
from rag.asking import AnswerStream

ANSWER = Answer(
    question="?",
    text="ab",
    abstained=False,
    mode="plain",
    style="prose",
    model="m",
    adapter=None,
    citations=(),
    hits=(),
    usage=Usage(1, 2),
)


class Writer:
    """Writes `ab`, and waits after the first piece until it is let go on; knows whether it was stopped."""

    def __init__(self) -> None:
        self.go_on, self.stopped = threading.Event(), threading.Event()

    def begin(self) -> AnswerStream:
        return AnswerStream(self._write())

    def _write(self) -> Generator[str, None, Answer]:
        try:
            yield "a"
            assert self.go_on.wait(60)
            yield "b"
        except GeneratorExit:
            self.stopped.set()
            raise
        return ANSWER


def test_an_answer_comes_in_pieces_and_whole() -> None:
    async def read(desk: Desk) -> list[object]:
        writer = Writer()
        writer.go_on.set()
        return [piece async for piece in await desk.begun(writer.begin)]

    desk = Desk(1)
    assert asyncio.run(read(desk)) == ["a", "b", ANSWER]
    assert desk.taken == 0
    desk.close()


def test_leaving_stops_the_writing_and_frees_the_place() -> None:
    async def leave(desk: Desk, writer: Writer) -> None:
        written = await desk.begun(writer.begin)
        assert await anext(written) == "a"
        assert desk.taken == 1
        await written.aclose()
        assert desk.taken == 0

    desk, writer = Desk(1), Writer()
    asyncio.run(leave(desk, writer))
    writer.go_on.set()
    assert writer.stopped.wait(60)
    desk.close()


def test_more_answers_than_places_are_asked_to_come_again() -> None:
    async def crowd(desk: Desk, writer: Writer) -> None:
        written = await desk.begun(writer.begin)
        with pytest.raises(BusyError, match="again"):
            await desk.begun(Writer().begin)
        await written.aclose()

    desk, writer = Desk(1), Writer()
    asyncio.run(crowd(desk, writer))
    writer.go_on.set()
    desk.close()


def test_what_keeps_an_answer_from_being_begun_is_raised_before_it_streams() -> None:
    def begin() -> AnswerStream:
        raise NotFoundError("no such adapter")

    desk = Desk(1)
    with pytest.raises(NotFoundError):
        asyncio.run(desk.begun(begin))
    assert desk.taken == 0
    desk.close()
