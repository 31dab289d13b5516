"""What is particular to each family of models that the guide names, for models that don't say it themselves."""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from models.hub import model_name

TEMPLATES = Path(__file__).parent / "templates"
_LLAMA_LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_BLOOM_LAYERS = ("query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h")


@dataclass(frozen=True)
class Family:
    """A family's presets.

    `ids` is a regular expression on a model's id or folder; `model_types` are the architectures that mean this family
    when the id says nothing; `lora_targets` the linear layers that LoRA adapts, by the names they have there.
    `padding` is the side on which a batch is filled up when it generates.
    """

    name: str
    ids: str
    template: str
    end_of_turn: tuple[str, ...]
    lora_targets: tuple[str, ...]
    model_types: tuple[str, ...] = ()
    padding: Literal["left", "right"] = "left"
    own_code: bool = False

    @property
    def jinja(self) -> str:
        """The chat template for tokenizers that come without one."""
        return (TEMPLATES / f"{self.template}.jinja").read_text(encoding="utf-8").rstrip("\n")


# More particular ids come first: vicuna-7b says llama nowhere, but deepseek-r1-distill-qwen says both.
FAMILIES = (
    Family("Vicuna", r"vicuna", "vicuna", ("</s>",), _LLAMA_LAYERS),
    Family("Alpaca", r"alpaca", "alpaca", ("</s>",), _LLAMA_LAYERS),
    Family(
        "DeepSeek",
        r"deepseek",
        "deepseek",
        ("<｜end▁of▁sentence｜>",),
        (*_LLAMA_LAYERS, "q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "kv_b_proj"),
        ("deepseek", "deepseek_v2", "deepseek_v3"),
    ),
    Family("Llama 3", r"llama-?3", "llama3", ("<|eot_id|>", "<|end_of_text|>"), _LLAMA_LAYERS),
    Family("Llama 2", r"llama-?2", "llama2", ("</s>",), _LLAMA_LAYERS),
    Family(
        "Mixtral",
        r"mixtral",
        "mistral",
        ("</s>",),
        ("q_proj", "k_proj", "v_proj", "o_proj"),
        ("mixtral",),
    ),
    Family("Mistral", r"mistral", "mistral", ("</s>",), _LLAMA_LAYERS, ("mistral",)),
    Family("Yi", r"\byi-", "chatml", ("<|im_end|>",), _LLAMA_LAYERS),
    Family(
        "Qwen",
        r"qwen",
        "chatml",
        ("<|im_end|>", "<|endoftext|>"),
        _LLAMA_LAYERS,
        ("qwen2", "qwen3", "qwen2_moe", "qwen3_moe"),
    ),
    Family(
        "ChatGLM3",
        r"chatglm",
        "glm3",
        ("</s>", "<|user|>", "<|observation|>"),
        _BLOOM_LAYERS,
        ("chatglm",),
        own_code=True,
    ),
    Family(
        "GLM-4",
        r"glm-?4",
        "glm4",
        ("<|endoftext|>", "<|user|>", "<|observation|>"),
        ("q_proj", "k_proj", "v_proj", "o_proj", "gate_up_proj", "down_proj", *_BLOOM_LAYERS),
        ("glm", "glm4"),
    ),
    Family(
        "Baichuan2",
        r"baichuan",
        "baichuan2",
        ("</s>",),
        ("W_pack", "o_proj", "gate_proj", "up_proj", "down_proj"),
        ("baichuan",),
        own_code=True,
    ),
    Family(
        "InternLM2",
        r"internlm",
        "internlm2",
        ("<|im_end|>", "</s>"),
        ("wqkv", "wo", "w1", "w2", "w3"),
        ("internlm2",),
        own_code=True,
    ),
    Family("BLOOMZ", r"bloomz?|\bmt0", "bloomz", ("</s>",), _BLOOM_LAYERS, ("bloom",)),
    Family(
        "T5",
        r"\b(?:flan-|m|by)?t5",
        "t5",
        ("</s>",),
        ("q", "k", "v", "o", "wi", "wi_0", "wi_1", "wo"),
        ("t5", "mt5", "umt5"),
        padding="right",
    ),
)


def family_of(folder: Path) -> Family | None:
    """The family of the model in a folder: by its id, else by its architecture; None when neither says it."""
    config = _config(folder)
    for name in (model_name(folder), str(config.get("_name_or_path", ""))):
        for family in FAMILIES:
            if re.search(family.ids, name.lower()):
                return family
    return next((family for family in FAMILIES if config.get("model_type") in family.model_types), None)


@cache
def family_named(name: str) -> Family | None:
    """The family of this name, whatever its case and punctuation."""
    wanted = re.sub(r"\W", "", name.lower())
    return next((family for family in FAMILIES if re.sub(r"\W", "", family.name.lower()) == wanted), None)


def _config(folder: Path) -> dict[str, Any]:
    file = folder / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}
