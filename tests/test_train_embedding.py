"""Training the embedding, on a corpus made on the spot: pairs are what they say, steps learn, runs go on."""

import json
import lzma
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from models.corpus import CorpusDocument, is_held_out
from models.embed import StaticEmbedder
from models.embedding_init import initial_table, rarity
from models.embedding_pairs import Ids, PairCutter, encode, read_sections
from models.embedding_pieces import train_pieces
from models.embedding_sources import Documents, read_glosses, read_readings, read_translations, training_documents
from models.train_embedding import ContrastiveTrainer, EmbeddingConfig, export, prepare

TEXT = """# 参数高效微调

参数高效微调只训练少量参数（parameters）。基础模型的权重保持不变。
它节省显存，也节省存储空间。

## LoRA 的原理

- **低秩分解**：把权重更新写成两个小矩阵的乘积
- **优势**：训练参数少，推理没有额外开销

| 方法 | 显存 | 速度 |
|---|---|---|
| LoRA | 低 | 快 |
| 全量微调 | 高 | 慢 |

## 如何合并权重

调用 merge_and_unload 可以得到合并后的模型。合并之后推理更快。
保存时使用 save_pretrained 方法，把模型写到本地的文件夹里。
"""
CONFIG = EmbeddingConfig(
    pieces=400, sizes=(16, 8), size_weights=(1.0, 0.3), steps=30, batch=32, learning_rate=0.02, warmup=2, seed=1
)


def write_rows(file: Path, rows: Sequence[dict[str, Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with lzma.open(file, "wt", encoding="utf-8") as out:
        out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    subjects = ["微调", "量化", "检索", "分词", "部署", "评测", "蒸馏", "推理"]
    rows = [{"path": f"{subject}.md", "text": TEXT.replace("微调", subject)} for subject in subjects]
    write_rows(folder / "zh" / "notes.jsonl.xz", rows * 4)
    english = "# LoRA\n\nIt trains few parameters.\nIt is fast to train."
    write_rows(folder / "en" / "en_docs.jsonl.xz", [{"path": "lora.md", "text": english}])
    write_rows(folder / "zh_sharealike" / "posts.jsonl.xz", rows[:1])
    pairs = [{"en": f"Set option {n} first.", "zh": f"先设置选项 {n}。", "path": f"{n // 9}.po"} for n in range(90)]
    write_rows(folder / "parallel" / "python_docs_en_zh.jsonl.xz", pairs)
    write_rows(folder / "parallel" / "doc_index_zh_en.jsonl.xz", [{"zh_path": "微调.md", "en_path": "lora.md"}])
    return folder


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reading")
    for name in ("cmrc2018_trial", "drcd_dev"):
        ids = [f"{name}-p{n}" for n in range(60)]
        passages = [{"id": i, "title": "山", "text": f"第一座山高{n}米。它在{n}号省。"} for n, i in enumerate(ids)]
        asked = [{"context_id": i, "question": "山有多高？", "answers": [f"{n}米"]} for n, i in enumerate(ids)]
        write_rows(folder / f"{name}.corpus.jsonl.xz", passages)
        write_rows(folder / f"{name}.qa.jsonl.xz", asked)
    return folder


@pytest.fixture(scope="module")
def pieces() -> Tokenizer:
    return train_pieces([TEXT * 6], 400)


def written(pieces: Tokenizer, ids: Ids) -> str:
    return "".join(str(pieces.id_to_token(int(piece))) for piece in ids)


def trainer(corpus: Path, reading: Path, run: Path) -> tuple[Tokenizer, ContrastiveTrainer]:
    tokenizer, table, cutter, sources = prepare(corpus, reading, run, CONFIG)
    return tokenizer, ContrastiveTrainer(table, cutter, sources, CONFIG, run)


def test_training_learns_and_resumes(corpus: Path, reading: Path, tmp_path: Path) -> None:
    _, first = trainer(corpus, reading, tmp_path)
    losses = [first.train_step() for _ in range(20)]
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
    first.save()
    tokenizer, again = trainer(corpus, reading, tmp_path)
    again.resume()
    assert again.step == 20
    np.testing.assert_array_equal(again.bag.weight.detach().numpy(), first.bag.weight.detach().numpy())
    again.train()
    assert again.step == CONFIG.steps
    export(again.bag.weight, tokenizer, tmp_path / "model")
    embedder = StaticEmbedder(tmp_path / "model")
    assert embedder.dimension == 16
    ours = embedder.embed_query("如何合并权重")
    table = again.bag.weight.detach().numpy()[encode(tokenizer, "如何合并权重")].sum(axis=0)
    np.testing.assert_allclose(ours, table / np.linalg.norm(table), atol=2e-3)


def test_held_out_text_is_not_learned_from(corpus: Path, reading: Path, pieces: Tokenizer) -> None:
    assert all(not document.held_out for document in training_documents(corpus))
    names = [f"drcd_dev-p{n}" for n in range(60)]
    kept = sum(not is_held_out(name) for name in names)
    assert 0 < kept < 60
    assert len(read_readings(reading, ["drcd_dev"], pieces)) == kept
    assert len(read_readings(reading, ["drcd_dev"], pieces, held_out=True)) == 60 - kept


def test_translations_keep_sentences_side_by_side(corpus: Path, pieces: Tokenizer) -> None:
    for document in read_translations(corpus, training_documents(corpus), pieces):
        assert len(document.english) == len(document.chinese)
        for english, chinese in zip(document.english, document.chinese, strict=True):
            numbers = [{pieces.id_to_token(int(i)) for i in ids} & set("0123456789") for ids in (english, chinese)]
            assert numbers[0] == numbers[1]


def test_glosses_are_terms_with_the_english_in_brackets(pieces: Tokenizer) -> None:
    titles = "".join(f"{word}（Guide）。" for word in "一二三四五六七八九十百千万")
    text = f"训练少量参数（parameters），合并权重 (merge)；见图（3）、函数（f(x)）。{titles}"
    glosses = read_glosses([CorpusDocument("notes", "a.md#0", text.replace("。", "本。本"))], pieces)
    assert [("".join(written(pieces, word) for word in g.words), written(pieces, g.english)) for g in glosses] == [
        ("合并权重", "▁merge"),
        ("训练少量参数", "▁parameters"),
    ]


def test_sections_know_headings_terms_and_rows(pieces: Tokenizer) -> None:
    first, lora, merging = read_sections(TEXT, pieces)
    assert written(pieces, lora.heading) == "▁lora的原理"
    np.testing.assert_array_equal(lora.trail, first.heading)
    assert [term > 0 for term in lora.terms] == [True, True]
    assert not any(merging.terms)
    assert len(lora.rows) == 2
    header, cells = lora.rows[0]
    assert [written(pieces, cell) for cell in (*header, *cells)] == ["方法", "显存", "速度", "▁lora", "低", "快"]


def test_pairs_come_from_one_document_and_differ(pieces: Tokenizer) -> None:
    cutter = PairCutter(pieces, np.ones(400, dtype=np.float32), np.random.default_rng(0))
    documents = [("notes", read_sections(TEXT, pieces)), ("notes", read_sections(TEXT.replace("微调", "部署"), pieces))]
    known = set(encode(pieces, TEXT).tolist()) | set(encode(pieces, TEXT.replace("微调", "部署")).tolist())
    pairs = Documents(documents, cutter).draw(200)
    assert len(pairs) == 200
    assert all(len(query) and len(passage) for query, passage in pairs)
    assert all(set(passage.tolist()) <= known for _, passage in pairs)
    assert len({(query.tobytes(), passage.tobytes()) for query, passage in pairs}) > 150


def test_same_seed_draws_the_same_pairs(pieces: Tokenizer) -> None:
    def drawn() -> list[bytes]:
        cutter = PairCutter(pieces, np.ones(400, dtype=np.float32), np.random.default_rng(5))
        pairs = Documents([("notes", read_sections(TEXT, pieces))], cutter).draw(50)
        return [ids.tobytes() for pair in pairs for ids in pair]

    assert drawn() == drawn()


def test_first_table_puts_company_together() -> None:
    rng = np.random.default_rng(0)
    lines: list[Ids] = [rng.integers(1, 20, 8).astype(np.int32) for _ in range(400)]
    lines += [rng.integers(20, 40, 8).astype(np.int32) for _ in range(400)]
    translation = [(np.array([3], dtype=np.int32), np.array([30], dtype=np.int32))] * 200
    table = initial_table(lines, translation, pieces=40, dimension=8, seed=0)
    unit = table / (np.linalg.norm(table, axis=1, keepdims=True) + 1e-9)
    near = unit @ unit.T
    assert near[1, 2:20].mean() > near[1, 20:].mean() + 0.2
    assert near[3, 30] > near[4, 30]


def test_common_pieces_weigh_less() -> None:
    weights = rarity([np.array([1] * 9990 + [2] * 10, dtype=np.int32)], 4)
    assert 0 < weights[1] < weights[2] < weights[3] == 1


@given(text=st.text())
def test_any_text_has_pieces_without_error(pieces: Tokenizer, text: str) -> None:
    clean = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert all(0 <= piece < 400 for piece in encode(pieces, clean))


def test_identifiers_are_parted_and_words_stay(pieces: Tokenizer) -> None:
    parts = pieces.pre_tokenizer.pre_tokenize_str(pieces.normalizer.normalize_str("AutoModel QLoRA P-Tuning v2 权重"))
    assert [part for part, _ in parts] == ["▁auto", "▁model", "▁qlora", "▁p", "▁tuning", "▁v", "2", "权重"]
