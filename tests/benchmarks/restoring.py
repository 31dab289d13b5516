"""How much of damaged text comes back, and how sure restoring rightly is, on documents held out of training.

    python -m tests.benchmarks.restoring --corpus CORPUS --reading READING [--chars 40000] [--out record.json]

The domains are technical and encyclopaedic documents that no model has learnt from, the texts in `texts/` that were
written for this (news, medicine, daily life), and whatever folders of Markdown files are given with --texts.
"""

import argparse
import json
import platform
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import version
from itertools import accumulate
from pathlib import Path

import ftfy

from ingest.mojibake import Restored, restore
from ingest.mojibake.language import DATA
from ingest.mojibake.network import DATA as NETWORK
from models.corpus import is_held_out, read_corpus, read_rows

OWN_TEXTS = Path(__file__).parent / "texts"
SURE = 0.99
BINS = 20


def dropped(page: str) -> Callable[[str], str]:
    return lambda text: text.encode().decode(page, errors="ignore").replace("\u00ad", "")


def replaced(page: str, mark: str = "\ufffd") -> Callable[[str], str]:
    return lambda text: text.encode().decode(page, errors="replace").replace("\ufffd", mark)


KINDS: dict[str, Callable[[str], str]] = {
    "cp1254_dropped": dropped("cp1254"),
    "cp1252_dropped": dropped("cp1252"),
    "cp1252_replaced": replaced("cp1252"),
    "cp1252_question_marks": replaced("cp1252", "?"),
    "gbk_dropped": lambda text: text.encode().decode("gbk", errors="ignore"),
    "gbk_replaced": replaced("gbk"),
    "latin-1": lambda text: text.encode().decode("latin-1"),
}


@dataclass(frozen=True)
class Score:
    """What came back of one kind of damage.

    `right`: share of the `lost` characters that came back; `error`: expected calibration error over 20 bins of
    confidence (Naeini et al. 2015); `sure_right`: share right of those with a confidence of 0.99 or more; `bins`: mean
    confidence, share right and number of the characters of each bin that has any; speeds in damaged characters a second
    of one core.
    """

    documents: int
    exact: int
    lost: int
    right: float
    error: float
    sure: int
    sure_right: float
    bins: list[tuple[float, float, int]]
    speed: float
    ftfy_speed: float


def held_out(corpus: Path, reading: Path) -> dict[str, list[str]]:
    """The texts of each domain, in an order that is always the same and mixes the sources."""
    technical = [d.text for d in read_corpus(corpus, ("zh", "zh_sharealike")) if d.held_out and d.collection != "laws"]
    rows = (row for file in sorted(reading.glob("*.corpus.jsonl.xz")) for row in read_rows(file))
    encyclopaedic = [row["text"] for row in rows if is_held_out(row["title"])]
    for texts in (technical, encyclopaedic):
        random.Random(0).shuffle(texts)
    return {"technical": technical, "encyclopaedic": encyclopaedic}


def read_texts(folder: Path) -> list[str]:
    return [file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.md"))]


def judged(clean: str, restored: Restored) -> Iterator[tuple[float, bool]]:
    """The confidence of each inferred character, and whether it is right; nothing where the lengths differ."""
    if len(clean) == len(restored.text):
        for repair in restored.repairs:
            yield repair.confidence, clean[repair.start : repair.end] == repair.after


def binned(judgements: Sequence[tuple[float, bool]]) -> list[tuple[float, float, int]]:
    """Mean confidence, share right and size of every bin of confidence that is not empty."""
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS + 1)]
    for confidence, right in judgements:
        bins[int(confidence * BINS)].append((confidence, right))
    return [
        (sum(c for c, _ in rows) / len(rows), sum(right for _, right in rows) / len(rows), len(rows))
        for rows in bins
        if rows
    ]


def calibration_error(judgements: Sequence[tuple[float, bool]]) -> float:
    """Sum over bins of |right - expected right|, over all."""
    gaps = (abs(right - confidence) * count for confidence, right, count in binned(judgements))
    return sum(gaps) / max(len(judgements), 1)


def score(texts: Sequence[str], damage: Callable[[str], str]) -> Score:
    clean = [text.replace("\u00ad", "") for text in texts]
    damaged = [damage(text) for text in clean]
    size = sum(map(len, damaged))
    began = time.process_time()
    restored = [restore(text) for text in damaged]
    between = time.process_time()
    for text in damaged:
        ftfy.fix_text(text)
    ended = time.process_time()
    judgements = [j for text, result in zip(clean, restored, strict=True) for j in judged(text, result)]
    sure = [right for confidence, right in judgements if confidence >= SURE]
    return Score(
        documents=len(clean),
        exact=sum(text == result.text for text, result in zip(clean, restored, strict=True)),
        lost=len(judgements),
        right=sum(right for _, right in judgements) / max(len(judgements), 1),
        error=calibration_error(judgements),
        sure=len(sure),
        sure_right=sum(sure) / max(len(sure), 1),
        bins=binned(judgements),
        speed=size / (between - began),
        ftfy_speed=size / (ended - between),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--reading", type=Path, required=True)
    parser.add_argument("--chars", type=int, default=40_000, help="of clean text, for each domain")
    parser.add_argument("--longest", type=int, default=4_000, help="documents are cut to so many characters")
    parser.add_argument("--texts", type=Path, action="append", default=[], help="a folder of .md files, a domain more")
    parser.add_argument("--out", type=Path, help="write a JSON record here")
    options = parser.parse_args()
    domains = held_out(options.corpus, options.reading)
    domains |= {folder.name: read_texts(folder) for folder in (*sorted(OWN_TEXTS.iterdir()), *options.texts)}
    restore(dropped("cp1252")("加载模型，然后训练。"))  # loads the language model
    scores = {}
    for domain, texts in domains.items():
        cut = [text[: options.longest] for text in texts]
        sizes = accumulate(map(len, cut), initial=0)
        taken = [text for text, before in zip(cut, sizes, strict=False) if before < options.chars]
        for kind, damage in KINDS.items():
            result = score(taken, damage)
            scores[f"{domain} {kind}"] = asdict(result)
            print(
                f"{domain:14} {kind:22} right {result.right:.4f} of {result.lost}, exact {result.exact} of "
                f"{result.documents}, calibration error {result.error:.4f}, of {result.sure} sure ones right "
                f"{result.sure_right:.5f}, speed {result.speed:,.0f} (ftfy {result.ftfy_speed:,.0f})",
                flush=True,
            )
    if options.out:
        weights = {file.name: sha256(file.read_bytes()).hexdigest() for file in (DATA, NETWORK)}
        versions = {"python": platform.python_version(), "ftfy": version("ftfy"), "numpy": version("numpy")}
        record = {"versions": versions, "weights": weights, "scores": scores}
        options.out.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
