"""A tokenizer as llama.cpp reads it from a GGUF file: pieces with scores, as in SentencePiece, or byte-level merges.

llama.cpp does not read a tokenizer's rules; it has those of known tokenizers built in. What it would cut otherwise than
the tokenizer does is refused.
"""

import json
from collections import Counter
from typing import Any, cast

from transformers import PreTrainedTokenizerBase

from kb.errors import InputError

# How text is cut before merging, by the names that llama.cpp has for it (`llama-vocab.cpp`).
_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_SPLITS = {
    _CONTRACTIONS + r"\p{N}" + _REST: "qwen2",
    _CONTRACTIONS + r"\p{N}{1,3}" + _REST: "llama-bpe",
}


def write_tokenizer(writer: Any, tokenizer: PreTrainedTokenizerBase, rows: int) -> None:
    """Writes the vocabulary, filled up to as many tokens as the model has `rows`, its merges, and the chat template.

    Raises:
        InputError: llama.cpp has no such tokenizer.
    """
    state = json.loads(cast("Any", tokenizer).backend_tokenizer.to_str())
    bpe = state["model"]
    if bpe.get("type") != "BPE":
        raise InputError(f"{tokenizer.name_or_path}: a {bpe.get('type')} tokenizer; only BPE can be written as GGUF.")
    by_id = {number: token for token, number in tokenizer.get_vocab().items()}
    special = {token["id"] for token in state["added_tokens"] if token["special"]}
    if bpe.get("byte_fallback"):
        _write_pieces(writer, state, by_id, special, rows)
    else:
        writer.add_tokenizer_pre(_split_name(state["pre_tokenizer"], tokenizer.name_or_path))
        _write_byte_level(writer, state, by_id, special, rows)
    for add, number in (
        (writer.add_bos_token_id, tokenizer.bos_token_id),
        (writer.add_eos_token_id, tokenizer.eos_token_id),
        (writer.add_pad_token_id, tokenizer.pad_token_id),
    ):
        if number is not None:
            add(number)
    first = tokenizer("a")["input_ids"][0]
    writer.add_add_bos_token(value=tokenizer.bos_token_id is not None and first == tokenizer.bos_token_id)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.get_chat_template())


def _write_pieces(writer: Any, state: dict[str, Any], by_id: dict[int, str], special: set[int], rows: int) -> None:
    """Pieces of text with ▁ for a space; a merge that was learnt earlier scores higher."""
    from gguf import TokenType

    scores: dict[str, float] = {}
    for rank, pair in enumerate(_pairs(state["model"]["merges"]), 1):
        scores.setdefault("".join(pair), float(-rank))
    lowest = -len(scores) - 1.0
    shown = Counter(token.replace(" ", "▁") for token in by_id.values())
    writer.add_tokenizer_model("llama")
    tokens, kinds = [], []
    for number in range(rows):
        token = by_id.get(number, f"[UNUSED{number}]")
        taken = "▁" in token and shown[token] > 1  # the character itself, which can't be told from a space there
        if number not in by_id or taken:
            token, kind = f"[UNUSED{number}]", TokenType.UNUSED
        elif number in special:
            kind = TokenType.CONTROL
        elif token.startswith("<0x") and len(token) == 6:
            kind = TokenType.BYTE
        else:
            kind = TokenType.NORMAL
        tokens.append(token.replace(" ", "▁") if kind == TokenType.NORMAL else token)
        kinds.append(kind)
    writer.add_token_list(tokens)
    writer.add_token_scores([scores.get(by_id.get(number, ""), lowest) for number in range(rows)])
    writer.add_token_types(kinds)
    before = json.dumps([state["normalizer"], state["pre_tokenizer"]])
    writer.add_add_space_prefix(value='"Prepend"' in before or '"prepend_scheme": "first"' in before)


def _write_byte_level(writer: Any, state: dict[str, Any], by_id: dict[int, str], special: set[int], rows: int) -> None:
    from gguf import TokenType

    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([by_id.get(number, f"[UNUSED{number}]") for number in range(rows)])
    writer.add_token_merges([" ".join(pair) for pair in _pairs(state["model"]["merges"])])
    added = {token["id"] for token in state["added_tokens"]} - special
    kinds = dict.fromkeys(by_id, TokenType.NORMAL)
    kinds |= dict.fromkeys(added, TokenType.USER_DEFINED) | dict.fromkeys(special, TokenType.CONTROL)
    writer.add_token_types([kinds.get(number, TokenType.UNUSED) for number in range(rows)])


def _split_name(pre_tokenizer: dict[str, Any] | None, name: str) -> str:
    """What llama.cpp calls this way of cutting text."""
    steps = (pre_tokenizer or {}).get("pretokenizers") or [pre_tokenizer or {}]
    patterns = [step["pattern"].get("Regex") for step in steps if step.get("type") == "Split"]
    if not patterns and any(step.get("type") == "ByteLevel" and step.get("use_regex") for step in steps):
        return "gpt-2"
    found = _SPLITS.get(patterns[0]) if len(patterns) == 1 else None
    if found is None:
        raise InputError(
            f"{name}: cuts text by a rule that is not known here, and llama.cpp would cut it otherwise. "
            "Use convert_hf_to_gguf.py of llama.cpp."
        )
    return found


def _pairs(merges: list[Any]) -> list[tuple[str, str]]:
    split = (merge.split(" ", 1) if isinstance(merge, str) else merge for merge in merges)
    return [(first, second) for first, second in split]
