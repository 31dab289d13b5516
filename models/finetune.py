"""Teaches a chat model from conversations: an adapter by one of the methods of `models.methods`, or all its weights."""

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from kb.errors import InputError
from kb.settings import WEIGHTS
from models.conversations import supervised_rows
from models.families import family_of
from models.fit import base_config
from models.hub import given_folder, model_name
from models.inspect import MANIFEST, config_digest, fingerprint, locate, read_json
from models.load import embedding_rows, load_base, pick_device
from models.load_tokenizer import check_token_ids, chosen_template, load_tokenizer
from models.methods import METHODS, Shape, Task, put_on
from models.teaching import FinetuneConfig, Progress, Record, Teacher
from models.template import ChatTemplate

__all__ = ["FinetuneConfig", "Record", "finetune"]

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Origin:
    """What a training run began from: the base as it was given and its folder, and the data."""

    base: str
    folder: Path
    data: Path


def finetune(
    base: str,
    data: Path,
    out: Path,
    config: FinetuneConfig,
    *,
    device: str = "auto",
    resume: bool = False,
    progress: Progress = lambda *_: None,
) -> Record:
    """Trains on the conversations in `data` and writes to `out` what can be loaded, with the record of how it was made.

    An adapter comes with its tokenizer, template, manifest, model card and loss curve; all weights (method `full`) as a
    model of their own, in bfloat16. With `resume` an interrupted run in `out` goes on.

    Raises:
        InputError: the data or `out` can't be used, or the method doesn't suit the base.
        ModelError: the base can't be loaded.
    """
    folder = locate(base, "--base")
    method = METHODS[config.method]
    _check_out(out, full=method.config is None)
    template = _template(folder)
    shape = base_config(folder)
    encodes = bool(shape.is_encoder_decoder)
    window = getattr(shape, "max_position_embeddings", None) or config.max_tokens
    rows = supervised_rows(template, data, min(config.max_tokens, window), encodes=encodes)
    four_bits = config.load_in_4bit or method.name == "qlora"
    torch.manual_seed(config.seed)
    loaded = load_base(
        folder,
        pick_device(device),
        dtype="float32" if method.config is None else "auto",  # what is trained is kept exact; adapters always are
        quantization="4bit" if four_bits else "none",
    )
    check_token_ids(template.tokenizer, folder, embedding_rows(loaded))
    # AdaLoRA has to know its steps before the batches are counted: by tokens, which is near enough
    guess = int(config.epochs * sum(len(row.ids) for row in rows) / config.batch_tokens)
    task: Task = "SEQ_2_SEQ_LM" if encodes else "CAUSAL_LM"
    family = family_of(folder)
    targets = family.lora_targets if family else ()
    model = put_on(loaded, method, Shape(config.rank, config.alpha, config.dropout, max(1, guess), task, targets))
    known, pad = fingerprint(folder), _padding(template.tokenizer)
    teacher = Teacher(model, method, rows, config, pad=pad, checkpoint=out / CHECKPOINT, base=known)
    if resume:
        teacher.resume()
    record = teacher.run(progress)
    _save(model, template.tokenizer, out, method=config.method)
    _describe(out, Origin(base, folder, data), config, record, encodes=encodes)
    (out / CHECKPOINT).unlink(missing_ok=True)
    return record


def _template(folder: Path) -> ChatTemplate:
    """How the base is spoken to; its tokenizer keeps the template, its family's if it has none."""
    tokenizer = load_tokenizer(folder)
    tokenizer.chat_template = chosen_template(None, tokenizer, family_of(folder)) or tokenizer.chat_template
    return ChatTemplate(tokenizer)


def _padding(tokenizer: PreTrainedTokenizerBase) -> int:
    return int(next((token for token in (tokenizer.pad_token_id, tokenizer.eos_token_id) if token is not None), 0))


def _check_out(out: Path, *, full: bool) -> None:
    """Makes sure, before anything is learnt, that what is learnt can be kept."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise InputError(f"{out}: no folder can be made there ({problem.strerror}). Give another --out.") from problem
    other = "adapter_config.json" if full else "config.json"
    if (out / other).is_file():
        what = "an adapter" if full else "a model"
        raise InputError(f"{out}: holds {what} already, and the two must not lie in one folder. Give another --out.")


def _save(model: Any, tokenizer: Any, out: Path, *, method: str) -> None:
    if method == "full":
        model.to(torch.bfloat16).save_pretrained(out)
    else:
        model.save_pretrained(str(out), save_embedding_layers=False)
    tokenizer.save_pretrained(str(out))


def _describe(out: Path, origin: Origin, config: FinetuneConfig, record: Record, *, encodes: bool) -> None:
    """Writes beside the weights what they were made of and how."""
    if config.method != "full":
        _name_base(out, origin)
    _write_manifest(out, origin, config, record)
    (out / "README.md").write_text(_card(origin, config, record, encodes=encodes), encoding="utf-8")
    _plot(record, out / "loss.png")


def _name_base(out: Path, origin: Origin) -> None:
    """Says where the base is to be found again: a hub id with its commit, a folder's path, a shipped one's name."""
    if given_folder(origin.base):
        folder = origin.folder.resolve()
        named = {"base_model_name_or_path": folder.name if folder.is_relative_to(WEIGHTS) else str(folder)}
    else:
        named = {"base_model_name_or_path": model_name(origin.folder), "revision": origin.folder.name}
    file = out / "adapter_config.json"
    config = read_json(file) | named
    file.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _write_manifest(out: Path, origin: Origin, config: FinetuneConfig, record: Record) -> None:
    manifest = {
        "base": model_name(origin.folder),
        "base_fingerprint": fingerprint(origin.folder),
        "data": origin.data.name,
        "data_sha256": hashlib.sha256(origin.data.read_bytes()).hexdigest(),
        "training": asdict(config),
        "record": asdict(record),
        "versions": {name: version(name) for name in ("torch", "transformers", "peft")},
    }
    if (out / "adapter_config.json").is_file():
        manifest["config_sha256"] = config_digest(out)
    (out / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _card(origin: Origin, config: FinetuneConfig, record: Record, *, encodes: bool) -> str:
    """A model card as the hub reads it."""
    method, full = METHODS[config.method], config.method == "full"
    named = model_name(origin.folder)
    paper = f" ({method.paper})" if method.paper else ""
    setting = "GUIDE_CHAT_MODEL" if full else "GUIDE_ADAPTER"
    return f"""---
base_model: {named}
library_name: {"transformers" if full else "peft"}
pipeline_tag: {"text2text-generation" if encodes else "text-generation"}
---

# {method.called} of {named}

Trained with `guide train` by {method.called}{paper} on {record.conversations} conversations ({origin.data.name}), with
the loss on the assistant's tokens alone: {100 * record.trainable_share:.3g} % of the parameters, {record.steps} steps,
{record.seconds:.0f} seconds. On held-out conversations {record.loss_before:.3f} → {record.loss_after:.3f} nats a token.

`{MANIFEST}` holds the base's fingerprint, the data's hash, the options, the losses and the versions. What the data's
licence asks of a model that has learnt from it holds for this one too.

```bash
{setting}=this-folder guide ask "…"
```
"""


def _plot(record: Record, file: Path) -> None:
    """The loss curve as a picture, where matplotlib is installed (`pip install guide[plots]`)."""
    if find_spec("matplotlib") is None or not record.curve:
        return
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    steps = [measured.step for measured in record.curve]
    axes.plot(steps, [measured.loss for measured in record.curve], label="training")
    held_out = [record.loss_before, *(measured.held_out for measured in record.curve)]
    axes.plot([0, *steps], held_out, label="held out")
    axes.set(xlabel="step", ylabel="loss (nats per token)", ylim=(0, None))
    axes.legend()
    figure.savefig(file, dpi=120)
