"""How the next token is taken, for each row of a batch by its own rule and seed."""

from collections.abc import Sequence
from typing import cast

import torch
from transformers import LogitsProcessor

from models.chat import Sampling


class RowSampler(LogitsProcessor):
    """Turns the greedy choice into each row's own: argmax of logits / T + Gumbel noise samples from the softmax.

    The noise comes from the row's own seeded generator, so an answer doesn't depend on what shares its batch.
    """

    def __init__(self, rows: Sequence[Sampling], prompt_width: int) -> None:
        self.rows, self.prompt_width = rows, prompt_width
        self._generators = [torch.Generator().manual_seed(row.seed) for row in rows]
        self._ruled = [i for i, row in enumerate(rows) if row.temperature > 0 or row.repetition_penalty != 1]

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Scores [n, vocabulary] whose greatest entry is the token to take."""
        if not self._ruled:
            return scores
        taken = scores.clone()
        for i in self._ruled:
            taken[i] = self._row(i, input_ids[i], scores[i])
        return cast("torch.FloatTensor", taken)

    def _row(self, i: int, ids: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        rule = self.rows[i]
        if rule.repetition_penalty != 1:
            logits = _penalised(logits, ids[self.prompt_width :], rule.repetition_penalty)
        if rule.temperature <= 0:
            return logits
        logits = logits.float() / rule.temperature
        if rule.top_p < 1:
            logits = _nucleus(logits, rule.top_p)
        uniform = torch.rand(logits.shape, generator=self._generators[i]).clamp_(min=1e-20).to(logits.device)
        return logits - torch.log(-torch.log(uniform))


def _penalised(logits: torch.Tensor, written: torch.Tensor, penalty: float) -> torch.Tensor:
    """Makes tokens that were written already less likely (Keskar et al. 2019, arXiv:1909.05858)."""
    seen = torch.unique(written)
    score = logits[seen]
    return logits.index_copy(0, seen, torch.where(score < 0, score * penalty, score / penalty))


def _nucleus(logits: torch.Tensor, top_p: float) -> torch.Tensor:
    ordered, index = torch.sort(logits, descending=True)
    share = torch.softmax(ordered, dim=-1)
    beyond = share.cumsum(-1) - share >= top_p
    return logits.index_fill(0, index[beyond], float("-inf"))
