"""The REST application; its lifespan owns the services. Its documentation pages need no internet."""

import gc
import math
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from importlib.metadata import version

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi_offline import FastAPIOffline

from api import page, problems
from api.guard import BodyLimit, Guard
from api.observe import Metrics, Observed
from api.rerouting import Rerouted
from api.routes import chunks, documents, evaluate, health, ingest, openai, questions, tables
from api.services import Services
from api.streaming import ClientLeft, Desk
from kb.errors import GuideError
from kb.settings import Settings
from kb.store import DocumentInfo

SHORT_WORK_THREADS = 8  # for searches and lists; more would only wait for each other, and the event loop for them
LEFT = 499  # as nginx logs it; nobody sees the reply
DESCRIPTION = "Search and ask a knowledge base of documents; answers cite the exact lines that they rest on."


def create_app(settings: Settings, *, warm_up: bool = False) -> FastAPI:
    """The application over the knowledge base and models of `settings`.

    They are opened when first needed; with `warm_up` right at the start, while requests are already taken.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with Services(settings) as services, closing(Desk(settings.max_answers, metrics.stages)) as desk:
            app.state.services, app.state.desk = services, desk
            _follow(metrics, services, desk)
            current_default_thread_limiter().total_tokens = SHORT_WORK_THREADS
            if warm_up:  # as a daemon, for whoever ends the server does not wait for models to load
                threading.Thread(target=_warm_up, args=(services,), name="warm-up", daemon=True).start()
            yield

    app = FastAPIOffline(
        title="guide",
        version=version("guide"),
        description=DESCRIPTION,
        lifespan=lifespan,
    )
    metrics = Metrics()
    app.state.metrics = metrics
    app.add_middleware(Rerouted)
    app.add_middleware(BodyLimit, settings.max_document_mb)
    app.add_middleware(Guard, settings)
    if settings.listed_origins:
        allowed, exposed = sorted(settings.listed_origins), ["Location", "Retry-After", "X-Request-ID"]
        app.add_middleware(
            CORSMiddleware, allow_origins=allowed, allow_methods=["*"], allow_headers=["*"], expose_headers=exposed
        )
    app.add_middleware(Observed, metrics)
    problems.install(app)
    app.add_exception_handler(ClientLeft, lambda request, error: Response(status_code=LEFT))  # noqa: ARG005
    app.include_router(health.router)
    for router in (
        questions.router,
        openai.router,
        chunks.router,
        ingest.router,
        documents.router,
        tables.router,
        evaluate.router,
    ):
        app.include_router(router)
    page.install(app)
    return app


def _warm_up(services: Services) -> None:
    """Loads the models; what is there then stays, and Python need not look for garbage among it, 0.2 s each time."""
    services.warm_up()
    gc.collect()
    gc.freeze()


def _follow(metrics: Metrics, services: Services, desk: Desk) -> None:
    """Has the figures tell of what is there and what waits."""

    def counted(count: Callable[[DocumentInfo], int]) -> float:
        try:
            return sum(map(count, services.store.documents()))
        except GuideError:  # then /ready says what is wrong
            return math.nan

    metrics.follow("guide_documents", "Documents in the knowledge base", lambda: counted(lambda _: 1))
    metrics.follow("guide_passages", "Passages in the knowledge base", lambda: counted(lambda info: info.passages))
    metrics.follow(
        "guide_ingest_queue", "Documents that wait or are being taken in", lambda: services.waiting_documents
    )
    metrics.follow("guide_answers", "Answers that are being written or waited for", lambda: desk.taken)
