"""Conversations to learn from, as tokens in batches."""

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from kb.errors import InputError
from models.chat import Message
from models.template import ChatTemplate, Supervised


def read_conversations(file: Path) -> list[list[Message]]:
    """The conversations of a JSON Lines file, a line `{"messages": [{"role": …, "content": …}, …]}` each.

    Raises:
        InputError: names the line that isn't one.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise InputError(f"{file}: can't be read as UTF-8 text ({problem}). Give a JSON Lines file.") from problem
    conversations = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            messages = [Message(turn["role"], turn["content"]) for turn in json.loads(line)["messages"]]
        except (ValueError, KeyError, TypeError) as problem:
            raise InputError(f'{file}, line {number}: not a {{"messages": […]}} conversation.') from problem
        unknown = [turn.role for turn in messages if turn.role not in ("system", "user", "assistant")]
        if unknown or not all(isinstance(turn.content, str) for turn in messages):
            what = f"the role {unknown[0]}" if unknown else "a message that is no text"
            raise InputError(f"{file}, line {number}: has {what}. Roles are system, user and assistant.")
        conversations.append(messages)
    if len(conversations) < 2:
        raise InputError(f"{file}: at least two conversations are needed to train and to test.")
    return conversations


def supervised_rows(template: ChatTemplate, file: Path, most_tokens: int) -> list[Supervised]:
    """A file's conversations as tokens, without those that are longer than `most_tokens`.

    Raises:
        InputError: a line is no conversation, or too few are short enough.
    """
    rows = [template.supervised(conversation) for conversation in read_conversations(file)]
    short = [row for row in rows if len(row.ids) <= most_tokens]
    if len(short) < 2:
        raise InputError(f"{file}: fewer than two conversations have at most {most_tokens} tokens. Raise --max-tokens.")
    return short


def batches(rows: Sequence[Supervised], budget: int, order: random.Random) -> Iterator[list[Supervised]]:
    """Rows of like length together, each padded batch within `budget` tokens, batches in random order."""
    by_length = sorted(rows, key=lambda row: (len(row.ids), order.random()))
    grouped: list[list[Supervised]] = []
    for row in by_length:
        if grouped and (len(grouped[-1]) + 1) * len(row.ids) <= budget:
            grouped[-1].append(row)
        else:
            grouped.append([row])
    order.shuffle(grouped)
    yield from grouped


def padded(rows: Sequence[Supervised], pad: int, device: torch.device) -> dict[str, Any]:
    """Ids, attention mask and labels, each [n, longest], padded on the right; labels outside of answers are -100.

    The mask of what is learnt goes by position, so that an end of turn is learnt also where it is the padding token.
    """
    width = max(len(row.ids) for row in rows)
    fill = [width - len(row.ids) for row in rows]
    ids = torch.tensor([row.ids + [pad] * n for row, n in zip(rows, fill, strict=True)])
    taught = torch.tensor([row.mask + [False] * n for row, n in zip(rows, fill, strict=True)])
    attention = torch.tensor([[1] * len(row.ids) + [0] * n for row, n in zip(rows, fill, strict=True)])
    return {
        "input_ids": ids.to(device),
        "attention_mask": attention.to(device),
        "labels": ids.masked_fill(~taught, -100).to(device),
    }
