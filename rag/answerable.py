"""Whether the knowledge base answers a question at all, as a calibrated probability from two plain measures."""

import math

import numpy as np
from numpy.typing import NDArray

from models.embed import Embedder

__all__ = ["Background", "probability"]

# Fitted by tests/benchmarks/tune_retrieval.py; docs/retrieval.md says on what.
INTERCEPT, SHARE, NEARNESS = -2.5, 10.0, 4.0

UNRELATED = (
    "今天下午有小雨，气温比昨天低了五度。",
    "把鸡蛋打散，加少许盐，用小火慢慢煎熟。",
    "他在一九五二年出生于南方的一个小镇。",
    "球队在最后一分钟进球，赢得了比赛。",
    "合同当事人应当按照约定全面履行自己的义务。",
    "从机场到市中心坐地铁大约需要四十分钟。",
    "这只猫喜欢睡在窗台上晒太阳。",
    "医生建议他每天多喝水，注意休息。",
    "The train to the coast leaves every morning at seven.",
    "She planted tomatoes and beans behind the old house.",
    "The museum is closed on Mondays and public holidays.",
    "Prices rose slightly in the third quarter of the year.",
)


class Background:
    """How near an embedding model puts a question to texts that have nothing to do with it: models differ in that."""

    def __init__(self, embedder: Embedder) -> None:
        self._vectors = embedder.embed_passages(UNRELATED)  # [texts, dimension]

    def nearness(self, question: NDArray[np.float32], cosine: float) -> float:
        """How far `cosine`, that of a passage and the question [dimension], is from there on the way to 1."""
        level = float(np.median(self._vectors @ question))
        return (cosine - level) / (1 - level) if level < 1 else 0.0


def probability(share: float, nearness: float) -> float:
    """Logistic regression on the fused score of the best passage and how near the nearest one is."""
    return 1 / (1 + math.exp(-(INTERCEPT + SHARE * share + NEARNESS * nearness)))
