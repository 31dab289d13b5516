"""The embedded chat model's own tokenizer: byte-fallback BPE for Chinese, English and code, with ChatML turns."""

import json
from collections.abc import Iterable

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

END_OF_TEXT = "<|endoftext|>"
TURN_START = "<|im_start|>"
TURN_END = "<|im_end|>"

# Runs of Han, words with their leading space, single digits, punctuation, line ends, other space.
_PIECES = r"\p{Han}+|[^\S\n]?[\p{L}\p{M}--\p{Han}]+|\p{N}|[^\S\n]?[^\s\p{L}\p{M}\p{N}]+|\n+|[^\S\n]+".replace(
    r"[\p{L}\p{M}--\p{Han}]", r"(?:(?!\p{Han})[\p{L}\p{M}])"
)

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}{{ '\\n' }}"
    "{% else %}{{ message['content'] + '<|im_end|>\\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def train_tokenizer(texts: Iterable[str], vocab_size: int, alphabet: int = 4500) -> PreTrainedTokenizerFast:
    """A tokenizer whose every text round-trips: characters outside its `alphabet` become UTF-8 byte pieces.

    BPE after Sennrich et al. 2016 (arXiv:1508.07909) with byte fallback as in SentencePiece.
    """
    tokenizer = Tokenizer(models.BPE(byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_PIECES), behavior="isolated")
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    specials = [END_OF_TEXT, TURN_START, TURN_END]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        limit_alphabet=alphabet,
        max_token_length=12,
        min_frequency=10,
        special_tokens=[*specials, *(f"<0x{byte:02X}>" for byte in range(256))],
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=_with_plain_byte_pieces(tokenizer),
        eos_token=TURN_END,
        pad_token=END_OF_TEXT,
        additional_special_tokens=[TURN_START],
        chat_template=CHATML,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def _with_plain_byte_pieces(tokenizer: Tokenizer) -> Tokenizer:
    """The trainer can only seed byte pieces as special tokens, which text could then forge; keep them as vocabulary."""
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = []
    plain = Tokenizer.from_str(json.dumps(state))
    plain.add_special_tokens([AddedToken(token, special=True) for token in (END_OF_TEXT, TURN_START, TURN_END)])
    return plain
