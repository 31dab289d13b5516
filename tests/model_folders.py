"""Copies of the tiny base and adapter that a test may damage, and loading them."""

import json
from pathlib import Path
from typing import Any

from kb.settings import Settings
from models.chat import Conversation
from models.generate import ChatModel
from models.load import load_chat


def loaded(base: Path | str, adapter: Path | str = "none", **settings: Any) -> ChatModel:
    return load_chat(Settings(chat_model=str(base), adapter=str(adapter), device="cpu", **settings))


def edit_json(file: Path, **changes: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def shown(chat: ChatModel, conversation: Conversation) -> str:
    """The prompt of a conversation as text."""
    return str(chat.tokenizer.decode(chat.template.render(conversation)))
