"""What an adapter changed: base and adapter asked the same, about the documents' tables and about everything else.

An adapter can have learnt its lessons word for word and nothing more, or have paid for them with what the base knew. So
the same cells are asked for as the lessons ask and in other words, and general questions are asked beside them.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kb.errors import ModelError
from kb.records import Table
from models.chat import Chat, Sampling
from rag.lessons import CELL_QUESTIONS
from rag.metrics import grounded
from rag.prompt import plain

ProbeKind = Literal["taught", "reworded", "general"]
KINDS: tuple[ProbeKind, ...] = ("taught", "reworded", "general")

REWORDED = ("{} 在{}方面是什么情况？", "想了解 {} 的{}", "你知道 {} 的{}吗？")
GENERAL = (
    ("一年有多少个月？", "十二个月"),
    ("中国的首都是哪座城市？", "北京"),
    ("水在标准大气压下多少度沸腾？", "一百摄氏度"),
    ("太阳从哪个方向升起？", "东方"),
    ("二进制由哪两个数字组成？", "0 和 1"),
    ("一个星期有几天？", "七天"),
    ("三角形有几条边？", "三条边"),
    ("Python 是一种什么？", "编程语言"),
    ("HTTP 是什么的缩写？", "超文本传输协议"),
    ("数据库用来做什么？", "存储和查询数据"),
    ("函数的返回值用哪个关键字？", "return"),
    ("What is the capital of France?", "Paris"),
)
NEW_TOKENS = 64
REPETITION = 1.2


@dataclass(frozen=True)
class Probe:
    """A question and a text that answers it."""

    kind: ProbeKind
    question: str
    reference: str


@dataclass(frozen=True)
class Outcome:
    """What one of the two wrote, how much of the reference is in it, and how unlikely it finds the reference.

    `recalled` is the share of the reference's letters and digits that stand in the answer; `loss` is in nats a
    character of the reference.
    """

    answer: str
    recalled: float
    loss: float


@dataclass(frozen=True)
class Probed:
    """One probe's two outcomes."""

    probe: Probe
    base: Outcome
    adapted: Outcome


@dataclass(frozen=True)
class Summary:
    """Means over the probes of one kind, base and adapter."""

    kind: ProbeKind
    probes: int
    loss: tuple[float, float]
    recalled: tuple[float, float]


@dataclass(frozen=True)
class Probing:
    """All that was asked; `share` is the adapter's share of all parameters, where it can be told."""

    adapter: str
    share: float | None
    probed: tuple[Probed, ...]

    @property
    def summaries(self) -> tuple[Summary, ...]:
        return tuple(_summary(kind, [one for one in self.probed if one.probe.kind == kind]) for kind in KINDS)


def make_probes(tables: Sequence[Table], cells: int = 12, seed: int = 0) -> list[Probe]:
    """The general questions, and some of the tables' cells, each asked for as lessons do and in other words."""
    found = [
        (row.cells[0].text, column, cell.text)
        for table in tables
        if table.kind == "table"
        for row in table.rows
        for column, cell in zip(table.columns[1:], row.cells[1:], strict=True)
        if row.cells[0].text and 4 <= len(cell.text) <= 60
    ]
    chosen = random.Random(seed).sample(found, min(cells, len(found)))
    made = [Probe("general", question, answer) for question, answer in GENERAL]
    for n, (subject, column, cell) in enumerate(chosen):
        made.append(Probe("taught", CELL_QUESTIONS[n % len(CELL_QUESTIONS)].format(subject, column), cell))
        made.append(Probe("reworded", REWORDED[n % len(REWORDED)].format(subject, column), cell))
    return made


def probe_adapter(chat: Chat, asked: Sequence[Probe], seed: int = 0) -> Probing:
    """Asks base and adapter each probe, on the same weights and seed.

    Raises:
        ModelError: there is no adapter, or the model is on a server that tells no likelihoods.
    """
    if not (chat.adapters and chat.scores):
        raise ModelError("What an adapter changed can only be told of a local model with one. Set GUIDE_ADAPTER.")
    adapter = chat.adapters[0]
    sampling = Sampling(repetition_penalty=REPETITION, seed=seed)
    both = [adapter, None]
    prompts = [plain(probe.question) for probe in asked for _ in both]
    written = chat.generate(prompts, both * len(asked), max_new_tokens=NEW_TOKENS, sampling=sampling)
    probed = []
    for n, probe in enumerate(asked):
        nats = chat.score([plain(probe.question)] * 2, probe.reference, both).nats
        adapted, base = (
            _outcome(written[2 * n + i].text.strip(), probe.reference, float(nats[i])) for i in range(len(both))
        )
        probed.append(Probed(probe, base, adapted))
    return Probing(adapter, chat.adapter_share(adapter), tuple(probed))


def _outcome(answer: str, reference: str, nats: float) -> Outcome:
    return Outcome(answer, grounded(reference, answer), round(-nats / len(reference), 3))


def _summary(kind: ProbeKind, probed: Sequence[Probed]) -> Summary:
    def mean(values: Sequence[float]) -> float:
        return round(sum(values) / len(values), 3) if values else 0.0

    return Summary(
        kind=kind,
        probes=len(probed),
        loss=(mean([one.base.loss for one in probed]), mean([one.adapted.loss for one in probed])),
        recalled=(mean([one.base.recalled for one in probed]), mean([one.adapted.recalled for one in probed])),
    )
