"""The embedding: the fast reader equals sentence-transformers, any model loads, and what can't be loaded says why."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, StaticEmbedding, Transformer
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from kb.errors import ModelError
from kb.settings import SOURCES, WEIGHTS, Settings
from models.embed import Embedder, SentenceTransformerEmbedder, StaticEmbedder, fingerprint, load_embedder
from models.embedding_pieces import UNKNOWN, train_pieces

TEXTS = ["QLoRA 的适用场景是什么？", "How do I merge the adapter?", "peft>=0.8.0", "\ud800 lone", "", " \n"]


@pytest.fixture(scope="module")
def pieces() -> Tokenizer:
    return train_pieces([(SOURCES / "llm_guide.md").read_text(encoding="utf-8")], vocab_size=900, alphabet=700)


@pytest.fixture(scope="module")
def static_folder(pieces: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("embedding") / "static"
    table = torch.from_numpy(np.random.default_rng(0).normal(size=(pieces.get_vocab_size(), 16)).astype(np.float16))
    modules: list[torch.nn.Module] = [StaticEmbedding(pieces, embedding_weights=table), Normalize()]
    SentenceTransformer(modules=modules).save(str(folder), create_model_card=False)
    return folder


@pytest.fixture(scope="module")
def bert_folder(pieces: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A transformer embedding that wants prompts and reads 64 tokens at most."""
    root = tmp_path_factory.mktemp("embedding")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=901,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(root / "bert")
    wrapped = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=pieces, pad_token=UNKNOWN, model_max_length=64
    )
    wrapped.save_pretrained(str(root / "bert"))
    model = SentenceTransformer(
        modules=[Transformer(str(root / "bert")), Pooling(16)], prompts={"query": "问题：", "document": "段落："}
    )
    model.save(str(root / "prompted"), create_model_card=False)
    return root / "prompted"


def load(folder: Path | str) -> Embedder:
    return load_embedder(Settings(embedding_model=str(folder), device="cpu"))


def test_static_reader_equals_sentence_transformers(static_folder: Path) -> None:
    ours, theirs = StaticEmbedder(static_folder), SentenceTransformerEmbedder(static_folder, "cpu")
    assert (ours.dimension, ours.fingerprint) == (theirs.dimension, theirs.fingerprint)
    np.testing.assert_allclose(ours.embed_passages(TEXTS), theirs.embed_passages(TEXTS), atol=2e-6)
    np.testing.assert_allclose(ours.embed_query(TEXTS[0]), theirs.embed_query(TEXTS[0]), atol=2e-6)


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(st.text(), max_size=5))
def test_vectors_have_length_one_or_zero(static_embedder: StaticEmbedder, texts: list[str]) -> None:
    vectors = static_embedder.embed_passages(texts)
    assert vectors.shape == (len(texts), 16)
    assert vectors.dtype == np.float32
    lengths = np.linalg.norm(vectors, axis=1)
    assert all(length == 0 or abs(length - 1) < 1e-5 for length in lengths)


@pytest.fixture(scope="module")
def static_embedder(static_folder: Path) -> StaticEmbedder:
    return StaticEmbedder(static_folder)


def test_batches_do_not_mix(static_embedder: StaticEmbedder) -> None:
    texts = [f"第{number}段 adapter" for number in range(600)]
    alone = np.stack([static_embedder.embed_query(text) for text in texts[250:260]])
    np.testing.assert_array_equal(static_embedder.embed_passages(texts)[250:260], alone)


def test_static_model_is_read_without_torch(static_folder: Path) -> None:
    assert isinstance(load(static_folder), StaticEmbedder)


def test_prompts_of_the_model_are_used(bert_folder: Path) -> None:
    embedder = load(bert_folder)
    plain = SentenceTransformer(str(bert_folder), device="cpu")
    for prompt, vector in (("问题：", embedder.embed_query("微调")), ("段落：", embedder.embed_passages(["微调"])[0])):
        expected = plain.encode([prompt + "微调"], prompt="", normalize_embeddings=True)[0]
        np.testing.assert_allclose(vector, expected, atol=1e-5)
    assert not np.allclose(embedder.embed_query("微调"), embedder.embed_passages(["微调"])[0], atol=1e-3)


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads that give way to each other at nearly every step."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager_threads")
def test_threads_that_count_and_embed_at_once_do_not_disturb_each_other(bert_folder: Path) -> None:
    """The tokenizer keeps from call to call whether it cuts texts short; counting must not have it forget to."""
    embedder, texts = load(bert_folder), ["LoRA 是什么，怎么微调大模型？" * 60] * 2
    expected, tokens = embedder.embed_passages(texts), embedder.count_tokens(texts)
    with ThreadPoolExecutor(6) as threads:
        at_once = [
            (threads.submit(embedder.count_tokens, texts), threads.submit(embedder.embed_passages, texts))
            for _ in range(100)
        ]
        for counted, embedded in at_once:
            assert counted.result() == tokens
            np.testing.assert_allclose(embedded.result(), expected, atol=1e-5)


def test_fingerprint_follows_content_not_place(static_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(static_folder, tmp_path / "elsewhere")
    assert fingerprint(copy) == fingerprint(static_folder)
    (copy / "README.md").write_text("a model card changes nothing", encoding="utf-8")
    assert fingerprint(copy) == fingerprint(static_folder)
    config = json.loads((copy / "config_sentence_transformers.json").read_text(encoding="utf-8"))
    config["prompts"]["query"] = "query: "
    (copy / "config_sentence_transformers.json").write_text(json.dumps(config), encoding="utf-8")
    assert fingerprint(copy) != fingerprint(static_folder)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("/nowhere/at/all", "no such folder"),
        ("./nowhere", "no such folder"),
        ("nobody/no-such-model", "hf download nobody/no-such-model"),
        ("not a name!", "neither a folder nor a hub id"),
    ],
)
def test_missing_model_says_what_to_do(name: str, says: str) -> None:
    with pytest.raises(ModelError, match=says) as caught:
        load(name)
    assert "GUIDE_EMBEDDING_MODEL" in str(caught.value)


def _truncate(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def _leave_pointer(folder: Path) -> None:
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n", encoding="utf-8")


def _spoil(folder: Path) -> None:
    from safetensors.numpy import load_file, save_file

    table = load_file(folder / "model.safetensors")["embedding.weight"]
    table[5, 3] = np.nan
    save_file({"embedding.weight": table}, folder / "model.safetensors")


def _shorten(folder: Path) -> None:
    from safetensors.numpy import load_file, save_file

    table = load_file(folder / "model.safetensors")["embedding.weight"]
    save_file({"embedding.weight": table[:-1].copy()}, folder / "model.safetensors")


def _empty(folder: Path) -> None:
    for file in folder.rglob("*.*"):
        file.unlink()


@pytest.mark.parametrize("damage", [_truncate, _leave_pointer, _spoil, _shorten, _empty])
def test_damaged_model_is_refused(static_folder: Path, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    folder = shutil.copytree(static_folder, tmp_path / "damaged")
    damage(folder)
    with pytest.raises(ModelError, match="GUIDE_EMBEDDING_MODEL"):
        load(folder)


def test_shipped_embedding_brings_meanings_together() -> None:
    embedder = load(WEIGHTS / "embedding")
    query = embedder.embed_query("How do I save a model?")
    passages = ["保存模型到本地", "删除数据库中的表", "天气预报说明天下雨"]
    assert int(np.argmax(embedder.embed_passages(passages) @ query)) == 0


def test_shipped_embedding_can_be_cut_short() -> None:
    embedder = load(WEIGHTS / "embedding")
    passages = ["保存模型到本地", "删除数据库中的表", "天气预报说明天下雨"]
    query, vectors = embedder.embed_query("怎么把模型存下来")[:64], embedder.embed_passages(passages)[:, :64]
    assert int(np.argmax(vectors @ query / np.linalg.norm(vectors, axis=1))) == 0
