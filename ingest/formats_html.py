"""Web pages as Markdown, without what stands beside their text: scripts, menus, pictures."""

import re
from typing import Any

__all__ = ["html_text", "is_html", "page_of"]

HTML = re.compile(  # each comment ends where it ends: looking for other ends would take twice as long with each comment
    r"\s*(?:<\?xml[^>]*>\s*)?(?:(?><!--.*?-->)\s*)*+<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL
)
XML_DECLARATION = re.compile(r"\s*<\?xml[^>]*>")
BESIDE_THE_TEXT = ("script", "style", "template", "noscript", "svg", "nav", "title", "footer", "iframe")


def is_html(text: str) -> bool:
    return HTML.match(text) is not None


def page_of(text: str) -> Any:
    """The elements of a page, or of simple XML; nothing that it declares or names is looked up or put in."""
    from bs4 import BeautifulSoup

    return BeautifulSoup(XML_DECLARATION.sub("", text, count=1), "html.parser")


def html_text(page: Any) -> str:
    """A page's text as Markdown; the page loses what is left out."""
    from markdownify import MarkdownConverter

    for element in page(BESIDE_THE_TEXT):
        element.decompose()
    options: dict[str, Any] = {"escape_asterisks": False, "escape_underscores": False, "escape_misc": False}
    converter = MarkdownConverter(heading_style="ATX", bullets="-", strip=["img"], table_infer_header=True, **options)
    return str(converter.convert_soup(page))
