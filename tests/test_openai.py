"""What clients of OpenAI and private-gpt ask for, asked by the package `openai` of a server on a loopback port."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import openai
import pytest
from openai import OpenAI

from api.schemas_chat import ChatRequest
from kb.settings import Settings
from models.chat import Message
from tests.serving import running_guide
from tests.test_remote import Server

QUESTION = "QLoRA 的适用场景是什么？"


@pytest.fixture(scope="module")
def url(guide_settings: Settings) -> Iterator[str]:
    with running_guide(guide_settings.home) as url:
        yield url


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0, timeout=120) as client:
        yield client


@pytest.fixture(scope="module")
def plain_http(url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=url, timeout=120) as client:
        yield client


def asked(*texts: str) -> Any:
    """A conversation in which the user has the first word and the last."""
    return [{"role": "assistant" if n % 2 else "user", "content": text} for n, text in enumerate(texts)]


def test_a_chat_goes_on_from_the_model_alone(client: OpenAI) -> None:
    reply = client.chat.completions.create(model="guide-lora", messages=asked("你好"), max_tokens=8, seed=3)
    assert reply.object == "chat.completion"
    assert reply.model == "guide-lora"
    assert reply.choices[0].message.role == "assistant"
    assert reply.choices[0].message.content
    assert reply.usage is not None
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert 0 < reply.usage.completion_tokens <= 8
    assert not hasattr(reply.choices[0], "sources") or reply.choices[0].sources is None


def test_a_chat_answers_from_the_documents(client: OpenAI) -> None:
    reply = client.chat.completions.create(model="guide", messages=asked(QUESTION)).to_dict()
    choice: Any = reply["choices"][0]  # type: ignore[index]
    assert "[1]" in choice["message"]["content"]
    assert choice["finish_reason"] == "stop"
    assert choice["citations"][0]["n"] == 1
    assert choice["answerable"] >= 0.5
    assert choice["understood"] == choice["question"] == QUESTION
    source = choice["sources"][0]
    assert source["object"] == "context.chunk"
    assert source["document"]["object"] == "ingest.document"
    assert source["document"]["doc_metadata"]["file_name"].endswith(".md")
    without: Any = client.chat.completions.create(
        model="guide", messages=asked(QUESTION), extra_body={"include_sources": False}
    ).choices[0]
    assert without.sources is None


def test_a_chat_tells_how_a_misspelt_name_was_understood(client: OpenAI) -> None:
    choice: Any = client.chat.completions.create(
        model="guide", messages=asked(QUESTION, "…", "那 AddaLoRA 呢？")
    ).choices[0]
    assert "AddaLoRA" in choice.question
    assert choice.understood == choice.question.replace("AddaLoRA", "adalora")


def test_a_filter_holds_for_chats_and_chunks(client: OpenAI, plain_http: httpx2.Client) -> None:
    documents = plain_http.get("/v1/ingest/list").json()["data"]
    one = documents[0]["doc_id"]
    body = {"use_context": True, "context_filter": {"docs_ids": [one]}}
    choice: Any = client.chat.completions.create(model="guide-lora", messages=asked(QUESTION), extra_body=body).choices[
        0
    ]
    assert {source["document"]["doc_id"] for source in choice.sources} <= {one}
    found = plain_http.post("/v1/chunks", json={"text": QUESTION, "limit": 5, "context_filter": {"docs_ids": [one]}})
    assert {chunk["document"]["doc_id"] for chunk in found.json()["data"]} == {one}


def test_a_follow_up_is_made_whole(client: OpenAI) -> None:
    reply = client.chat.completions.create(model="guide", messages=asked("LoRA 的优点是什么？", "……", "那 QLoRA 呢？"))
    choice: Any = reply.choices[0]
    assert choice.question == "QLoRA 的优点是什么？"


def calling(text: str | None) -> Any:
    """A conversation in which another model called a tool, saying `text` beside, and that one answered."""
    call = {"id": "1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
    return [
        *asked(QUESTION),
        {"role": "assistant", "content": text, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "QLoRA 要的显存少。"},
    ]


@pytest.mark.parametrize("text", [None, "", "我查一下。"])
def test_a_conversation_with_tools_goes_on(client: OpenAI, text: str | None) -> None:
    plain = client.chat.completions.create(model="chat", messages=calling(text), max_tokens=4)
    assert plain.choices[0].message.content
    choice: Any = client.chat.completions.create(model="guide", messages=calling(text)).choices[0]
    assert choice.question == QUESTION
    assert "[1]" in choice.message.content


def test_what_a_tool_said_is_read_where_no_document_is() -> None:
    request = ChatRequest(messages=calling(None))
    assert request.turns == [Message("user", QUESTION), Message("user", "QLoRA 要的显存少。")]
    assert request.turns_without_tools == [Message("user", QUESTION)]


def test_a_stream_brings_the_same_text_in_pieces(client: OpenAI) -> None:
    asked_for: Any = {"model": "chat", "messages": asked("LoRA 是什么？"), "max_tokens": 12}
    whole = client.chat.completions.create(**asked_for)
    chunks = list(client.chat.completions.create(**asked_for, stream=True, stream_options={"include_usage": True}))
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert {chunk.id for chunk in chunks} == {chunks[0].id}
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1])
    assert text.strip() == whole.choices[0].message.content
    assert len([chunk for chunk in chunks[:-1] if chunk.choices[0].delta.content]) > 1
    assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason
    assert chunks[-1].usage == whole.usage


def test_a_stream_ends_with_what_the_answer_rests_on_and_done(plain_http: httpx2.Client) -> None:
    body = {"messages": asked(QUESTION), "use_context": True, "stream": True}
    with plain_http.stream("POST", "/v1/chat/completions", json=body) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        events = [line.removeprefix("data: ") for line in response.iter_lines() if line]
    assert events[-1] == "[DONE]"
    last = json.loads(events[-2])["choices"][0]
    assert last["finish_reason"] == "stop"
    assert last["sources"]
    assert last["citations"]


def test_sampling_is_honoured(client: OpenAI) -> None:
    def written(**options: Any) -> str:
        reply = client.chat.completions.create(model="chat", messages=asked("LoRA 是什么？"), max_tokens=12, **options)
        return reply.choices[0].message.content or ""

    assert written() == written()
    assert written(temperature=1.5, seed=1) == written(temperature=1.5, seed=1)
    assert len({written(temperature=1.5, seed=seed) for seed in range(4)}) > 1
    assert written(temperature=1.5, seed=5, top_p=0.0001) == written(temperature=0)
    cut = written()[2:4]
    assert cut not in written(stop=[cut])


def test_the_length_is_a_reason_to_end(client: OpenAI) -> None:
    reply = client.chat.completions.create(model="chat", messages=asked("LoRA 是什么？"), max_tokens=2)
    assert reply.choices[0].finish_reason == "length"


def test_a_completion_is_a_chat_of_one_turn(client: OpenAI) -> None:
    reply: Any = client.completions.create(model="guide", prompt=QUESTION)
    assert reply.object == "text_completion"
    assert "[1]" in reply.choices[0].text
    assert reply.choices[0].message["content"] == reply.choices[0].text
    streamed = client.completions.create(model="chat", prompt="LoRA", max_tokens=6, stream=True)
    assert "".join(chunk.choices[0].text for chunk in streamed)


def test_embeddings_are_vectors_of_unit_length(client: OpenAI, plain_http: httpx2.Client) -> None:
    reply = client.embeddings.create(model="embedding", input=["低秩适配", "low rank"])
    assert [item.index for item in reply.data] == [0, 1]
    for item in reply.data:
        assert math.isclose(np.linalg.norm(item.embedding), 1, rel_tol=1e-5)
    assert reply.usage.prompt_tokens > 0
    plain = plain_http.post("/v1/embeddings", json={"input": "低秩适配", "dimensions": 256}).json()
    assert plain["data"][0]["embedding"] == pytest.approx(reply.data[0].embedding, abs=1e-6)


def test_the_models_are_listed_by_the_names_that_chats_take(client: OpenAI) -> None:
    models = {model.id: model for model in client.models.list()}
    assert {"guide", "chat", "guide-lora", "embedding"} == set(models)
    assert client.models.retrieve("guide-lora").to_dict()["parent"] == "chat"
    with pytest.raises(openai.NotFoundError, match="no-such"):
        client.models.retrieve("no-such")
    with pytest.raises(openai.NotFoundError, match="guide-lora"):
        client.chat.completions.create(model="gpt-4", messages=asked("你好"))


def test_a_model_of_the_hub_is_retrieved_by_its_id(tmp_path: Path) -> None:
    hub_id = "Qwen/Qwen2.5-7B-Instruct"
    served = {"object": "list", "data": [{"id": hub_id, "object": "model"}]}
    with (
        Server(lambda _path, _body: (200, served)).running() as there,
        running_guide(tmp_path, GUIDE_CHAT_URL=there.url) as url,
        OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0) as client,
    ):
        assert client.models.retrieve(hub_id) == client.models.list().data[1]


def test_a_route_of_openai_that_is_not_here_is_said_not_to_be(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match=r"no /v1/responses here.*/v1/chat/completions"):
        client.responses.create(model="guide", input=QUESTION)


def test_a_null_of_a_client_that_sends_all_its_fields_is_as_good_as_nothing(plain_http: httpx2.Client) -> None:
    unset = dict.fromkeys(["stream", "stream_options", "n", "stop", "temperature", "seed", "tools", "response_format"])
    chat = plain_http.post("/v1/chat/completions", json={"messages": asked("你好"), "max_tokens": 2, **unset})
    assert chat.json()["object"] == "chat.completion"
    unset = dict.fromkeys(["encoding_format", "dimensions", "model", "user"])
    embedded = plain_http.post("/v1/embeddings", json={"input": "a", **unset}).json()
    assert len(embedded["data"][0]["embedding"]) == 256


def test_chunks_come_with_their_neighbours(plain_http: httpx2.Client) -> None:
    found = plain_http.post("/v1/chunks", json={"text": QUESTION, "limit": 3, "prev_next_chunks": 2}).json()
    assert (found["object"], found["model"]) == ("list", "private-gpt")
    assert len(found["data"]) == 3
    for chunk in found["data"]:
        text = plain_http.get(f"/v1/documents/{chunk['document']['doc_id']}").json()["text"]
        assert text[chunk["start"] : chunk["end"]] == chunk["text"]
        for neighbour in (*chunk["previous_texts"], *chunk["next_texts"]):
            assert neighbour in text
    assert any(len(chunk["previous_texts"]) == 2 for chunk in found["data"])


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        ("chat/completions", {"messages": []}, "messages"),
        ("chat/completions", {"messages": [{"role": "assistant", "content": "a"}]}, "user"),
        ("chat/completions", {"messages": [{"role": "user", "content": " "}]}, "user"),
        ("chat/completions", {"messages": [{"role": "tool", "content": None}]}, "user"),
        ("chat/completions", {"messages": [{"role": "user", "content": "a"}], "n": 2}, "n"),
        ("chat/completions", {"messages": [{"role": "user", "content": "问" * 20_000}]}, "tokens"),
        ("completions", {"prompt": ["a", "b"]}, "prompt"),
        ("embeddings", {"input": []}, "input"),
        ("embeddings", {"input": [1, 2]}, "input"),
        ("embeddings", {"input": ["a", " "]}, "input"),
        ("embeddings", {"input": "a", "dimensions": 64}, "dimensions: the embedding model gives 256"),
        ("chunks", {"text": " "}, "text"),
    ],
)
def test_a_request_that_is_not_valid_says_why(
    plain_http: httpx2.Client, path: str, body: dict[str, object], reason: str
) -> None:
    response = plain_http.post(f"/v1/{path}", json=body)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert reason in response.json()["detail"]


def test_an_answer_is_streamed_with_its_reply_at_the_end(plain_http: httpx2.Client) -> None:
    with plain_http.stream("POST", "/v1/ask", json={"question": QUESTION, "id": 7, "stream": True}) as response:
        assert response.headers["x-accel-buffering"] == "no"  # nginx would hand it on in one piece
        events = [line.removeprefix("data: ") for line in response.iter_lines() if line]
    whole = plain_http.post("/v1/ask", json={"question": QUESTION, "id": 7}).json()
    reply = json.loads(events[-2])
    assert events[-1] == "[DONE]"
    assert "".join(json.loads(event)["delta"] for event in events[:-2]) == reply["answer"] == whole["answer"]
    assert reply["id"] == 7
    assert reply["citations"] == whole["citations"]


def test_a_stream_that_can_not_begin_is_a_problem_with_a_status(plain_http: httpx2.Client) -> None:
    body = {"question": QUESTION, "adapter": "no-such", "stream": True}
    assert plain_http.post("/v1/ask", json=body).status_code == 404
