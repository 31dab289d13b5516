"""A cross-encoder that reads a question together with each passage, by any sentence-transformers folder or hub id."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kb.errors import ModelError, first_line
from kb.settings import Settings
from models.embed import NOT_FETCHED
from models.hub import find_model

__all__ = ["Reranker", "load_reranker"]

_SETTING = "Set GUIDE_RERANKER to a cross-encoder's folder or hub id, or unset it"


class Reranker(Protocol):
    """Tells how well passages answer a question."""

    def scores(self, question: str, passages: Sequence[str]) -> NDArray[np.float32]:
        """One score for each passage [passages], from 0 to 1."""


class CrossEncoderReranker:
    """Any sentence-transformers `CrossEncoder` that gives one score to a pair."""

    def __init__(self, folder: Path, device: str | None = None) -> None:
        """Loads the model in `folder`; never runs code that lies beside it."""
        from sentence_transformers import CrossEncoder
        from torch import nn

        self._model = CrossEncoder(
            str(folder), device=device, local_files_only=True, trust_remote_code=False, activation_fn=nn.Sigmoid()
        )
        if self._model.num_labels != 1:
            raise ModelError(
                f"reranker {folder}: it gives {self._model.num_labels} scores to a pair, not 1. {_SETTING}."
            )

    def scores(self, question: str, passages: Sequence[str]) -> NDArray[np.float32]:
        if not passages:
            return np.zeros(0, np.float32)
        found = self._model.predict([(question, passage) for passage in passages], show_progress_bar=False)
        return np.asarray(found, np.float32)


def load_reranker(settings: Settings) -> Reranker | None:
    """The cross-encoder that the settings name; None if they name none.

    Raises:
        ModelError: there is no such model, the hub can't be reached, or what is there is no cross-encoder of one score.
    """
    if not settings.reranker:
        return None
    folder = find_model(settings.reranker, "GUIDE_RERANKER", ignore=NOT_FETCHED)
    try:
        return CrossEncoderReranker(folder, None if settings.device == "auto" else settings.device)
    except ModelError:
        raise
    except Exception as problem:
        raise ModelError(
            f"reranker {settings.reranker}: can't be loaded ({first_line(problem)}). {_SETTING}."
        ) from problem
