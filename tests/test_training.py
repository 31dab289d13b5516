"""Pretraining a tiny model: it learns, it resumes, what it writes loads again."""

import json
import lzma
from pathlib import Path

import pytest
import torch

from kb.settings import Settings
from models.load import load_chat
from models.pretrain import PretrainConfig, Trainer, decay, export, prepare
from models.schedules import cosine, stable_then_decay

CONFIG = PretrainConfig(
    vocab_size=600,
    hidden_size=32,
    layers=2,
    heads=4,
    kv_heads=2,
    intermediate_size=64,
    context=128,
    sequence=32,
    batch=4,
    learning_rate=5e-3,
    warmup_steps=1,
    seed=3,
)


def write_rows(file: Path, rows: list[dict[str, str]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with lzma.open(file, "wt", encoding="utf-8") as out:
        out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared run folder over a small corpus of the right shape."""
    corpus, reading = tmp_path_factory.mktemp("corpus"), tmp_path_factory.mktemp("reading")
    text = "低秩分解把权重更新写成两个小矩阵的乘积，Adapter layers are small. "
    write_rows(corpus / "zh" / "docs.jsonl.xz", [{"path": f"{i}.md", "text": f"# {i}\n{text * 4}"} for i in range(400)])
    write_rows(corpus / "parallel" / "python_docs_en_zh.jsonl.xz", [{"en": "list", "zh": "列表", "path": "a.po"}])
    write_rows(reading / "set.corpus.jsonl.xz", [{"id": "p0", "title": "矩阵", "text": text}])
    folder = tmp_path_factory.mktemp("run")
    prepare(corpus, reading, folder, CONFIG)
    return folder


def trainer(run: Path) -> Trainer:
    return Trainer(CONFIG, run, prepare(Path("unread"), Path("unread"), run, CONFIG), "cpu")


def test_held_out_documents_are_in_no_training_text(run: Path) -> None:
    train, held_out = (run / "train.bin").stat().st_size, (run / "held_out.bin").stat().st_size
    assert 0 < held_out < train / 10


def test_pretraining_learns(run: Path) -> None:
    fresh = trainer(run)
    before = fresh.held_out_loss(8)
    for _ in range(30):
        fresh.train_step(1.0)
    assert fresh.held_out_loss(8) < before - 1


def test_resumed_run_goes_on_as_if_never_stopped(run: Path) -> None:
    straight = trainer(run)
    losses = [straight.train_step(1.0) for _ in range(4)]
    first = trainer(run)
    for _ in range(2):
        first.train_step(1.0)
    first.save()
    second = trainer(run)
    second.resume()
    assert second.step == 2
    assert [second.train_step(1.0) for _ in range(2)] == pytest.approx(losses[2:], abs=1e-3)


def test_exported_model_is_an_ordinary_folder(run: Path, tmp_path: Path) -> None:
    made = trainer(run)
    decay(made, 3)
    export(made, prepare(Path("unread"), Path("unread"), run, CONFIG), tmp_path / "base")
    chat = load_chat(Settings(chat_model=str(tmp_path / "base"), adapter="none", device="cpu"))
    assert chat.window == CONFIG.context
    made_state, loaded_state = made.model.state_dict(), chat.model.state_dict()
    assert all(torch.equal(loaded_state[name].bfloat16(), made_state[name]) for name in made_state)


def test_learning_rates_rise_and_fall() -> None:
    assert [round(cosine(step, 40, 2), 2) for step in (0, 1, 2, 21, 39)] == [0.5, 1, 1, 0.5, 0]
    rates = [stable_then_decay(step, 10, 2, decay=0.6, floor=0.1) for step in range(10)]
    assert [round(rate, 2) for rate in rates] == [0.5, 1, 1, 1, 1, 0.85, 0.7, 0.55, 0.4, 0.25]
