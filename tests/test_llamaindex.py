"""The guide's parts inside ordinary llama-index programs."""

from typing import TYPE_CHECKING

import numpy as np
import pytest
from llama_index.core import get_response_synthesizer
from llama_index.core.llms import ChatMessage
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers import ResponseMode

from rag.llamaindex import GuideEmbedding, GuideLLM, GuideRetriever

if TYPE_CHECKING:
    from api.services import Services

pytestmark = pytest.mark.usefixtures("event_loop")

QUESTION = "daphne 是什么服务器？"


def test_retriever_gives_nodes_with_exact_spans(services: "Services") -> None:
    found = GuideRetriever(services.retriever, top_k=3).retrieve(QUESTION)
    assert [node.node_id for node in found] == [hit.passage.id for hit in services.search(QUESTION, 3).hits]
    for result in found:
        text = services.store.document(result.node.metadata["source"]).text
        node = result.node
        assert text[node.start_char_idx : node.end_char_idx] == node.text  # type: ignore[attr-defined]


def test_embedding_is_the_stores_own(services: "Services") -> None:
    embedding = GuideEmbedding(services.embedder)
    texts = ["低秩分解", "bias parameters"]
    assert np.allclose(embedding.get_text_embedding_batch(texts), services.embedder.embed_passages(texts))
    assert np.allclose(embedding.get_query_embedding(QUESTION), services.embedder.embed_query(QUESTION))


@pytest.mark.parametrize("adapter", ["default", "none"])
def test_llm_answers_as_the_model_does(services: "Services", adapter: str) -> None:
    llm = GuideLLM(services.chat, max_new_tokens=12, adapter=adapter)
    assert llm.metadata.context_window == services.chat.window
    reply = llm.chat([ChatMessage(role="user", content="LoRA 是什么？")])
    assert reply.message.content == llm.complete("LoRA 是什么？").text == reply.raw.text
    assert "".join(part.delta or "" for part in llm.stream_complete("LoRA 是什么？")) == reply.message.content


def test_roles_that_models_do_not_know_are_read_as_those_they_do(services: "Services") -> None:
    llm = GuideLLM(services.chat, max_new_tokens=12)
    as_sent = [ChatMessage(role=role, content="LoRA 是什么？") for role in ("developer", "tool")]
    as_read = [ChatMessage(role=role, content="LoRA 是什么？") for role in ("system", "user")]
    assert llm.chat(as_sent).message.content == llm.chat(as_read).message.content


def test_a_query_engine_runs_on_both(services: "Services") -> None:
    llm = GuideLLM(services.chat, max_new_tokens=12)
    engine = RetrieverQueryEngine(
        GuideRetriever(services.retriever, top_k=1),
        get_response_synthesizer(llm=llm, response_mode=ResponseMode.COMPACT),
    )
    response = engine.query(QUESTION)
    assert [source.node.metadata["source"] for source in response.source_nodes] == ["llm_guide.md"]
