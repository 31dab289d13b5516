"""How long `guide search` and `guide ask` take from a cold start, beside the imports of the packages they stand on.

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
BESIDE = {"search": "import chromadb, llama_index.core", "ask": "import torch, transformers, peft"}


def seconds(command: Sequence[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--out", type=Path, help="write a JSON record here")
    options = parser.parse_args()
    measured: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as home:
        subprocess.run([GUIDE, "ingest", "--home", home], check=True, stdout=subprocess.DEVNULL)
        for name, imports in BESIDE.items():
            ours = [GUIDE, name, "什么是 LoRA？", "--home", home]
            theirs = [sys.executable, "-c", imports]
            for command in (ours, theirs):
                seconds(command)  # once, so that all files are in memory
            times = [(seconds(ours), seconds(theirs)) for _ in range(options.runs)]
            measured[f"guide {name}"], measured[imports] = (round(median(each), 3) for each in zip(*times, strict=True))
    record = {
        **provenance("chromadb", "llama-index-core", "peft", "torch", "transformers", "typer"),
        "runs": options.runs,
        "seconds": measured,
        "ratios": {
            f"guide {name}": round(measured[f"guide {name}"] / measured[imports], 2) for name, imports in BESIDE.items()
        },
    }
    print(record)
    if options.out:
        write_record(options.out, record)


if __name__ == "__main__":
    main()
