"""How many of ftfy's own test cases come out right, beside ftfy itself.

    python -m tests.benchmarks.ftfy_cases test_cases.json [--out record.json]

The file is `tests/test_cases.json` in the source distribution of ftfy. Compared is what undoes an encoding, not the
fixes of quotes, width and entities that `fix_text` makes besides.
"""

import argparse
import json
from importlib.metadata import version
from pathlib import Path

import ftfy

from ingest.mojibake import restore


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    parser.add_argument("--out", type=Path, help="write a JSON record here")
    options = parser.parse_args()
    cases = json.loads(options.cases.read_text(encoding="utf-8"))
    ours, theirs = set(), set()
    for case in cases:
        wanted = case.get("fixed-encoding", case["fixed"])
        if restore(case["original"]).text == wanted:
            ours.add(case["label"])
        if ftfy.fix_encoding(case["original"]) == wanted:
            theirs.add(case["label"])
    record = {
        "ftfy": version("ftfy"),
        "cases": len(cases),
        "right here": len(ours),
        "right in ftfy": len(theirs),
        "only here": sorted(ours - theirs),
        "only in ftfy": sorted(theirs - ours),
    }
    print(json.dumps(record, indent=1, ensure_ascii=False))
    if options.out:
        options.out.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
