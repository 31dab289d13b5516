"""Thousands of requests that schemathesis makes up from the OpenAPI document, right ones and wrong ones, all checked.

    python -m tests.benchmarks.schema_cases [--cases 160] [--out RECORD.json]

`--cases` is the most for each route and kind; there are 2 kinds, and some routes take so little that fewer can be made.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.provenance import provenance, write_record
from tests.test_schema import check_all, served_schema
from tests.tiny import make_adapter, make_base


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=160)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = make_base(Path(folder, "base"))
        with served_schema(Path(folder, "home"), base, make_adapter(base, Path(folder, "lora"))) as schema:
            cases, broken = check_all(schema, given.cases)
    record = {"cases": cases, "broken": broken, **provenance("fastapi", "schemathesis")}
    print(record)
    if given.out:
        write_record(given.out, record)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
