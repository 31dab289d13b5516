"""Restores a corpus that is more than one machine's work, with Ray Data: `pip install 'guide[ray]'`, then

    python examples/restore_with_ray.py corpus/*.jsonl restored/ --column text

Each line of the corpus is a JSON object that holds a whole document: what is missing in it is inferred from all of it.
Every row comes out with its text restored, and with `damage`, `inferred`, `doubtful` and `lost` beside it.

It uses the cores of this machine or, where RAY_ADDRESS names a cluster, all of its machines; they need `guide`, too.
"""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.mojibake import restore
from kb.settings import load_settings

Batch = dict[str, NDArray[Any]]


def restore_batch(batch: Batch, *, column: str, threshold: float) -> Batch:
    """A batch of rows, column by column, with `column` restored and the columns that tell what was done.

    `damage` names the kinds of damage, `inferred` counts the characters that were inferred, `doubtful` those of them
    less sure than `threshold`, `lost` those that nothing can bring back. A row without a text gets an empty one.
    """
    restored = [restore(text or "") for text in batch[column]]
    doubtful = [sum(repair.confidence < threshold for repair in done.repairs) for done in restored]
    return {
        **batch,
        column: np.array([done.text for done in restored], object),
        "damage": np.array([" ".join(done.damage) for done in restored], object),
        "inferred": np.array([len(done.repairs) for done in restored]),
        "doubtful": np.array(doubtful),
        "lost": np.array([done.lost for done in restored]),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Restore a corpus of JSON Lines with Ray Data.")
    parser.add_argument("corpus", nargs="+", help="files or folders of JSON Lines, local or in a bucket (s3://…)")
    parser.add_argument("out", help="a new folder")
    parser.add_argument("--column", default="text", help="the field that holds the document")
    parser.add_argument("--cpus", type=int, help="how many cores of this machine to use; all unless given")
    options = parser.parse_args(arguments)
    try:
        import ray
    except ImportError:
        sys.exit("Ray is not installed: pip install 'guide[ray]'.")
    if "://" not in options.out and any(Path(options.out).glob("*")):
        sys.exit(f"{options.out}: not empty, and the results of two runs would be mixed. Give a new folder.")
    ray.init(num_cpus=options.cpus)
    try:
        rows = ray.data.read_json(options.corpus)
    except FileNotFoundError as problem:
        sys.exit(f"{problem}: no such file. Check the path; on a cluster, all its machines must see it.")
    columns = rows.columns() or []
    if options.column not in columns:
        sys.exit(f"--column {options.column}: the rows have {', '.join(columns)}. Give the one that holds the text.")
    threshold = load_settings().repair_threshold
    rows = rows.map_batches(partial(restore_batch, column=options.column, threshold=threshold))
    rows.write_json(options.out, force_ascii=False)


if __name__ == "__main__":
    main()
