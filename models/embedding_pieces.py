"""The static embedding's tokenizer: lower-case BPE whose Chinese pieces are words or parts of words.

A static embedding averages the vectors of a text's pieces, so pieces should be words: merges are learned inside jieba's
words, Latin words are told from word parts by a mark at their start, identifiers are parted at their capitals and
underscores (`AutoModelForTokenClassification` meets "token classification"), and punctuation is no piece at all.
"""

from collections.abc import Iterable, Iterator

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

UNKNOWN = "[UNK]"
_CAPITAL_WORD = r"(?<=[a-z0-9])(?=[A-Z][a-z]{2})|(?<=[A-Z])(?=[A-Z][a-z]{2})"
_LATIN_START = r"(?<![a-z])(?=[a-z])"
_PIECES = r"\p{Han}+|▁?(?:(?!\p{Han})[\p{L}\p{M}])+|\p{N}+|[+#%<>=]+"


def train_pieces(texts: Iterable[str], vocab_size: int, alphabet: int = 5500) -> Tokenizer:
    """A tokenizer of `vocab_size` pieces, `alphabet` of them single characters; rarer characters are unknown."""
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.Replace(Regex(_CAPITAL_WORD), " "),
            normalizers.Lowercase(),
            normalizers.Replace(Regex(_LATIN_START), "▁"),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_PIECES), behavior="removed", invert=True)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        limit_alphabet=alphabet,
        min_frequency=5,
        max_token_length=16,
        special_tokens=[UNKNOWN],
        show_progress=False,
    )
    tokenizer.train_from_iterator(_words(texts), trainer)
    return tokenizer


def _words(texts: Iterable[str]) -> Iterator[str]:
    """The texts with jieba's Chinese words parted by spaces, so that no merge crosses a word's border."""
    import jieba

    for text in texts:
        yield " ".join(jieba.cut(text, HMM=False))
