"""Teaching a model which prompt a text belongs to, and the choices it is taught with."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from kb.errors import InputError
from kb.records import Hit
from models.chat import Message
from models.finetune import FinetuneConfig
from models.finetune_ranking import batches, continuation_nats, read_groups, teach_adapter, teach_base
from models.generate import ChatModel
from models.load import load_base, load_tokenizer
from rag.lessons_ranking import guide_choices
from rag.quote import shown
from tests.knowledge import document
from tests.tiny import make_adapter, make_base

SUBJECTS = ["LoRA", "QLoRA", "BitFit", "Prefix Tuning", "AdaLoRA", "IA3"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("ranking") / "base")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Sixty choices in which a question names its piece."""
    order = random.Random(0)
    file = tmp_path / "groups.jsonl"
    rows = []
    for n in range(60):
        subjects = order.sample(SUBJECTS, 3)
        prompts = [[{"role": "user", "content": f"{subject} 微调模型。"}] for subject in subjects]
        rows.append({"prompts": prompts, "continuation": f"{subjects[n % 3]} 是什么？", "right": n % 3})
    file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return file


def test_scores_in_training_are_those_in_use(base: Path, data: Path) -> None:
    model, tokenizer = load_base(base, torch.device("cpu")), load_tokenizer(base)
    groups = read_groups(data, tokenizer, 200)[:4]
    with torch.inference_mode():
        taught = continuation_nats(model, groups, 0)
    chat = ChatModel(model, tokenizer, "tiny")
    rows = [json.loads(line) for line in data.read_text(encoding="utf-8").splitlines()[:4]]
    for row, nats in zip(rows, taught, strict=True):
        prompts = [[Message(**turn) for turn in prompt] for prompt in row["prompts"]]
        used = chat.score(prompts, row["continuation"], [None] * 3).nats
        assert np.allclose(nats.float().numpy(), used, rtol=0.02)  # training computes in bfloat16
    chat.close()


def test_a_base_learns_to_choose(base: Path, data: Path, tmp_path: Path) -> None:
    config = FinetuneConfig(learning_rate=5e-3, epochs=6, batch_tokens=1024, held_out=0.2)
    record = teach_base(str(base), data, tmp_path / "taught", config)
    assert record.loss_after < record.loss_before
    assert record.trainable_share == 1
    manifest = json.loads((tmp_path / "taught" / "guide_manifest.json").read_text())
    assert manifest["ranking"]["record"]["conversations"] == 60
    assert load_tokenizer(tmp_path / "taught").chat_template


def test_an_adapter_learns_and_its_base_stays(base: Path, data: Path, tmp_path: Path) -> None:
    before = (base / "model.safetensors").read_bytes()
    adapter = make_adapter(base, tmp_path / "adapter")
    weights = (adapter / "adapter_model.safetensors").read_bytes()
    config = FinetuneConfig(learning_rate=5e-3, epochs=0.2, batch_tokens=1024)
    record = teach_adapter(str(base), adapter, data, tmp_path / "taught", config)
    assert 0 < record.trainable_share < 0.5
    assert (tmp_path / "taught" / "adapter_model.safetensors").read_bytes() != weights
    assert (base / "model.safetensors").read_bytes() == before


def test_batches_hold_every_group_once_within_the_budget(base: Path, data: Path) -> None:
    groups = read_groups(data, load_tokenizer(base), 200)
    made = list(batches(groups, 300, random.Random(1)))
    assert sorted(map(id, groups)) == sorted(id(group) for batch in made for group in batch)
    assert all(sum(group.size for group in batch) <= 300 or len(batch) == 1 for batch in made)


def test_a_line_that_is_no_group_is_named(base: Path, tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text('{"prompts": []}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"bad\.jsonl, line 1"):
        read_groups(file, load_tokenizer(base), 200)


def test_a_table_gives_choices_among_its_rows() -> None:
    from ingest.passages import split_passages

    text = "# 方法\n\n| 方法 | 内存 |\n|---|---|\n" + "".join(
        f"| {name} | {n}GB |\n" for n, name in enumerate(SUBJECTS)
    )
    passages = split_passages(document("表.md", text))
    choices = list(guide_choices(passages))
    assert len(choices) >= len(SUBJECTS)
    rows = {shown(piece) for piece in _rows(passages)}
    for choice in choices:
        _, right = choice.candidates[choice.right]
        assert right in rows
        assert len(set(choice.candidates)) == len(choice.candidates) > 2
        assert right.split(" — ")[0] in choice.continuation


def _rows(passages: list) -> list:  # type: ignore[type-arg]
    from rag.pieces import pieces

    return [piece for piece in pieces([Hit(p, 1.0, None, None) for p in passages]) if piece.kind == "table_row"]
