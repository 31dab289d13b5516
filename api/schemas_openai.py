"""The JSON of chats, completions, embeddings and models, in the shapes that clients of OpenAI and private-gpt know."""

import time
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.schemas import CitationOut, ContextFilter, Filtered, Pages, Whole, Wire
from api.schemas_documents import IngestedDoc
from kb.records import Answer, Filter, Passage
from models.chat import Conversation, Message, Sampling

MOST_MESSAGES = 1000
MOST_INPUTS = 2048

Finish = Literal["stop", "length"]
Text = Annotated[str, StringConstraints(pattern=r"\S")]
Temperature = Annotated[float, Field(ge=0, le=2)]


class Lenient(BaseModel):
    """What a client of OpenAI sends; fields that mean nothing here are passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class TextPart(Lenient):
    """A part of a message."""

    type: Literal["text"]
    text: str


class ChatMessage(Lenient):
    """One turn; `developer` is another name of `system`."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]

    def turn(self) -> Message:
        text = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return Message("system" if self.role == "developer" else self.role, text)


class StreamOptions(Lenient):
    """What a stream is to bring besides the text."""

    include_usage: bool = False


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
    stream: bool = Field(default=False, description="the answer in pieces, as server-sent events")
    stream_options: StreamOptions | None = None
    temperature: Temperature | None = Field(default=None, description="0, greedy, unless given")
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1), Whole] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1), Whole] | None = Field(default=None, description="as max_tokens")
    stop: str | Annotated[list[str], Field(max_length=16)] | None = Field(
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


class ChatRequest(Writing):
    """A conversation to go on with; the last message is the user's."""

    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MOST_MESSAGES)] = Field(
        examples=[[{"role": "user", "content": "QLoRA 的适用场景是什么？"}]]
    )

    @property
    def turns(self) -> Conversation:
        return [message.turn() for message in self.messages]


class CompletionRequest(Writing):
    """A prompt to answer, as a conversation of one turn."""

    prompt: Annotated[str, StringConstraints(min_length=1)] | Annotated[list[str], Field(min_length=1, max_length=1)]
    system_prompt: str | None = None

    @property
    def turns(self) -> Conversation:
        prompt = self.prompt if isinstance(self.prompt, str) else self.prompt[0]
        system = [Message("system", self.system_prompt)] if self.system_prompt else []
        return [*system, Message("user", prompt)]


class Chunk(Wire):
    """A passage that was found; `text` stands at `[start, end)` of its document's restored text."""

    object: Literal["context.chunk"] = "context.chunk"
    score: float
    document: IngestedDoc
    text: str
    previous_texts: tuple[str, ...] | None = None
    next_texts: tuple[str, ...] | None = None
    section: tuple[str, ...]
    start: int
    end: int
    lines: tuple[int, int]
    pages: Pages = None

    @classmethod
    def of(
        cls,
        passage: Passage,
        score: float,
        neighbours: tuple[Sequence[Passage], Sequence[Passage]] | None = None,
    ) -> Self:
        before, after = neighbours or (None, None)
        page = {} if passage.pages is None else {"page_label": str(passage.pages[0])}  # as private-gpt calls it
        return cls(
            score=score,
            document=IngestedDoc(doc_id=passage.document_id, doc_metadata={"file_name": passage.source, **page}),
            text=passage.text,
            previous_texts=None if before is None else tuple(other.text for other in before),
            next_texts=None if after is None else tuple(other.text for other in after),
            section=passage.section,
            start=passage.start,
            end=passage.end,
            lines=(passage.first_line, passage.last_line),
            pages=passage.pages,
        )


class ChunksRequest(Lenient):
    """A text to find passages for."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)] = Field(examples=["QLoRA 的适用场景"])
    context_filter: ContextFilter | None = None
    limit: Annotated[int, Field(ge=1, le=100), Whole] = 10
    prev_next_chunks: Annotated[int, Field(ge=0, le=20), Whole] = Field(
        default=0, description="how many passages before and after each come with it"
    )


class ChunkList(Wire):
    """The passages nearest to a text, best first."""

    object: Literal["list"] = "list"
    model: Literal["private-gpt"] = "private-gpt"
    data: tuple[Chunk, ...]


class EmbeddingRequest(Lenient):
    """Texts to turn into vectors; there is one embedding model, whatever `model` says."""

    input: Text | Annotated[list[Text], Field(min_length=1, max_length=MOST_INPUTS)]
    model: str | None = None
    dimensions: Annotated[int, Field(ge=1), Whole] | None = Field(
        default=None, description="how many numbers a vector is to have; only as many as the model gives"
    )
    encoding_format: Literal["float", "base64"] = Field(
        default="float", description="base64: the vector's numbers as 32-bit floats, little-endian"
    )

    @property
    def texts(self) -> list[str]:
        return [self.input] if isinstance(self.input, str) else self.input


class Embedding(Wire):
    """The vector of one text, of unit length."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class UsageCount(Wire):
    """Tokens read and written."""

    prompt_tokens: int
    completion_tokens: int = 0
    total_tokens: int

    @classmethod
    def of(cls, answer: Answer) -> Self:
        read, written = answer.usage.prompt_tokens, answer.usage.completion_tokens
        return cls(prompt_tokens=read, completion_tokens=written, total_tokens=read + written)


class EmbeddingList(Wire):
    """The vectors, in the order of the texts."""

    object: Literal["list"] = "list"
    model: str
    data: tuple[Embedding, ...]
    usage: UsageCount


class ModelCard(Wire):
    """A model that can be named: the base, an adapter on it, the embedding, or `guide`."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: Literal["guide"] = "guide"
    kind: Literal["guide", "base", "adapter", "embedding"]
    parent: str | None = None


class ModelList(Wire):
    """All models."""

    object: Literal["list"] = "list"
    data: tuple[ModelCard, ...]


class Said(Wire):
    """The assistant's turn."""

    role: Literal["assistant"] = "assistant"
    content: str


class ChatChoice(Wire):
    """The answer, with what it rests on: `[n]` in its text refers to the citation `n`.

    `question` is the one that passages were looked for with, made whole if the last message was a follow-up.
    """

    index: Literal[0] = 0
    message: Said
    finish_reason: Finish
    logprobs: None = None
    sources: tuple[Chunk, ...] | None = None
    citations: tuple[CitationOut, ...] | None = None
    question: str | None = None
    abstained: bool | None = None


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
