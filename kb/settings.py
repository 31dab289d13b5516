"""One frozen settings object: flags over `GUIDE_*` environment variables over `guide.toml` over defaults."""

import os
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from kb.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "kb" / "sources"
WEIGHTS = ROOT / "models" / "weights"
SETTINGS_FILE = "guide.toml"
PREFIX = "GUIDE_"
ALL_LISTED = "docs/settings.md lists them all."


class Settings(BaseSettings):
    """Everything that can be set. Each field `x` is `GUIDE_X` in the environment and `x = …` in `guide.toml`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", toml_file=SETTINGS_FILE)

    home: Path = Field(
        default_factory=lambda: platformdirs.user_data_path("guide"), description="where the knowledge base is kept"
    )
    chroma_url: str | None = Field(
        default=None, description="a Chroma server for the vector index, like http://127.0.0.1:8001; unset: embedded"
    )
    embedding_model: str = Field(
        default=str(WEIGHTS / "embedding"), description="a sentence-transformers folder or hub id"
    )
    reranker: str | None = Field(
        default=None, description="a cross-encoder's folder or hub id that orders anew what was found; unset: none"
    )
    chat_model: str = Field(
        default=str(WEIGHTS / "chat"),
        description="a language model's folder, or hub id like `owner/model` or `owner/model@revision`; with "
        "`chat_url` its name there",
    )
    adapter: str = Field(
        default=str(WEIGHTS / "guide-lora"),
        description="a peft adapter's folder or hub id, several as `name=folder,…` (the first is used), or `none`",
    )
    style: Literal["auto", "quote", "prose"] = Field(
        default="auto",
        description="how answers are made from passages: verbatim quotes, or the model's prose with checked citations; "
        "auto: prose from models of half a billion parameters or more",
    )
    chat_template: str | None = Field(
        default=None, description="a Jinja file or a family's name; unset: the tokenizer's own, else its family's"
    )
    chat_window: int | None = Field(
        default=None, ge=16, description="tokens of prompt and answer together; unset: what the model or server says"
    )
    chat_url: str | None = Field(
        default=None, description="an OpenAI-compatible server for the chat model, like http://127.0.0.1:8080/v1"
    )
    chat_api_key: SecretStr | None = Field(default=None, description="its key")
    chat_timeout_s: float = Field(default=60, gt=0, description="how long it may be silent, in seconds")
    chat_retries: int = Field(default=2, ge=0, le=10, description="how often it is asked again when it fails")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(default="auto", description="where models run")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto", description="the chat model's numbers; auto: bfloat16 on CUDA, float16 on MPS, else float32"
    )
    quantization: Literal["none", "8bit", "4bit"] = Field(
        default="none", description="the chat model's weights in int8 or NF4, by bitsandbytes (extra `quant`)"
    )
    trust_remote_code: bool = Field(default=False, description="run the code that comes with a chat model")
    top_k: int = Field(default=8, ge=1, le=100, description="how many passages a search returns")
    repair_threshold: float = Field(
        default=0.9, ge=0, le=1, description="restored characters less sure than this are marked as doubtful"
    )
    max_document_mb: float = Field(default=20, gt=0, description="larger files are refused")
    max_question_chars: int = Field(default=4000, ge=1, description="longer questions are refused")
    max_answers: int = Field(default=16, ge=1, le=1000, description="answers written at a time by `guide serve`")
    host: str = Field(default="127.0.0.1", description="the address that `guide serve` binds")
    port: int = Field(default=8000, ge=0, le=65535, description="its port; 0 takes a free one")
    api_key: SecretStr | None = Field(
        default=None, min_length=1, description="what every request must carry; needed to bind another address"
    )
    allowed_hosts: str = Field(
        default="", description="names, with commas between, that a server without a key goes by beside localhost"
    )
    cors_origins: str = Field(
        default="", description="other sites whose pages may use the server, like https://a.example, commas between"
    )
    rate_limit: str | None = Field(
        default=None,
        pattern=r"^\d+/(second|minute|hour|day)$",
        description="requests taken from one client, like 120/minute",
    )
    log_format: Literal["text", "json"] = Field(default="text", description="how `guide serve` logs to stderr")

    @field_validator("home", mode="before")
    @classmethod
    def _named_folder(cls, home: Any) -> Any:
        """The folder, `~` being the user's own; an empty name would be whatever folder `guide` runs in."""
        if home == "":
            raise ValueError("names no folder; `.` is this one")
        try:
            return Path(home).expanduser() if isinstance(home, str | Path) else home
        except RuntimeError as problem:  # the home of nobody
            raise ValueError(str(problem).rstrip(".")) from problem

    @field_validator("chroma_url", "chat_url")
    @classmethod
    def _server_address(cls, url: str | None) -> str | None:
        """The address without a slash at its end; nothing counts as not set."""
        if url and not re.match(r"https?://[^/\s]+", url):
            raise ValueError("not the address of a server, which begins with http:// or https://")
        return url.rstrip("/") if url else None

    @property
    def listed_hosts(self) -> frozenset[str]:
        return _listed(self.allowed_hosts.lower())

    @property
    def listed_origins(self) -> frozenset[str]:
        return _listed(self.cors_origins)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def _listed(names: str) -> frozenset[str]:
    return frozenset(filter(None, (name.strip().rstrip("/") for name in names.split(","))))


def shown_address(address: str) -> str:
    """The address of a server as it may be told: without the name and password that it may hold."""
    return re.sub(r"[^/\s]*@", "", address)


def load_settings(**flags: Any) -> Settings:
    """The settings in force; flags that are None count as not given.

    Raises:
        ConfigError: a value that can't be used, or a name in the environment or `guide.toml` that no setting has.
    """
    for variable in os.environ:
        if variable.upper().startswith(PREFIX):
            _check_known(variable[len(PREFIX) :].lower(), f"The environment variable {variable}", PREFIX)
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as problem:
        raise ConfigError(_told(problem.errors()[0])) from problem
    except (ValueError, OSError) as problem:
        raise ConfigError(f"{SETTINGS_FILE}: {problem}. Mend or remove the file.") from problem


def _check_known(name: str, what: str, prefix: str = "") -> None:
    """Raises ConfigError, which says of `what` that it is none and which may be meant, unless a setting has the name.

    What it was set to is not shown: it may be a key.
    """
    if name in Settings.model_fields:
        return
    close = get_close_matches(name, Settings.model_fields, n=1)
    spelling = prefix + (close[0].upper() if prefix else close[0]) if close else ""
    meant = f"Write {spelling} if you mean that, else remove it" if close else "Remove it"
    raise ConfigError(f"{what} sets nothing: there is no such setting. {meant}; {ALL_LISTED}")


def _told(problem: ErrorDetails) -> str:
    """A value that can't be used, in one line; a key or password is not shown."""
    name = str(problem["loc"][0])
    if problem["type"] == "extra_forbidden":
        _check_known(name, f"{SETTINGS_FILE}: the line `{name}`")
    secret = "SecretStr" in str(Settings.model_fields[name].annotation)
    value = problem["input"]
    if name.endswith("_url") and isinstance(value, str):
        value = shown_address(value)
    given = "" if secret else f" = {value!r}"
    reason = problem["msg"].removeprefix("Value error, ").lower()
    return f"Setting {name}{given}: {reason}. Set {PREFIX}{name.upper()} or `{name}` in {SETTINGS_FILE}; {ALL_LISTED}"
