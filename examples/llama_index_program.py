"""The guide's retriever and chat model inside an ordinary llama-index program.

    guide ingest
    python -m examples.llama_index_program "QLoRA 的适用场景是什么？"

Retrieval, prompt and synthesis are llama-index's own; the passages and the words come from the guide's parts. Any other
llama-index LLM can take the place of `GuideLLM`, and any other retriever that of `GuideRetriever`.
"""

import sys
from collections.abc import Iterator

from llama_index.core import PromptTemplate, get_response_synthesizer
from llama_index.core.llms import ChatMessage
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers import ResponseMode

from api.services import Services
from kb.settings import load_settings
from rag.llamaindex import GuideLLM, GuideRetriever

PROMPT = PromptTemplate("{context_str}\n\n{query_str}")


def query_engine(services: Services, passages: int = 2, adapter: str = "default") -> RetrieverQueryEngine:
    """A query engine of llama-index over the guide's knowledge base and model."""
    llm = GuideLLM(services.chat, max_new_tokens=48, adapter=adapter)
    synthesizer = get_response_synthesizer(llm=llm, response_mode=ResponseMode.COMPACT, text_qa_template=PROMPT)
    return RetrieverQueryEngine(GuideRetriever(services.retriever, top_k=passages), synthesizer)


def chat_in_turns(services: Services, *questions: str) -> Iterator[str]:
    """Answers each question after the turns before it, streamed; gives the answers whole."""
    llm = GuideLLM(services.chat, max_new_tokens=48)
    turns: list[ChatMessage] = []
    for question in questions:
        turns.append(ChatMessage(role="user", content=question))
        written = "".join(part.delta or "" for part in llm.stream_chat(turns))
        turns.append(ChatMessage(role="assistant", content=written))
        yield written


def main() -> None:
    question = sys.argv[1] if len(sys.argv) > 1 else "QLoRA 的适用场景是什么？"
    with Services(load_settings()) as services:
        response = query_engine(services).query(question)
        print(response)
        for source in response.source_nodes:
            print(f"  {source.node.metadata['source']}:{source.node.metadata['lines']}  {source.score:.3f}")
        print(*chat_in_turns(services, question, "它和 LoRA 有什么不同？"), sep="\n")


if __name__ == "__main__":
    main()
