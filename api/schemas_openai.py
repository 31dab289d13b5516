"""The JSON of passages, embeddings and models, in the shapes that clients of OpenAI and private-gpt know."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag

from api.faults import ONE, SEVERAL
from api.schemas import MOST_CHARACTERS, ContextFilter, Pages, Whole, Wire
from api.schemas_documents import IngestedDoc
from kb.records import Answer, Passage

MOST_INPUTS = 2048

Text = Annotated[str, StringConstraints(pattern=r"\S")]
One = TypeVar("One")
Several = TypeVar("Several")
# A value or a list of such: faults are told of the member that was meant, not of both.
OneOr = Annotated[
    Annotated[One, Tag(ONE)] | Annotated[Several, Tag(SEVERAL)],
    Discriminator(lambda sent: SEVERAL if isinstance(sent, list) else ONE),
]


class Lenient(BaseModel):
    """What a client of OpenAI sends; fields that mean nothing here are passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, str_max_length=MOST_CHARACTERS)


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

    input: OneOr[Text, Annotated[list[Text], Field(min_length=1, max_length=MOST_INPUTS)]]
    model: str | None = None
    dimensions: Annotated[int, Field(ge=1), Whole] | None = Field(
        default=None, description="how many numbers a vector is to have; only as many as the model gives"
    )
    encoding_format: Literal["float", "base64"] | None = Field(
        default=None, description="base64: the vector's numbers as 32-bit floats, little-endian"
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
