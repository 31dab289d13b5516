"""How much of damaged text comes back, and how sure restoring rightly is, on documents held out of training.

python -m tests.benchmarks.restoring --corpus CORPUS --reading READING [--chars 40000] [--out record.json]
"""

import argparse
import json
import platform
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import accumulate
from pathlib import Path

import ftfy

from ingest.mojibake import Restored, restore
from ingest.mojibake.language import DATA
from models.corpus import is_held_out, read_corpus, read_rows

SURE = 0.99
BINS = 20


def dropped(page: str) -> Callable[[str], str]:
    return lambda text: text.encode().decode(page, errors="ignore").replace("\u00ad", "")


def replaced(page: str, mark: str = "\ufffd") -> Callable[[str], str]:
    return lambda text: text.encode().decode(page, errors="replace").replace("\ufffd", mark)


KINDS = {
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
    confidence (Naeini et al. 2015); `sure_right`: share right of those with a confidence of 0.99 or more; speeds in
    damaged characters a second of one core.
    """

    documents: int
    exact: int
    lost: int
    right: float
    error: float
    sure: int
    sure_right: float
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


def judged(clean: str, restored: Restored) -> Iterator[tuple[float, bool]]:
    """The confidence of each inferred character, and whether it is right; nothing where the lengths differ."""
    if len(clean) == len(restored.text):
        for repair in restored.repairs:
            yield repair.confidence, clean[repair.start : repair.end] == repair.after


def calibration_error(judgements: Sequence[tuple[float, bool]]) -> float:
    """Sum over bins of |right - expected right|, over all."""
    gaps = [0.0] * (BINS + 1)
    for confidence, right in judgements:
        gaps[int(confidence * BINS)] += right - confidence
    return sum(map(abs, gaps)) / max(len(judgements), 1)


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
        speed=size / (between - began),
        ftfy_speed=size / (ended - between),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--reading", type=Path, required=True)
    parser.add_argument("--chars", type=int, default=40_000, help="of clean text, for each domain")
    parser.add_argument("--longest", type=int, default=4_000, help="documents are cut to so many characters")
    parser.add_argument("--out", type=Path, help="write a JSON record here")
    options = parser.parse_args()
    restore(dropped("cp1252")("加载模型，然后训练。"))  # loads the language model
    record: dict[str, object] = {"python": platform.python_version(), "model": sha256(DATA.read_bytes()).hexdigest()}
    for domain, texts in held_out(options.corpus, options.reading).items():
        cut = [text[: options.longest] for text in texts]
        sizes = accumulate(map(len, cut), initial=0)
        taken = [text for text, before in zip(cut, sizes, strict=False) if before < options.chars]
        for kind, damage in KINDS.items():
            result = score(taken, damage)
            record[f"{domain} {kind}"] = asdict(result)
            print(f"{domain:14} {kind:22} {result}", flush=True)
    if options.out:
        options.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
