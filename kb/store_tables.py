"""What the database holds: documents with their text, passages with their vectors, tables, the state of the whole."""

import json
import sqlite3
import zlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict

import numpy as np

from kb.records import Cell, Document, Passage, Repair, Row, Table
from kb.store_values import Change, DocumentInfo, State, Vectors

INFO = "id, name, title, sha256, encoding, chars, passages, damage, repairs, pipeline"


def read_state(rows: sqlite3.Connection) -> State:
    return State(**dict(rows.execute("SELECT key, value FROM state")))


def write_state(rows: sqlite3.Connection, **changed: str | int) -> None:
    rows.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", changed.items())


def read_infos(rows: sqlite3.Connection) -> list[DocumentInfo]:
    """All documents, by name."""
    return [_info(row) for row in rows.execute(f"SELECT {INFO} FROM documents ORDER BY name")]  # noqa: S608


def read_alike(rows: sqlite3.Connection, name: str, sha256: str) -> list[DocumentInfo]:
    """The documents with this name or content, by name."""
    query = f"SELECT {INFO} FROM documents WHERE name = ? OR sha256 = ? ORDER BY name"  # noqa: S608
    return [_info(row) for row in rows.execute(query, [name, sha256])]


def has_documents(rows: sqlite3.Connection) -> bool:
    return bool(rows.execute("SELECT EXISTS (SELECT 1 FROM documents)").fetchone()[0])


def count_passages(rows: sqlite3.Connection) -> int:
    """How many passages there are in all documents."""
    return int(rows.execute("SELECT coalesce(sum(passages), 0) FROM documents").fetchone()[0])


def read_document(rows: sqlite3.Connection, name_or_id: str) -> Document | None:
    found = rows.execute(
        f"SELECT {INFO}, content FROM documents WHERE ? IN (id, name)",  # noqa: S608
        [name_or_id],
    ).fetchone()
    if found is None:
        return None
    info = _info(found[:-1])
    content = json.loads(zlib.decompress(found[-1]))
    repairs = (Repair(**{**repair, "alternatives": tuple(repair["alternatives"])}) for repair in content["repairs"])
    return Document(
        id=info.id,
        name=info.name,
        title=info.title,
        text=content["text"],
        encoding=info.encoding,
        sha256=info.sha256,
        damage=info.damage,
        repairs=tuple(repairs),
        received=content.get("received"),
        page_starts=tuple(content.get("page_starts", ())),
    )


def read_passages(rows: sqlite3.Connection) -> list[Passage]:
    """All passages, by document and place."""
    found = rows.execute("SELECT record FROM documents JOIN passages USING (generation) ORDER BY name, number")
    return [passage_of(record) for (record,) in found]


def read_sizes(rows: sqlite3.Connection) -> dict[str, int]:
    """How many passages each generation has, in the order of the documents' names."""
    return dict(rows.execute("SELECT generation, passages FROM documents ORDER BY name"))


def read_records(rows: sqlite3.Connection, generation: str) -> list[str]:
    """The passages of a generation as `record_of` gives them."""
    found = rows.execute("SELECT record FROM passages WHERE generation = ? ORDER BY number", [generation])
    return [record for (record,) in found]


def read_passages_at(rows: sqlite3.Connection, places: Iterable[tuple[str, int]]) -> list[Passage | None]:
    """The passage at each generation and number; None where the generation is gone."""
    query = "SELECT record FROM passages WHERE generation = ? AND number = ?"
    found = (rows.execute(query, place).fetchone() for place in places)
    return [passage_of(row[0]) if row else None for row in found]


def read_vectors(rows: sqlite3.Connection, generation: str) -> tuple[list[Passage], Vectors]:
    """The passages of a generation and their vectors [n, d]."""
    query = "SELECT record, vector FROM passages WHERE generation = ? ORDER BY number"
    found = rows.execute(query, [generation]).fetchall()
    vectors = np.array([np.frombuffer(vector, np.float32) for _, vector in found], np.float32)
    return [passage_of(record) for record, _ in found], vectors.reshape(len(found), -1 if found else 0)


def write_vectors(rows: sqlite3.Connection, generation: str, vectors: Vectors) -> None:
    """Other vectors [n, d] for the passages of a generation."""
    changed = ((vector.tobytes(), generation, number) for number, vector in enumerate(vectors))
    rows.executemany("UPDATE passages SET vector = ? WHERE generation = ? AND number = ?", changed)


def read_lines(rows: sqlite3.Connection, places: Iterable[tuple[str, int]]) -> list[bytes | None]:
    """What was kept of the lines of the passage at each generation and number; None where nothing was."""
    query = "SELECT vectors FROM lines WHERE generation = ? AND number = ?"
    found = (rows.execute(query, place).fetchone() for place in places)
    return [row[0] if row else None for row in found]


def write_lines(rows: sqlite3.Connection, generation: str, lines: Iterable[bytes]) -> None:
    """Keeps these vectors of the lines of a generation's passages, in place of those there are."""
    rows.execute("DELETE FROM lines WHERE generation = ?", [generation])
    rows.executemany(
        "INSERT INTO lines VALUES (?, ?, ?)", ((generation, number, each) for number, each in enumerate(lines))
    )


def read_generations(rows: sqlite3.Connection) -> dict[str, str]:
    """The generation of each document, by its id."""
    return dict(rows.execute("SELECT id, generation FROM documents"))


def read_twins(rows: sqlite3.Connection, documents: Iterable[Document], gone: Collection[str]) -> dict[str, str]:
    """The ids of those documents that are new here but not their content, with the id of the one that has it.

    What is `gone` has nothing.
    """
    found = rows.execute("SELECT id, sha256 FROM documents").fetchall()
    known = {identity for identity, _ in found}
    holders = {sha256: identity for identity, sha256 in found if identity not in gone}
    return {each.id: holders[each.sha256] for each in documents if each.id not in known and each.sha256 in holders}


def write_document(rows: sqlite3.Connection, generation: str, change: Change) -> None:
    document = change.document
    content = json.dumps(
        {
            "text": document.text,
            "repairs": [asdict(repair) for repair in document.repairs],
            "received": document.received,
            "page_starts": document.page_starts,
        }
    )
    fields = {
        "id": document.id,
        "generation": generation,
        "name": document.name,
        "title": document.title,
        "sha256": document.sha256,
        "encoding": document.encoding,
        "chars": len(document.text),
        "passages": len(change.passages),
        "damage": json.dumps(document.damage),
        "repairs": len(document.repairs),
        "pipeline": change.pipeline,
        "content": zlib.compress(content.encode()),
    }
    marks = ", ".join(f":{name}" for name in fields)
    rows.execute(f"INSERT INTO documents ({', '.join(fields)}) VALUES ({marks})", fields)  # noqa: S608
    rows.executemany(
        "INSERT INTO passages VALUES (?, ?, ?, ?)",
        (
            (generation, number, record_of(passage), vector.astype(np.float32).tobytes())
            for number, (passage, vector) in enumerate(zip(change.passages, change.vectors, strict=True))
        ),
    )
    rows.executemany(
        "INSERT INTO tables VALUES (?, ?, ?)",
        (
            (generation, number, json.dumps(table, default=vars, ensure_ascii=False))
            for number, table in enumerate(change.tables)
        ),
    )
    write_lines(rows, generation, change.lines)


def read_tables(rows: sqlite3.Connection, documents: Collection[str] | None = None) -> list[Table]:
    """All tables, or those of the documents with these ids, by document and place."""
    given = "" if documents is None else "WHERE id IN (SELECT value FROM json_each(?))"
    wanted = [] if documents is None else [json.dumps([*documents])]
    query = f"SELECT record FROM documents JOIN tables USING (generation) {given} ORDER BY name, number"  # noqa: S608
    return [_table(record) for (record,) in rows.execute(query, wanted)]


def remove_documents(rows: sqlite3.Connection, identities: Iterable[str]) -> None:
    """Removes documents with their passages and tables; ids that there are not are passed over."""
    for identity in identities:
        generations = rows.execute("SELECT generation FROM documents WHERE id = ?", [identity]).fetchall()
        for table in ("passages", "tables", "lines"):
            rows.executemany(f"DELETE FROM {table} WHERE generation = ?", generations)  # noqa: S608
        rows.execute("DELETE FROM documents WHERE id = ?", [identity])


def read_loose(rows: sqlite3.Connection) -> list[str]:
    """The generations that a change under way adds or makes obsolete."""
    return [generation for (generation,) in rows.execute("SELECT generation FROM loose")]


def write_loose(rows: sqlite3.Connection, generations: Iterable[str]) -> None:
    rows.executemany("INSERT INTO loose VALUES (?)", ([generation] for generation in generations))


def clear_loose(rows: sqlite3.Connection) -> None:
    rows.execute("DELETE FROM loose")


def _info(row: Sequence[object]) -> DocumentInfo:
    fields = dict(zip(DocumentInfo.__dataclass_fields__, row, strict=True))
    return DocumentInfo(**{**fields, "damage": tuple(json.loads(str(fields["damage"])))})  # type: ignore[arg-type]


def passage_of(record: str | bytes) -> Passage:
    """The passage whose fields are in this JSON."""
    fields = json.loads(record)
    tuples = {name: tuple(fields[name]) for name in ("section", "header", "pages") if fields.get(name) is not None}
    return Passage(**{**fields, **tuples})


def _table(record: str) -> Table:
    fields = json.loads(record)
    rows = tuple(Row(**{**row, "cells": tuple(Cell(**cell) for cell in row["cells"])}) for row in fields.pop("rows"))
    return Table(**{**fields, "section": tuple(fields["section"]), "columns": tuple(fields["columns"])}, rows=rows)


def record_of(passage: Passage) -> str:
    """A passage's fields as JSON, on one line."""
    return json.dumps(vars(passage), ensure_ascii=False)
