"""Sixteen requests at once, beside one by one and beside `transformers serve`; and how soon the first piece comes.

python -m tests.benchmarks.generate_speed [--rounds 5] [--out RECORD.json]

The model has the shape and tokenizer of the shipped one and random weights, so that no answer ends early; the first
piece is timed on the shipped weights. All answers are greedy, in float32 on one CPU thread, which suits small models
(on a busy machine the server is many times slower on two).
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from kb.settings import WEIGHTS, Settings
from models.chat import Conversation, Message
from models.generate import ChatModel
from models.load import load_chat
from models.threads import few_threads
from tests.benchmarks.provenance import provenance, write_record
from tests.chat_server import running_transformers_serve

REQUESTS, NEW_TOKENS = 16, 64
QUESTIONS = [f"第 {n} 问：LoRA 的秩怎样选择，和学习率有什么关系？" for n in range(REQUESTS)]
CONVERSATIONS = [[Message("user", question)] for question in QUESTIONS]


def random_copy(folder: Path) -> Path:
    """A model of the shipped one's shape with random weights."""
    torch.manual_seed(0)
    config = AutoConfig.from_pretrained(WEIGHTS / "chat")
    make: Any = AutoModelForCausalLM.from_config
    make(config, dtype=torch.float32).save_pretrained(folder)
    AutoTokenizer.from_pretrained(WEIGHTS / "chat").save_pretrained(str(folder))
    return folder


def seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def together(chat: ChatModel) -> None:
    """Each request from a thread of its own."""

    def ask(conversation: Conversation) -> None:
        assert chat.submit(conversation, max_new_tokens=NEW_TOKENS).result().completion_tokens == NEW_TOKENS

    with ThreadPoolExecutor(REQUESTS) as threads:
        list(threads.map(ask, CONVERSATIONS))


def one_by_one(chat: ChatModel) -> None:
    for conversation in CONVERSATIONS:
        chat.generate([conversation], [None], max_new_tokens=NEW_TOKENS)


def served(url: str, model: str) -> None:
    def ask(question: str) -> None:
        body = {
            "model": model,
            "messages": [{"role": "user", "content": question}],
            "max_tokens": NEW_TOKENS,
            "temperature": 0,
        }
        reply = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=300).raise_for_status().json()
        assert reply["usage"]["completion_tokens"] == NEW_TOKENS

    with ThreadPoolExecutor(REQUESTS) as threads:
        list(threads.map(ask, QUESTIONS))


def first_piece(chat: ChatModel, question: Sequence[Message]) -> float:
    stream = chat.submit(question, max_new_tokens=8)
    took = seconds(lambda: next(iter(stream)))
    stream.cancel()
    stream.result()
    return took


def bare_first_token(chat: ChatModel, question: Sequence[Message]) -> float:
    ids = torch.tensor([chat.template.render(question)])
    model: Any = chat.model
    with torch.inference_mode(), few_threads(model):
        return seconds(
            lambda: model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=1, do_sample=False, pad_token_id=0
            )
        )


def throughput(rounds: int, folder: Path) -> dict[str, float]:
    """Median seconds of each way, all measured in turn in every round."""
    os.environ["HF_HOME"] = str(folder / "cache")
    (folder / "cache" / "hub").mkdir(parents=True, exist_ok=True)
    model = random_copy(folder / "model")
    chat = load_chat(Settings(chat_model=str(model), adapter="none", device="cpu"))
    with running_transformers_serve(folder / "log") as url:
        ways: dict[str, Callable[[], None]] = {
            "together": lambda: together(chat),
            "one by one": lambda: one_by_one(chat),
            "transformers serve": lambda: served(url, str(model)),
        }
        for way in ways.values():
            way()
        times = [{name: seconds(way) for name, way in ways.items()} for _ in range(rounds)]
    chat.close()
    return {name: round(median(row[name] for row in times), 3) for name in ways}


def latency(rounds: int) -> dict[str, float]:
    """Median seconds to the first piece of a stream and to the first token of `generate`."""
    chat = load_chat(Settings(adapter="none", device="cpu"))
    pairs = []
    for _ in range(rounds):
        pairs += [(first_piece(chat, one), bare_first_token(chat, one)) for one in CONVERSATIONS]
    streamed, bare = zip(*pairs[REQUESTS // 2 :], strict=True)
    chat.close()
    return {"first streamed piece": round(median(streamed), 4), "bare generate": round(median(bare), 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="write a JSON record here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plain = throughput(options.rounds, Path(folder))
    first = latency(options.rounds)
    record = {
        **provenance("torch", "transformers", "peft"),
        "requests": REQUESTS,
        "new_tokens": NEW_TOKENS,
        "rounds": options.rounds,
        "seconds": plain | first,
        "times_transformers_serve": round(plain["transformers serve"] / plain["together"], 2),
        "times_one_by_one": round(plain["one by one"] / plain["together"], 2),
        "first_piece_of_bare_generate": round(first["first streamed piece"] / first["bare generate"], 2),
    }
    print(record)
    if options.out:
        write_record(options.out, record)


if __name__ == "__main__":
    main()
