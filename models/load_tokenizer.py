"""The tokenizer and the chat template that go with a model."""

from pathlib import Path
from typing import Any, cast

from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from kb.errors import ModelError
from models.families import Family, family_named
from models.inspect import AdapterFacts, read_json

_WHOLE_TOKENIZERS = ("PreTrainedTokenizerFast", "TokenizersBackend")  # all that they are stands in tokenizer.json


def load_tokenizer(base: Path, *adapters: AdapterFacts, trust_code: bool = False) -> PreTrainedTokenizerBase:
    """The adapters' tokenizer when one was saved with them, else the base's.

    Raises:
        ModelError: there is none, or two adapters brought different ones.
    """
    saved = [adapter.folder for adapter in adapters if (adapter.folder / "tokenizer_config.json").is_file()]
    loaded = [_tokenizer(folder, trust_code=trust_code) for folder in saved or [base]]
    for folder, tokenizer in zip(saved[1:], loaded[1:], strict=True):
        if tokenizer.get_vocab() != loaded[0].get_vocab():
            raise ModelError(f"{folder} and {saved[0]} brought different tokenizers. Load one of them at a time.")
    return loaded[0]


def _tokenizer(folder: Path, *, trust_code: bool) -> PreTrainedTokenizerBase:
    named = folder / "tokenizer_config.json"
    given = read_json(named) if named.is_file() else {}
    # transformers would give every Qwen2-shaped model Qwen2's way of cutting text, whatever tokenizer.json says
    whole = given.get("tokenizer_class") in _WHOLE_TOKENIZERS
    loader: Any = PreTrainedTokenizerFast if whole else AutoTokenizer
    try:
        return cast("PreTrainedTokenizerBase", loader.from_pretrained(folder, trust_remote_code=trust_code))
    except Exception as problem:  # the tokenizers package, and code of the tokenizer's own, fail in their own ways
        if "auto_map" in given and not trust_code:
            raise ModelError(
                f"{folder}: its tokenizer needs the Python code in the folder, which is not run unless "
                "GUIDE_TRUST_REMOTE_CODE=1 is set. Set it only for code that you have read."
            ) from problem
        why = " ".join(str(problem).split())
        raise ModelError(
            f"{folder}: no tokenizer can be loaded from it ({why:.200}). Download or save it again, whole."
        ) from problem


def chosen_template(wanted: str | None, tokenizer: PreTrainedTokenizerBase, family: Family | None) -> str | None:
    """The template that was set, by file or family; None for the tokenizer's own; else the family's.

    Raises:
        ModelError: what was set is neither a text file nor a family.
    """
    if wanted is None:
        return family.jinja if family and not tokenizer.chat_template else None
    named = family_named(wanted)
    if named:
        return named.jinja
    file = Path(wanted).expanduser()
    if not file.is_file():
        raise ModelError(f"GUIDE_CHAT_TEMPLATE = {wanted}: neither a file nor a family. `guide models` lists families.")
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise ModelError(f"GUIDE_CHAT_TEMPLATE = {wanted}: can't be read as UTF-8 text ({problem}).") from problem


def check_token_ids(tokenizer: PreTrainedTokenizerBase, folder: Path, rows: int) -> None:
    """Whether every token has one of the model's `rows` of embeddings.

    Raises:
        ModelError: the tokenizer is another model's.
    """
    largest = max(tokenizer.get_vocab().values())
    if largest >= rows:
        raise ModelError(
            f"{folder}: the tokenizer's largest id is {largest}, but the model has only {rows} embeddings. "
            "Use the tokenizer that came with the model."
        )
