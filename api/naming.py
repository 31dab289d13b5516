"""The names that models go by over REST."""

from dataclasses import dataclass
from pathlib import Path

from api.schemas_openai import ModelCard
from api.services import Services
from kb.errors import NotFoundError

__all__ = ["Named", "all_models", "named_model"]

GUIDE = "guide"
PRIVATE_GPT = "private-gpt"  # what clients of private-gpt call whatever there is


@dataclass(frozen=True)
class Named:
    """What a model's name stands for: an adapter, or "none" for the base, and whether documents are answered from.

    `shown` is the name that a reply carries.
    """

    shown: str
    adapter: str
    from_documents: bool = False


def named_model(services: Services, name: str | None) -> Named:
    """What the name of a chat model stands for; no name is the configured model.

    Raises:
        NotFoundError: no model of that name is loaded.
    """
    chat = services.chat
    if name == GUIDE:
        return Named(GUIDE, "default", from_documents=True)
    if name in (None, "", PRIVATE_GPT):
        return Named(chat.adapter_name("default") or chat.name, "default")
    if name == chat.name:
        return Named(name, "none")
    if name in chat.adapters:
        return Named(name, name)
    there = ", ".join([GUIDE, chat.name, *chat.adapters])
    raise NotFoundError(f"There is no chat model {name!r}; there are: {there}.")


def all_models(services: Services) -> list[ModelCard]:
    """The models of this server; `guide` is the configured one, answering from the documents."""
    chat, created = services.chat, services.opened
    return [
        ModelCard(id=GUIDE, created=created, kind="guide", parent=chat.adapter_name("default") or chat.name),
        ModelCard(id=chat.name, created=created, kind="base"),
        *(ModelCard(id=name, created=created, kind="adapter", parent=chat.name) for name in chat.adapters),
        ModelCard(id=Path(services.settings.embedding_model).name, created=created, kind="embedding"),
    ]
