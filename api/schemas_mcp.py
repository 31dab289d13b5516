"""The JSON that only the Model Context Protocol server replies with."""

from typing import Self

from api.schemas import Wire
from api.schemas_repairs import RepairOut
from kb.errors import InputError
from kb.records import Document


class LinesOut(Wire):
    """Lines of a document's restored text.

    `start` says where `text` begins in the document, in which the spans of repairs are counted too.
    """

    name: str
    title: str
    lines: tuple[int, int]
    total_lines: int
    start: int
    text: str
    repairs: tuple[RepairOut, ...]

    @classmethod
    def of(cls, document: Document, first: int, last: int, threshold: float) -> Self:
        """The lines `first` to `last`, counted from 1, both included; what lies behind the end is left out.

        Raises:
            InputError: the document ends before the first line, or the last line comes before the first.
        """
        lines = document.text.split("\n")
        if not first <= min(last, len(lines)):
            raise InputError(f"{document.name}: has no lines {first} to {last}; it has {len(lines)} lines.")
        last = min(last, len(lines))
        start = sum(map(len, lines[: first - 1])) + first - 1
        text = "\n".join(lines[first - 1 : last])
        inside = [repair for repair in document.repairs if start < repair.end and repair.start < start + len(text)]
        return cls(
            name=document.name,
            title=document.title,
            lines=(first, last),
            total_lines=len(lines),
            start=start,
            text=text,
            repairs=tuple(RepairOut.of(repair, threshold) for repair in inside),
        )
