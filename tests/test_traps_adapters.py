"""Adapters that don't fit, and settings that mix them up, are named before they can answer nonsense.

The numbers are those of the traps in docs/models.md.
"""

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import LoraConfig
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from api.cli import run
from kb.errors import ConfigError, ModelError
from kb.settings import WEIGHTS, Settings
from models.inspect import MANIFEST, config_digest, fingerprint
from models.load import embedding_rows, load_chat
from models.names import parse_adapters
from tests.model_folders import edit_json, loaded
from tests.tiny import make_adapter, make_base

ADAPTER_FILE = "adapter_model.safetensors"


def test_trap_01_tensors_that_have_no_place_in_the_base(base: Path, tmp_path: Path) -> None:
    deeper = make_adapter(make_base(tmp_path / "deep", layers=4), tmp_path / "deep-lora")
    with pytest.raises(ModelError, match=r"has no place in the base.*Use the base that it was trained on"):
        loaded(base, deeper)


def test_trap_02_tensors_that_are_missing(base: Path, adapter: Path) -> None:
    tensors = load_file(adapter / ADAPTER_FILE)
    save_file(dict(list(tensors.items())[1:]), adapter / ADAPTER_FILE)
    with pytest.raises(ModelError, match=r"is missing.*Use the base that it was trained on"):
        loaded(base, adapter)


def test_trap_03_other_weights_of_the_same_shape(base: Path, adapter: Path, tmp_path: Path) -> None:
    manifest = {"base": "base", "base_fingerprint": fingerprint(base), "config_sha256": config_digest(adapter)}
    (adapter / MANIFEST).write_text(json.dumps(manifest))
    loaded(base, adapter)
    twin = make_base(tmp_path / "twin", seed=5)
    with pytest.raises(ModelError, match=r"other weights of the same shape.*Set GUIDE_CHAT_MODEL to base"):
        loaded(twin, adapter)


def test_trap_03_an_adapter_that_changes_nothing(base: Path, adapter: Path) -> None:
    tensors = load_file(adapter / ADAPTER_FILE)
    save_file({name: torch.zeros_like(tensor) for name, tensor in tensors.items()}, adapter / ADAPTER_FILE)
    with pytest.raises(ModelError, match=r"changes nothing that the model writes\. Train it, or leave it out"):
        loaded(base, adapter)


@pytest.mark.parametrize("change", [{"lora_alpha": 64}, {"use_rslora": True}])
def test_trap_04_a_config_edited_after_training(base: Path, adapter: Path, change: dict[str, object]) -> None:
    (adapter / MANIFEST).write_text(json.dumps({"config_sha256": config_digest(adapter)}))
    edit_json(adapter / "adapter_config.json", **change)
    with pytest.raises(ModelError, match=r"changed after training\. Put the old one back"):
        loaded(base, adapter)


def test_trap_05_a_merged_model_over_its_adapter(base: Path, adapter: Path) -> None:
    shutil.copy(base / "config.json", adapter)
    with pytest.raises(ModelError, match=r"would be applied twice.*a folder of its own"):
        loaded(base, adapter)


def test_trap_06_two_adapters_of_one_name(adapter: Path) -> None:
    with pytest.raises(ConfigError, match=r"two adapters would be called lora\. Write name=folder"):
        parse_adapters(f"lora={adapter},lora={adapter.parent}")


@pytest.mark.parametrize(
    ("folder", "name"),
    [("v1.5", "v1_5"), ("中文.lora", "中文_lora"), ("...", "adapter"), ("a b", "a_b"), ("lora", "lora")],
)
def test_trap_07_a_name_that_peft_can_not_take(base: Path, adapter: Path, folder: str, name: str) -> None:
    odd = adapter.rename(adapter.with_name(folder))
    assert loaded(base, odd).adapters == (name,)


def grown(base: Path, folder: Path, rows: int) -> Path:
    """An adapter that was trained after its base's vocabulary was resized."""
    resized = make_base(folder / "resized")
    model = AutoModelForCausalLM.from_pretrained(base)
    model.resize_token_embeddings(rows, mean_resizing=False)
    model.save_pretrained(resized)
    made = make_adapter(resized, folder / "grown")
    tensors = load_file(made / ADAPTER_FILE)
    tensors["base_model.model.model.embed_tokens.weight"] = model.state_dict()["model.embed_tokens.weight"].clone()
    save_file(tensors, made / ADAPTER_FILE)
    return made


@pytest.mark.parametrize("change", [3, -2, 60])
def test_trap_08_a_vocabulary_that_was_resized_in_training(base: Path, tmp_path: Path, change: int) -> None:
    rows = json.loads((base / "config.json").read_text())["vocab_size"] + change
    adapter = grown(base, tmp_path, rows)
    if change < 0:
        with pytest.raises(ModelError, match="largest id is"):
            loaded(base, adapter)
    else:
        assert embedding_rows(loaded(base, adapter).model) == rows


def test_trap_08_embeddings_of_another_width(base: Path, adapter: Path) -> None:
    tensors = load_file(adapter / ADAPTER_FILE)
    tensors["base_model.model.model.embed_tokens.weight"] = torch.zeros(1000, 8)
    save_file(tensors, adapter / ADAPTER_FILE)
    with pytest.raises(ModelError, match=r"is \[1000, 8\], the base needs \[1000, 32\]"):
        loaded(base, adapter)


def test_trap_09_a_token_without_an_embedding(base: Path) -> None:
    tokenizer = json.loads((base / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"]["塞满"] = 5000
    (base / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(ModelError, match=r"largest id is 5000.*Use the tokenizer that came with the model"):
        loaded(base)


@pytest.mark.parametrize("task", ["SEQ_CLS", "TOKEN_CLS", "FEATURE_EXTRACTION"])
def test_trap_10_an_adapter_for_another_task(base: Path, adapter: Path, task: str) -> None:
    edit_json(adapter / "adapter_config.json", task_type=task)
    with pytest.raises(ModelError, match=f"made for the task {task}.*Give an adapter"):
        loaded(base, adapter)


def test_trap_11_the_path_that_the_base_had_when_it_was_trained(base: Path, adapter: Path, tmp_path: Path) -> None:
    edit_json(adapter / "adapter_config.json", base_model_name_or_path="/home/trainer/base-of-theirs")
    loaded(base, adapter)
    with pytest.raises(ModelError, match=r"base-of-theirs is not to be had here\. Set GUIDE_CHAT_MODEL"):
        load_chat(Settings(adapter=str(adapter), device="cpu"))
    shutil.copytree(base, tmp_path / "base-of-theirs")
    assert load_chat(Settings(adapter=str(adapter), device="cpu")).name == "base-of-theirs"


def test_the_base_is_found_from_the_adapter(base: Path, adapter: Path) -> None:
    edit_json(adapter / "adapter_config.json", base_model_name_or_path=str(base))
    chat = load_chat(Settings(adapter=str(adapter), device="cpu"))
    assert (chat.name, chat.adapters) == ("base", ("adapter",))


def test_the_shipped_adapter_goes_with_the_shipped_base_alone(base: Path) -> None:
    assert load_chat(Settings(chat_model=str(base), device="cpu")).adapters == ()
    assert load_chat(Settings(device="cpu")).name == (WEIGHTS / "chat").name


def test_several_adapters_are_chosen_by_name(base: Path, adapter: Path, tmp_path: Path) -> None:
    other = make_adapter(base, tmp_path / "other", seed=9)
    chat = loaded(base, f"first={adapter}, second={other}")
    assert chat.adapters == ("first", "second")
    assert chat.adapter_name("default") == "first"


def test_trap_29_a_base_that_the_adapter_itself_has_changed(tmp_path: Path) -> None:
    base = make_base(tmp_path / "qwen", shape="qwen2")
    config = LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"], bias="all")
    with_biases = make_adapter(base, tmp_path / "biases", config=config)
    assert loaded(base, with_biases).caveats == (
        "Without adapter biases the model is not the untouched base: it brings biases of its own (bias=all).",
    )
    plain = make_adapter(base, tmp_path / "plain")
    with pytest.raises(ModelError, match=r"biases can't be loaded beside others.*Load it alone"):
        loaded(base, f"{with_biases},{plain}")


def test_trap_29_compare_says_so(
    tmp_path: Path, guide_home: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    base = make_base(tmp_path / "qwen", shape="qwen2")
    config = LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"], bias="all")
    monkeypatch.setenv("GUIDE_ADAPTER", str(make_adapter(base, tmp_path / "biases", config=config)))
    assert run(["compare", "什么是 LoRA？", "--home", guide_home, "--chat-model", str(base)]) == 0
    assert "the model is not the untouched base" in capsys.readouterr().err


def test_an_adapter_of_a_wider_model(base: Path, tmp_path: Path) -> None:
    wider = make_adapter(make_base(tmp_path / "wide", hidden=64), tmp_path / "wide-lora")
    with pytest.raises(ModelError, match="the base needs"):
        loaded(base, wider)


def test_an_unknown_method(base: Path, adapter: Path) -> None:
    edit_json(adapter / "adapter_config.json", peft_type="MAGIC")
    with pytest.raises(ModelError, match=r"peft_type MAGIC is not one of.*Train it again"):
        loaded(base, adapter)


def test_base_and_adapter_exchanged(base: Path, adapter: Path) -> None:
    with pytest.raises(ModelError, match="Set it as GUIDE_ADAPTER"):
        loaded(adapter)
    with pytest.raises(ModelError, match="Set it as GUIDE_CHAT_MODEL"):
        loaded(base, base)
