"""The JSON of what an adapter changed, beside a comparison of answers."""

from typing import TYPE_CHECKING, Self

from pydantic import Field

from api.schemas import CompareReply, QuestionId, Wire

if TYPE_CHECKING:
    from rag.compare import Comparison
    from rag.probes import Probing


class ProbeOut(Wire):
    """A question, and a text that answers it."""

    kind: str
    question: str
    reference: str


class OutcomeOut(Wire):
    """What was written, how much of the reference is in it, and the reference's loss in nats a character."""

    answer: str
    recalled: float
    loss: float


class ProbedOut(Wire):
    """One probe put to the base and to the base with the adapter."""

    probe: ProbeOut
    base: OutcomeOut
    adapted: OutcomeOut


class SummaryOut(Wire):
    """Means over the probes of one kind: first the base's, then the adapter's."""

    kind: str
    probes: int
    loss: tuple[float, float]
    recalled: tuple[float, float]


class ProbingOut(Wire):
    """What the adapter changed; `share` is its share of all parameters."""

    adapter: str
    share: float | None
    summaries: tuple[SummaryOut, ...]
    probed: tuple[ProbedOut, ...]


class ProbedCompareReply(CompareReply):
    """What `guide compare --probes` replies."""

    probing: ProbingOut = Field(description="base and adapter asked the same cells and general questions")

    @classmethod
    def with_probes(cls, comparison: "Comparison", probing: "Probing", question_id: QuestionId = None) -> Self:
        compared = CompareReply.of(comparison, question_id)
        return cls(**dict(compared), probing=ProbingOut.model_validate(probing))
