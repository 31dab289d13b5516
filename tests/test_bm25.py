"""The vectorised index is the one that bm25s makes itself."""

import bm25s
import numpy as np
import pytest

from ingest.passages import split_passages
from kb.bm25 import K1, B, bm25_index, idf
from kb.settings import SOURCES
from kb.terms import terms
from tests.knowledge import document

TEXT = (SOURCES / "llm_guide.md").read_text(encoding="utf-8")


def test_the_guide_has_the_scores_that_bm25s_gives_it() -> None:
    found = [terms(passage.indexed) for passage in split_passages(document("llm_guide.md", TEXT))]
    theirs = bm25s.BM25(k1=K1, b=B, method="lucene")
    theirs.index(found, show_progress=False)
    vocabulary: dict[str, int] = {}
    numbers = [vocabulary.setdefault(term, len(vocabulary)) for some in found for term in some]
    ours = bm25_index(np.array(numbers, np.int32), np.array(list(map(len, found)), np.int32), vocabulary)
    for question in ("LoRA 微调的参数", "QLoRA 适合什么场景", "AutoModelForCausalLM"):
        asked = [term for term in terms(question) if term in vocabulary]
        np.testing.assert_allclose(ours.get_scores(asked), theirs.get_scores(asked), rtol=1e-5)


def test_a_term_is_the_rarer_the_fewer_have_it() -> None:
    # Lucene: ln(1 + (N - n + 0.5) / (n + 0.5)); N = 3, n = 2: ln(1 + 1.5 / 2.5) = ln 1.6
    assert idf(3, 2) == pytest.approx(np.log(1.6))
    assert list(idf(3, np.array([0, 1, 2]))) == sorted(idf(3, np.array([0, 1, 2])), reverse=True)


def test_nothing_gives_an_index_of_nothing() -> None:
    assert len(bm25_index(np.zeros(0, np.int32), np.zeros(0, np.int32), {}).scores["data"]) == 0
