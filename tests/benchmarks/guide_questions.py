"""Scores search and answers over a question file with its scorer, through the command line as a user runs it.

    python -m tests.benchmarks.guide_questions --questions Q.jsonl --scorer score_questions.py --out RECORD.json

Writes the scores with what made them: versions, weights and the hash of the questions.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kb.settings import WEIGHTS
from models.inspect import fingerprint

PACKAGES = ("torch", "transformers", "peft", "chromadb", "bm25s", "jieba", "numpy")


def guide(home: Path, *arguments: str) -> str:
    """What a `guide` command prints."""
    command = [str(Path(sys.executable).with_name("guide")), *arguments, "--home", str(home)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def scores(questions: Path, scorer: Path) -> dict[str, Any]:
    """Ingests the guide into a fresh knowledge base, asks everything, and scores it."""
    with tempfile.TemporaryDirectory() as folder:
        home, search, ask, restored = (Path(folder, name) for name in ("home", "search.jsonl", "ask.jsonl", "restored"))
        guide(home, "ingest")
        guide(home, "documents", "list", "--out", str(restored))
        search.write_text(
            guide(home, "search", "--questions", str(questions), "--top-k", "10", "--jsonl"), encoding="utf-8"
        )
        ask.write_text(guide(home, "ask", "--questions", str(questions), "--jsonl"), encoding="utf-8")
        command = [sys.executable, str(scorer), str(questions), "--search", str(search), "--ask", str(ask)]
        scored = subprocess.run([*command, "--sources", str(restored)], check=True, capture_output=True, text=True)
        result: dict[str, Any] = json.loads(scored.stdout)
        return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--scorer", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    record = {
        "scores": scores(given.questions, given.scorer),
        "questions_sha256": hashlib.sha256(given.questions.read_bytes()).hexdigest(),
        "weights": {
            "embedding": fingerprint(WEIGHTS / "embedding"),
            "chat": fingerprint(WEIGHTS / "chat"),
            "adapter": json.loads((WEIGHTS / "guide-lora" / "guide_manifest.json").read_text(encoding="utf-8")),
        },
        "versions": {name: version(name) for name in PACKAGES} | {"python": sys.version.split()[0]},
    }
    given.out.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(record["scores"], indent=1))


if __name__ == "__main__":
    main()
