"""The guide's parts as llama-index parts, for use in anyone's llama-index program."""

from collections.abc import Sequence
from typing import Any, Literal

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.llms import CustomLLM
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from pydantic import PrivateAttr

from kb.records import Hit
from models.chat import Chat, Message, Stream
from models.embed import Embedder
from rag.retrieve import Retriever

# As what the model reads the turns of llama-index; all others are read as the user's.
ROLES: dict[MessageRole, Literal["system", "assistant"]] = {
    MessageRole.SYSTEM: "system",
    MessageRole.DEVELOPER: "system",
    MessageRole.ASSISTANT: "assistant",
    MessageRole.MODEL: "assistant",
    MessageRole.CHATBOT: "assistant",
}


def node(hit: Hit) -> NodeWithScore:
    """A hit as a llama-index node: the passage's text and span, its place as metadata that no prompt shows."""
    passage = hit.passage
    metadata = {
        "source": passage.source,
        "section": " / ".join(passage.section),
        "kind": passage.kind,
        "lines": f"{passage.first_line}-{passage.last_line}",
    }
    if passage.pages is not None:
        metadata["page_label"] = str(passage.pages[0])  # as llama-index's own readers of PDFs call it
    text = TextNode(
        id_=passage.id,
        text=passage.text,
        start_char_idx=passage.start,
        end_char_idx=passage.end,
        metadata=metadata,
        excluded_llm_metadata_keys=["kind", "lines", "page_label"],
    )
    return NodeWithScore(node=text, score=hit.score)


class GuideRetriever(BaseRetriever):
    """The hybrid retriever as a llama-index retriever."""

    def __init__(self, retriever: Retriever, top_k: int = 8) -> None:
        super().__init__()
        self._guide, self._top_k = retriever, top_k

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [node(hit) for hit in self._guide.search(query_bundle.query_str, self._top_k).hits]


class GuideEmbedding(BaseEmbedding):
    """The embedding model as a llama-index embedding."""

    _embedder: Embedder = PrivateAttr()

    def __init__(self, embedder: Embedder, **options: Any) -> None:
        super().__init__(model_name=embedder.fingerprint, **options)
        self._embedder = embedder

    def _get_query_embedding(self, query: str) -> list[float]:
        return [float(value) for value in self._embedder.embed_query(query)]

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return [[float(value) for value in row] for row in self._embedder.embed_passages(texts)]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


class GuideLLM(CustomLLM):
    """The local chat model as a llama-index LLM; each call may name an adapter, "default" or "none"."""

    max_new_tokens: int = 128
    adapter: str = "default"
    _chat: Chat = PrivateAttr()

    def __init__(self, chat: Chat, **options: Any) -> None:
        super().__init__(**options)
        self._chat = chat

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(
            context_window=self._chat.window,
            num_output=self.max_new_tokens,
            is_chat_model=True,
            model_name=self._chat.name,
        )

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        stream = self._submit(messages, **kwargs)
        written = stream.result()
        return ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, content=written.text), raw=written)

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        stream = self._submit(messages, **kwargs)

        def parts() -> ChatResponseGen:
            text = ""
            for piece in stream:
                text += piece
                yield ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, content=text), delta=piece)

        return parts()

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:  # noqa: ARG002
        answer = self.chat([ChatMessage(role=MessageRole.USER, content=prompt)], **kwargs)
        return CompletionResponse(text=answer.message.content or "", raw=answer.raw)

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:  # noqa: ARG002
        whole = self.stream_chat([ChatMessage(role=MessageRole.USER, content=prompt)], **kwargs)
        return (CompletionResponse(text=part.message.content or "", delta=part.delta) for part in whole)

    def _submit(self, messages: Sequence[ChatMessage], **options: Any) -> Stream:
        conversation = [Message(ROLES.get(message.role, "user"), message.content or "") for message in messages]
        name = self._chat.adapter_name(options.get("adapter", self.adapter))
        return self._chat.submit(conversation, name, max_new_tokens=options.get("max_new_tokens", self.max_new_tokens))
