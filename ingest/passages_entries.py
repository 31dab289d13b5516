"""Sections that are entries of an API's page into drafts: whole, and in the parts that such an entry has."""

import re
from collections.abc import Iterator, Sequence

from ingest.markdown import Markdown
from ingest.passages_blocks import WHOLE, Block, Draft
from ingest.passages_groups import group_drafts, groups, join_small, main_kind
from kb.entries import find_entry

_IMPORT = re.compile(r"^[^\w\n]*(?:from\s+[\w.]+\s+)?import\s+([\w.]+(?:(?:\s+as\s+\w+)?\s*,\s*[\w.]+)*)", re.MULTILINE)


def entry_drafts(markdown: Markdown, blocks: Sequence[Block], start: int) -> list[Draft] | None:
    """The drafts of a section that begins at `start`; None if it is no entry.

    The name with its signature is one, what follows is taken apart as elsewhere; an entry that isn't too long also
    stands whole. All are found by the names that its example imports: translated pages have them nowhere else.
    """
    entry = find_entry(markdown.text[start : blocks[-1].end])
    if entry is None:
        return None
    head = Draft("prose", start, start + entry.end)
    below = [block for block in blocks if block.start >= head.end]
    drafts = [draft for group in groups(markdown, below) for draft in group_drafts(markdown, group)] if below else []
    parts = (head, *join_small(markdown, drafts))
    if blocks[-1].end - start <= WHOLE:
        parts = (Draft(main_kind(blocks), start, blocks[-1].end, parts=parts),)
    imported = " ".join(dict.fromkeys(_imported(markdown, below)))
    return [part.under(imported) for part in parts] if imported else list(parts)


def _imported(markdown: Markdown, blocks: Sequence[Block]) -> Iterator[str]:
    for block in blocks:
        if block.kind == "code":
            for found in _IMPORT.finditer(markdown.source(block.node)):
                yield from (name.split()[0] for name in found[1].split(","))
