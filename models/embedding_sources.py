"""What the embedding learns from: documents, translations and reading questions, each with hard negatives."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from tokenizers import Tokenizer

from models.corpus import CorpusDocument, is_held_out, read_corpus, read_rows
from models.embedding_pairs import Ids, Pair, PairCutter, Section, encode, read_sections
from models.parallel_texts import met_glosses

# How often a collection's documents are drawn, for their size: far from the subject or translated by machine, less.
WEIGHTS = {
    "laws": 0.15,
    "sql-docs-zh": 0.3,
    "dotnet-docs-zh": 0.4,
    **dict.fromkeys(("d2l-zh", "lmdeploy", "colossalai", "vllm-cn"), 2),
    **dict.fromkeys(("llm-action", "self-llm", "hf-course", "transformers", "ms-swift", "prompt-guide"), 3),
}
_MOST_GLOSSED = 12
READING = ("cmrc2018_trial", "drcd_dev")
READING_HELD_OUT = "drcd_test"  # kept whole for choosing fusion weights and for calibrating abstention


class Source(Protocol):
    """Draws pairs, several from each place, so that a batch's negatives are near."""

    def draw(self, count: int) -> list[Pair]: ...


@dataclass(frozen=True)
class Translation:
    """English and Chinese sentences that say the same, in the order of one document."""

    english: list[Ids]
    chinese: list[Ids]


@dataclass(frozen=True)
class Reading:
    """A passage's lines and questions, each with the number of the line that answers it."""

    title: Ids
    sentences: list[Ids]
    questions: list[tuple[Ids, int]]


@dataclass(frozen=True)
class Gloss:
    """The Chinese words before a bracket, and the English in it."""

    words: list[Ids]
    english: Ids


class Documents:
    """Pairs cut from single documents."""

    def __init__(self, documents: Sequence[tuple[str, list[Section]]], cutter: PairCutter, each: int = 4) -> None:
        self._documents = [sections for _, sections in documents]
        sizes = [
            WEIGHTS.get(name, 1) * sum(len(section.lines) + len(section.rows) for section in sections) ** 0.75
            for name, sections in documents
        ]
        self._cumulative = np.cumsum(sizes) / np.sum(sizes)
        self._cutter, self._each = cutter, each

    def draw(self, count: int) -> list[Pair]:
        pairs: list[Pair] = []
        while len(pairs) < count:
            place = int(np.searchsorted(self._cumulative, self._cutter.rng.random()))
            pairs += self._cutter.pairs(self._documents[place], self._each)
        return pairs[:count]


class Translations:
    """An English sentence, or a stretch of it, and its Chinese with some of what stands around it; or the reverse."""

    def __init__(self, documents: Sequence[Translation], cutter: PairCutter, each: int = 4) -> None:
        self._documents, self._cutter, self._each = documents, cutter, each
        sizes = np.array([len(document.english) for document in documents], dtype=float) ** 0.9
        self._cumulative = np.cumsum(sizes) / sizes.sum()

    def draw(self, count: int) -> list[Pair]:
        rng, pairs = self._cutter.rng, list[Pair]()
        while len(pairs) < count:
            document = self._documents[int(np.searchsorted(self._cumulative, rng.random()))]
            for place in rng.permutation(len(document.english))[: self._each]:
                ours, other = document.english, document.chinese
                if rng.random() >= 0.7:
                    ours, other = other, ours
                query = ours[place] if rng.random() < 0.5 else self._cutter.stretch(ours[place], 30)
                around = other[place : place + 1] if rng.random() < 0.6 else other[max(0, place - 1) : place + 2]
                pairs.append((self._cutter.question(query), np.concatenate(around)[:200]))
        return pairs[:count]


class Glosses:
    """A Chinese term and the English in brackets after it; how many of the words before a bracket it spans is open."""

    def __init__(self, glosses: Sequence[Gloss], cutter: PairCutter) -> None:
        self._glosses, self._cutter = glosses, cutter

    def draw(self, count: int) -> list[Pair]:
        rng, pairs = self._cutter.rng, list[Pair]()
        for place in rng.integers(len(self._glosses), size=count):
            gloss = self._glosses[place]
            words = int(rng.integers(1, min(3, len(gloss.words)) + 1))
            pairs.append((np.concatenate(gloss.words[-words:]), gloss.english))
        return pairs


class Questions:
    """Reading questions and the sentences around their answers."""

    def __init__(self, readings: Sequence[Reading], cutter: PairCutter, each: int = 4) -> None:
        by_title: defaultdict[bytes, list[Reading]] = defaultdict(list)
        for reading in readings:
            by_title[reading.title.tobytes()].append(reading)
        self._titles, self._cutter, self._each = list(by_title.values()), cutter, each

    def draw(self, count: int) -> list[Pair]:
        rng, pairs = self._cutter.rng, list[Pair]()
        while len(pairs) < count:
            title = self._titles[int(rng.integers(len(self._titles)))]
            for place in rng.permutation(len(title))[: self._each]:
                reading = title[place]
                question, answer = reading.questions[int(rng.integers(len(reading.questions)))]
                before, after = int(rng.integers(0, 4)), int(rng.integers(1, 4))
                body = reading.sentences[max(0, answer - before) : answer + after]
                pairs.append((question, np.concatenate([reading.title, *body] if rng.random() < 0.4 else body)))
        return pairs[:count]


def training_documents(corpus: Path) -> list[CorpusDocument]:
    return [document for document in read_corpus(corpus) if not document.held_out]


def read_readings(folder: Path, names: Iterable[str], tokenizer: Tokenizer, held_out: bool = False) -> list[Reading]:
    """The passages of the named sets on one side of the hold-out line, with the questions whose answers stand there."""
    readings = []
    for name in names:
        asked: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for row in read_rows(folder / f"{name}.qa.jsonl.xz"):
            asked[row["context_id"]].append((row["question"], row["answers"][0]))
        for row in read_rows(folder / f"{name}.corpus.jsonl.xz"):
            if is_held_out(row["id"]) != held_out:
                continue
            sentences = [part + "。" for part in row["text"].split("。") if part.strip()]
            questions = [
                (encode(tokenizer, question), next((i for i, s in enumerate(sentences) if answer in s), 0))
                for question, answer in asked[row["id"]]
            ]
            if questions:
                encoded = [encode(tokenizer, sentence) for sentence in sentences]
                readings.append(Reading(encode(tokenizer, row["title"]), encoded, questions))
    return readings


def read_translations(corpus: Path, documents: Iterable[CorpusDocument], tokenizer: Tokenizer) -> list[Translation]:
    """Sentence pairs of the Python documentation, and headings and texts of documents whose outlines agree."""
    by_path: defaultdict[str, Translation] = defaultdict(lambda: Translation([], []))
    for row in read_rows(corpus / "parallel" / "python_docs_en_zh.jsonl.xz"):
        english, chinese = encode(tokenizer, row["en"]), encode(tokenizer, row["zh"])
        if not is_held_out(row["path"]) and min(len(english), len(chinese)) > 1:
            by_path[row["path"]].english.append(english)
            by_path[row["path"]].chinese.append(chinese)
    texts = {document.name.rsplit("#", 1)[0]: document.text for document in documents}
    for row in read_rows(corpus / "parallel" / "doc_index_zh_en.jsonl.xz"):
        if row["zh_path"] in texts and row["en_path"] in texts:
            english_document, chinese_document = (
                read_sections(texts[row[side]], tokenizer) for side in ("en_path", "zh_path")
            )
            by_path[row["zh_path"]] = _aligned(english_document, chinese_document)
    return [translation for translation in by_path.values() if translation.english]


def read_glosses(documents: Iterable[CorpusDocument], tokenizer: Tokenizer) -> list[Gloss]:
    """English in brackets after Chinese, as in 适配器（adapter）; what stands after too many terms is no gloss."""
    import jieba

    met = met_glosses(documents)
    spread = Counter(english.casefold() for _, english in met)
    return [
        Gloss([encode(tokenizer, word) for word in jieba.cut(chinese, HMM=False)], encode(tokenizer, english))
        for chinese, english in sorted(met)
        if spread[english.casefold()] <= _MOST_GLOSSED
    ]


def _aligned(english: Sequence[Section], chinese: Sequence[Section]) -> Translation:
    """Headings, and texts where both have as many lines; nothing when the outlines differ."""
    aligned = Translation([], [])
    if len(english) != len(chinese):
        return aligned
    for ours, theirs in zip(english, chinese, strict=True):
        same_lines = len(ours.lines) == len(theirs.lines)
        pairs = [(ours.heading, theirs.heading)] + (
            list(zip(ours.lines, theirs.lines, strict=True)) if same_lines else []
        )
        for first, second in pairs:
            if len(first) and len(second):
                aligned.english.append(first)
                aligned.chinese.append(second)
    return aligned
