"""The store at one version, as readers see it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kb.records import Document, Passage
from kb.store_chroma import Chroma
from kb.store_rows import DocumentInfo


@dataclass
class Handle:
    """Chroma opened once; closed when it is outdated and nobody uses it any more."""

    chroma: Chroma
    users: int = 0
    outdated: bool = False

    def close_if_idle(self) -> None:
        if self.outdated and not self.users:
            self.chroma.close()


@dataclass(frozen=True)
class View:
    """The store at one version, as readers see it. `live` maps generations to documents."""

    handle: Handle
    state: Mapping[str, Any] = field(default_factory=dict)
    live: Mapping[str, DocumentInfo] = field(default_factory=dict)

    @property
    def chroma(self) -> Chroma:
        return self.handle.chroma

    @property
    def collection(self) -> str | None:
        return self.state.get("collection")

    def generations(self, documents: Collection[str]) -> list[str]:
        return [generation for generation, info in self.live.items() if info.id in documents]

    def names(self) -> str:
        return ", ".join(sorted(info.name for info in self.live.values())) or "none yet; run `guide ingest`"

    def document(self, name_or_id: str) -> Document | None:
        named = (item for item in self.live.items() if name_or_id in {item[1].id, item[1].name})
        return next((self.chroma.document(info, generation) for generation, info in named), None)

    def passages(self) -> list[Passage]:
        stored = self.chroma.passages(self.collection) if self.collection else []
        return [passage for generation, passage in stored if generation in self.live]

    def nearest(self, vector: NDArray[np.float32], k: int) -> list[tuple[Passage, float]]:
        held = self.chroma.count(self.collection) if self.collection else 0
        found: list[tuple[Passage, float]] = []
        # Passages of other generations are there only while a change is under way.
        for wanted in (k, 4 * k + 100, held):
            if self.collection and held and len(found) < k:
                nearest = self.chroma.nearest(self.collection, vector, min(wanted, held))
                found = [(passage, score) for generation, passage, score in nearest if generation in self.live]
            if wanted >= held:
                break
        return found[:k]


def look(handle: Handle) -> View:
    """The store as it is now."""
    return View(handle, handle.chroma.state(), handle.chroma.live())
