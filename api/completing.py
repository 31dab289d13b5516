"""Answers in the forms that clients of OpenAI read: whole or in chunks, as a chat's turn or as a completion's text."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

from api.problems import describe
from api.schemas import CitationOut
from api.schemas_chat import ChatChoice, ChatCompletion, Completion, Finish, Said, TextChoice, Writing, now
from api.schemas_openai import Chunk, UsageCount
from api.streaming import DONE, event
from kb.records import Answer

__all__ = ["ChatReply", "TextReply"]


class ChatReply:
    """The reply to one chat."""

    object, prefix = "chat.completion.chunk", "chatcmpl"

    def __init__(self, asked: Writing, model: str) -> None:
        self._asked, self._model = asked, model
        self._id, self._created = f"{self.prefix}-{uuid.uuid4().hex}", now()

    def whole(self, answer: Answer) -> ChatCompletion | Completion:
        message = Said(content=answer.text)
        choice = ChatChoice(message=message, finish_reason=_finish(answer), **self._grounds(answer))
        return ChatCompletion(choices=(choice,), **self._frame(answer))

    async def events(self, written: AsyncIterator[str | Answer]) -> AsyncIterator[bytes]:
        """The answer as server-sent events: its text piece by piece, what it rests on, what it cost, `[DONE]`.

        If the writing fails, the last event tells of the problem.
        """
        yield self._chunk("", first=True)
        try:
            async for piece in written:
                if isinstance(piece, str):
                    yield self._chunk(piece)
                    continue
                yield self._chunk("", finish=_finish(piece), **self._grounds(piece))
                if self._asked.stream_options and self._asked.stream_options.include_usage:
                    yield self._event([], usage=UsageCount.of(piece).model_dump())
        except Exception as problem:  # noqa: BLE001 - the status was sent long ago
            yield event({"error": describe(problem, "/v1/chat/completions").error})
            return
        yield DONE

    def _chunk(self, text: str, *, first: bool = False, finish: Finish | None = None, **more: Any) -> bytes:
        choice = self._piece(text, first=first) | {"finish_reason": finish, "logprobs": None}
        return self._event([{"index": 0, **choice, **more}])

    def _piece(self, text: str, *, first: bool) -> dict[str, Any]:
        delta = {"role": "assistant"} if first else {}
        return {"delta": delta | ({"content": text} if text or first else {})}

    def _event(self, choices: list[dict[str, Any]], **more: Any) -> bytes:
        return event(
            {
                "id": self._id,
                "object": self.object,
                "created": self._created,
                "model": self._model,
                "choices": choices,
                **more,
            }
        )

    def _frame(self, answer: Answer) -> dict[str, Any]:
        return {
            "id": self._id,
            "created": self._created,
            "model": self._model,
            "usage": UsageCount.of(answer),
            "timings_ms": answer.timings_ms,
        }

    def _grounds(self, answer: Answer) -> dict[str, Any]:
        """What an answer from the documents rests on, as members of its choice."""
        if answer.mode == "plain":
            return {}
        sources = [Chunk.of(hit.passage, hit.score) for hit in answer.hits] if self._asked.include_sources else None
        return {
            "sources": sources,
            "citations": [CitationOut.model_validate(citation) for citation in answer.citations],
            "question": answer.question,
            "abstained": answer.abstained,
            "answerable": None if answer.answerable is None else round(answer.answerable, 4),
            "understood": answer.understood,
        }


class TextReply(ChatReply):
    """The reply to one prompt; its text stands where clients of OpenAI look for it, and where private-gpt's do."""

    object, prefix = "text_completion", "cmpl"

    def whole(self, answer: Answer) -> Completion:
        choice = TextChoice(
            text=answer.text,
            message=Said(content=answer.text),
            finish_reason=_finish(answer),
            **self._grounds(answer),
        )
        return Completion(choices=(choice,), **self._frame(answer))

    def _piece(self, text: str, *, first: bool) -> dict[str, Any]:
        return {"text": text} | super()._piece(text, first=first)


def _finish(answer: Answer) -> Finish:
    return "length" if answer.finish == "length" else "stop"
