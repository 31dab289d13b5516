"""Folders that aren't there, files that are damaged, and code that must not run.

The numbers are those of the traps in docs/models.md.
"""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from kb.errors import ModelError
from kb.settings import Settings
from models.describe import describe
from models.inspect import MANIFEST, fingerprint
from models.load import _check_finite, load_chat
from models.load_tokenizer import load_tokenizer
from tests.model_folders import edit_json, loaded
from tests.tiny import make_base


def test_trap_12_a_hub_id_that_is_not_cached_while_offline() -> None:
    with pytest.raises(ModelError, match=r"owner/absent: not in the hub's cache.*set GUIDE_CHAT_MODEL to its folder"):
        loaded("owner/absent")


@pytest.mark.parametrize("which", ["base", "adapter"])
def test_trap_13_a_git_lfs_pointer(base: Path, adapter: Path, which: str) -> None:
    file = base / "model.safetensors" if which == "base" else adapter / "adapter_model.safetensors"
    file.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\n")
    with pytest.raises(ModelError, match="git lfs pull"):
        loaded(base, adapter)


def test_trap_13_a_pointer_below_an_adapter_that_knows_its_base(base: Path, adapter: Path) -> None:
    (adapter / MANIFEST).write_text(json.dumps({"base_fingerprint": fingerprint(base)}))
    (base / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\n")
    assert "git lfs pull" in str(describe(adapter, base=base).problem)


def test_trap_13_a_file_that_was_cut_short(base: Path) -> None:
    weights = base / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match=r"damaged or cut short.*Download or save it again"):
        loaded(base)


def test_trap_13_a_shard_that_was_not_downloaded(base: Path) -> None:
    (base / "model.safetensors").rename(base / "model-00001-of-00002.safetensors")
    shards = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (base / "model.safetensors.index.json").write_text(json.dumps(shards))
    with pytest.raises(ModelError, match=r"model-00002-of-00002\.safetensors is missing.*Download it again"):
        loaded(base)


@pytest.mark.parametrize("where", ["base", "adapter"])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_trap_14_weights_that_are_not_finite(base: Path, adapter: Path, where: str, value: float) -> None:
    weights = base / "model.safetensors" if where == "base" else adapter / "adapter_model.safetensors"
    tensors = load_file(weights)
    name = next(name for name in sorted(tensors) if "q_proj" in name)
    tensors[name].view(-1)[0] = value
    save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"NaN or infinity\. Train or download it again"):
        loaded(base, adapter)


def test_trap_15_weights_that_were_left_out(base: Path) -> None:
    tensors = load_file(base / "model.safetensors")
    del tensors["model.layers.0.mlp.up_proj.weight"]
    save_file(tensors, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"the weights lack model\.layers\.0\.mlp\.up_proj\.weight"):
        loaded(base)
    with pytest.raises(ModelError, match=r"weight was not loaded\. Download or save"):
        _check_finite(torch.nn.Linear(2, 2, device="meta"), base)


def test_trap_16_code_in_a_models_folder_is_not_run_unless_it_is_asked_for(base: Path, tmp_path: Path) -> None:
    trace = tmp_path / "it-ran"
    (base / "configuration_magic.py").write_text(
        f"open({str(trace)!r}, 'w').close()\n"
        "from transformers import LlamaConfig\n\n\nclass MagicConfig(LlamaConfig):\n    model_type = 'magic'\n"
    )
    edit_json(base / "config.json", model_type="magic", auto_map={"AutoConfig": "configuration_magic.MagicConfig"})
    with pytest.raises(ModelError, match=r"magic needs the Python code.*GUIDE_TRUST_REMOTE_CODE=1"):
        loaded(base)
    assert not trace.exists()
    with pytest.raises(ModelError):  # the code has no model, only a configuration
        loaded(base, trust_remote_code=True)
    assert trace.exists()


@pytest.mark.parametrize(
    "failing", ["import a_package_that_is_not_here", "raise AttributeError('gone since transformers 5')"]
)
def test_trap_16_code_that_fails_is_said_to(base: Path, failing: str) -> None:
    (base / "configuration_magic.py").write_text(failing)
    edit_json(base / "config.json", model_type="magic", auto_map={"AutoConfig": "configuration_magic.MagicConfig"})
    with pytest.raises(ModelError, match=r"config\.json: .*(a_package_that_is_not_here|gone since)"):
        loaded(base, trust_remote_code=True)


def test_trap_16_a_tokenizers_code_is_not_run_unless_it_is_asked_for(base: Path, tmp_path: Path) -> None:
    trace = tmp_path / "it-ran"
    (base / "tokenization_magic.py").write_text(f"open({str(trace)!r}, 'w').close()")
    classes = {"AutoTokenizer": ["tokenization_magic.MagicTokenizer", None]}
    edit_json(base / "tokenizer_config.json", tokenizer_class="MagicTokenizer", auto_map=classes)
    with pytest.raises(ModelError, match=r"tokenizer needs the Python code.*GUIDE_TRUST_REMOTE_CODE=1"):
        loaded(base)
    assert not trace.exists()


@pytest.mark.parametrize("written", ['{"version": "1.0", "model": {"type": "Odd"}}', '{"version": "1.0", "mod', None])
def test_a_tokenizer_that_is_damaged_or_missing(base: Path, written: str | None) -> None:
    file = base / "tokenizer.json"
    file.unlink() if written is None else file.write_text(written)
    with pytest.raises(ModelError, match=r"no tokenizer can be loaded from it .*Download or save it again"):
        loaded(base)


class Hostile:
    """Unpickled, it would write a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.trace), "w")


@pytest.mark.parametrize("which", ["base", "adapter"])
def test_pickled_weights_are_never_read(base: Path, adapter: Path, tmp_path: Path, which: str) -> None:
    folder, safe, pickled = {
        "base": (base, "model.safetensors", "pytorch_model.bin"),
        "adapter": (adapter, "adapter_model.safetensors", "adapter_model.bin"),
    }[which]
    (folder / safe).unlink()
    torch.save({"weight": Hostile(tmp_path / "it-ran")}, folder / pickled)
    with pytest.raises(ModelError, match=rf"{pickled}, which could run code when loaded.*with safetensors"):
        loaded(base, adapter)
    assert not (tmp_path / "it-ran").exists()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"GUIDE_CHAT_MODEL = .*nowhere: no such folder"):
        loaded(tmp_path / "nowhere")


def test_a_name_that_is_neither_folder_nor_hub_id() -> None:
    with pytest.raises(ModelError, match="neither a folder nor a hub id"):
        loaded("a b/c/d")


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"neither config\.json nor adapter_config\.json"):
        loaded(tmp_path)


def test_a_model_that_does_not_write(base: Path) -> None:
    edit_json(base / "config.json", architectures=["BertForMaskedLM"])
    with pytest.raises(ModelError, match=r"holds BertForMaskedLM, which does not write text\. Give a causal"):
        loaded(base)


def test_a_config_that_is_no_json(base: Path, adapter: Path) -> None:
    (adapter / "adapter_config.json").write_text('{"peft_type": "LORA"')
    with pytest.raises(ModelError, match=r"adapter_config\.json: not JSON.*Save or download it again"):
        loaded(base, adapter)


def test_a_device_that_is_not_there(base: Path) -> None:
    missing = "mps" if not torch.backends.mps.is_available() else "cuda"
    settings = Settings(chat_model=str(base), adapter="none", device=missing)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=f"GUIDE_DEVICE = {missing}: torch finds none.*auto or cpu"):
        load_chat(settings)


def test_a_copy_of_the_base_is_the_base(base: Path, adapter: Path, tmp_path: Path) -> None:
    loaded(shutil.copytree(base, tmp_path / "copied"), adapter)


def test_the_tokenizer_is_what_its_file_says_whatever_the_models_shape(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base", shape="qwen2")  # transformers would cut its text as Qwen2 does
    text = "什么是 LoRA？ It's r=16:\n\tf(1234)"
    written = Tokenizer.from_file(str(base / "tokenizer.json")).encode(text, add_special_tokens=False)
    assert load_tokenizer(base)(text, add_special_tokens=False)["input_ids"] == written.ids
