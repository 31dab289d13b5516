"""A first embedding from co-occurrence alone, before any contrastive step.

Positive pointwise mutual information of pieces within a window and across translations, factored by a truncated SVD
(Levy, Goldberg and Dagan 2015), each row scaled by its piece's rarity, a / (a + p) (SIF: Arora, Liang and Ma 2017).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse  # type: ignore[import-untyped]

from models.embedding_pairs import Ids, Pair

_SMOOTHING = 0.75  # of the context distribution, Levy et al. 2015, section 3.1
_RARITY = 1e-4  # SIF's a
_WINDOW = 8


def initial_table(
    lines: Sequence[Ids], translations: Sequence[Pair], *, pieces: int, dimension: int, seed: int
) -> NDArray[np.float32]:
    """Vectors [pieces, dimension]; `translations` tie the two languages' pieces together."""
    from sklearn.utils.extmath import randomized_svd  # type: ignore[import-untyped]

    counts = _near(lines, pieces) + _across(translations, pieces)
    left, strength, _ = randomized_svd(_ppmi(counts), n_components=dimension, n_iter=3, random_state=seed)
    table: NDArray[np.float32] = (left * np.sqrt(strength)).astype(np.float32)
    table /= np.linalg.norm(table, axis=1, keepdims=True) + 1e-9
    return table * rarity(lines, pieces)[:, None]


def rarity(lines: Sequence[Ids], pieces: int) -> NDArray[np.float32]:
    """SIF weight of every piece, in (0, 1]."""
    frequency = np.bincount(np.concatenate(lines), minlength=pieces)
    weight: NDArray[np.float32] = (_RARITY / (_RARITY + frequency / frequency.sum())).astype(np.float32)
    return weight


def _near(lines: Sequence[Ids], pieces: int) -> sparse.csr_matrix:
    """Counts [pieces, pieces] of neighbours in one line, the nearer the more."""
    flat = np.concatenate(lines)
    line = np.repeat(np.arange(len(lines)), [len(ids) for ids in lines])
    counts = sparse.csr_matrix((pieces, pieces), dtype=np.float32)
    for distance in range(1, _WINDOW + 1):
        same = line[:-distance] == line[distance:]
        first, second = flat[:-distance][same], flat[distance:][same]
        weight = np.full(len(first), 1 / distance, dtype=np.float32)
        counts += sparse.coo_matrix((weight, (first, second)), shape=(pieces, pieces)).tocsr()
    return counts + counts.T


def _across(translations: Sequence[Pair], pieces: int, longest: int = 40) -> sparse.csr_matrix:
    """Counts [pieces, pieces] of a piece meeting one of its sentence's translation, shared out over the sentence."""
    kept = [pair for pair in translations if max(map(len, pair)) <= longest]
    bags = [_bags([pair[side] for pair in kept], pieces) for side in (0, 1)]
    counts = (bags[0].T @ bags[1]).tocsr() * 10
    return counts + counts.T


def _bags(lines: Sequence[Ids], pieces: int) -> sparse.csr_matrix:
    rows = np.repeat(np.arange(len(lines)), [len(ids) for ids in lines])
    share = np.repeat([1 / np.sqrt(max(1, len(ids))) for ids in lines], [len(ids) for ids in lines])
    return sparse.csr_matrix((share.astype(np.float32), (rows, np.concatenate(lines))), shape=(len(lines), pieces))


def _ppmi(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    total = counts.sum()
    seen = np.asarray(counts.sum(axis=1)).ravel() / total
    context = np.asarray(counts.sum(axis=0)).ravel() ** _SMOOTHING
    context /= context.sum()
    table = counts.tocoo()
    information = np.log(table.data / total / (seen[table.row] * context[table.col]))
    kept = (information > 0) & (table.data > 0.3)
    return sparse.csr_matrix(
        (information[kept].astype(np.float32), (table.row[kept], table.col[kept])), shape=counts.shape
    )
