"""Workbooks, presentations and books as bytes, and such with a part that no program would write."""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><dimension ref="A1:XFD99999999999"/>'
    "<sheetData>{}</sheetData>{}</worksheet>"
)
PACKAGE = """<?xml version="1.0"?>
<package xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>低秩之书</dc:title></metadata><manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>
<item id="cover" href="cover.xhtml" media-type="application/xhtml+xml"/>
<item id="a" href="text/a%20b.xhtml" media-type="application/xhtml+xml"/>
<item id="b" href="text/b.xhtml" media-type="application/xhtml+xml"/>
<item id="note" href="note.xhtml" media-type="application/xhtml+xml"/>
</manifest><spine toc="ncx"><itemref idref="cover"/><itemref idref="nav"/><itemref idref="b"/><itemref idref="a"/>
<itemref idref="note" linear="no"/></spine><guide><reference type="cover" href="cover.xhtml"/></guide></package>"""
CONTAINER = (
    '<?xml version="1.0"?><container><rootfiles><rootfile full-path="OEBPS/content.opf"/></rootfiles></container>'
)


def saved(made: Any) -> bytes:
    """A workbook of openpyxl or a presentation of python-pptx as the bytes of its file."""
    written = io.BytesIO()
    made.save(written)
    return written.getvalue()


def zipped(parts: Mapping[str, str | bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return packed.getvalue()


def with_part(data: bytes, name: str, part: str, encoding: str = "utf-8") -> bytes:
    """The document with this in place of one of its parts."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return zipped({other: archive.read(other) for other in archive.namelist()} | {name: part.encode(encoding)})


def string_cell(place: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>x</t></is></c>'


def page(body: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml">'
        f'<head><title/><script src="a.js"/></head><body>{body}</body></html>'
    )


def book(**parts: str) -> bytes:
    """A book of two chapters with a cover, contents and a page beside, or with other parts in their places."""
    contents = '<li><a href="text/a%20b.xhtml#p">第二章</a></li><li><a href="text/b.xhtml">第一章 开头</a></li>'
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": CONTAINER,
            "OEBPS/content.opf": PACKAGE,
            "OEBPS/nav.xhtml": page(f"<nav><ol>{contents}</ol></nav>"),
            "OEBPS/toc.ncx": "<ncx/>",
            "OEBPS/cover.xhtml": page("<p>封面</p>"),
            "OEBPS/note.xhtml": page("<p>旁注</p>"),
            "OEBPS/text/a b.xhtml": page('<p>没有<a id="p"/>&lt;标题&gt;的正文。</p>'),
            "OEBPS/text/b.xhtml": page("<h1>第一章</h1><p>正文 <b>粗</b>。</p>"),
        }
        | parts
    )
