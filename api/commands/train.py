"""`guide train`: a chat model taught from conversations."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.asking import JsonOption
from api.options import with_settings

if TYPE_CHECKING:
    from kb.settings import Settings

DataOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.jsonl",
        help='Conversations, `{"messages": [{"role": …, "content": …}, …]}` a line; unless given, they are made from '
        "the knowledge base's tables and definitions.",
        show_default=False,
    ),
]
BaseOption = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="The base's folder or hub id; the configured chat model unless given.",
        show_default=False,
    ),
]
EpochsOption = Annotated[float, typer.Option(min=0.01, help="How often each conversation is learnt from.")]
MaxTokensOption = Annotated[int, typer.Option(min=16, help="Longer conversations are left out.")]
BatchOption = Annotated[int, typer.Option(min=16, help="Tokens in a step, padding included.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Of the split, the order, the dropout and the first weights.")]


@with_settings("device")
def train(
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the adapter or model goes.", show_default=False)],
    base: BaseOption = None,
    data: DataOption = None,
    method: Annotated[str, typer.Option(metavar="METHOD", help="One of those that `guide methods` compares.")] = "lora",
    epochs: EpochsOption = 2.0,
    learning_rate: Annotated[
        float | None, typer.Option(min=0, help="The highest; the method's own unless given.", show_default=False)
    ] = None,
    rank: Annotated[int, typer.Option(min=1, help="LoRA's rank.")] = 16,
    alpha: Annotated[int, typer.Option(min=1, help="LoRA's scaling; the update counts alpha / rank.")] = 32,
    dropout: Annotated[float, typer.Option(min=0, max=0.9, help="LoRA's dropout.")] = 0.05,
    batch_tokens: BatchOption = 4096,
    max_tokens: MaxTokensOption = 512,
    held_out: Annotated[float, typer.Option(min=0.0, max=0.5, help="The share of conversations to test on.")] = 0.05,
    evaluations: Annotated[int, typer.Option(min=1, help="How often they are tested on.")] = 8,
    patience: Annotated[
        int, typer.Option(min=0, help="Stop after so many tests without a better loss and take the best; 0: never.")
    ] = 0,
    load_in_4bit: Annotated[bool, typer.Option("--load-in-4bit", help="Hold the base in NF4 (QLoRA).")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run in --out.")] = False,
    seed: SeedOption = 17,
    as_json: JsonOption = False,
    settings: "Settings",
) -> None:
    """Teach a chat model from conversations and write the adapter, with tokenizer, manifest, card and loss curve.

    The loss is taken on exactly the assistant's tokens. Any base works: `guide train --base Qwen/Qwen2.5-0.5B-Instruct
    --data mine.jsonl --out my-adapter`.
    """
    from api.progress import progress_bar
    from api.training import check_methods, conversations
    from models.finetune import FinetuneConfig, finetune

    check_methods([method])
    config = FinetuneConfig(
        method=method,
        learning_rate=learning_rate,
        epochs=epochs,
        batch_tokens=batch_tokens,
        max_tokens=max_tokens,
        held_out=held_out,
        rank=rank,
        alpha=alpha,
        dropout=dropout,
        evaluations=evaluations,
        patience=patience,
        load_in_4bit=load_in_4bit,
        seed=seed,
    )
    learnt_from = data or conversations(settings, out)
    with progress_bar(wanted=not as_json) as progress:
        record = finetune(
            base or settings.chat_model,
            learnt_from,
            out,
            config,
            device=settings.device,
            resume=resume,
            progress=progress,
        )
    from api.render_models import show_training
    from api.schemas_models import TrainingReply

    reply = TrainingReply.of(record, out)
    if as_json:
        print(reply.model_dump_json(indent=2))
    else:
        show_training(reply)
