"""The parts that every way in shares: each opened once, when it is first needed, by whichever thread needs it.

What only some ways in need is imported with it, so that a search does not wait for torch.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from api.jobs import JobQueue
from api.messages import say
from api.questions import checked
from kb.errors import GuideError, StoreError
from kb.language import Language, language_of
from kb.lexical import LexicalIndex
from kb.records import Answer, Filter, Mode, Table
from kb.settings import Settings
from kb.store import Store
from models.embed import Embedder, load_embedder
from models.rerank import load_reranker
from rag.retrieve import Found, Retriever

if TYPE_CHECKING:
    from api.intake import Intake
    from ingest.pipeline import Pipeline
    from models.chat import Chat, Conversation
    from rag.answer import Answerer
    from rag.asking import AnswerStream, Asking
    from rag.compare import Comparison
    from rag.probes import Probing

MOST_WAITING_EVALUATIONS, REMEMBERED_EVALUATIONS = 4, 20  # whose reports have a line for each of a thousand questions
PLAIN_ROOM = 128  # tokens that a plain answer should have room for

T = TypeVar("T")
_IMPORTING = threading.Lock()


class Once(Generic[T]):
    """A value made at the first call, once, also when several threads call at the same time."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: list[T] = []
        self._lock = threading.Lock()

    def __call__(self) -> T:
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]

    @property
    def made(self) -> bool:
        return bool(self._made)


class Services:
    """The knowledge base, its models and what is built on them, for one `Settings`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.opened = int(time.time())
        self._store = Once(lambda: Store.open(settings))
        self._embedder = Once(lambda: load_embedder(settings))
        self._reranker = Once(lambda: load_reranker(settings))
        self._chat = Once(self._load_chat)
        self._intake = Once(self._open_intake)
        self.evaluations = JobQueue[dict[str, Any]]("evaluate", MOST_WAITING_EVALUATIONS, REMEMBERED_EVALUATIONS)
        self._retriever: tuple[str, Retriever] | None = None
        self._retriever_lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def store(self) -> Store:
        return self._store()

    @property
    def embedder(self) -> Embedder:
        return self._embedder()

    @property
    def chat(self) -> "Chat":
        return self._chat()

    @property
    def pipeline(self) -> "Pipeline":
        from ingest.pipeline import Pipeline

        return Pipeline(self.store, self._embedder, self.settings)

    @property
    def intake(self) -> "Intake":
        return self._intake()

    @property
    def waiting_documents(self) -> int:
        """How many documents wait or are being taken in."""
        return len(self.intake.jobs) if self._intake.made else 0

    @property
    def retriever(self) -> Retriever:
        """Over the knowledge base as it is now: opened anew after any process has changed it."""
        with self._retriever_lock:
            version = self.store.version()
            if self._retriever is None or self._retriever[0] != version:
                lexical = LexicalIndex.open(self.store, self.settings)
                self._retriever = (version, Retriever(self.store, lexical, self.embedder, self._reranker()))
            return self._retriever[1]

    @property
    def answerer(self) -> "Answerer":
        _import_models()
        from rag.answer import Answerer

        return Answerer(self.retriever, self.store.document, self._chat, self.settings)

    def search(self, question: str, top_k: int | None = None, within: Filter | None = None) -> Found:
        """The passages that are nearest to a question, of those that `within` allows.

        Raises:
            InputError: the question can't be asked.
            StoreError: nothing was ingested yet.
            NotFoundError: there is no such document as `within` names.
        """
        question = self._askable(question, within=within)
        return self.retriever.search(question, top_k or self.settings.top_k, within)

    def ask(
        self,
        question: str,
        *,
        mode: Mode = "rag",
        adapter: str | None = None,
        top_k: int | None = None,
        within: Filter | None = None,
    ) -> Answer:
        """A question's answer; `adapter` is a name, "none" for the base, or None for the configured one.

        Raises:
            InputError: the question can't be asked.
            StoreError: nothing was ingested yet, and the mode is not plain.
            NotFoundError: there is no such adapter, or no such document as `within` names.
        """
        return self.stream(question, mode=mode, adapter=adapter, top_k=top_k, within=within).answer

    def stream(
        self,
        question: str,
        *,
        mode: Mode = "rag",
        adapter: str | None = None,
        top_k: int | None = None,
        within: Filter | None = None,
    ) -> "AnswerStream":
        """A question's answer as it is made; raises as `ask` does, what concerns the adapter with the first piece."""
        _import_models()
        from rag.asking import Asking

        question = self._askable(question, documents=mode != "plain", within=within)
        asking = Asking(mode=mode, adapter=adapter or "default", top_k=top_k, within=within)
        return self.answerer.stream(question, asking)

    def converse(self, turns: "Conversation", asking: "Asking") -> "AnswerStream":
        """The answer to the last turn of a conversation, as it is made; `asking.history` is taken from the turns.

        From the documents, a follow-up question is made whole first; raises as `stream` does, but for what is asked
        plainly only the model's window is a limit.
        """
        _import_models()
        from rag.conversation import fitting_turns, standalone

        if asking.mode == "plain":
            wanted = asking.max_new_tokens or PLAIN_ROOM
            *history, last = fitting_turns(turns, self.chat.room, wanted)
            return self.answerer.stream(last.content, replace(asking, history=history))
        *history, last = [turn for turn in turns if turn.role != "system"]
        last = replace(last, content=self._askable(last.content, within=asking.within))
        question = standalone([*history, last], self.chat if self.chat.writes_well else None)
        return self.answerer.stream(question, replace(asking, history=history))

    def compare(self, question: str, seed: int = 0) -> "Comparison":
        """The same question plain and with retrieval, without and with the adapter; raises as `ask` does."""
        _import_models()
        from rag.compare import compare

        return compare(self._askable(question), self.answerer, seed)

    def probe(self, seed: int = 0) -> "Probing":
        """What the adapter changed: base and adapter asked the same cells and general questions.

        Raises:
            StoreError: nothing was ingested yet.
            ModelError: there is no adapter, or the model is on a server.
        """
        from rag.probes import make_probes, probe_adapter

        self.check_documents()
        return probe_adapter(self.chat, make_probes(self.tables(), seed=seed), seed)

    def tables(self, document: str | None = None) -> list[Table]:
        """All tables, or those of one document, by its name or id.

        Raises:
            NotFoundError: there is no such document.
        """
        from ingest.catalogue import all_tables

        return all_tables(self.store, document)

    def table(self, name: str) -> Table:
        """The table with this id or title.

        Raises:
            NotFoundError: there is none.
            InputError: there are several.
        """
        from ingest.catalogue import one_table

        return one_table(self.tables(), name)

    def missing(self, language: Language = "en") -> tuple[str, ...]:
        """What keeps questions from being answered, one sentence each; loads what is not loaded yet."""
        attempts: tuple[Callable[[], object], ...] = (
            partial(self.check_documents, language),
            self._embedder,
            self._chat,
        )
        return tuple(filter(None, map(_failure, attempts)))

    def warm_up(self) -> None:
        """Loads what is not loaded yet, beside the first requests, which meet what fails here and tell it."""
        with suppress(Exception):  # a server may be ending
            self.missing()

    def _load_chat(self) -> "Chat":
        if self.settings.chat_url:
            from models.remote import connect

            return connect(self.settings)
        _import_models()
        from models.load import load_chat

        return load_chat(self.settings)

    def _open_intake(self) -> "Intake":
        from api.intake import Intake

        return Intake(self.store, self._embedder, self.settings, lambda: self.retriever)

    def close(self) -> None:
        """Let go of what was opened: documents that were sent and answers being written are finished first."""
        self.evaluations.close()
        if self._intake.made:
            self.intake.close()
        if self._chat.made:
            self.chat.close()
        if self._store.made:
            self.store.close()

    def _askable(self, question: str, *, documents: bool = True, within: Filter | None = None) -> str:
        question = checked(question, self.settings.max_question_chars)
        if documents:
            self.check_documents(language_of(question))
            self.store.require_documents(within.documents if within and within.documents else ())
        return question

    def check_documents(self, language: Language = "en") -> None:
        """Raises StoreError, which says in this language what to do, if nothing was ingested yet."""
        if self.store.is_empty():
            raise StoreError(say("empty_store", language, home=self.settings.home))


def _import_models() -> None:
    """Import transformers whole, which two threads that come for parts of it at the same time would not get."""
    with _IMPORTING:
        for module in ("models.load", "rag.compare"):
            import_module(module)


def _failure(attempt: Callable[[], object]) -> str | None:
    try:
        attempt()
    except GuideError as problem:
        return str(problem)
    return None
