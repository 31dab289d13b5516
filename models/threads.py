"""How many CPU threads a model's operations get."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

SMALL_PARAMETERS = 50_000_000


@contextmanager
def few_threads(model: Any, small: int = SMALL_PARAMETERS) -> Iterator[None]:
    """One thread for the operations of a model with fewer than `small` parameters on the CPU.

    They last microseconds: with more threads, each waits at its end for whichever thread a busy machine has set aside,
    which made answers 15 times slower beside one other program on two cores, and alone no faster.
    """
    threads = torch.get_num_threads()
    if model.device.type == "cpu" and model.num_parameters() < small:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
