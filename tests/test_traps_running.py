"""What goes wrong while a model answers. The numbers are those of the traps in docs/models.md."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import (
    AdaLoraConfig,
    IA3Config,
    LoraConfig,
    PeftConfig,
    PeftModel,
    PrefixTuningConfig,
    PromptEncoderConfig,
    PromptTuningConfig,
)
from transformers import AutoModelForCausalLM

from kb.errors import ModelError
from models.chat import Message, Sampling
from tests.model_folders import edit_json, loaded
from tests.tiny import make_adapter, make_base

QUESTIONS = ["什么是 LoRA？", "AutoModelForSeq2SeqLM 用在哪里，它适合翻译和摘要吗？", "Mac 上怎么跑大模型？", "T5"]
CONVERSATIONS = [[Message("user", question)] for question in QUESTIONS]
TASK = "CAUSAL_LM"
LAYERS = ["q_proj", "v_proj", "down_proj"]
METHODS: dict[str, PeftConfig] = {
    "lora": LoraConfig(task_type=TASK, r=4, target_modules=LAYERS),
    "dora": LoraConfig(task_type=TASK, r=4, target_modules=LAYERS, use_dora=True),
    "rslora": LoraConfig(task_type=TASK, r=4, target_modules=LAYERS, use_rslora=True),
    "lora with a norm": LoraConfig(task_type=TASK, r=4, target_modules=LAYERS, modules_to_save=["norm"]),
    "lora with tokens": LoraConfig(task_type=TASK, r=4, target_modules=LAYERS, trainable_token_indices=[4, 5, 6]),
    "adalora": AdaLoraConfig(task_type=TASK, init_r=4, target_r=2, total_step=10, target_modules=LAYERS),
    "ia3": IA3Config(task_type=TASK, target_modules=LAYERS, feedforward_modules=["down_proj"]),
    "prefix": PrefixTuningConfig(task_type=TASK, num_virtual_tokens=4),
    "prompt": PromptTuningConfig(task_type=TASK, num_virtual_tokens=4),
    "p-tuning": PromptEncoderConfig(task_type=TASK, num_virtual_tokens=4, encoder_hidden_size=16),
}
every_method = pytest.mark.parametrize("method", METHODS)


@pytest.mark.parametrize("shape", ["llama", "qwen2", "gpt2", "t5", "bart"])
def test_trap_17_a_padded_batch_writes_what_each_writes_alone(tmp_path: Path, shape: str) -> None:
    chat = loaded(make_base(tmp_path / shape, shape=shape), chat_template="chatglm3" if shape == "t5" else None)
    together = chat.generate(CONVERSATIONS, [None] * 4, max_new_tokens=24)
    alone = [chat.generate([one], [None], max_new_tokens=24)[0] for one in CONVERSATIONS]
    assert together == alone
    assert len({answer.text for answer in together}) > 1
    chat.close()


@every_method
def test_what_was_saved_is_loaded_to_the_last_bit(base: Path, tmp_path: Path, method: str) -> None:
    folder = make_adapter(base, tmp_path / method, config=METHODS[method])
    ids = torch.arange(12).unsqueeze(0)
    theirs = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(folder)).eval()
    chat = loaded(base, folder)
    with torch.inference_mode():
        assert (theirs(input_ids=ids).logits - chat.model(input_ids=ids).logits).abs().max() == 0.0


@every_method
def test_trap_17_a_batch_of_any_methods_rows_writes_what_each_writes_alone(
    base: Path, tmp_path: Path, method: str
) -> None:
    folder = make_adapter(base, tmp_path / "adapter", config=METHODS[method])
    chat = loaded(base, folder)
    names = [None, "adapter", "adapter", None]
    together = chat.generate(CONVERSATIONS, names, max_new_tokens=12)
    alone = [chat.generate([c], [name], max_new_tokens=12)[0] for c, name in zip(CONVERSATIONS, names, strict=True)]
    assert together == alone
    untouched = loaded(base).generate(CONVERSATIONS, [None] * 4, max_new_tokens=12)
    assert [together[row].text for row in (0, 3)] == [untouched[row].text for row in (0, 3)]
    assert together[1].text != untouched[1].text
    scored = chat.score(CONVERSATIONS, "低秩分解", names).nats
    singly = [chat.score([c], "低秩分解", [name]).nats[0] for c, name in zip(CONVERSATIONS, names, strict=True)]
    assert scored.tolist() == pytest.approx(singly, abs=1e-3)
    chat.close()


def test_trap_26_an_error_of_the_worker_reaches_whoever_reads_the_stream(base: Path, adapter: Path) -> None:
    chat = loaded(base, adapter)
    stream = chat.submit(CONVERSATIONS[0], "never_loaded", max_new_tokens=4)
    with pytest.raises(ModelError, match="failed while answering"):
        list(stream)
    with pytest.raises(ModelError, match="failed while answering"):
        stream.result()
    assert chat.generate(CONVERSATIONS[:1], [None], max_new_tokens=4)[0].completion_tokens > 0


def test_trap_27_requests_on_two_adapters_at_once_get_what_serial_ones_get(base: Path, tmp_path: Path) -> None:
    first, second = (make_adapter(base, tmp_path / name, seed=seed) for name, seed in (("first", 3), ("second", 4)))
    chat = loaded(base, f"{first},{second}")
    work = [(conversation, name) for conversation in CONVERSATIONS for name in (None, "first", "second")]
    serial = [chat.generate([conversation], [name], max_new_tokens=10)[0] for conversation, name in work]
    with ThreadPoolExecutor(12) as threads:
        at_once = list(threads.map(lambda w: chat.generate([w[0]], [w[1]], max_new_tokens=10)[0], work))
    assert at_once == serial
    assert len({answer.text for answer in serial[:3]}) == 3


def test_trap_28_temperature_zero_is_greedy_and_an_answer_has_a_limit(base: Path) -> None:
    chat = loaded(base)
    ways = (Sampling(temperature=0.0, seed=1), Sampling(temperature=0.0, seed=2))
    cold, greedy = (chat.generate(CONVERSATIONS[:1], [None], sampling=way)[0] for way in ways)
    assert cold == greedy
    assert cold.completion_tokens <= 128


@pytest.mark.parametrize(
    "makers",
    [
        {"num_beams": 4},
        {"num_beams": 2, "num_return_sequences": 2},
        {"stop_strings": ["的"]},
        {"do_sample": True, "temperature": 0.7, "top_k": 20},
        {"repetition_penalty": 1.5},
        {"no_repeat_ngram_size": 1, "min_new_tokens": 30, "max_length": 20},
    ],
    ids=lambda makers: next(iter(makers)),
)
def test_requests_say_how_tokens_are_chosen_whatever_the_models_maker_set(base: Path, makers: dict[str, Any]) -> None:
    plain = loaded(base).generate(CONVERSATIONS, [None] * 4, max_new_tokens=24)
    edit_json(base / "generation_config.json", **makers)
    assert loaded(base).generate(CONVERSATIONS, [None] * 4, max_new_tokens=24) == plain


def test_a_request_that_is_cancelled_while_it_waits_is_never_begun(base: Path) -> None:
    chat = loaded(base)
    first = chat.submit(CONVERSATIONS[0], max_new_tokens=100)
    next(iter(first))
    waiting = chat.submit(CONVERSATIONS[1])
    waiting.cancel()
    first.cancel()
    assert waiting.result().completion_tokens == 0


@pytest.mark.parametrize("bits", ["4bit", "8bit"])
def test_quantised_weights_answer_with_an_adapter(tmp_path: Path, bits: str) -> None:
    base = make_base(tmp_path / "base", hidden=128)
    adapter = make_adapter(base, tmp_path / "adapter")
    chat = loaded(base, adapter, quantization=bits)
    plain, adapted = chat.generate([CONVERSATIONS[0]] * 2, [None, "adapter"], max_new_tokens=8)
    assert plain.completion_tokens > 0
    assert adapted.text != plain.text


def test_an_encoder_decoder_is_scored_and_writes(tmp_path: Path) -> None:
    base = make_base(tmp_path / "t5-tiny", shape="t5")
    (base / "chat_template.jinja").unlink()
    chat = loaded(base)
    assert chat.tokenizer.decode(chat.template.render(CONVERSATIONS[0])) == "什么是 LoRA？<|im_end|>"
    assert chat.generate(CONVERSATIONS[:1], [None], max_new_tokens=8)[0].completion_tokens > 0
    together = chat.score(CONVERSATIONS, "低秩", [None] * 4).nats
    alone = [chat.score([one], "低秩", [None]).nats[0] for one in CONVERSATIONS]
    assert together.tolist() == pytest.approx(alone, abs=1e-3)
