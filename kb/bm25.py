"""The scores of BM25 for every term and passage at once: Lucene's variant (Kamphuis et al. 2020)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["K1", "B", "bm25_index", "idf"]

K1, B = 1.2, 0.75

Numbers = NDArray[np.int32]


def idf(passages: int, having: NDArray[np.int64] | int) -> NDArray[np.float64]:
    """The inverse document frequency of a term that `having` of the passages have."""
    inverse: NDArray[np.float64] = np.log(1 + (passages - having + 0.5) / (having + 0.5))
    return inverse


def bm25_index(terms: Numbers, counts: Numbers, vocabulary: dict[str, int]) -> Any:
    """A bm25s index of passages whose terms are those of `terms`, one passage after the other.

    `counts` [passages] says how many each has, `vocabulary` numbers them. It is what bm25s would make of the same
    terms, some ten times as fast: it goes over all passages in Python.
    """
    import bm25s

    bm25 = bm25s.BM25(k1=K1, b=B, method="lucene")
    passages = len(counts)
    keys = terms.astype(np.int64) * passages + np.repeat(np.arange(passages), counts)
    pairs, frequencies = np.unique(keys, return_counts=True)  # ordered by term, then by passage
    columns, rows = np.divmod(pairs, max(passages, 1))
    having = np.bincount(columns, minlength=len(vocabulary))
    lengths = counts / max(counts.mean(), 1) if passages else counts
    saturated = frequencies / (frequencies + K1 * (1 - B + B * lengths[rows]))
    bm25.scores = {
        "data": (idf(passages, having)[columns] * saturated).astype(np.float32),
        "indices": rows.astype(np.int32),
        "indptr": np.concatenate([[0], np.cumsum(having)]),
        "num_docs": passages,
    }
    bm25.vocab_dict = vocabulary
    bm25.unique_token_ids_set = set(vocabulary.values())
    bm25.nonoccurrence_array = None  # which other variants have
    return bm25
