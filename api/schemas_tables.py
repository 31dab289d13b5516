"""The JSON of tables, the same for `--json` and REST. docs/design.md fixes the shapes."""

from collections.abc import Iterable
from typing import Self

from api.schemas import Wire
from kb.records import Row, Table, TableKind


class RowOut(Wire):
    """A row; it stands at `[start, end)` of the document's restored text, and each of its cells at its span."""

    cells: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    start: int
    end: int
    lines: tuple[int, int]

    @classmethod
    def of(cls, row: Row) -> Self:
        return cls(
            cells=tuple(cell.text for cell in row.cells),
            spans=tuple((cell.start, cell.end) for cell in row.cells),
            start=row.start,
            end=row.end,
            lines=(row.first_line, row.last_line),
        )


class TableOut(Wire):
    """A table; `kind` says how it is written in the document, the first column what its rows are about."""

    id: str
    document_id: str
    source: str
    kind: TableKind
    title: str
    section: tuple[str, ...]
    columns: tuple[str, ...]
    lines: tuple[int, int]
    rows: tuple[RowOut, ...]

    @classmethod
    def of(cls, table: Table) -> Self:
        return cls(
            id=table.id,
            document_id=table.document_id,
            source=table.source,
            kind=table.kind,
            title=table.title,
            section=table.section,
            columns=table.columns,
            lines=table.lines,
            rows=tuple(map(RowOut.of, table.rows)),
        )


class TableList(Wire):
    """All tables, by document and place."""

    tables: tuple[TableOut, ...]

    @classmethod
    def of(cls, tables: Iterable[Table]) -> Self:
        return cls(tables=tuple(map(TableOut.of, tables)))
