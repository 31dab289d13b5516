"""What is written in another form answers as the model did."""

import json
from itertools import islice
from pathlib import Path
from typing import Any

import gguf
import pytest
import torch
from peft import IA3Config, LoraConfig, PeftConfig, PrefixTuningConfig
from transformers import AutoModelForCausalLM, LlamaForCausalLM

from kb.errors import InputError, ModelError
from kb.settings import Settings
from models.chat import Message
from models.export import merge
from models.gguf_export import write_gguf
from models.original_llama import convert
from models.tokenizer import train_tokenizer
from tests.model_folders import loaded
from tests.tiny import byte_level_tokenizer, make_adapter, make_base

QUESTION = [Message("user", "什么是 LoRA？")]
IDS = torch.arange(24).unsqueeze(0)
TARGETS = ["q_proj", "v_proj", "down_proj"]


@torch.inference_mode()
def logits(model: Any) -> torch.Tensor:
    scores: torch.Tensor = model.eval()(input_ids=IDS).logits
    return scores


@pytest.mark.parametrize(
    "config",
    [
        LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear"),
        LoraConfig(task_type="CAUSAL_LM", r=4, target_modules=TARGETS, use_dora=True),
        IA3Config(task_type="CAUSAL_LM", target_modules=TARGETS, feedforward_modules=["down_proj"]),
    ],
    ids=["lora", "dora", "ia3"],
)
def test_a_merged_model_answers_as_the_adapted_one(base: Path, tmp_path: Path, config: PeftConfig) -> None:
    adapter = make_adapter(base, tmp_path / "adapter", config=config)
    difference = merge(Settings(chat_model=str(base), adapter=str(adapter)), tmp_path / "merged")
    assert difference < 1e-4
    adapted = loaded(base, adapter).generate([QUESTION], ["adapter"], max_new_tokens=16)[0]
    merged = loaded(tmp_path / "merged").generate([QUESTION], [None], max_new_tokens=16)[0]
    assert merged == adapted
    assert (tmp_path / "merged" / "chat_template.jinja").is_file()


def test_what_can_not_be_merged_says_so(base: Path, adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to merge"):
        merge(Settings(chat_model=str(base), adapter="none"), tmp_path / "merged")
    with pytest.raises(InputError, match="would then be adapted twice"):
        merge(Settings(chat_model=str(base), adapter=str(adapter)), adapter)
    prefix = make_adapter(base, tmp_path / "p", config=PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4))
    with pytest.raises(InputError, match="PREFIX_TUNING puts tokens before the prompt"):
        merge(Settings(chat_model=str(base), adapter=str(prefix)), tmp_path / "merged")


def test_what_can_not_be_written_or_is_not_the_same_leaves_nothing(
    base: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, file, out = Settings(chat_model=str(base), adapter=str(adapter)), tmp_path / "file", tmp_path / "out"
    file.touch()
    out.mkdir()
    with pytest.raises(InputError, match="file: can't be written"):
        merge(settings, file)
    with pytest.raises(InputError, match="out: can't be written"):
        write_gguf(base, out)
    monkeypatch.setattr("models.export.TOLERANCE", {"float32": -1})
    monkeypatch.setattr("models.gguf_export.LARGEST_DIFFERENCE", -1)
    with pytest.raises(ModelError, match="not written"):
        merge(settings, out)
    with pytest.raises(ModelError, match="not written"):
        write_gguf(base, out / "x.gguf")
    assert not list(out.iterdir())
    assert not list(tmp_path.glob(".guide-*"))


@pytest.mark.parametrize("shape", ["llama", "qwen2"])
def test_a_gguf_file_is_read_back_as_the_model_by_transformers(tmp_path: Path, shape: str) -> None:
    base = make_base(tmp_path / "base", shape=shape)
    assert write_gguf(base, tmp_path / "model.gguf") < 1e-3
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="model.gguf", dtype=torch.float32)
    expected, found = logits(AutoModelForCausalLM.from_pretrained(base)), logits(theirs)
    assert (found - expected).abs().max() < 5e-3 * expected.abs().max()


@pytest.mark.parametrize("shape", ["llama", "qwen2"])
def test_a_gguf_file_answers_in_llama_cpp_as_the_model(tmp_path: Path, shape: str) -> None:
    llama_cpp = pytest.importorskip("llama_cpp", reason="needs pip install llama-cpp-python, which compiles llama.cpp")
    base = make_base(tmp_path / "base", shape=shape)
    if shape == "qwen2":
        byte_level_tokenizer().save_pretrained(str(base))
    write_gguf(base, tmp_path / "model.gguf")
    ours = loaded(base)
    theirs = llama_cpp.Llama(str(tmp_path / "model.gguf"), n_ctx=256, n_threads=1, verbose=False)
    for text in ["什么是 LoRA？", "It's r=16, α=32:\n\tx = f(1234)", "龘🦙"]:
        turn = {"role": "user", "content": text}
        prompt = ours.template.render([Message("user", text)])
        assert theirs.create_chat_completion([turn], max_tokens=1)["usage"]["prompt_tokens"] == len(prompt)
        assert theirs.tokenize(text.encode(), add_bos=False) == ours.tokenizer(text)["input_ids"]
        theirs.reset()
        found = islice(theirs.generate(prompt, temp=0.0, repeat_penalty=1.0), 12)
        written: Any = ours.model
        expected = written.generate(input_ids=torch.tensor([prompt]), max_new_tokens=12, eos_token_id=None)
        assert list(found) == expected[0, len(prompt) :].tolist()
    theirs.close()


def test_every_token_of_a_gguf_file_is_another(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base")
    train_tokenizer(["低 秩 ▁ " * 20], 900).save_pretrained(str(base))  # llama.cpp writes a space as ▁
    write_gguf(base, tmp_path / "model.gguf")
    fields = gguf.GGUFReader(tmp_path / "model.gguf").fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    assert "▁" in tokens
    assert len(set(tokens)) == len(tokens)


def test_what_llama_cpp_would_do_otherwise_is_not_written_as_gguf(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base")
    tokenizer = json.loads(byte_level_tokenizer().backend_tokenizer.to_str())
    tokenizer["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = r"\p{L}+|\p{N}{5}"
    (base / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(InputError, match=r"cuts text by a rule that is not known here.*convert_hf_to_gguf\.py"):
        write_gguf(base, tmp_path / "model.gguf")
    config = json.loads((base / "config.json").read_text())
    config["rope_parameters"] |= {"rope_type": "linear", "factor": 2.0}
    (base / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"stretches its positions \(linear\)"):
        write_gguf(base, tmp_path / "model.gguf")


def test_an_architecture_that_is_not_written_as_gguf(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a gpt2 model; written here are llama.*convert_hf_to_gguf\.py"):
        write_gguf(make_base(tmp_path / "gpt2", shape="gpt2"), tmp_path / "model.gguf")


NAMES = {
    "self_attn.q_proj": "attention.wq",
    "self_attn.k_proj": "attention.wk",
    "self_attn.v_proj": "attention.wv",
    "self_attn.o_proj": "attention.wo",
    "mlp.gate_proj": "feed_forward.w1",
    "mlp.down_proj": "feed_forward.w2",
    "mlp.up_proj": "feed_forward.w3",
    "post_attention_layernorm": "ffn_norm",
    "input_layernorm": "attention_norm",
    "embed_tokens": "tok_embeddings",
    "lm_head": "output",
    "model.": "",
}
ROWS, COLUMNS = ("wq", "wk", "wv", "w1", "w3", "output"), ("wo", "w2", "tok_embeddings")


def write_original(model: LlamaForCausalLM, folder: Path, parts: int) -> None:
    """The checkpoint as Meta would have given it out, on `parts` GPUs."""
    shards: list[dict[str, torch.Tensor]] = [{} for _ in range(parts)]
    for name, tensor in model.state_dict().items():
        heads = model.config.num_attention_heads if "q_proj" in name else model.config.num_key_value_heads
        if "q_proj" in name or "k_proj" in name:
            halves = tensor.view(heads, 2, tensor.shape[0] // heads // 2, -1)
            tensor = halves.transpose(1, 2).reshape(tensor.shape)  # noqa: PLW2901
        for ours, theirs in NAMES.items():
            name = name.replace(ours, theirs)  # noqa: PLW2901
        kind = name.split(".")[-2]
        split = 0 if kind in ROWS else 1 if kind in COLUMNS else None
        pieces = [tensor] * parts if split is None else tensor.chunk(parts, dim=split)
        for shard, piece in zip(shards, pieces, strict=True):
            shard[name] = piece.clone()
    folder.mkdir()
    for number, shard in enumerate(shards):
        torch.save(
            shard | {"layers.0.attention.inner_attention.rope.freqs": torch.ones(4)},
            folder / f"consolidated.{number:02}.pth",
        )
    shape = {"dim": 32, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2, "norm_eps": 1e-6, "vocab_size": -1}
    (folder / "params.json").write_text(json.dumps(shape))


@pytest.mark.parametrize("parts", [1, 2])
def test_an_original_llama_checkpoint_answers_as_it_did(base: Path, tmp_path: Path, parts: int) -> None:
    model = LlamaForCausalLM.from_pretrained(base, tie_word_embeddings=False)
    write_original(model, tmp_path / "original", parts)
    todo = convert(tmp_path / "original", tmp_path / "converted")
    assert "tokenizer.json" in todo[0]
    again = LlamaForCausalLM.from_pretrained(tmp_path / "converted")
    assert torch.allclose(logits(again), logits(model), atol=1e-4)


def test_an_original_checkpoint_that_is_not_understood(base: Path, tmp_path: Path) -> None:
    model = LlamaForCausalLM.from_pretrained(base, tie_word_embeddings=False)
    write_original(model, tmp_path / "original", 1)
    file = tmp_path / "original" / "consolidated.00.pth"
    torch.save(torch.load(file) | {"layers.0.attention.gate.weight": torch.ones(4, 4)}, file)
    with pytest.raises(InputError, match=r"holds layers\.0\.attention\.gate\.weight, which no Llama has"):
        convert(tmp_path / "original", tmp_path / "converted")
    params = tmp_path / "original" / "params.json"
    params.write_text(json.dumps(json.loads(params.read_text()) | {"use_scaled_rope": True}))
    with pytest.raises(InputError, match=r"positions are stretched\. Get it in Hugging Face's form"):
        convert(tmp_path / "original", tmp_path / "converted")


class Hostile:
    """Unpickled, it would write a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.trace), "w")


def test_a_hostile_checkpoint_runs_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "original"
    folder.mkdir()
    (folder / "params.json").write_text("{}")
    torch.save({"tok_embeddings.weight": Hostile(tmp_path / "it-ran")}, folder / "consolidated.00.pth")
    with pytest.raises(ModelError, match="damaged, or holds more than tensors"):
        convert(folder, tmp_path / "converted")
    assert not (tmp_path / "it-ran").exists()
    with pytest.raises(InputError, match="Give an original checkpoint's folder"):
        convert(tmp_path, tmp_path / "converted")
