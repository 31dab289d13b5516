"""The JSON that goes over the wire, the same for `--json` and REST. docs/design.md fixes the shapes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from kb.records import Answer, Filter, Hit, Mode, PassageKind, Style

if TYPE_CHECKING:
    from rag.compare import Comparison
    from rag.retrieve import Found

# Longer than any body can be. With a limit pydantic looks at texts, and finds halves of characters ("\ud800") in them.
MOST_CHARACTERS = 2**40


def _whole(value: object) -> object:
    """JSON has one kind of number: 1.0 is the integer 1."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = BeforeValidator(_whole)
QuestionText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, pattern=r"\S")]
QuestionId = str | Annotated[int, Whole] | None


class Wire(BaseModel):
    """A value on the wire: nothing unknown goes in, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, from_attributes=True)


class Asked(Wire):
    """What a client sends: each field in its own JSON type, nothing converted."""

    model_config = ConfigDict(strict=True, str_max_length=MOST_CHARACTERS)


class ContextFilter(Asked):
    """Which documents are looked at, in the form of private-gpt."""

    docs_ids: list[str] | None = Field(default=None, description="ids or names; an empty list finds nothing")


class Filtered(Asked):
    """What a passage must be to be found."""

    context_filter: ContextFilter | None = Field(default=None, description="only passages of these documents")
    document: str | None = Field(default=None, min_length=1, description="only this document's: its name or id")
    section: str | None = Field(default=None, min_length=1, description="only below a heading that has this in it")
    kind: PassageKind | None = Field(default=None, description="only passages of this kind")

    def within(self) -> Filter:
        """The filter as the retriever takes it."""
        documents = self.context_filter.docs_ids if self.context_filter else None
        if self.document is not None:
            documents = [self.document] if documents is None or self.document in documents else []
        return Filter(documents, self.section, None if self.kind is None else (self.kind,))


class SearchRequest(Filtered):
    """A question to find passages for."""

    question: QuestionText = Field(examples=["LLaMA 3 是哪一年发布的？"])
    top_k: Annotated[int, Field(ge=1, le=100), Whole] | None = Field(
        default=None, description="GUIDE_TOP_K unless given"
    )
    id: QuestionId = Field(default=None, description="given back with the reply")


class AskRequest(SearchRequest):
    """A question to answer."""

    mode: Mode = Field(default="rag", description="plain answers without retrieval")
    adapter: str | None = Field(default=None, description="a name, or none; the configured one unless given")
    stream: bool = Field(default=False, description="the answer in pieces, as server-sent events")


class CompareRequest(Asked):
    """A question to answer plain and with retrieval, without and with the adapter."""

    question: QuestionText = Field(examples=["QLoRA 的适用场景是什么？"])
    seed: Annotated[int, Field(ge=0, lt=2**63), Whole] = 0
    id: QuestionId = Field(default=None, description="given back with the reply")


Pages = Annotated[
    tuple[int, int] | None,
    Field(
        exclude_if=lambda pages: pages is None,
        description="the first and the last, in a PDF, or of slides; nothing else has them",
    ),
]


class PassageOut(Wire):
    """A passage that was found; `text` stands at `[start, end)` of the restored text of `source`."""

    rank: int
    score: float
    dense: float | None
    lexical: float | None
    text: str
    source: str
    section: tuple[str, ...]
    kind: str
    start: int
    end: int
    lines: tuple[int, int]
    pages: Pages = None

    @classmethod
    def of(cls, rank: int, hit: Hit) -> Self:
        passage = hit.passage
        return cls(
            rank=rank,
            score=hit.score,
            dense=hit.dense,
            lexical=hit.lexical,
            text=passage.text,
            source=passage.source,
            section=passage.section,
            kind=passage.kind,
            start=passage.start,
            end=passage.end,
            lines=(passage.first_line, passage.last_line),
            pages=passage.pages,
        )


class CitationOut(Wire):
    """A verbatim quote; `restored` is the lowest confidence among its inferred characters, null without any."""

    n: int
    quote: str
    source: str
    section: tuple[str, ...]
    start: int
    end: int
    lines: tuple[int, int]
    restored: float | None
    pages: Pages = None


class SearchReply(Wire):
    """What `guide search` and `/v1/search` reply.

    `answerable` is the probability that the knowledge base answers the question; `understood` is the question as it was
    looked for, with misspelt identifiers put right.
    """

    id: QuestionId
    question: str
    passages: tuple[PassageOut, ...]
    timings_ms: dict[str, float]
    answerable: float
    understood: str

    @classmethod
    def of(cls, question: str, found: "Found", question_id: QuestionId = None) -> Self:
        return cls(
            id=question_id,
            question=question,
            passages=_ranked(found.hits),
            timings_ms=found.timings_ms,
            answerable=round(found.answerable, 4),
            understood=found.asked,
        )


class UsageOut(Wire):
    """Tokens read and written."""

    prompt_tokens: int
    completion_tokens: int


class AskReply(Wire):
    """What `guide ask` and `/v1/ask` reply; `[n]` in the answer refers to the citations.

    With retrieval, `answerable` is the probability that the knowledge base answers the question, and `understood` the
    question as it was looked for, with misspelt identifiers put right.
    """

    id: QuestionId
    question: str
    answer: str
    abstained: bool
    mode: Mode
    style: Style
    model: str
    adapter: str | None
    citations: tuple[CitationOut, ...]
    passages: tuple[PassageOut, ...]
    usage: UsageOut
    timings_ms: dict[str, float]
    answerable: float | None
    understood: str | None

    @classmethod
    def of(cls, answer: Answer, question_id: QuestionId = None) -> Self:
        return cls(
            id=question_id,
            question=answer.question,
            answer=answer.text,
            abstained=answer.abstained,
            mode=answer.mode,
            style=answer.style,
            model=answer.model,
            adapter=answer.adapter,
            citations=tuple(map(CitationOut.model_validate, answer.citations)),
            passages=_ranked(answer.hits),
            usage=UsageOut.model_validate(answer.usage),
            timings_ms=answer.timings_ms,
            answerable=None if answer.answerable is None else round(answer.answerable, 4),
            understood=answer.understood,
        )


class VariantOut(Wire):
    """One of the answers that are compared; `grounded` is the share of its characters in the retrieved passages."""

    variant: str
    answer: str
    abstained: bool
    citations: tuple[CitationOut, ...]
    grounded: float
    seconds: float
    tokens: int


class CompareReply(Wire):
    """What `guide compare` and `/v1/compare` reply."""

    id: QuestionId
    question: str
    seed: int
    answers: tuple[VariantOut, ...]

    @classmethod
    def of(cls, comparison: "Comparison", question_id: QuestionId = None) -> Self:
        answers = [
            VariantOut(
                variant=variant.name,
                answer=variant.answer.text,
                abstained=variant.answer.abstained,
                citations=tuple(map(CitationOut.model_validate, variant.answer.citations)),
                grounded=variant.grounded,
                seconds=variant.seconds,
                tokens=variant.tokens,
            )
            for variant in comparison.variants
        ]
        return cls(id=question_id, question=comparison.question, seed=comparison.seed, answers=tuple(answers))


class DocumentRow(Wire):
    """One line of the list of documents; `repairs` and `passages` are counts."""

    id: str
    name: str
    title: str
    sha256: str
    encoding: str
    chars: int
    passages: int
    damage: tuple[str, ...]
    repairs: int


class IngestedOut(Wire):
    """What became of one file; `error` says why when `status` is failed."""

    name: str
    document_id: str
    status: Literal["added", "changed", "unchanged", "deleted", "failed"]
    passages: int
    repairs: int
    damage: tuple[str, ...]
    error: str | None


class IngestReply(Wire):
    """What `guide ingest` replies."""

    documents: tuple[IngestedOut, ...]


class DocumentList(Wire):
    """What `guide documents list` replies."""

    documents: tuple[DocumentRow, ...]


def _ranked(hits: Sequence[Hit]) -> tuple[PassageOut, ...]:
    return tuple(PassageOut.of(rank, hit) for rank, hit in enumerate(hits, 1))
