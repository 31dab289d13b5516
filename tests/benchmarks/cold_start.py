"""How long `guide search` takes from a cold start, beside the import of the packages that the product stands on.

python -m tests.benchmarks.cold_start [--runs 10] [--out RECORD.json]
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from tests.benchmarks.provenance import provenance, write_record

GUIDE = str(Path(sys.executable).with_name("guide"))
IMPORTS = [sys.executable, "-c", "import chromadb, llama_index.core"]


def seconds(command: Sequence[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--out", type=Path, help="write a JSON record here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        search = [GUIDE, "search", "什么是 LoRA？", "--home", home]
        subprocess.run([GUIDE, "ingest", "--home", home], check=True, stdout=subprocess.DEVNULL)
        for command in (search, IMPORTS):
            seconds(command)  # once, so that all files are in memory
        times = [(seconds(search), seconds(IMPORTS)) for _ in range(options.runs)]
    searching, importing = (round(median(each), 3) for each in zip(*times, strict=True))
    record = {
        **provenance("chromadb", "llama-index-core", "typer"),
        "runs": options.runs,
        "seconds": {"guide search": searching, "import chromadb, llama_index.core": importing},
        "ratio": round(searching / importing, 2),
    }
    print(record)
    if options.out:
        write_record(options.out, record)


if __name__ == "__main__":
    main()
