"""Models, training runs and methods as people read them in a terminal."""

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from api.render import open_console, print_line, visible
from api.schemas_models import MethodOut, MethodsReply, ModelList, ModelOut, TrainingReply


def show_models(reply: ModelList) -> None:
    console = open_console()
    if reply.server:
        print_line(console, f"The chat model is on the server {visible(reply.server)}.")
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for heading in ("", "model", "what it is", "size", "usable"):
        table.add_column(Text(heading), overflow="fold")
    for model in reply.models:
        table.add_row(*(Text(visible(cell)) for cell in _summary(model)))
    console.print(table)
    for model in reply.models:
        if model.problem:
            print_line(console, visible(f"{model.name}: {model.problem}"), style="yellow")
    print_line(console, f"runs on {reply.device} in {reply.dtype}; {reply.memory:,} MB of memory", style="dim")
    print_line(console, f"families known: {', '.join(reply.families)}", style="dim")


def show_model(reply: ModelOut, memory: int) -> None:
    console = open_console()
    print_line(console, visible(reply.name), style="bold")
    lines = {
        "what it is": _summary(reply)[2],
        "parameters": f"{reply.parameters:,}" if reply.parameters else None,
        "reads": f"{reply.window:,} tokens" if reply.window else None,
        "template": reply.template,
        "rank": str(reply.rank) if reply.rank else None,
        "base": reply.base,
        "memory": _memory(reply, memory) if reply.megabytes else None,
        "usable": "yes" if reply.problem is None else f"no: {reply.problem}",
    }
    for name, value in lines.items():
        if value:
            print_line(console, Text.assemble((f"{name:<12}", "cyan"), visible(value)))


def _summary(model: ModelOut) -> tuple[str, ...]:
    if model.kind == "adapter":
        what = f"{model.method} adapter" if model.method else "adapter"
    else:
        what = " ".join(filter(None, (model.architecture, f"({model.family})" if model.family else None)))
    size = f"{(model.parameters or 0) / 1e6:,.1f} M" if model.parameters else ""
    return model.place, model.name, what or model.kind, size, "no" if model.problem else "yes"


def _memory(model: ModelOut, memory: int) -> str:
    told = [
        f"{kind} {size:,} MB{'' if size < memory else ' (too much here)'}"
        for kind, size in (model.megabytes or {}).items()
    ]
    return " · ".join(told)


def show_training(reply: TrainingReply) -> None:
    console = open_console()
    print_line(console, visible(reply.out), style="bold")
    print_line(
        console,
        f"{reply.conversations} conversations, {reply.steps} steps, {reply.seconds:.0f} s, "
        f"{100 * reply.trainable_share:.3g} % of the parameters{', stopped early' if reply.stopped_early else ''}",
    )
    print_line(console, f"loss on held-out conversations: {reply.loss_before:.3f} → {reply.loss_after:.3f}")


def show_methods(reply: MethodsReply) -> None:
    console = open_console()
    said = next((method.said for method in reply.methods if method.said), {})
    shares = [column for column in said if any("%" in method.said.get(column, "") for method in reply.methods)]
    memory = [column for column in said if "内存" in column or "memory" in column.lower()]
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for heading in ("method", "trained", *_said(shares), "memory", *_said(memory), "kept", "seconds", "loss"):
        table.add_column(Text(visible(heading)), justify="left" if heading == "method" else "right")
    for method in reply.methods:
        table.add_row(*(Text(visible(cell)) for cell in _row(method, shares, memory)))
    console.print(table)
    for method in reply.methods:
        if method.problem:
            print_line(console, f"{method.called}: {method.problem}", style="dim")
    before = next((method.loss_before for method in reply.methods if method.loss_before is not None), None)
    if before is not None:
        print_line(console, f"Held-out loss before training: {before:.3f} nats a token.", style="dim")


def _said(columns: list[str]) -> list[str]:
    return [f"said: {column}" for column in columns]


def _row(method: MethodOut, shares: list[str], memory: list[str]) -> list[str]:
    if method.problem:
        measured = ["–"] * 5
    else:
        measured = [
            f"{100 * (method.trainable_share or 0):.3g} %",
            f"{method.megabytes:.0f} MB",
            f"{method.adapter_megabytes} MB",
            f"{method.seconds}",
            f"{method.loss_after:.3f}",
        ]
    says = [method.said.get(column, "") for column in shares]
    recalls = [method.said.get(column, "") for column in memory]
    return [method.called, measured[0], *says, measured[1], *recalls, *measured[2:]]
