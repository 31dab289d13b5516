"""How the next token is taken, for each row of a batch by its own rule and seed."""

from collections.abc import Sequence
from typing import cast

import torch
from transformers import LogitsProcessor

from models.stream import Request


class RowSampler(LogitsProcessor):
    """Turns the greedy choice into each row's own: argmax of logits / T + Gumbel noise samples from the softmax.

    The noise comes from the row's own seeded generator, so an answer doesn't depend on what shares its batch.
    """

    def __init__(self, batch: Sequence[Request]) -> None:
        rules = enumerate(request.sampling for request in batch)
        self._ruled = [(i, batch[i]) for i, rule in rules if rule.temperature > 0 or rule.repetition_penalty != 1]

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Scores [n, vocabulary] whose greatest entry is the token to take."""
        del input_ids
        if not self._ruled:
            return scores
        taken = scores.clone()
        for i, request in self._ruled:
            taken[i] = _ruled(scores[i], request)
        return cast("torch.FloatTensor", taken)


def _ruled(logits: torch.Tensor, request: Request) -> torch.Tensor:
    rule = request.sampling
    if rule.repetition_penalty != 1:
        logits = _penalised(logits, request.written, rule.repetition_penalty)
    if rule.temperature <= 0:
        return logits
    logits = logits.float() / rule.temperature
    if rule.top_p < 1:
        logits = _nucleus(logits, rule.top_p)
    uniform = torch.rand(logits.shape, generator=request.noise).clamp_(min=1e-20).to(logits.device)
    return logits - torch.log(-torch.log(uniform))


def _penalised(logits: torch.Tensor, written: Sequence[int], penalty: float) -> torch.Tensor:
    """Makes tokens that were written already less likely (Keskar et al. 2019, arXiv:1909.05858)."""
    seen = torch.tensor(sorted(set(written)), dtype=torch.long, device=logits.device)
    score = logits[seen]
    return logits.index_copy(0, seen, torch.where(score < 0, score * penalty, score / penalty))


def _nucleus(logits: torch.Tensor, top_p: float) -> torch.Tensor:
    ordered, index = torch.sort(logits, descending=True)
    share = torch.softmax(ordered, dim=-1)
    beyond = share.cumsum(-1) - share >= top_p
    return logits.index_fill(0, index[beyond], float("-inf"))
