"""Word documents as Markdown: what stands there as a title or in bold as a heading is one, whatever its style."""

import io
import re
from typing import Any

from ingest.formats_html import html_text, page_of

__all__ = ["word_text"]

TITLE = "p[style-name='Title'] => h1.title:fresh"
HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"]
LONGEST_HEADING = 60  # letters
SENTENCE_END = re.compile(r"[。！？!?；;：:，,.…]$")


def word_text(data: bytes) -> str:
    import mammoth

    no_picture = mammoth.images.img_element(lambda _: {})
    page = page_of(mammoth.convert_to_html(io.BytesIO(data), convert_image=no_picture, style_map=TITLE).value)
    if not [heading for heading in page(HEADINGS) if not heading.get("class")]:
        _mark_bold_lines(page)
    if page("h1", class_="title"):
        _put_below_title(page)
    return html_text(page)


def _mark_bold_lines(page: Any) -> None:
    """Makes headings of short lines that are bold throughout and have something else below."""
    bold = {id(line): line for line in page("p", recursive=False) if _is_bold(line)}
    for line in bold.values():
        below = line.find_next_sibling()
        if below is not None and id(below) not in bold:
            line.name = "h1"
            line.string = line.get_text()


def _is_bold(line: Any) -> bool:
    text = line.get_text().strip()
    said = "".join(strong.get_text() for strong in line("strong", recursive=False)).strip()
    return 0 < len(text) <= LONGEST_HEADING and said == text and not SENTENCE_END.search(text)


def _put_below_title(page: Any) -> None:
    for heading in page(HEADINGS):
        if heading.get("class") is None:
            heading.name = HEADINGS[min(HEADINGS.index(heading.name) + 1, len(HEADINGS) - 1)]
