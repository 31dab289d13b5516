"""Teaching tiny models: every method learns, what it writes loads again, and a run can be stopped and resumed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kb.errors import InputError, ModelError
from kb.settings import Settings
from models.chat import Message
from models.conversations import padded, read_conversations
from models.finetune import CHECKPOINT, FinetuneConfig, finetune
from models.inspect import MANIFEST, fingerprint
from models.load import load_base, load_chat
from models.load_tokenizer import load_tokenizer
from models.measure_methods import measure
from models.methods import METHOD_NAMES, METHODS, Shape, put_on
from models.teaching import Teacher
from models.template import ChatTemplate, Supervised
from tests.tiny import make_base, tiny_tokenizer

PAIRS = [("LoRA 是什么？", "低秩分解"), ("BitFit 训练什么？", "只训练bias参数"), ("T5 是什么结构？", "编码-解码")]
CONFIG = FinetuneConfig(learning_rate=2e-2, epochs=25, batch_tokens=128, held_out=0.2, dropout=0)
SHORT = FinetuneConfig(epochs=2, batch_tokens=128, held_out=0.34, dropout=0.1, evaluations=2)


@pytest.fixture
def conversations(tmp_path: Path) -> Path:
    rows = [
        {"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]}
        for q, a in PAIRS
        for _ in "12"
    ]
    file = tmp_path / "conversations.jsonl"
    file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return file


def test_a_message_may_hold_what_else_ends_a_line(tmp_path: Path) -> None:
    row = {"messages": [{"role": "user", "content": "一\u2028二\u0085三"}, {"role": "assistant", "content": "好"}]}
    (tmp_path / "two.jsonl").write_text(f"{json.dumps(row, ensure_ascii=False)}\r\n" * 2, encoding="utf-8")
    assert [turns[0].content for turns in read_conversations(tmp_path / "two.jsonl")] == ["一\u2028二\u0085三"] * 2


def test_a_token_without_an_embedding_is_named_before_training(base: Path, conversations: Path, tmp_path: Path) -> None:
    tokenizer = json.loads((base / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"]["塞满"] = 5000
    (base / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(ModelError, match=r"largest id is 5000"):
        finetune(str(base), conversations, tmp_path / "learnt", SHORT, device="cpu")


@pytest.mark.parametrize("shape", ["llama", "qwen2", "gpt2"])
def test_an_adapter_learns_and_loads_again(conversations: Path, tmp_path: Path, shape: str) -> None:
    base = make_base(tmp_path / "base", shape=shape)
    record = finetune(str(base), conversations, tmp_path / "learnt", CONFIG, device="cpu")
    assert record.loss_after < record.loss_before / 4
    manifest = json.loads((tmp_path / "learnt" / MANIFEST).read_text())
    assert manifest["base_fingerprint"] == fingerprint(base)
    chat = load_chat(Settings(adapter=str(tmp_path / "learnt"), device="cpu"))  # which says itself what it is for
    asked = [[Message("user", question)] for question, _ in PAIRS]
    learnt = [done.text for done in chat.generate(asked, ["learnt"] * 3, max_new_tokens=16)]
    plain = [done.text for done in chat.generate(asked, [None] * 3, max_new_tokens=16)]
    answers = [answer for _, answer in PAIRS]
    assert not set(plain) & set(answers)
    assert sum(text == answer for text, answer in zip(learnt, answers, strict=True)) >= 2


def test_all_weights_learn_and_load_again(tiny_base: Path, conversations: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, method="full", learning_rate=5e-3, epochs=40)
    record = finetune(str(tiny_base), conversations, tmp_path / "taught", config, device="cpu")
    assert record.trainable_share == 1
    chat = load_chat(Settings(chat_model=str(tmp_path / "taught"), adapter="none", device="cpu"))
    question, answer = PAIRS[1]
    assert chat.generate([[Message("user", question)]], [None], max_new_tokens=24)[0].text == answer


def test_an_encoder_decoder_learns_to_answer_what_it_reads(conversations: Path, tmp_path: Path) -> None:
    base = make_base(tmp_path / "t5-base", shape="t5", hidden=64)
    config = replace(CONFIG, method="full", epochs=60, learning_rate=5e-3)
    finetune(str(base), conversations, tmp_path / "taught", config, device="cpu")
    chat = load_chat(Settings(chat_model=str(tmp_path / "taught"), adapter="none", device="cpu"))
    asked = [[Message("user", question)] for question, _ in PAIRS]
    written = chat.generate(asked, [None] * 3, max_new_tokens=24)
    assert [done.text for done in written] == [answer for _, answer in PAIRS]
    assert {done.finish for done in written} == {"stop"}


def test_an_adapter_of_an_encoder_decoder_learns_and_loads_again(conversations: Path, tmp_path: Path) -> None:
    base = make_base(tmp_path / "t5-base", shape="t5", hidden=64)
    record = finetune(str(base), conversations, tmp_path / "learnt", replace(CONFIG, epochs=50), device="cpu")
    assert record.loss_after < record.loss_before - 2
    config = json.loads((tmp_path / "learnt" / "adapter_config.json").read_text())
    assert config["task_type"] == "SEQ_2_SEQ_LM"
    assert {"q", "k", "v", "o", "wi", "wo"} == set(config["target_modules"])
    assert "text2text-generation" in (tmp_path / "learnt" / "README.md").read_text(encoding="utf-8")
    chat = load_chat(Settings(adapter=str(tmp_path / "learnt"), device="cpu"))
    assert chat.generate([[Message("user", "LoRA")]], ["learnt"], max_new_tokens=4)[0].completion_tokens > 0


def test_virtual_tokens_alone_are_not_for_encoder_decoders(conversations: Path, tmp_path: Path) -> None:
    base = make_base(tmp_path / "t5-base", shape="t5")
    with pytest.raises(InputError, match=r"p-tuning does not suit an encoder-decoder.*Choose another --method"):
        finetune(str(base), conversations, tmp_path / "out", replace(SHORT, method="p-tuning"), device="cpu")


def test_ranks_that_adalora_has_cut_load_again(tiny_base: Path, conversations: Path, tmp_path: Path) -> None:
    finetune(str(tiny_base), conversations, tmp_path / "out", replace(CONFIG, method="adalora"), device="cpu")
    cut = json.loads((tmp_path / "out" / "adapter_config.json").read_text())["rank_pattern"]
    assert any(not all(kept) for kept in cut.values())
    chat = load_chat(Settings(chat_model=str(tiny_base), adapter=str(tmp_path / "out"), device="cpu"))
    assert chat.adapters == ("out",)


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_every_method_trains_only_what_it_says_and_loads_again(
    conversations: Path, tmp_path: Path, method: str
) -> None:
    base = make_base(tmp_path / "base", shape="qwen2", hidden=128 if method == "qlora" else 32)
    before = load_base(base, torch.device("cpu")).state_dict()
    record = finetune(str(base), conversations, tmp_path / "out", replace(SHORT, method=method), device="cpu")
    assert record.loss_after != record.loss_before
    assert (record.trainable_share == 1) == (method == "full")
    if method == "full":
        return
    chat = load_chat(Settings(chat_model=str(base), adapter=str(tmp_path / "out"), device="cpu"))
    assert chat.adapters == ("out",)
    if method != "bitfit":
        kept = {
            name.replace(".base_layer", "").split("base_model.model.")[-1]: t
            for name, t in chat.model.state_dict().items()
        }
        assert all(torch.equal(kept[name], tensor) for name, tensor in before.items() if name in kept)


def test_bitfit_needs_biases(tiny_base: Path, conversations: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"this model has none\. Choose another --method"):
        finetune(str(tiny_base), conversations, tmp_path / "out", replace(SHORT, method="bitfit"), device="cpu")


def test_what_is_written_is_whole(tiny_base: Path, conversations: Path, tmp_path: Path) -> None:
    finetune(str(tiny_base), conversations, tmp_path / "out", SHORT, device="cpu")
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert {"adapter_model.safetensors", "tokenizer.json", "chat_template.jinja", MANIFEST, "loss.png"} <= names
    assert CHECKPOINT not in names
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nbase_model: tiny\nlibrary_name: peft\n")
    assert "LoRA (Hu et al. 2021" in card


def teacher(base: Path, conversations: Path, checkpoint: Path) -> Teacher:
    template = ChatTemplate(load_tokenizer(base))
    rows = [template.supervised(conversation) for conversation in read_conversations(conversations)]
    torch.manual_seed(3)
    model = put_on(load_base(base, torch.device("cpu")), METHODS["lora"], Shape(4, 8, 0.1, 10))
    return Teacher(model, METHODS["lora"], rows, replace(SHORT, epochs=4), pad=0, checkpoint=checkpoint)


class InterruptedRunError(Exception):
    pass


def test_a_resumed_run_ends_as_if_never_stopped(tiny_base: Path, conversations: Path, tmp_path: Path) -> None:
    straight = teacher(tiny_base, conversations, tmp_path / "straight.pt")
    whole = straight.run(lambda *_: None)

    def interrupt(_: str, step: int, steps: int) -> None:
        if step == steps // 2 + 1:
            raise InterruptedRunError

    with pytest.raises(InterruptedRunError):
        teacher(tiny_base, conversations, tmp_path / "half.pt").run(interrupt)
    second = teacher(tiny_base, conversations, tmp_path / "half.pt")
    second.resume()
    assert 0 < second.step < second.steps
    resumed = second.run(lambda *_: None)
    assert resumed.loss_after == whole.loss_after
    assert all(torch.equal(p, second.trainable[name]) for name, p in straight.trainable.items())


@pytest.mark.parametrize("changed", ["options", "data", "base"])
def test_a_checkpoint_of_another_run_is_refused(
    tiny_base: Path, conversations: Path, tmp_path: Path, changed: str
) -> None:
    teacher(tiny_base, conversations, tmp_path / "run.pt").run(lambda *_: None)
    if changed == "data":
        conversations.write_text(conversations.read_text(encoding="utf-8").replace("编码", "解码"), encoding="utf-8")
    other = teacher(tiny_base, conversations, tmp_path / "run.pt")
    if changed == "options":
        other.config = replace(other.config, rank=3)
    if changed == "base":
        other.base = "another's fingerprint"
    with pytest.raises(InputError, match=r"made with other options, base or data\. Give the same, or remove it"):
        other.resume()


def test_a_run_that_gets_no_better_stops_and_takes_the_best(
    tiny_base: Path, conversations: Path, tmp_path: Path
) -> None:
    hot = replace(SHORT, learning_rate=1.0, epochs=60, evaluations=30, patience=2)
    record = finetune(str(tiny_base), conversations, tmp_path / "out", hot, device="cpu")
    assert record.stopped_early
    assert record.loss_after == pytest.approx(min(measured.held_out for measured in record.curve), abs=0.02)


def test_padding_is_never_learnt_and_ends_of_turns_are() -> None:
    pad = 7
    fed = padded(
        [Supervised([5, pad], [False, True]), Supervised([1, 2, 3, pad], [False, True, True, True])],
        pad,
        torch.device("cpu"),
    )
    assert fed["labels"].tolist() == [[-100, pad, -100, -100], [-100, 2, 3, pad]]
    assert fed["attention_mask"].tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": 1}', r"line 2: not a"),
        ('{"messages": [{"role": "robot", "content": "x"}]}', r"line 2: has the role robot\. Roles are"),
        ('{"messages": [{"role": "user", "content": null}]}', r"line 2: has a message that is no text"),
    ],
)
def test_a_broken_line_of_conversations_is_named(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "broken.jsonl"
    file.write_text('{"messages": []}\n' + line + "\n")
    with pytest.raises(InputError, match=message):
        read_conversations(file)


def test_an_adapter_does_not_go_into_a_models_folder(tiny_base: Path, conversations: Path, base: Path) -> None:
    with pytest.raises(InputError, match=r"holds a model already.*Give another --out"):
        finetune(str(tiny_base), conversations, base, SHORT, device="cpu")


def test_a_place_that_can_not_be_written_is_named_before_training(tiny_base: Path, conversations: Path) -> None:
    with pytest.raises(InputError, match="no folder can be made there"):
        finetune(str(tiny_base), conversations, conversations / "out", FinetuneConfig())


def test_methods_are_measured_on_the_same_data(conversations: Path, tmp_path: Path) -> None:
    base = make_base(tmp_path / "base")
    results = {r.method: r for r in measure(str(base), conversations, ["lora", "bitfit", "full"], SHORT, device="cpu")}
    assert results["lora"].loss_before == results["full"].loss_before
    assert (results["lora"].trainable_share or 1) < 0.5
    assert (results["lora"].megabytes or 0) < (results["full"].megabytes or 0)
    assert "biases" in (results["bitfit"].problem or "")
    assert "peft does not have it" in (results["adapterfusion"].problem or "")


def test_the_tokenizer_that_a_base_lacks_a_template_for_gets_its_familys(conversations: Path, tmp_path: Path) -> None:
    base = make_base(tmp_path / "Qwen2.5-tiny", shape="qwen2")
    (base / "chat_template.jinja").unlink()
    finetune(str(base), conversations, tmp_path / "out", SHORT, device="cpu")
    assert load_tokenizer(tmp_path / "out").chat_template.startswith("{%- for message in messages -%}")
    assert tiny_tokenizer().chat_template
