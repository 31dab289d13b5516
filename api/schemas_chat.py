"""The JSON of chats and completions, in the shapes that clients of OpenAI and private-gpt know."""

import time
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from api.schemas import CitationOut, ContextFilter, Filtered, Whole, Wire
from api.schemas_openai import Chunk, Lenient, OneOr, UsageCount
from kb.records import Filter
from models.chat import Conversation, Message, Sampling

MOST_MESSAGES = 1000

Finish = Literal["stop", "length"]
Temperature = Annotated[float, Field(ge=0, le=2)]
Role = Literal["system", "developer", "user", "assistant", "tool", "function"]
# As what the model reads each: not every template knows tools.
TURNS: dict[Role, Literal["system", "user", "assistant"]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "user",
    "function": "user",
}


class TextPart(Lenient):
    """A part of a message."""

    type: Literal["text"]
    text: str


class ChatMessage(Lenient):
    """One turn; `developer` is another name of `system`, `function` of `tool`.

    No tools are called here; conversations in which another model called some are taken all the same.
    """

    role: Role
    content: OneOr[str, list[TextPart]] | None = Field(
        default=None, description="null where an assistant only calls tools"
    )
    tool_calls: list[Any] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""

    @property
    def has_to_do_with_tools(self) -> bool:
        return self.role in {"tool", "function"} or bool(self.tool_calls)

    def turn(self) -> Message:
        return Message(TURNS[self.role], self.text)


class StreamOptions(Lenient):
    """What a stream is to bring besides the text."""

    include_usage: bool | None = None


class Writing(Lenient):
    """How an answer is to be written, and from what."""

    model: str | None = Field(
        default=None, description="the base, an adapter, or `guide`: the adapter, answering from the documents"
    )
    use_context: bool | None = Field(
        default=None, description="answer from the documents; false unless given, but with the model `guide`"
    )
    context_filter: ContextFilter | None = Field(default=None, description="only from these documents")
    include_sources: bool = Field(default=True, description="the passages that were found come with the answer")
    stream: bool | None = Field(default=None, description="the answer in pieces, as server-sent events")
    stream_options: StreamOptions | None = None
    temperature: Temperature | None = Field(default=None, description="0, greedy, unless given")
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1), Whole] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1), Whole] | None = Field(default=None, description="as max_tokens")
    stop: OneOr[str, Annotated[list[str], Field(max_length=16)]] | None = Field(
        default=None, description="where the answer ends"
    )
    seed: Annotated[int, Whole] | None = None
    n: Annotated[Literal[1], Whole] | None = Field(default=None, description="one answer at a time")

    @property
    def most_tokens(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens

    @property
    def stops(self) -> tuple[str, ...]:
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(filter(None, stops))

    @property
    def within(self) -> Filter:
        return Filtered(context_filter=self.context_filter).within()

    @property
    def sampling(self) -> Sampling | None:
        """How the next token is taken; None if nothing was said of it."""
        if self.temperature is self.top_p is self.seed is None:
            return None
        return Sampling(self.temperature or 0.0, self.top_p or 1.0, seed=(self.seed or 0) % 2**63)


class ResponseFormat(Lenient):
    """The form of an answer: text, for nothing here holds one to JSON."""

    type: Literal["text"]


class ChatRequest(Writing):
    """A conversation to go on with; the last message is the user's."""

    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MOST_MESSAGES)] = Field(
        examples=[[{"role": "user", "content": "QLoRA 的适用场景是什么？"}]]
    )
    response_format: ResponseFormat | None = Field(default=None, description="text alone")
    tool_choice: Literal["none", "auto"] | None = Field(default=None, description="no tool is called in any case")

    @property
    def turns(self) -> Conversation:
        return _turns(self.messages)

    @property
    def turns_without_tools(self) -> Conversation:
        """What was said, for answers that rest on documents alone."""
        return _turns(message for message in self.messages if not message.has_to_do_with_tools)


class CompletionRequest(Writing):
    """A prompt to answer, as a conversation of one turn."""

    prompt: OneOr[
        Annotated[str, StringConstraints(min_length=1)], Annotated[list[str], Field(min_length=1, max_length=1)]
    ]
    system_prompt: str | None = None

    @property
    def turns(self) -> Conversation:
        prompt = self.prompt if isinstance(self.prompt, str) else self.prompt[0]
        system = [Message("system", self.system_prompt)] if self.system_prompt else []
        return [*system, Message("user", prompt)]

    @property
    def turns_without_tools(self) -> Conversation:
        return self.turns


class Said(Wire):
    """The assistant's turn."""

    role: Literal["assistant"] = "assistant"
    content: str


class ChatChoice(Wire):
    """The answer, with what it rests on: `[n]` in its text refers to the citation `n`.

    `question` is the one that was answered, made whole if the last message was a follow-up; `understood` is the same as
    passages were looked for, with misspelt identifiers put right, and `answerable` how probable an answer to it is.
    """

    index: Literal[0] = 0
    message: Said
    finish_reason: Finish
    logprobs: None = None
    sources: tuple[Chunk, ...] | None = None
    citations: tuple[CitationOut, ...] | None = None
    question: str | None = None
    abstained: bool | None = None
    answerable: float | None = None
    understood: str | None = None


class TextChoice(ChatChoice):
    """The same for a completion."""

    text: str


class ChatCompletion(Wire):
    """A whole answer."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: tuple[ChatChoice]
    usage: UsageCount
    timings_ms: dict[str, float]


class Completion(Wire):
    """A whole answer to a prompt."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: tuple[TextChoice]
    usage: UsageCount
    timings_ms: dict[str, float]


def now() -> int:
    """Seconds since 1970."""
    return int(time.time())


def _turns(messages: Iterable[ChatMessage]) -> Conversation:
    """The messages as the model reads them; only a user's may be without text."""
    return [message.turn() for message in messages if message.text or message.role == "user"]
