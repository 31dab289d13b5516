"""Conversations to token ids, by the tokenizer's own chat template or its family's.

What a template can and can't do is found out once, by rendering words that stand nowhere else: it may drop or refuse a
system turn, refuse two turns of one role, want its text in parts, or mark turns by plain text that anyone could forge.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from jinja2 import TemplateError
from transformers import GenerationConfig, PreTrainedTokenizerBase

from kb.errors import InputError, ModelError
from models.chat import Conversation, Message

WORD_JOINER = "\u2060"
_BRACKETED = re.compile(r"<</?\w+>>|\[/?\w+\]|<[^<>\s]+>")
_FAILURES = (TemplateError, TypeError, ValueError, KeyError)


@dataclass(frozen=True)
class Supervised:
    """A rendered conversation; `mask[i]` says whether token i belongs to an assistant's answer or ends it."""

    ids: list[int]
    mask: list[bool]


class ChatTemplate:
    """How one tokenizer's model is spoken to; `jinja` takes the place of the tokenizer's own template.

    Raises:
        ModelError: there is no template, or it loses what the user says.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, jinja: str | None = None) -> None:
        self.tokenizer = tokenizer
        self.jinja = jinja or _own_template(tokenizer)
        self._in_parts = False
        if not self._keeps([Message("user", _mark(0))]):
            self._use_parts()
        self.keeps_system = self._keeps([Message("system", _mark(0)), Message("user", _mark(1))])
        self.takes_repeated_roles = self._keeps([Message("user", _mark(0)), Message("user", _mark(1))])
        self._between = self._probe()
        self._adds_bos = tokenizer.bos_token_id is not None and tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id
        self._markers = self._plain_text_markers()

    def render(self, conversation: Conversation) -> list[int]:
        """Token ids up to and including the assistant's header, with one beginning-of-sequence token if it has any.

        Whatever in the messages looks like a control token or a turn's header is encoded as ordinary text, so that no
        document can forge a turn.

        Raises:
            InputError: the template refuses the conversation.
        """
        turns = [replace(turn, content=_broken(turn.content, self._markers)) for turn in self._turns(conversation)]
        try:
            ids = self._ids(turns)
        except ValueError as problem:
            if "sanitize" not in str(problem):
                raise InputError(f"The chat template refuses the conversation: {problem}") from problem
            broken = [replace(turn, content=_broken(turn.content, self._controls)) for turn in turns]
            ids = self._ids(broken)
        except _FAILURES as problem:
            raise InputError(f"The chat template refuses the conversation: {problem}") from problem
        return self._one_bos(ids)

    def supervised(self, conversation: Conversation) -> Supervised:
        """Token ids of a whole conversation with the mask of what a model should learn to write.

        The answers are found by their places in the text that is rendered, so no template has to mark them.

        Raises:
            InputError: a message holds a control token, which would be learnt as a turn; or there is no answer.
            ModelError: the template changes what the messages say, so nothing exact could be learnt.
        """
        turns = self._learnable(conversation)
        text = self._text(turns, generate=False)
        spans = self._answers(turns, text)
        if not spans:
            raise InputError("A training conversation has no answer by the assistant.")
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        ids = cast("list[int]", encoded["input_ids"])
        mask = [any(start <= a < end and a < b for start, end in spans) for a, b in encoded["offset_mapping"]]
        if not self._ends_with_stop(text, spans[-1]):
            ids, mask = [*ids, self.stops()[0]], [*mask, True]
        added = len(self._one_bos(ids)) - len(ids)
        return Supervised(self._one_bos(ids), ([False] * added + mask) if added >= 0 else mask[-added:])

    def supervised_pairs(self, conversation: Conversation) -> list[Supervised]:
        """Each answer after the prompt rendered for it: an encoder-decoder reads the one and writes the other.

        Raises:
            InputError: a message holds a control token; or there is no answer.
        """
        turns, pairs = self._learnable(conversation), []
        for place, turn in enumerate(turns):
            if turn.role == "assistant":
                prompt = self.render(turns[:place])
                answer = [*self.tokenizer(turn.content, add_special_tokens=False)["input_ids"], self.stops()[0]]
                pairs.append(Supervised(prompt + answer, [False] * len(prompt) + [True] * len(answer)))
        if not pairs:
            raise InputError("A training conversation has no answer by the assistant.")
        return pairs

    def _learnable(self, conversation: Conversation) -> list[Message]:
        """The turns, none of which may hold what only the template may write: it would be learnt as a turn."""
        turns = [replace(turn, content=turn.content.strip()) for turn in self._turns(conversation)]
        for turn in turns:
            if forged := [token for token in self._controls if token in turn.content]:
                raise InputError(
                    f"A training message holds the control token {forged[0]}. Remove it: {turn.content:.60}"
                )
        return turns

    def stops(self, generation: GenerationConfig | None = None, more: Sequence[str] = ()) -> list[int]:
        """Every token that ends an answer: what the template writes after one, the tokenizer's, the model's, `more`."""
        found = [self._first_control(between) for between in self._between[1::2]]
        configured = generation.eos_token_id if generation is not None else None
        stops: list[Any] = [self.tokenizer.convert_tokens_to_ids(token) for token in found if token]
        stops.append(self.tokenizer.eos_token_id)
        stops.extend(configured if isinstance(configured, list) else [configured])
        known = self.tokenizer.get_added_vocab()
        stops.extend(known[token] for token in more if token in known)
        return list(dict.fromkeys(cast("int", stop) for stop in stops if stop is not None))

    def _turns(self, conversation: Conversation) -> list[Message]:
        """The turns as this template takes them: system turns first or folded in, roles merged where they must be."""
        said = [turn.content for turn in conversation if turn.role == "system"]
        turns = [turn for turn in conversation if turn.role != "system"]
        system = "\n\n".join(said)
        if system and self.keeps_system:
            turns = [Message("system", system), *turns]
        elif system:
            first = next((i for i, turn in enumerate(turns) if turn.role == "user"), None)
            if first is None:
                turns = [Message("user", system), *turns]
            else:
                turns[first] = Message("user", f"{system}\n\n{turns[first].content}")
        return turns if self.takes_repeated_roles else _merged(turns)

    def _messages(self, turns: Sequence[Message]) -> list[dict[str, Any]]:
        if self._in_parts:
            return [{"role": turn.role, "content": [{"type": "text", "text": turn.content}]} for turn in turns]
        return [{"role": turn.role, "content": turn.content} for turn in turns]

    def _ids(self, turns: Sequence[Message]) -> list[int]:
        rendered = self.tokenizer.apply_chat_template(
            self._messages(turns),
            chat_template=self.jinja,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            sanitize_control_tokens=True,
            enable_thinking=False,
        )
        return list(cast("dict[str, list[int]]", rendered)["input_ids"])

    def _text(self, turns: Sequence[Message], *, generate: bool) -> str:
        return self.tokenizer.apply_chat_template(  # type: ignore[return-value]
            self._messages(turns),
            chat_template=self.jinja,
            add_generation_prompt=generate,
            tokenize=False,
            enable_thinking=False,
        )

    def _keeps(self, turns: Sequence[Message]) -> bool:
        """Whether the template takes these turns and says all of them, in order, once."""
        try:
            text = self._text(turns, generate=True)
        except _FAILURES:
            return False
        places = [text.find(turn.content) for turn in turns]
        return -1 not in places and places == sorted(places)

    def _use_parts(self) -> None:
        self._in_parts = True
        if not self._keeps([Message("user", _mark(0))]):
            raise ModelError(
                f"{self.tokenizer.name_or_path}: the chat template does not show what the user says. "
                "Set GUIDE_CHAT_TEMPLATE to one that does, or to the model's family."
            )

    def _probe(self) -> list[str]:
        """What the template writes after each turn of user, assistant, user, assistant: five texts less the first."""
        marks = [_mark(n) for n in range(4)]
        roles = ("user", "assistant", "user", "assistant")
        turns = [Message(role, mark) for role, mark in zip(roles, marks, strict=True)]  # type: ignore[arg-type]
        try:
            return re.split("|".join(marks), self._text(turns, generate=False))[1:]
        except _FAILURES:
            return []

    def _answers(self, turns: Sequence[Message], text: str) -> list[tuple[int, int]]:
        """Where the assistant's answers stand in the rendered text, with the token that ends each."""
        marks = [_mark(n) for n in range(len(turns))]
        marked = self._text(
            [replace(turn, content=mark) for turn, mark in zip(turns, marks, strict=True)], generate=False
        )
        between = re.split("|".join(marks), marked)
        rebuilt, spans = between[0], []
        for turn, after in zip(turns, between[1:], strict=False):
            start = len(rebuilt)
            rebuilt += turn.content
            if turn.role == "assistant":
                spans.append((start, len(rebuilt) + self._turn_end(after)))
            rebuilt += after
        if rebuilt != text:
            raise ModelError(
                f"{self.tokenizer.name_or_path}: the chat template rewrites messages, so answers can't be told apart. "
                "Set GUIDE_CHAT_TEMPLATE to one that leaves them as they are."
            )
        return spans

    def _turn_end(self, after: str) -> int:
        """How much of what follows an answer belongs to it: up to the end of the first control token."""
        token = self._first_control(after)
        return after.index(token) + len(token) if token else 0

    def _ends_with_stop(self, text: str, last: tuple[int, int]) -> bool:
        stops = self.tokenizer.convert_ids_to_tokens(self.stops())
        return any(text[last[0] : last[1]].endswith(stop) for stop in stops)

    def _first_control(self, text: str) -> str | None:
        at = {token: text.find(token) for token in self._controls if token in text}
        return min(at, key=lambda token: (at[token], -len(token))) if at else None

    @property
    def _controls(self) -> list[str]:
        """The tokens that only the template may write."""
        added = self.tokenizer.added_tokens_decoder.values()
        return [
            token.content for token in added if token.content.strip() and (token.special or token.content in self.jinja)
        ]

    def _plain_text_markers(self) -> list[str]:
        """What marks turns by plain text, longest first; nothing when every turn begins with a control token."""
        if all(self._first_control(between) for between in self._between[:-1]):
            return []
        controls = "|".join(re.escape(token) for token in self._controls) or "(?!)"
        found: set[str] = set()
        opening = [Message("system", _mark(0)), Message("user", _mark(1))][0 if self.keeps_system else 1 :]
        for between in [*re.split(r"Qzx\d+xzQ", self._text(opening, generate=True)), *self._between]:
            for piece in re.split(rf"{controls}|\n", between):
                bracketed = _BRACKETED.findall(piece)
                found.update(bracketed or [piece.strip()])
        return sorted((marker for marker in found if len(marker) >= 3), key=len, reverse=True)

    def _one_bos(self, ids: list[int]) -> list[int]:
        bos = self.tokenizer.bos_token_id
        if bos is None:
            return ids
        while ids[:2] == [bos, bos]:
            ids = ids[1:]
        return [bos, *ids] if self._adds_bos and ids[:1] != [bos] else ids


def _own_template(tokenizer: PreTrainedTokenizerBase) -> str:
    if not tokenizer.chat_template:
        raise ModelError(
            f"{tokenizer.name_or_path}: the tokenizer has no chat template and its family is not known. Use an "
            "instruction-tuned model, or set GUIDE_CHAT_TEMPLATE to a Jinja file or a family's name."
        )
    return tokenizer.get_chat_template()


def _mark(n: int) -> str:
    return f"Qzx{n:04d}xzQ"


def _merged(turns: Sequence[Message]) -> list[Message]:
    merged: list[Message] = []
    for turn in turns:
        if merged and merged[-1].role == turn.role:
            merged[-1] = Message(turn.role, f"{merged[-1].content}\n\n{turn.content}")
        else:
            merged.append(turn)
    return merged


def _broken(text: str, markers: Sequence[str]) -> str:
    """The text with an invisible character inside every marker."""
    for marker in markers:
        text = text.replace(marker, f"{marker[0]}{WORD_JOINER}{marker[1:]}")
    return text
