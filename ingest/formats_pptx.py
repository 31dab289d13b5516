"""Presentations of PowerPoint (.pptx): each slide a page, its title the heading, its text in the order of reading."""

import io
from collections.abc import Iterable, Iterator
from typing import Any

from ingest.formats_markdown import BLOCK, markdown_table, on_one_line, paragraph

__all__ = ["slide_texts"]

ROWS = 24  # shapes whose upper edges lie in the same one of so many rows of a slide are read from left to right
LONGEST_TITLE = 60  # letters of a first line that serves as the title of a slide without one
LISTED, PLAIN = ("buChar", "buAutoNum", "buBlip"), "buNone"
INDENT = "   "


def slide_texts(data: bytes) -> list[str]:
    """The text of each slide as Markdown, with its notes; nothing for a hidden slide and for one without text."""
    from pptx import Presentation

    deck = Presentation(io.BytesIO(data))
    height = deck.slide_height or 1
    return [
        "" if slide.element.get("show") == "0" else _slide_text(slide, height, first=number == 0)
        for number, slide in enumerate(deck.slides)
    ]


def _slide_text(slide: Any, height: int, *, first: bool) -> str:
    """A slide's text. The title of the deck, on its first slide, stands above those of the others."""
    from pptx.enum.shapes import PP_PLACEHOLDER

    title = slide.shapes.title
    blocks = [
        block
        for shape in _in_order(slide.shapes, height)
        if title is None or shape.shape_id != title.shape_id
        for block in _blocks(shape, height)
    ]
    name = on_one_line(title.text_frame.text) if title is not None else ""
    if not name and blocks and _is_title(blocks[0]):
        name = blocks.pop(0)
    of_the_deck = first and title is not None and title.placeholder_format.type == PP_PLACEHOLDER.CENTER_TITLE
    heading = [f"{'#' if of_the_deck else '##'} {name}"] if name else []
    notes = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    return "\n\n".join([*heading, *blocks, *(_paragraphs(notes.paragraphs, listed=False) if notes else ())])


def _is_title(block: str) -> bool:
    return "\n" not in block and len(block) <= LONGEST_TITLE and not BLOCK.match(block)


def _in_order(shapes: Iterable[Any], height: int) -> list[Any]:
    """Shapes from top to bottom, those beside each other from left to right."""
    return sorted(shapes, key=lambda shape: ((shape.top or 0) * ROWS // height, shape.left or 0))


def _blocks(shape: Any, height: int) -> Iterator[str]:
    """The paragraphs, lists and tables of a shape, and of those in a group."""
    from pptx.enum.shapes import PP_PLACEHOLDER
    from pptx.shapes.group import GroupShape

    beside = (PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.SLIDE_NUMBER, PP_PLACEHOLDER.HEADER)
    listing = (PP_PLACEHOLDER.BODY, PP_PLACEHOLDER.OBJECT, PP_PLACEHOLDER.VERTICAL_BODY, PP_PLACEHOLDER.VERTICAL_OBJECT)
    kind = shape.placeholder_format.type if shape.is_placeholder else None
    if isinstance(shape, GroupShape):
        for inner in _in_order(shape.shapes, height):
            yield from _blocks(inner, height)
    elif shape.has_text_frame and kind not in beside:
        paragraphs = [given for given in shape.text_frame.paragraphs if given.text.strip()]
        yield from _paragraphs(paragraphs, listed=kind in listing and len(paragraphs) > 1)
    elif getattr(shape, "has_table", False):
        yield _table(shape.table)
    elif getattr(shape, "has_chart", False):
        yield from _chart(shape.chart)


def _paragraphs(paragraphs: Iterable[Any], *, listed: bool) -> Iterator[str]:
    """Paragraphs one by one, and items of a list together; `listed` if they are items where nothing else is said."""
    items: list[str] = []
    numbers: dict[int, int] = {}
    deepest = 0  # the level that the next item may have
    for given in paragraphs:
        text = on_one_line(given.text)
        marks = _marks(given)
        if not text:
            continue
        if not (listed or marks) or PLAIN in marks:
            yield from ["\n".join(items)] if items else []
            items, numbers, deepest = [], {}, 0
            yield paragraph(text)
            continue
        level = min(given.level, deepest)
        deepest = level + 1
        numbers = {other: number for other, number in numbers.items() if other <= level}
        numbers[level] = numbers.get(level, 0) + 1 if "buAutoNum" in marks else 0
        items.append(INDENT * level + (f"{numbers[level]}. " if numbers[level] else "- ") + text)
    if items:
        yield "\n".join(items)


def _marks(given: Any) -> set[str]:
    """Which marks of a list a paragraph says it has, or that it has none."""
    return {name for name in (*LISTED, PLAIN) if given._p.findall(f"{{*}}pPr/{{*}}{name}")}  # noqa: SLF001


def _table(table: Any) -> str:
    """A table; what cells over several rows hold stands in each of them."""
    rows = [[on_one_line(cell.text) for cell in row.cells] for row in table.rows]
    for number, row in enumerate(table.rows):
        for place, cell in enumerate(row.cells):
            if cell.is_merge_origin:
                for below in range(number + 1, min(number + cell.span_height, len(rows))):
                    rows[below][place] = rows[number][place]
    return markdown_table(rows)


def _chart(chart: Any) -> Iterator[str]:
    """What a chart is called, and a table of its values, a row for each category; nothing where there are none."""
    if chart.has_title:
        yield from _paragraphs(chart.chart_title.text_frame.paragraphs, listed=False)
    try:
        plots = [plot for plot in chart.plots if len(plot.categories)]
    except ValueError:  # a kind of chart that python-pptx doesn't know
        return
    for plot in plots:
        series = [(on_one_line(one.name), list(one.values)) for one in plot.series]
        rows = [
            [str(category), *("" if place >= len(values) else _value(values[place]) for _, values in series)]
            for place, category in enumerate(plot.categories)
        ]
        yield markdown_table([["", *(name for name, _ in series)], *rows])


def _value(value: float | None) -> str:
    return "" if value is None else f"{value:.12g}"
