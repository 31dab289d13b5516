"""Chats, completions, embeddings and models, as clients of OpenAI and private-gpt ask for them."""

import base64
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from numpy.typing import NDArray

from api.completing import ChatReply, TextReply
from api.naming import all_models, named_model
from api.problems import documented
from api.routes.dependencies import GivenDesk, GivenServices
from api.schemas_chat import ChatCompletion, ChatRequest, Completion, CompletionRequest
from api.schemas_openai import (
    Embedding,
    EmbeddingList,
    EmbeddingRequest,
    ModelCard,
    ModelList,
    UsageCount,
)
from api.services import Services
from api.streaming import EVENTS, Desk, events
from kb.errors import InputError, NotFoundError

router = APIRouter(
    prefix="/v1",
    tags=["openai"],
    responses=documented(
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
)
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {"description": "The answer, whole or with `stream` in chunks that end with [DONE]", "content": EVENTS}
}


@router.post("/chat/completions", response_model=ChatCompletion, responses=STREAMED)
async def chat(asked: ChatRequest, request: Request, services: GivenServices, desk: GivenDesk) -> Any:
    """The next turn of a conversation; with `use_context` it rests on the documents and says on which passages."""
    return await _answer(asked, ChatReply, request, services, desk)


@router.post("/completions", response_model=Completion, responses=STREAMED)
async def complete(asked: CompletionRequest, request: Request, services: GivenServices, desk: GivenDesk) -> Any:
    """The answer to a prompt, which is taken for a conversation of one turn."""
    return await _answer(asked, TextReply, request, services, desk)


@router.post("/embeddings")
def embed(asked: EmbeddingRequest, services: GivenServices) -> EmbeddingList:
    """The vector of each text, as a passage has it."""
    vectors = services.embedder.embed_passages(asked.texts)
    if asked.dimensions not in {None, vectors.shape[1]}:
        raise InputError(f"dimensions: the embedding model gives {vectors.shape[1]}. Ask for these, or leave it out.")
    tokens = services.embedder.count_tokens(asked.texts)
    return EmbeddingList(
        model=Path(services.settings.embedding_model).name,
        data=tuple(
            Embedding(
                index=i,
                embedding=_base64(vector) if asked.encoding_format == "base64" else [float(value) for value in vector],
            )
            for i, vector in enumerate(vectors)
        ),
        usage=UsageCount(prompt_tokens=tokens, total_tokens=tokens),
    )


@router.get("/models")
def models(services: GivenServices) -> ModelList:
    """The models that `model` can name; the first call loads the chat model."""
    return ModelList(data=tuple(all_models(services)))


@router.get("/models/{model:path}")
def model(model: str, services: GivenServices) -> ModelCard:
    """One model."""
    found = next((card for card in all_models(services) if card.id == model), None)
    if found is None:
        raise NotFoundError(f"There is no model {model!r}; /v1/models lists those there are.")
    return found


async def _answer(
    asked: ChatRequest | CompletionRequest, form: type[ChatReply], request: Request, services: Services, desk: Desk
) -> Response | ChatCompletion | Completion:
    from rag.asking import Asking

    named = await run_in_threadpool(named_model, services, asked.model)
    from_documents = named.from_documents if asked.use_context is None else asked.use_context
    turns = asked.turns_without_tools if from_documents else asked.turns
    if not turns or turns[-1].role != "user" or not turns[-1].content.strip():
        raise InputError("messages: the last one must be the user's, and hold text.")
    asking = Asking(
        mode="rag" if from_documents else "plain",
        adapter=named.adapter,
        within=asked.within,
        max_new_tokens=asked.most_tokens,
        sampling=asked.sampling,
        stop=asked.stops,
    )
    reply = form(asked, named.shown)

    begin = partial(services.converse, turns, asking)
    if asked.stream:
        return events(reply.events(await desk.begun(begin)))
    return reply.whole(await desk.whole(request, begin))


def _base64(vector: NDArray[np.float32]) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()
