"""Text to unit vectors, by any sentence-transformers model: a folder or a hub id.

A model that is nothing but a table of pieces (`StaticEmbedding`, as the embedded default is) is read with numpy alone,
which starts fifty times faster than importing torch; everything else goes through sentence-transformers.
"""

import hashlib
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kb.errors import ModelError, first_line
from kb.settings import Settings
from models.hub import find_model

__all__ = ["Embedder", "SentenceTransformerEmbedder", "StaticEmbedder", "fingerprint", "load_embedder"]

_SETTING = "Set GUIDE_EMBEDDING_MODEL to a sentence-transformers folder or hub id, or unset it for the embedded one"
_WEIGHT_FILES = {".safetensors", ".bin"}
_CONFIG_FILES = {".json", ".txt", ".model"}
_OTHER_FORMATS = ("onnx", "openvino")
NOT_FETCHED = ("onnx/*", "openvino/*", "*.h5", "*.ot", "*.msgpack")


class Embedder(Protocol):
    """What search needs of an embedding model. `fingerprint` changes with anything that changes its vectors.

    `quick` says whether a line takes microseconds, so that dozens can be embedded for a question.
    """

    fingerprint: str
    dimension: int
    quick: bool

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors [n, dimension] of unit length; zero where a text holds nothing that the model knows."""

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """One vector [dimension] of unit length."""

    def count_tokens(self, texts: Sequence[str]) -> int:
        """How many tokens the model's tokenizer makes of the texts, special ones left out."""


class StaticEmbedder:
    """The mean of a text's piece vectors, without torch: equals sentence-transformers' `StaticEmbedding`."""

    quick = True

    def __init__(self, folder: Path) -> None:
        """Reads `tokenizer.json` and `model.safetensors`.

        Raises:
            ModelError: the table has values that are no numbers, or fewer rows than the tokenizer has pieces.
        """
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._table: NDArray[Any] = load_file(folder / "model.safetensors")["embedding.weight"]  # [pieces, dimension]
        if not np.isfinite(self._table).all():
            raise ModelError(
                f"{folder}: the embedding has values that are not numbers; the file is damaged. {_SETTING}."
            )
        if len(self._table) < self._tokenizer.get_vocab_size():
            raise ModelError(f"{folder}: the tokenizer has more pieces than the embedding has rows. {_SETTING}.")
        self.fingerprint = fingerprint(folder)
        self.dimension = int(self._table.shape[1])

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for first in range(0, len(texts), 256):
            batch = [_encodable(text) for text in texts[first : first + 256]]
            for row, encoding in enumerate(self._tokenizer.encode_batch_fast(batch, add_special_tokens=False), first):
                if encoding.ids:
                    vectors[row] = self._table[encoding.ids].sum(axis=0, dtype=np.float32)
        return _unit(vectors)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = self.embed_passages([text])[0]
        return vector

    def count_tokens(self, texts: Sequence[str]) -> int:
        encoded = self._tokenizer.encode_batch_fast([_encodable(text) for text in texts], add_special_tokens=False)
        return sum(len(encoding.ids) for encoding in encoded)


class SentenceTransformerEmbedder:
    """Any sentence-transformers model, with the query and passage prompts that its own config names."""

    quick = False

    def __init__(self, folder: Path, device: str | None = None) -> None:
        """Loads the model in `folder` on `device` (None: the best there is); never runs code that lies beside it."""
        from sentence_transformers import SentenceTransformer

        self._one_at_a_time = threading.Lock()  # the tokenizer keeps from call to call whether it cuts texts short
        self._model = SentenceTransformer(str(folder), device=device, local_files_only=True, trust_remote_code=False)
        if self._model.device.type == "cpu":
            self._model.float()  # half precision is slow there, and normalises an empty text's zeros to NaN
        self.fingerprint = fingerprint(folder)
        self.dimension = len(self.embed_query("1"))

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        with self._one_at_a_time:
            encoded = self._model.encode_document([_encodable(text) for text in texts], show_progress_bar=False)
        return _unit(np.asarray(encoded, dtype=np.float32))

    def embed_query(self, text: str) -> NDArray[np.float32]:
        with self._one_at_a_time:
            encoded = self._model.encode_query([_encodable(text)], show_progress_bar=False)
        vector: NDArray[np.float32] = _unit(np.asarray(encoded, dtype=np.float32))[0]
        return vector

    def count_tokens(self, texts: Sequence[str]) -> int:
        tokenizer = self._model.tokenizer
        if hasattr(tokenizer, "encode_batch"):  # a bare one, of a static embedding
            return sum(len(encoding.ids) for encoding in tokenizer.encode_batch(list(map(_encodable, texts))))
        with self._one_at_a_time:
            return sum(map(len, tokenizer(list(map(_encodable, texts)), add_special_tokens=False)["input_ids"]))


def load_embedder(settings: Settings) -> Embedder:
    """The embedding model that the settings name: from its folder, the hub's local cache, or the hub.

    Raises:
        ModelError: there is no such model, the hub can't be reached, or what is there can't be loaded.
    """
    folder = find_model(settings.embedding_model, "GUIDE_EMBEDDING_MODEL", ignore=NOT_FETCHED)
    try:
        if _is_static(folder):
            return StaticEmbedder(folder)
        return SentenceTransformerEmbedder(folder, None if settings.device == "auto" else settings.device)
    except ModelError:
        raise
    except Exception as problem:
        raise ModelError(
            f"embedding_model {settings.embedding_model}: can't be loaded ({first_line(problem)}). {_SETTING}."
        ) from problem


def fingerprint(folder: Path) -> str:
    """The hex digest of a model folder's weights, configs and tokenizer; where the folder lies doesn't matter."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder)
        if name.parts[0] in _OTHER_FORMATS or file.suffix not in _WEIGHT_FILES | _CONFIG_FILES or not file.is_file():
            continue
        if file.suffix == ".bin" and any(file.parent.glob("*.safetensors")):
            continue
        with file.open("rb") as opened:
            digest.update(name.as_posix().encode() + b"\0" + hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()[:32]


def _is_static(folder: Path) -> bool:
    """Whether the folder holds a bare `StaticEmbedding` (perhaps normalised), without prompts or truncation."""
    modules, config = folder / "modules.json", folder / "config_sentence_transformers.json"
    if not (modules.is_file() and config.is_file() and (folder / "model.safetensors").is_file()):
        return False
    names = [module["type"].rsplit(".", 1)[-1] for module in json.loads(modules.read_text(encoding="utf-8"))]
    settings = json.loads(config.read_text(encoding="utf-8"))
    plain = not any((settings.get("prompts") or {}).values()) and not settings.get("truncate_dim")
    return plain and names in (["StaticEmbedding"], ["StaticEmbedding", "Normalize"]) and _has_plain_table(folder)


def _has_plain_table(folder: Path) -> bool:
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", "numpy") as weights:
        return list(weights.keys()) == ["embedding.weight"]


def _encodable(text: str) -> str:
    """The text with lone surrogates, which no tokenizer takes, replaced by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows scaled to length 1; rows of zeros stay so.

    Raises:
        ModelError: a vector has values that are no numbers.
    """
    if not np.isfinite(vectors).all():
        raise ModelError(
            f"The embedding model gives vectors that are not numbers; its weights are damaged. {_SETTING}."
        )
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return unit
