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
        lines = file.read_text(encoding="utf-8").split("\n")  # JSON may hold what else Python takes for a line's end
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


def supervised_rows(template: ChatTemplate, file: Path, most_tokens: int, *, encodes: bool = False) -> list[Supervised]:
    """A file's conversations as tokens, without those that are longer than `most_tokens`.

    For a model that `encodes`, they are parted into prompts and answers.

    Raises:
        InputError: a line is no conversation, or too few are short enough.
    """
    conversations = read_conversations(file)
    if encodes:
        rows = [row for conversation in conversations for row in template.supervised_pairs(conversation)]
    else:
        rows = [template.supervised(conversation) for conversation in conversations]
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
    labels = [[token if taught else -100 for token, taught in zip(row.ids, row.mask, strict=True)] for row in rows]
    return {
        "input_ids": _filled([row.ids for row in rows], pad, device),
        "attention_mask": _filled([[1] * len(row.ids) for row in rows], 0, device),
        "labels": _filled(labels, -100, device),
    }


def padded_pairs(rows: Sequence[Supervised], pad: int, device: torch.device) -> dict[str, Any]:
    """What an encoder-decoder takes: ids and mask of the prompts, [n, longest], labels of the answers, [n, longest].

    The model makes the decoder's input of the labels itself, each token moved on by one.
    """
    prompts = [[token for token, taught in zip(row.ids, row.mask, strict=True) if not taught] for row in rows]
    answers = [[token for token, taught in zip(row.ids, row.mask, strict=True) if taught] for row in rows]
    return {
        "input_ids": _filled(prompts, pad, device),
        "attention_mask": _filled([[1] * len(prompt) for prompt in prompts], 0, device),
        "labels": _filled(answers, -100, device),
    }


def _filled(rows: Sequence[list[int]], fill: int, device: torch.device) -> torch.Tensor:
    """[n, longest], filled up on the right."""
    width = max(map(len, rows))
    return torch.tensor([row + [fill] * (width - len(row)) for row in rows], device=device)
