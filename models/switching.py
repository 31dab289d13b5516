"""Which adapter is at work for which row: several in one batch where their method can, one after another where not."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from models.inspect import PROMPT_METHODS, AdapterFacts

BASE = "__base__"


def peft_name(name: str) -> str:
    """What peft calls an adapter; no name that is given holds =.

    Peft would take `lora`, alone or before an underscore, for a part of its tensors' names, and what ends like a module
    that it trains whole for that module.
    """
    return f"adapter-{name.replace('_', '=')}="


class Adapters:
    """The adapters on a model, by name. Only the model's one owner may switch between them."""

    def __init__(self, model: Any, facts: Mapping[str, AdapterFacts]) -> None:
        self._model, self._facts = model, dict(facts)
        self._mix = all(adapter.mixes for adapter in facts.values())
        self._active: str | None = None

    def groups(self, wanted: Sequence[str | None]) -> list[list[int]]:
        """The rows that can share a forward pass, in order.

        Rows of methods that put virtual tokens before the prompt stay alone: padding would stand between the two.
        """
        if self._mix:
            return [list(range(len(wanted)))]
        groups: dict[object, list[int]] = {}
        for row, name in enumerate(wanted):
            alone = name is not None and name in self._facts and self._facts[name].method in PROMPT_METHODS
            groups.setdefault(row if alone else name, []).append(row)
        return list(groups.values())

    @contextmanager
    def at_work(self, wanted: Sequence[str | None]) -> Iterator[dict[str, Any]]:
        """Has one group's adapters at work; gives what its forward passes take.

        Where all rows want one adapter it is made the active one: mixing takes a quarter longer.
        """
        one = wanted[0] if len(set(wanted)) == 1 else None
        if not self._facts:
            yield {}
        elif self._mix and one in self._facts:
            self._activate(one)
            yield {}
        elif self._mix:
            yield {"adapter_names": [peft_name(name) if name else BASE for name in wanted]}
        else:
            with warnings.catch_warnings():
                # rows of methods with virtual tokens stay alone and need no positions; biases are in the caveats
                warnings.filterwarnings("ignore", message="Position ids are not supported|Careful, disabling adapter")
                yield from self._one_at_work(wanted[0])

    def _one_at_work(self, name: str | None) -> Iterator[dict[str, Any]]:
        if name is None:
            with self._model.disable_adapter():
                yield {}
        else:
            self._activate(name)
            yield {}

    def _activate(self, name: str) -> None:
        if name != self._active:
            self._model.set_adapter(peft_name(name), inference_mode=True)
            self._active = name

    def takes_positions(self, wanted: Sequence[str | None]) -> bool:
        """Whether a forward pass may say the positions of its tokens."""
        name = wanted[0]
        return self._mix or name is None or self._facts[name].method not in PROMPT_METHODS
