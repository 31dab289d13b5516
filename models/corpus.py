"""Open text that the project's own models learn from: folders of `*.jsonl.xz`, one document a line.

Whole documents are held out of every training run by the hash of their name, so that the language model, the embedding
and the chat model are all measured on text that none of them has seen.
"""

import hashlib
import json
import lzma
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kb.errors import InputError

HELD_OUT_SHARE = 0.02


@dataclass(frozen=True)
class CorpusDocument:
    """One document of a training corpus; `collection` is its file's name without endings (`d2l-zh`)."""

    collection: str
    name: str
    text: str

    @property
    def held_out(self) -> bool:
        """Whether no model may learn from this document."""
        return is_held_out(f"{self.collection}/{self.name}")


def is_held_out(name: str) -> bool:
    """Whether the document or passage called `name` is kept for validation: a fixed 2% of all names."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) < HELD_OUT_SHARE * 2**32


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of one `.jsonl.xz` file, in order."""
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def read_corpus(folder: Path, groups: Sequence[str] = ("zh", "en", "zh_sharealike")) -> Iterator[CorpusDocument]:
    """Every document of `folder/GROUP/*.jsonl.xz`, held-out ones included.

    Raises:
        InputError: there is no such file in the folder.
    """
    files = [file for group in groups for file in sorted((folder / group).glob("*.jsonl.xz"))]
    if not files:
        raise InputError(f"{folder}: no {'/, '.join(groups)}/*.jsonl.xz here. Give the folder that holds the corpus.")
    for file in files:
        collection = file.name.removesuffix(".jsonl.xz")
        for number, row in enumerate(read_rows(file)):
            yield CorpusDocument(collection, f"{row.get('path', '')}#{number}", row["text"])
