"""Chat templates with a tokenizer each: trl's collection of real ones, and those of our families."""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from models.families import TEMPLATES

BOS, EOS = "<|test_bos|>", "<|test_eos|>"
_CONTROL = re.compile(r"</?[|｜]?[A-Za-z][^<>\s'\"{}%]{0,40}>|\[[A-Z_]{3,}\]")


def trl_templates() -> list[Path]:
    trl = find_spec("trl")
    assert trl is not None
    assert trl.origin is not None
    return sorted((Path(trl.origin).parent / "chat_templates").glob("*.jinja"))


def family_templates() -> list[Path]:
    return sorted(TEMPLATES.glob("*.jinja"))


@cache
def tokenizer_for(template: Path, *, adds_bos: bool = False, plain: bool = False) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer that has the template's control tokens; `plain`: that knows them only as text."""
    jinja = template.read_text(encoding="utf-8")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE(vocab={byte: i for i, byte in enumerate(alphabet)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    controls = [] if plain else sorted(set(_CONTROL.findall(jinja)))
    made.add_special_tokens([BOS, EOS, *controls])
    if adds_bos:
        made.post_processor = processors.TemplateProcessing(
            single=f"{BOS} $A", special_tokens=[(BOS, made.token_to_id(BOS))]
        )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=made, bos_token=BOS, eos_token=EOS, chat_template=jinja, clean_up_tokenization_spaces=False
    )
