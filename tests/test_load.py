"""An adapter that doesn't fit, or a folder that isn't what it should be, is named before it can answer nonsense."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from kb.errors import ModelError
from kb.settings import Settings
from models.inspect import MANIFEST, config_digest, fingerprint
from models.load import load_chat
from tests.tiny import make_adapter, make_base


def loading(base: Path | str, adapter: Path | str = "none") -> None:
    load_chat(Settings(chat_model=str(base), adapter=str(adapter), device="cpu"))


def edit_json(file: Path, **changes: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.fixture
def base(tiny_base: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_base, tmp_path / "base")


@pytest.fixture
def adapter(tiny_adapter: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_adapter, tmp_path / "adapter")


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"GUIDE_CHAT_MODEL = .*nowhere: no such folder"):
        loading(tmp_path / "nowhere")


def test_hub_id_that_is_not_cached_while_offline() -> None:
    with pytest.raises(ModelError, match=r"owner/absent: not in the hub's cache.*set GUIDE_CHAT_MODEL to its folder"):
        loading("owner/absent")


def test_name_that_is_neither_folder_nor_hub_id() -> None:
    with pytest.raises(ModelError, match="neither a folder nor a hub id"):
        loading("a b/c/d")


def test_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"neither config\.json nor adapter_config\.json"):
        loading(tmp_path)


def test_merged_model_over_its_adapter_is_refused(base: Path, adapter: Path) -> None:
    shutil.copy(base / "config.json", adapter)
    with pytest.raises(ModelError, match="would be applied twice"):
        loading(base, adapter)


def test_base_and_adapter_exchanged(base: Path, adapter: Path) -> None:
    with pytest.raises(ModelError, match="Set it as GUIDE_ADAPTER"):
        loading(adapter)
    with pytest.raises(ModelError, match="Set it as GUIDE_CHAT_MODEL"):
        loading(base, base)


def test_pickled_weights_are_never_read(base: Path) -> None:
    (base / "model.safetensors").rename(base / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin, which could run code"):
        loading(base)


def test_git_lfs_pointer(adapter: Path, base: Path) -> None:
    (adapter / "adapter_model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\n")
    with pytest.raises(ModelError, match="git lfs pull"):
        loading(base, adapter)


def test_truncated_weights(base: Path) -> None:
    weights = base / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match="damaged or cut short"):
        loading(base)


def test_unknown_method(base: Path, adapter: Path) -> None:
    edit_json(adapter / "adapter_config.json", peft_type="MAGIC")
    with pytest.raises(ModelError, match="peft_type MAGIC is not one of"):
        loading(base, adapter)


def test_adapter_for_another_task(base: Path, adapter: Path) -> None:
    edit_json(adapter / "adapter_config.json", task_type="SEQ_CLS")
    with pytest.raises(ModelError, match="made for the task SEQ_CLS"):
        loading(base, adapter)


def test_adapter_of_a_deeper_model(base: Path, tmp_path: Path) -> None:
    deeper = make_adapter(make_base(tmp_path / "deep", layers=4), tmp_path / "deep-lora")
    with pytest.raises(ModelError, match="has no place in the base"):
        loading(base, deeper)


def test_adapter_of_a_wider_model(base: Path, tmp_path: Path) -> None:
    wider = make_adapter(make_base(tmp_path / "wide", hidden=64), tmp_path / "wide-lora")
    with pytest.raises(ModelError, match="the base needs"):
        loading(base, wider)


def test_adapter_with_tensors_missing(base: Path, adapter: Path) -> None:
    weights = adapter / "adapter_model.safetensors"
    tensors = load_file(weights)
    save_file(dict(list(tensors.items())[1:]), weights)
    with pytest.raises(ModelError, match="is missing"):
        loading(base, adapter)


def test_other_weights_of_the_same_shape(base: Path, adapter: Path, tmp_path: Path) -> None:
    manifest = {"base": "base", "base_fingerprint": fingerprint(base), "config_sha256": config_digest(adapter)}
    (adapter / MANIFEST).write_text(json.dumps(manifest))
    loading(base, adapter)
    twin = make_base(tmp_path / "twin", seed=5)
    with pytest.raises(ModelError, match="other weights of the same shape"):
        loading(twin, adapter)


def test_config_edited_after_training(base: Path, adapter: Path) -> None:
    (adapter / MANIFEST).write_text(json.dumps({"config_sha256": config_digest(adapter)}))
    edit_json(adapter / "adapter_config.json", lora_alpha=64)
    with pytest.raises(ModelError, match="changed after training"):
        loading(base, adapter)


@pytest.mark.parametrize("where", ["base", "adapter"])
def test_weights_that_are_not_finite(base: Path, adapter: Path, where: str) -> None:
    weights = base / "model.safetensors" if where == "base" else adapter / "adapter_model.safetensors"
    tensors = load_file(weights)
    name = next(name for name in sorted(tensors) if "q_proj" in name)
    tensors[name].view(-1)[0] = torch.nan
    save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(ModelError, match="NaN or infinity"):
        loading(base, adapter)


def test_tokenizer_with_more_pieces_than_the_model(base: Path) -> None:
    tokenizer = json.loads((base / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"]["塞满"] = 5000
    (base / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(ModelError, match="largest id is 5000"):
        loading(base)


def test_tokenizer_without_a_chat_template(base: Path) -> None:
    (base / "chat_template.jinja").unlink()
    chat = load_chat(Settings(chat_model=str(base), adapter="none", device="cpu"))
    with pytest.raises(ModelError, match="no chat template"):
        chat.generate([[]], [None])
