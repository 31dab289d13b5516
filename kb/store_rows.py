"""Records as the rows that a vector store takes: flat metadata, no lists, no None."""

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from kb.records import Document, Passage, Repair

Metadata = Mapping[str, Any]


@dataclass(frozen=True)
class DocumentInfo:
    """What is known of a document without reading its text; `pipeline` is the version of what made its passages."""

    id: str
    name: str
    title: str
    sha256: str
    encoding: str
    chars: int
    passages: int
    damage: tuple[str, ...]
    repairs: int
    pipeline: str


def info_row(document: Document, passages: int, pipeline: str, generation: str) -> dict[str, Any]:
    """A document's row; what its `generation` names is what readers see."""
    return {
        "generation": generation,
        "name": document.name,
        "title": document.title,
        "sha256": document.sha256,
        "encoding": document.encoding,
        "chars": len(document.text),
        "passages": passages,
        "damage": json.dumps(document.damage),
        "repairs": len(document.repairs),
        "pipeline": pipeline,
    }


def info_from(identity: str, row: Metadata) -> DocumentInfo:
    fields = {name: row[name] for name in DocumentInfo.__dataclass_fields__ if name not in {"id", "damage"}}
    return DocumentInfo(id=identity, damage=tuple(json.loads(row["damage"])), **fields)


def content_row(document: Document) -> dict[str, Any]:
    """The restored text and its repairs, compressed: text of megabytes is nothing to index."""
    content = json.dumps({"text": document.text, "repairs": [asdict(repair) for repair in document.repairs]})
    return {"content": base64.b85encode(zlib.compress(content.encode())).decode("ascii")}


def document_from(info: DocumentInfo, row: Metadata) -> Document:
    content = json.loads(zlib.decompress(base64.b85decode(row["content"])))
    return Document(
        id=info.id,
        name=info.name,
        title=info.title,
        text=content["text"],
        encoding=info.encoding,
        sha256=info.sha256,
        damage=info.damage,
        repairs=tuple(
            Repair(**{**repair, "alternatives": tuple(repair["alternatives"])}) for repair in content["repairs"]
        ),
    )


def passage_row(passage: Passage, generation: str) -> dict[str, Any]:
    """A passage's metadata; its text is the row's document."""
    return {
        "generation": generation,
        "id": passage.id,
        "document_id": passage.document_id,
        "source": passage.source,
        "kind": passage.kind,
        "section": json.dumps(passage.section, ensure_ascii=False),
        "start": passage.start,
        "end": passage.end,
        "first_line": passage.first_line,
        "last_line": passage.last_line,
        "context": passage.context,
        "header": json.dumps(passage.header, ensure_ascii=False),
    }


def passage_from(row: Metadata, text: str) -> Passage:
    fields = {name: row[name] for name in Passage.__dataclass_fields__ if name not in {"text", "section", "header"}}
    return Passage(
        text=text, section=tuple(json.loads(row["section"])), header=tuple(json.loads(row["header"])), **fields
    )
