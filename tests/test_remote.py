"""A chat model on an OpenAI-compatible server: a real one, and small ones that fail as servers do."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from kb.errors import BusyError, ChatServerError, ConfigError, GuideError, ModelError, NotFoundError
from kb.settings import Settings
from models.chat import Chat, Message
from models.load import load_chat
from models.remote import MOST_WAITING, RemoteChat, connect
from tests.chat_server import running_transformers_serve

QUESTION = [Message("user", "什么是 LoRA？")]


@pytest.fixture(scope="session")
def transformers_serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_transformers_serve(tmp_path_factory.mktemp("serve") / "log") as url:
        yield url


@pytest.fixture(scope="module")
def remote(transformers_serve: str, tiny_base: Path) -> Iterator[Chat]:
    chat = connect(Settings(chat_url=transformers_serve, chat_model=str(tiny_base), adapter="none"))
    yield chat
    chat.close()


def test_a_server_writes_what_the_model_writes_here(remote: Chat, tiny_base: Path) -> None:
    here = load_chat(Settings(chat_model=str(tiny_base), adapter="none", device="cpu"))
    theirs, ours = (chat.generate([QUESTION], [None], max_new_tokens=16)[0] for chat in (remote, here))
    assert theirs.text == ours.text
    assert theirs.finish == ours.finish


def test_its_stream_joined_is_the_answer(remote: Chat) -> None:
    stream = remote.submit(QUESTION, max_new_tokens=16)
    pieces = list(stream)
    assert len(pieces) > 1
    assert "".join(pieces) == stream.result().text


def test_a_stop_string_ends_the_answer_before_it(remote: Chat) -> None:
    whole = remote.generate([QUESTION], [None], max_new_tokens=24)[0].text
    stopped = remote.generate([QUESTION], [None], max_new_tokens=24, stop=[whole[4:6]])[0]
    assert stopped.text == whole[: whole.index(whole[4:6])]


def test_a_cancelled_stream_ends_early(remote: Chat) -> None:
    stream = remote.submit(QUESTION, max_new_tokens=200)
    next(iter(stream))
    stream.cancel()
    assert stream.result().finish == "cancelled"


def test_requests_at_once_get_what_serial_ones_get(remote: Chat) -> None:
    questions = [[Message("user", text)] for text in ("LoRA", "T5 是什么结构？", "Mac")]
    serial = [remote.generate([question], [None], max_new_tokens=8)[0].text for question in questions]
    assert [done.text for done in remote.generate(questions, [None] * 3, max_new_tokens=8)] == serial


def test_it_gives_no_likelihoods_and_says_so(remote: Chat) -> None:
    assert not remote.scores
    with pytest.raises(ModelError, match="gives no likelihoods"):
        remote.score([QUESTION], "低秩", [None])


def test_a_model_that_it_does_not_have(transformers_serve: str) -> None:
    chat = connect(Settings(chat_url=transformers_serve, chat_model="owner/absent", adapter="none", chat_retries=0))
    with pytest.raises(GuideError, match="owner/absent"):
        chat.generate([QUESTION], [None])


def test_a_server_that_is_down(refusing_port: int) -> None:
    settings = Settings(chat_url=f"http://reader:hush@127.0.0.1:{refusing_port}", chat_retries=0)
    with pytest.raises(ChatServerError, match=r"can't be reached\. Start it, or set GUIDE_CHAT_URL") as caught:
        connect(settings)
    assert "hush" not in str(caught.value)


Answer = tuple[int, dict[str, Any] | list[dict[str, Any]]]


class Server:
    """Answers each request as `answer(path, body)` says: a status with an object, or with a stream's chunks."""

    def __init__(self, answer: Callable[[str, dict[str, Any]], Answer]) -> None:
        self.requests: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.reply({})

            def do_POST(self) -> None:
                self.reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def reply(self, body: dict[str, Any]) -> None:
                outer.requests.append({"path": self.path, "key": self.headers.get("Authorization"), **body})
                status, content = answer(self.path, body)
                self.send_response(status)
                self.send_header("retry-after-ms", "1")
                streamed = isinstance(content, list)
                self.send_header("Content-Type", "text/event-stream" if streamed else "application/json")
                self.end_headers()
                lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in content] if streamed else [json.dumps(content)]
                self.wfile.write("".join(lines).encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                del format, args

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator["Server"]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


def written(*pieces: str) -> list[dict[str, Any]]:
    return [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]


MODELS = {
    "object": "list",
    "data": [
        {"id": "qwen", "object": "model", "max_model_len": 2048, "parent": None},
        {"id": "sql-lora", "object": "model", "parent": "qwen"},
    ],
}


@contextmanager
def answering(chat: Callable[[dict[str, Any]], Answer], **settings: Any) -> Iterator[tuple[RemoteChat, Server]]:
    """A connected model on a server that lists models as vLLM does and answers chats as `chat` says."""

    def answer(path: str, body: dict[str, Any]) -> Answer:
        return (200, MODELS) if path.endswith("/models") else chat(body)

    with Server(answer).running() as server:
        remote = connect(Settings(chat_url=server.url, **settings))
        try:
            yield remote, server
        finally:
            remote.close()


def test_what_a_server_serves_is_found_without_being_named() -> None:
    with answering(lambda body: (200, written(f"by {body['model']}")), chat_api_key="s3cret") as (remote, server):
        assert (remote.name, remote.adapters, remote.window) == ("qwen", ("sql-lora",), 2048)
        both = remote.generate([QUESTION] * 2, [None, remote.adapter_name("default")])
        assert [done.text for done in both] == ["by qwen", "by sql-lora"]
        assert {request["key"] for request in server.requests} == {"Bearer s3cret"}
        with pytest.raises(NotFoundError, match="No adapter medical"):
            remote.adapter_name("medical")


def test_adapters_are_named_by_the_setting() -> None:
    with answering(lambda body: (200, written(body["model"])), chat_model="qwen", adapter="sql=sql-lora") as (chat, _):
        assert chat.adapters == ("sql",)
        assert chat.generate([QUESTION], ["sql"])[0].text == "sql-lora"


def test_several_models_and_none_chosen() -> None:
    models = {"object": "list", "data": [{"id": name, "object": "model"} for name in ("qwen", "llama")]}
    with (
        Server(lambda _path, _body: (200, models)).running() as server,
        pytest.raises(ConfigError, match=r"has qwen, llama\. Set GUIDE_CHAT_MODEL"),
    ):
        connect(Settings(chat_url=server.url))


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (401, ChatServerError, "refuses the key. Set GUIDE_CHAT_API_KEY"),
        (404, ChatServerError, "has no model qwen.*it serves: qwen, sql-lora"),
        (429, BusyError, "too much to do"),
        (503, ChatServerError, "failed when asked for qwen: .*503"),
    ],
)
def test_what_a_server_refuses_is_said_with_its_mend(status: int, kind: type[GuideError], message: str) -> None:
    with (
        answering(lambda _: (status, {"error": {"message": "no"}}), chat_retries=0) as (remote, _),
        pytest.raises(kind, match=message),
    ):
        remote.generate([QUESTION], [None])


def test_a_failing_server_is_asked_again() -> None:
    failures = iter([503, 500])

    def answer(_: dict[str, Any]) -> Answer:
        status = next(failures, 200)
        return (status, written("好") if status == 200 else {"error": {"message": "loading"}})

    with answering(answer, chat_retries=2) as (remote, _):
        assert remote.generate([QUESTION], [None])[0].text == "好"


def test_a_server_that_is_silent() -> None:
    held = threading.Event()

    def answer(_: dict[str, Any]) -> Answer:
        held.wait()
        return 200, written("late")

    with answering(answer, chat_timeout_s=0.3, chat_retries=0) as (remote, _):
        with pytest.raises(ChatServerError, match=r"did not answer in time.*GUIDE_CHAT_TIMEOUT_S"):
            remote.generate([QUESTION], [None])
        held.set()


@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\ndata: {}\n\n"])
def test_a_server_that_dies_while_it_answers(before: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer_and_die() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(before)

        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with ThreadPoolExecutor(1) as threads:
            threads.submit(answer_and_die)
            with pytest.raises(ChatServerError, match=r"broke the connection off.*log"):
                connect(Settings(chat_url=url, chat_retries=0))


def test_a_server_of_something_else() -> None:
    with (
        Server(lambda _path, _body: (200, {"hello": "world"})).running() as server,
        pytest.raises(ChatServerError, match="does not speak the OpenAI protocol"),
    ):
        connect(Settings(chat_url=server.url))


def test_a_server_that_knows_no_usage_option_is_asked_without() -> None:
    def answer(body: dict[str, Any]) -> Answer:
        if "stream_options" in body:
            return 422, {"error": {"message": "unsupported field stream_options"}}
        return 200, written("一", "二")

    with answering(answer) as (remote, _):
        assert remote.generate([QUESTION], [None])[0].completion_tokens == 2


def test_a_server_that_counts_is_believed() -> None:
    usage = {"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}}
    with answering(lambda _: (200, [*written("一", "二"), usage])) as (remote, _):
        done = remote.generate([QUESTION], [None])[0]
        assert (done.prompt_tokens, done.completion_tokens) == (11, 7)


def test_too_many_waiting_requests_are_refused() -> None:
    held = threading.Event()

    def answer(_: dict[str, Any]) -> Answer:
        held.wait()
        return 200, written("好")

    with answering(answer) as (remote, _):
        streams = [remote.submit(QUESTION) for _ in range(MOST_WAITING)]
        with pytest.raises(BusyError, match="Try again"):
            remote.submit(QUESTION)
        held.set()
        with ThreadPoolExecutor(8) as threads:
            assert {done.text for done in threads.map(lambda stream: stream.result(), streams)} == {"好"}
