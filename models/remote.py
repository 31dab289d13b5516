"""A chat model on an OpenAI-compatible server instead of one in this process: vLLM, Ollama, llama.cpp and others.

The server's adapters are models of its own by name, as vLLM serves them; which belong to the base it says itself.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kb.errors import BusyError, ChatServerError, ConfigError, InputError, ModelError
from kb.records import Finish
from kb.settings import Settings, shown_address
from models.chat import GREEDY, Conversation, Generation, Sampling, Scored, Stream, chosen_adapter
from models.names import parse_adapters
from models.stops import StopStrings

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.chat import ChatCompletionChunk

MOST_AT_ONCE = 16
MOST_WAITING = 128
USUAL_WINDOW = 4096


def connect(settings: Settings) -> "RemoteChat":
    """The chat model that the server at `chat_url` serves.

    The model is `chat_model` when it is set, else the server's only one; adapters are those of `adapter` when it is
    set, else those that the server says were made for the model.

    Raises:
        ChatServerError: the server is down, refuses the key or is no such server.
        ConfigError: the server has several models, or none, and none is chosen.
    """
    from openai import OpenAI

    address = settings.chat_url or ""
    if not urlsplit(address).path.strip("/"):
        address = f"{address}/v1"
    key = settings.chat_api_key.get_secret_value() if settings.chat_api_key else "none"
    client = OpenAI(base_url=address, api_key=key, timeout=settings.chat_timeout_s, max_retries=settings.chat_retries)
    chosen = "chat_model" in settings.model_fields_set
    told = _told(client, needed=not chosen)
    base = settings.chat_model if chosen else _only(told, address)
    if "adapter" in settings.model_fields_set:
        adapters = parse_adapters(settings.adapter)
    else:
        adapters = {name: name for name, facts in told.items() if facts.get("parent") == base}
    window = settings.chat_window or told.get(base, {}).get("max_model_len") or USUAL_WINDOW
    return RemoteChat(client, base, adapters, window)


def _told(client: "OpenAI", *, needed: bool) -> dict[str, dict[str, Any]]:
    """What the server says of its models, by name; nothing where it can't say and needn't."""
    from openai import InternalServerError, NotFoundError

    try:
        return {model.id: model.model_dump() for model in client.models.list().data}
    except (InternalServerError, NotFoundError) as problem:
        if needed:
            raise ConfigError(
                f"{_named(client)} does not say what it serves. Set GUIDE_CHAT_MODEL to its model."
            ) from problem
        return {}
    except Exception as problem:
        raise _translated(problem, client, "") from problem


def _only(told: Mapping[str, Mapping[str, Any]], address: str) -> str:
    bases = [name for name, facts in told.items() if not facts.get("parent")]
    if len(bases) != 1:
        there = ", ".join(bases) if bases else "no model that it names"
        raise ConfigError(
            f"GUIDE_CHAT_URL = {shown_address(address)}: the server has {there}. Set GUIDE_CHAT_MODEL to one it serves."
        )
    return bases[0]


class RemoteChat:
    """A model that a server runs; see `models.chat.Chat`. `adapters` maps adapters' names to the server's models.

    Repetition penalties are left to the server, since the protocol has none.
    """

    scores = False
    writes_well = True
    caveats: tuple[str, ...] = ()

    def __init__(self, client: "OpenAI", name: str, adapters: Mapping[str, str], window: int) -> None:
        self.name, self.adapters, self.window = name, tuple(adapters), window
        self._client = client
        self._models = dict[str | None, str]([(None, name), *adapters.items()])
        self._usage_wanted = True
        self._writers = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="remote-chat")
        self._open = threading.Semaphore(MOST_WAITING)
        self._closed = False

    def adapter_name(self, wanted: str | None) -> str | None:
        return chosen_adapter(self.adapters, wanted)

    def adapter_share(self, adapter: str) -> None:
        """Only the server knows."""
        del adapter

    def room(self, conversation: Conversation) -> int:
        """A careful guess, since only the server has the tokenizer: a token for two bytes, and some for each turn."""
        return self.window - sum(len(message.content.encode()) // 2 + 5 for message in conversation)

    def submit(
        self,
        conversation: Conversation,
        adapter: str | None = None,
        *,
        max_new_tokens: int = 128,
        sampling: Sampling = GREEDY,
        stop: Sequence[str] = (),
    ) -> Stream:
        if self._closed:
            raise ModelError(f"The connection to {self.name} was closed. Open it again.")
        if not self._open.acquire(blocking=False):
            raise BusyError(f"{MOST_WAITING} requests are waiting for {self.name}. Try again in a few seconds.")
        stream = Stream()
        body = {
            "model": self._models[adapter],
            "messages": [{"role": message.role, "content": message.content} for message in conversation],
            "max_tokens": max_new_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sampling.seed,
            "stop": list(stop) or None,
        }
        writing = self._writers.submit(self._write, {k: v for k, v in body.items() if v is not None}, stop, stream)
        writing.add_done_callback(lambda _: self._open.release())
        return stream

    def generate(
        self,
        conversations: Sequence[Conversation],
        adapters: Sequence[str | None],
        *,
        max_new_tokens: int = 128,
        sampling: Sampling = GREEDY,
        stop: Sequence[str] = (),
    ) -> list[Generation]:
        streams = [
            self.submit(conversation, adapter, max_new_tokens=max_new_tokens, sampling=sampling, stop=stop)
            for conversation, adapter in zip(conversations, adapters, strict=True)
        ]
        return [stream.result() for stream in streams]

    def score(self, conversations: Sequence[Conversation], continuation: str, adapters: Sequence[str | None]) -> Scored:
        del conversations, continuation, adapters
        raise ModelError(f"{self.name} is on a server, which gives no likelihoods. Unset GUIDE_CHAT_URL to score.")

    def close(self) -> None:
        self._closed = True
        self._writers.shutdown(wait=True)
        self._client.close()

    def _write(self, body: dict[str, Any], stop: Sequence[str], stream: Stream) -> None:
        try:
            stream.put(_Reply(stop, stream).read(self._chunks(body)))
        except Exception as problem:  # noqa: BLE001 - whatever it was, the caller must hear of it
            error = _translated(problem, self._client, body["model"])
            error.__cause__ = problem
            stream.put(error)

    def _chunks(self, body: dict[str, Any]) -> Any:
        from openai import BadRequestError, UnprocessableEntityError

        create: Callable[..., Any] = self._client.chat.completions.create
        if self._usage_wanted:
            try:
                return create(**body, stream=True, stream_options={"include_usage": True})
            except (BadRequestError, UnprocessableEntityError) as problem:
                if "stream_options" not in str(problem):
                    raise
                self._usage_wanted = False
        return create(**body, stream=True)


class _Reply:
    """One streamed reply, read chunk by chunk; leaving it closes the connection, which ends the server's work."""

    def __init__(self, stop: Sequence[str], stream: Stream) -> None:
        self._stream, self._text = stream, StopStrings(stop)
        self._whole, self._pieces, self._prompt_tokens = "", 0, 0
        self._finish: Finish = "stop"

    def read(self, chunks: Any) -> Generation:
        with chunks:
            for chunk in chunks:
                if self._stream.cancelled:
                    self._finish = "cancelled"
                    break
                self._take(chunk)
                if self._text.stopped:
                    break
        self._stream.put(self._text.advance(self._whole, final=True))
        return Generation(self._text.text, self._finish, self._prompt_tokens, self._pieces)

    def _take(self, chunk: "ChatCompletionChunk") -> None:
        for choice in chunk.choices:
            if choice.delta.content:
                self._whole += choice.delta.content
                self._pieces += 1
                self._stream.put(self._text.advance(self._whole))
            if choice.finish_reason == "length":
                self._finish = "length"
        if chunk.usage:
            self._prompt_tokens, self._pieces = chunk.usage.prompt_tokens, chunk.usage.completion_tokens


def _translated(problem: Exception, client: "OpenAI", model: str) -> Exception:
    """What went wrong on the way to or at the server, as an error that says what to do."""
    import httpx2
    import openai

    if isinstance(problem, openai.APIConnectionError) and isinstance(problem.__cause__, httpx2.TransportError):
        problem = problem.__cause__
    at = _named(client)
    reason = getattr(problem, "message", problem)
    ways: list[tuple[type[Exception] | tuple[type[Exception], ...], Callable[[], Exception]]] = [
        (
            (openai.APITimeoutError, httpx2.TimeoutException),
            lambda: ChatServerError(
                f"{at} did not answer in time. See whether it is busy, or raise GUIDE_CHAT_TIMEOUT_S."
            ),
        ),
        (
            (httpx2.ReadError, httpx2.WriteError, httpx2.RemoteProtocolError),
            lambda: ChatServerError(f"{at} broke the connection off. See whether it still runs; its log may say why."),
        ),
        (
            (openai.APIConnectionError, httpx2.TransportError),
            lambda: ChatServerError(f"{at} can't be reached. Start it, or set GUIDE_CHAT_URL to where it runs."),
        ),
        (
            (openai.AuthenticationError, openai.PermissionDeniedError),
            lambda: ChatServerError(f"{at} refuses the key. Set GUIDE_CHAT_API_KEY to one that it knows."),
        ),
        (
            openai.NotFoundError,
            lambda: ChatServerError(
                f"{at} has no model {model}. Set GUIDE_CHAT_MODEL or GUIDE_ADAPTER to one it serves{_served(client)}."
            ),
        ),
        (openai.RateLimitError, lambda: BusyError(f"{at} has too much to do. Try again in a few seconds.")),
        (
            (openai.BadRequestError, openai.UnprocessableEntityError),
            lambda: InputError(f"{at} refuses the request: {reason}."),
        ),
        (
            openai.APIStatusError,
            lambda: ChatServerError(f"{at} failed when asked for {model or 'its models'}: {reason}. Its log says why."),
        ),
    ]
    for kinds, error in ways:
        if isinstance(problem, kinds):
            return error()
    return ChatServerError(
        f"{at} does not speak the OpenAI protocol ({reason}). Set GUIDE_CHAT_URL to a server's address, with /v1."
    )


def _named(client: "OpenAI") -> str:
    return f"The chat server {shown_address(str(client.base_url))}".rstrip("/")


def _served(client: "OpenAI") -> str:
    from openai import OpenAIError

    try:
        names = [model.id for model in client.models.list().data]
    except OpenAIError:
        return ""
    return f": {', '.join(names)}" if names else ""
