"""The JSON of evaluations over REST."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field

from api.jobs import Job
from api.problems import describe
from api.schemas import Asked, QuestionId, QuestionText, Wire
from api.schemas_status import Problem
from rag.evaluate import GradedQuestion

Alternatives = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]


class Graded(Asked):
    """A question with what grades it, as in a file of `guide evaluate`."""

    question: QuestionText = Field(examples=["QLoRA 的适用场景是什么？"])
    id: QuestionId = None
    kind: str = Field(default="", description="groups the questions; `none` says that there is no answer")
    gold: list[Annotated[str, Field(min_length=1)]] = Field(
        default=[], description="a relevant passage holds one of them", examples=[["4bit量化节省内存"]]
    )
    must: list[Alternatives] = Field(
        default=[], description="a right answer holds one of each group", examples=[[["4bit", "4 bit"]]]
    )

    def graded(self) -> GradedQuestion:
        return GradedQuestion(self.question, self.id, self.kind, tuple(map(tuple, self.must)), tuple(self.gold))


class EvaluateRequest(Asked):
    """Questions to score search and answers with."""

    questions: Annotated[list[Graded], Field(min_length=1, max_length=1000)]
    answers: bool = Field(default=True, description="false: score retrieval alone; no model answers")


class EvaluateStatus(Wire):
    """How far an evaluation is; `report` is what `guide evaluate --json` prints, once it is done."""

    track_id: str
    status: Literal["queued", "running", "done", "failed"]
    progress: float
    ahead: int
    report: dict[str, Any] | None = None
    problem: Problem | None = None

    @classmethod
    def of(cls, job: Job[dict[str, Any]], ahead: int, instance: str) -> Self:
        state = job.state  # once: it may change meanwhile
        failure = job.finished.exception() if state == "failed" else None
        return cls(
            track_id=job.id,
            status=state,
            progress=job.progress,
            ahead=ahead,
            report=job.finished.result() if state == "done" else None,
            problem=describe(failure, instance) if failure else None,
        )
