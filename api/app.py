"""The REST application; its lifespan owns the services. Its documentation pages need no internet."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from importlib.metadata import version

from fastapi import FastAPI, Response
from fastapi_offline import FastAPIOffline

from api import problems
from api.guard import BodyLimit
from api.routes import chunks, documents, health, ingest, openai, questions, tables
from api.services import Services
from api.streaming import ClientLeft, Desk
from kb.settings import Settings

LEFT = 499  # as nginx logs it; nobody sees the reply
DESCRIPTION = "Search and ask a knowledge base of documents; answers cite the exact lines that they rest on."


def create_app(settings: Settings, *, warm_up: bool = False) -> FastAPI:
    """The application over the knowledge base and models of `settings`.

    They are opened when first needed; with `warm_up` right at the start, while requests are already taken.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with Services(settings) as services, closing(Desk(settings.max_answers)) as desk:
            app.state.services, app.state.desk = services, desk
            if warm_up:  # as a daemon, for whoever ends the server does not wait for models to load
                threading.Thread(target=services.missing, name="warm-up", daemon=True).start()
            yield

    app = FastAPIOffline(
        title="guide",
        version=version("guide"),
        description=DESCRIPTION,
        lifespan=lifespan,
    )
    app.add_middleware(BodyLimit, max_document_mb=settings.max_document_mb)
    problems.install(app)
    app.add_exception_handler(ClientLeft, lambda request, error: Response(status_code=LEFT))  # noqa: ARG005
    app.include_router(health.router)
    for router in (questions.router, openai.router, chunks.router, ingest.router, documents.router, tables.router):
        app.include_router(router)
    return app
