"""Books (.epub): the chapters in their order, as the web pages that they are."""

import posixpath
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from ingest.formats_html import html_text, page_of
from ingest.formats_markdown import on_one_line
from ingest.read import decode, raw_document
from kb.errors import InputError

__all__ = ["Book", "read_book"]

CONTAINER, LOCKS = "META-INF/container.xml", "META-INF/encryption.xml"
PAGES = ("application/xhtml+xml", "text/html")
NO_CHAPTERS = ("cover", "toc")
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")


@dataclass(frozen=True)
class Book:
    """A book's title, empty if it tells none, and its chapters as Markdown."""

    title: str
    text: str


def read_book(archive: zipfile.ZipFile) -> Book:
    """A book's title and its chapters as Markdown, without the cover and the table of contents.

    Raises:
        InputError: its chapters are locked.
    """
    package_name = _attribute(_part(archive, CONTAINER).find("rootfile"), "full-path")
    package = _part(archive, package_name)
    items = {item.get("id"): item for item in package.find_all("item")}
    chapters = list(dict.fromkeys(_chapters(package, package_name, items)))
    _refuse_locked(archive, chapters)
    titles = _titles(archive, package_name, items)
    texts = (_chapter(archive, name, titles.get(name, "")) for name in chapters)
    title = package.find("dc:title")
    return Book(on_one_line(title.get_text()) if title else "", "\n\n".join(filter(None, texts)))


def _chapters(package: Any, package_name: str, items: dict[str, Any]) -> Iterator[str]:
    """The names of the pages that are read one after another, but for the cover and the table of contents."""
    beside = {
        _place(package_name, reference.get("href", ""))
        for reference in package.find_all("reference")
        if reference.get("type") in NO_CHAPTERS
    }
    for entry in package.find_all("itemref"):
        item = items.get(entry.get("idref"))
        if item is None or item.get("media-type") not in PAGES or entry.get("linear") == "no":
            continue
        name = _place(package_name, item.get("href", ""))
        if name not in beside and "nav" not in item.get("properties", "").split():
            yield name


def _titles(archive: zipfile.ZipFile, package_name: str, items: dict[str, Any]) -> dict[str, str]:
    """What the table of contents calls each page, by the first entry that leads there."""
    titles: dict[str, str] = {}
    for item in items.values():
        is_nav = "nav" in item.get("properties", "").split()
        if not is_nav and item.get("media-type") != "application/x-dtbncx+xml":
            continue
        name = _place(package_name, item.get("href", ""))
        contents = _part(archive, name)
        if is_nav:
            entries = [(link.get("href", ""), link.get_text()) for link in contents.select("nav ol a")]
        else:
            points = [(point.find("content"), point.find("text")) for point in contents.find_all("navpoint")]
            entries = [(_attribute(place, "src"), text.get_text()) for place, text in points if place and text]
        for href, text in entries:
            titles.setdefault(_place(name, href), on_one_line(text))
    return titles


def _chapter(archive: zipfile.ZipFile, name: str, title: str) -> str:
    """A chapter's text, below the title that the table of contents gives it if it has no heading itself."""
    page = _part(archive, name)
    headed = any(on_one_line(heading.get_text()) for heading in page.find_all(HEADINGS))
    text = html_text(page).strip()
    return f"# {title}\n\n{text}" if text and title and not headed else text


def _refuse_locked(archive: zipfile.ZipFile, chapters: list[str]) -> None:
    """Fonts may be locked: they are not read."""
    if LOCKS not in archive.namelist():
        return
    locked = {unquote(part.get("uri", "")) for part in _part(archive, LOCKS).find_all("cipherreference")}
    if locked.intersection(chapters):
        raise InputError("it is locked by its seller (DRM). Give a copy without a lock.")


def _part(archive: zipfile.ZipFile, name: str) -> Any:
    try:
        data = archive.read(name)
    except KeyError as problem:
        raise InputError(f"its part {name or 'content.opf'} is missing. Get the book anew, or convert it.") from problem
    return page_of(decode(raw_document(name, data)).text)


def _attribute(element: Any, name: str) -> str:
    return str(element.get(name, "")) if element else ""


def _place(beside: str, href: str) -> str:
    """The name of the part that a part beside it leads to."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(beside), unquote(href.partition("#")[0])))
