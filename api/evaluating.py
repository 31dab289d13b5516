"""An evaluation as a report with its provenance: what `guide evaluate` prints and a job of the server keeps."""

import hashlib
import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import astuple
from importlib.metadata import version
from typing import Any

from api.jobs import Job, Tell
from api.services import Services
from kb.errors import BusyError
from kb.language import language_of
from rag.evaluate import GradedQuestion, evaluate

__all__ = ["evaluation_report", "submit_evaluation"]

TOP = 10  # passages per question, as nDCG@10 and recall@10 need them
PACKAGES = ("chromadb", "bm25s", "jieba", "numpy", "tokenizers")
CHAT_PACKAGES = ("torch", "transformers", "peft")


def evaluation_report(
    services: Services,
    questions: Sequence[GradedQuestion],
    *,
    answers: bool = True,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> dict[str, Any]:
    """Scores over the knowledge base as it is now, of retrieval and, with `answers`, of answers too.

    `progress` is told a question, how many are done and how many there are; what it raises stops the evaluation.

    Raises:
        InputError: a question can't be asked.
        StoreError: nothing was ingested yet.
    """
    evaluation = evaluate(
        questions,
        lambda question: services.search(question, TOP),
        services.store.passages(),
        ask=services.ask if answers else None,
        text_of=lambda name: services.store.document(name).text,
        progress=progress,
    )
    return {**evaluation.report(), "provenance": _provenance(services, questions, answers=answers)}


def submit_evaluation(services: Services, questions: Sequence[GradedQuestion], *, answers: bool) -> Job[dict[str, Any]]:
    """Puts an evaluation at the end of the queue; its result is a report. One is given up when the queue closes.

    Raises:
        StoreError: nothing was ingested yet.
        BusyError: too many evaluations are waiting.
    """
    services.check_documents(language_of(questions[0].text))

    def work(tell: Tell) -> dict[str, Any]:
        def progress(_: str, done: int, total: int) -> None:
            if services.evaluations.closing:
                raise BusyError("The server is shutting down. Begin the evaluation again later.")
            tell("evaluating", done / total)

        return evaluation_report(services, questions, answers=answers, progress=progress)

    return services.evaluations.submit("evaluation", work)


def _provenance(services: Services, questions: Sequence[GradedQuestion], *, answers: bool) -> dict[str, Any]:
    """What the scores come from: questions, documents, models and versions."""
    asked = json.dumps([astuple(question) for question in questions], ensure_ascii=False)
    settings = services.settings
    models = {"embedding": services.embedder.fingerprint}
    if answers:
        models |= {"chat": services.chat.name, "adapter": services.chat.adapter_name("default") or "none"}
    return {
        "questions_sha256": hashlib.sha256(asked.encode()).hexdigest(),
        "documents": {info.name: info.sha256 for info in services.store.documents()},
        "models": models,
        "settings": {"top_k": settings.top_k},
        "versions": {name: version(name) for name in ("guide", *PACKAGES, *(CHAT_PACKAGES if answers else ()))},
        "python": platform.python_version(),
    }
