"""Learning rates, as functions of the step alone.

The schedulers of torch and transformers count steps of their own, which a resumed run would have to keep beside its
step; and those with a warm-up begin at a rate of nothing, so that the first step teaches nothing.
"""

import math
from collections.abc import Iterable

from torch.optim import Optimizer


def set_rate(optimisers: Iterable[Optimizer], rate: float) -> None:
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = rate


def warm_up(step: int, warmup: int) -> float:
    """The share of the full rate that rises linearly over `warmup` steps, and stays."""
    return min(1.0, (step + 1) / warmup)


def cosine(step: int, steps: int, warmup: int) -> float:
    """Warm-up, then half a cosine to nothing (Loshchilov and Hutter 2017, arXiv:1608.03983)."""
    if step < warmup:
        return warm_up(step, warmup)
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def stable_then_decay(step: int, steps: int, warmup: int, *, decay: float, floor: float) -> float:
    """Warm-up, stable, decay (Hu et al. 2024, arXiv:2404.06395): linear to `floor` over the last share `decay`."""
    return min(warm_up(step, warmup), floor + (1 - floor) * (1 - step / steps) / decay)
