"""`guide models`, `train`, `methods` and `export` as they are run."""

import json
from pathlib import Path

import pytest

from api.cli import run
from models.describe import describe
from models.inspect import MANIFEST
from tests.model_folders import edit_json
from tests.tiny import make_base

TURNS = [{"role": "user", "content": "什么是 LoRA？"}, {"role": "assistant", "content": "低秩分解"}]
QUICK = ["--epochs", "1", "--batch-tokens", "256", "--evaluations", "1"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "data.jsonl"
    file.write_text("\n".join([json.dumps({"messages": TURNS}, ensure_ascii=False)] * 4), encoding="utf-8")
    return file


def test_models_lists_what_is_configured_and_shipped(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "--json"]) == 0
    reply = json.loads(capsys.readouterr().out)
    by_name = {model["name"]: model for model in reply["models"]}
    assert by_name["chat"]["place"] == "configured"
    assert by_name["guide-lora"]["fits"]
    assert "Qwen" in reply["families"]
    assert run(["models"]) == 0
    assert "guide-lora" in capsys.readouterr().out


def test_inspect_tells_what_a_base_is_and_takes(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "inspect", str(base), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["kind"], facts["architecture"], facts["template"]) == ("base", "LlamaForCausalLM", "its own")
    assert facts["megabytes"]["4bit"] <= facts["megabytes"]["float32"]
    assert run(["models", "inspect", str(base)]) == 0
    assert "parameters" in capsys.readouterr().out


def test_inspect_says_why_an_adapter_does_not_fit(
    base: Path, adapter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["models", "inspect", str(adapter), "--base", str(base)]) == 0
    wide = make_base(tmp_path / "wide", hidden=64)
    assert run(["models", "inspect", str(adapter), "--base", str(wide)]) == 1
    assert "the base needs" in capsys.readouterr().out


def test_what_can_not_be_used_is_told_not_raised(base: Path) -> None:
    edit_json(base / "config.json", model_type="magic", auto_map={"AutoConfig": "x.Y"})
    facts = describe(base)
    assert "GUIDE_TRUST_REMOTE_CODE" in (facts.problem or "")


def test_train_writes_an_adapter_that_models_finds_fit(
    base: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["train", "--base", str(base), "--data", str(data), "--out", str(out), *QUICK, "--json"]
    assert run(command) == 0
    assert json.loads(capsys.readouterr().out)["conversations"] == 4
    assert (out / MANIFEST).is_file()
    assert run(["models", "inspect", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["fits"]


def test_train_makes_conversations_from_the_knowledge_base(
    base: Path, guide_home: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "--home", guide_home, "--base", str(base), "--out", str(tmp_path / "out"), "--epochs", "0.01"]
    assert run(command) == 0
    assert "loss on held-out conversations" in capsys.readouterr().out
    lines = (tmp_path / "out" / "conversations.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) > 100


def test_methods_stand_beside_what_the_guide_says(
    base: Path, data: Path, guide_home: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "record.json"
    command = ["methods", "--home", guide_home, "--base", str(base), "--data", str(data), "--only", "lora,full"]
    assert run([*command, "--out", str(record)]) == 0
    lora, full, fusion = json.loads(record.read_text(encoding="utf-8"))["methods"]
    assert lora["said"]["可训练参数"] == "0.1-1%"
    assert full["trainable_share"] == 1
    assert fusion["problem"]
    assert "said: 内存使用" in capsys.readouterr().out


def test_an_unknown_method_is_bad_use(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "--data", str(data), "--out", str(tmp_path), "--method", "magic"]) == 2
    assert "There is no method magic; there are: lora, dora" in capsys.readouterr().err


def test_export_merges_and_writes_gguf(
    base: Path, adapter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = ["--chat-model", str(base), "--adapter", str(adapter)]
    merged, file = tmp_path / "merged", tmp_path / "model.gguf"
    assert run(["export", *models, "--merge", str(merged), "--gguf", str(file)]) == 0
    assert file.stat().st_size > 0
    assert run(["models", "inspect", str(merged), "--json"]) == 0
    assert run(["export"]) == 2
    assert "Say what to write" in capsys.readouterr().err
