"""That clean text is not touched: restores clean files, corpora and translations, and shows every change.

    python -m tests.benchmarks.no_harm --corpus CORPUS [--translations FOLDER …] [--out record.json]

`--translations` are folders with gettext catalogues (`*.po`), such as Django's `site-packages/django`.
"""

import argparse
import json
import re
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path

from ingest.mojibake import restore
from models.corpus import read_rows

QUOTED = re.compile(r'^(?:msgstr(?:\[\d+\])? )?"(.*)"$', re.MULTILINE)


def corpus_texts(folder: Path) -> Iterator[tuple[str, str]]:
    for file in sorted(folder.rglob("*.jsonl.xz")):
        for number, row in enumerate(read_rows(file)):
            for field in ("text", "zh", "en", "question"):
                if field in row:
                    yield f"{file.stem}#{number}", row[field]


def translations(folder: Path) -> Iterator[tuple[str, str]]:
    for file in sorted(folder.rglob("*.po")):
        yield str(file.relative_to(folder)), "\n".join(QUOTED.findall(file.read_text(encoding="utf-8")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, action="append", default=[], help="a folder of *.jsonl.xz")
    parser.add_argument("--translations", type=Path, action="append", default=[])
    parser.add_argument("--out", type=Path, help="write a JSON record here")
    options = parser.parse_args()
    record: dict[str, dict[str, object]] = {}
    for folder, texts in [
        *((folder, corpus_texts(folder)) for folder in options.corpus),
        *((folder, translations(folder)) for folder in options.translations),
    ]:
        changes: list[str] = []
        documents = size = 0
        for name, text in texts:
            documents += 1
            size += len(text.encode())
            after = restore(text).text
            if after != text:
                lines = unified_diff(text.splitlines(), after.splitlines(), name, name, lineterm="", n=0)
                changes += lines
        record[folder.name] = {"documents": documents, "bytes": size, "changes": changes}
        print(
            f"{folder.name}: {documents:,} texts, {size / 1e6:.1f} MB, {len(changes)} lines of changes",
            *changes,
            sep="\n",
        )
    if options.out:
        options.out.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
