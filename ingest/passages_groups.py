"""Blocks of a section into drafts: paragraphs, and what they lead to, kept together as they were written."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from ingest.markdown import Markdown
from ingest.passages_blocks import LEAD, PROSE, SMALL, WHOLE, Block, Draft, cut, last_sentence, short_bullet, size
from ingest.passages_parts import list_drafts, table_drafts
from kb.records import PassageKind

# A paragraph of fewer characters than this is read with the next one.
PARAGRAPH = 100
OUTPUT = {"", "console", "log", "output", "plain", "plaintext", "stdout", "text", "txt"}


def groups(markdown: Markdown, blocks: Sequence[Block]) -> Iterator[list[Block]]:
    """Runs of paragraphs with the lists, code and tables right below them."""
    group: list[Block] = []
    for before, block in pairwise([None, *blocks]):
        if before and block and reads_as_prose(markdown, block) and not reads_as_prose(markdown, before):
            yield group
            group = []
        if block:
            group.append(block)
    yield group


def reads_as_prose(markdown: Markdown, block: Block) -> bool:
    return block.kind == "prose" or (block.kind == "list" and short_bullet(markdown, block))


def group_drafts(markdown: Markdown, group: Sequence[Block]) -> Iterator[Draft]:
    """The drafts of one group: its paragraphs, the last of which leads the rest if it is short."""
    prose = [block for block in group if reads_as_prose(markdown, block)]
    rest = group[len(prose) :]
    if rest and all(block.kind != "table" for block in rest) and size(markdown, group[0].start, rest[-1].end) <= PROSE:
        yield Draft(main_kind(rest), group[0].start, rest[-1].end)
        return
    introduction = _introduction(markdown, prose[-1]) if rest and prose else ""
    lead = prose.pop() if introduction and size(markdown, prose[-1].start, prose[-1].end) <= LEAD else None
    yield from _prose_drafts(markdown, prose)
    start = lead.start if lead else None
    before: Block | None = None
    for run in _code_runs(markdown, rest):
        known = markdown.source(before.node)[:PROSE] if before and is_output(run[0]) else introduction
        yield from _run_drafts(markdown, run, run[0].start if start is None else start, known)
        start, before = None, run[-1]


def is_output(block: Block) -> bool:
    """Whether a block shows what the code above it printed: a fence that names no language, or says so."""
    return block.node.type == "fence" and block.node.info.strip().lower() in OUTPUT


def join_small(markdown: Markdown, drafts: Sequence[Draft]) -> list[Draft]:
    """Drafts too small to stand alone, joined with a neighbour of their section."""
    joined: list[Draft] = []
    for draft in drafts:
        before = joined[-1] if joined else None
        if before and _small(markdown, before, draft) and not (before.parts or draft.parts):
            joined[-1] = Draft(_kind_of([before, draft]), before.start, draft.end, before.context)
        else:
            joined.append(draft)
    return joined


def main_kind(blocks: Sequence[Block]) -> PassageKind:
    """What a passage of several blocks is called: by what there is most of beside prose."""
    return _kind_of([Draft(block.kind, block.start, block.end) for block in blocks])


def _kind_of(drafts: Sequence[Draft]) -> PassageKind:
    lengths: dict[PassageKind, int] = {}
    for draft in drafts:
        if draft.kind != "prose":
            lengths[draft.kind] = lengths.get(draft.kind, 0) + draft.end - draft.start
    return max(lengths, key=lambda kind: lengths[kind]) if lengths else "prose"


def _small(markdown: Markdown, before: Draft, draft: Draft) -> bool:
    smaller = min(size(markdown, before.start, before.end), size(markdown, draft.start, draft.end))
    return smaller < SMALL and size(markdown, before.start, draft.end) <= 2 * PARAGRAPH and before.end <= draft.start


def _introduction(markdown: Markdown, block: Block) -> str:
    return last_sentence(markdown.text[block.start : block.end])


def _code_runs(markdown: Markdown, blocks: Sequence[Block]) -> Iterator[list[Block]]:
    """Each list and table by itself; short code with the short code below it, up to what it printed."""
    run: list[Block] = []
    for block in blocks:
        together = run and run[0].kind == block.kind == "code" and (is_output(block) or not is_output(run[-1]))
        if run and not (together and size(markdown, run[0].start, block.end) <= PROSE):
            yield run
            run = []
        run.append(block)
    if run:
        yield run


def _run_drafts(markdown: Markdown, run: Sequence[Block], start: int, introduction: str) -> Iterator[Draft]:
    block, end = run[0], run[-1].end
    if block.kind == "table":
        yield from (draft.under(introduction) for draft in table_drafts(markdown, block, start))
    elif block.kind == "list" and size(markdown, start, end) > PROSE:
        yield from list_drafts(markdown, block, start, introduction)
    else:
        context = (introduction,) if introduction and start == block.start else ()
        yield from (Draft(block.kind, *span, context) for span in cut(markdown, start, end, WHOLE))


def _prose_drafts(markdown: Markdown, blocks: Sequence[Block]) -> Iterator[Draft]:
    """Paragraphs, short ones together, long ones cut between sentences."""
    run: list[Block] = []
    for block in blocks:
        if run:
            held = size(markdown, run[0].start, run[-1].end)
            little = min(held, size(markdown, block.start, block.end))
            limit = PROSE + SMALL if held < SMALL else PROSE
            apart = block.kind == "list" and (len(run) > 1 or held >= SMALL)
            if apart or little >= PARAGRAPH or size(markdown, run[0].start, block.end) > limit:
                yield from _cut_run(markdown, run)
                run = []
        run.append(block)
    if run:
        yield from _cut_run(markdown, run)


def _cut_run(markdown: Markdown, run: Sequence[Block]) -> Iterator[Draft]:
    kind = main_kind(run) if len(run) == 1 else "prose"
    yield from (Draft(kind, *span) for span in cut(markdown, run[0].start, run[-1].end, PROSE + SMALL))
