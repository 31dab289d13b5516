"""Passages line by line: what a line is, what is kept of it, and which is nearest."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pytest

from kb.records import Passage
from kb.store_values import Place
from models.lines import best_line, line_vectors, lines_of
from rag.lines import LineReader

if TYPE_CHECKING:
    from api.services import Services


def passage(text: str, *section: str) -> Passage:
    return Passage("p", "d", "d.md", "prose", text, section, 0, len(text), 1, 1)


def nearest(services: "Services", question: str, *passages: Passage) -> list[float]:
    vector = services.embedder.embed_query(question)
    return [best_line(vector, each) for each in line_vectors(passages, services.embedder)]


def test_a_line_that_says_it_all_is_nearer_than_two_that_say_half(services: "Services") -> None:
    apart = passage("缓存很小。" * 9 + "模型要先下载。权重另外合并。" + "日志很长。" * 9)
    together = passage("缓存很小。" * 9 + "下载模型之后合并权重。" + "日志很长。" * 9)
    far, near = nearest(services, "下载模型之后怎么合并权重？", apart, together)
    assert near > far


def test_lines_are_sentences_rows_and_items() -> None:
    assert lines_of("- **甲**：一二三。四五六！\n\n- 乙\n") == ["- **甲**：一二三。", "四五六！"]
    assert lines_of("| 甲 | 乙丙 |\n| 丁 | 戊己 |") == ["| 甲 | 乙丙 |", "| 丁 | 戊己 |"]
    assert lines_of("乙") == ["乙"]


def test_a_heading_counts_with_each_of_its_lines(services: "Services") -> None:
    below, elsewhere = (passage("先下载，再运行。", heading) for heading in ("合并权重", "天气"))
    near, far = nearest(services, "合并权重时先做什么？", below, elsewhere)
    assert near > far


def test_what_is_kept_of_lines_gives_their_cosines(services: "Services") -> None:
    """To some thousandths; a text without words is near to nothing."""
    text, question = "先下载模型，再合并权重。", "怎么合并权重？"
    heading, line, asked = services.embedder.embed_passages(["使用", text, question])
    joined = (heading + line) / np.linalg.norm(heading + line)
    known, unknown = nearest(services, question, passage(text, "使用"), passage("……？"))
    assert known == pytest.approx(float(joined @ asked), abs=0.01)
    assert unknown == 0


def test_lines_are_read_from_what_was_kept_and_made_where_nothing_was(services: "Services") -> None:
    first, second = passage("先下载模型。"), passage("再合并权重。")
    asked: list[list[Place]] = []

    def kept(places: Sequence[Place]) -> list[bytes | None]:
        asked.append(list(places))
        return [line_vectors([second], services.embedder)[0] if place == ("g", 0) else None for place in places]

    reader, question = LineReader(kept, services.embedder), services.embedder.embed_query("合并权重")
    read = [(("g", 0), first), (("g", 1), first), (("g", 2), second)]
    as_second, as_first, as_made = reader.best(question, read)
    assert as_second == as_made != as_first
    assert reader.best(question, read) == [as_second, as_first, as_made]
    assert asked == [[("g", 0), ("g", 1), ("g", 2)]]  # and not again
    assert reader.best(question, []) == []


def test_lines_that_another_thread_forgets_meanwhile_are_known_all_the_same(services: "Services") -> None:
    reader, text = LineReader(lambda places: [None for _ in places], services.embedder), passage("再合并权重。")
    question = services.embedder.embed_query("合并权重")
    asked = [(("g", 0), text)]
    first = reader.best(question, asked)

    class Forgotten(dict[Place, bytes]):
        def __contains__(self, place: object) -> bool:
            reader._known = {}
            return super().__contains__(place)

    reader._known = Forgotten(reader._known)
    assert reader.best(question, asked) == first


def test_the_lines_of_all_that_is_taken_in_are_kept(services: "Services") -> None:
    _, records = services.store.records([])
    places = [(generation, number) for generation, some in records for number in range(len(some or ()))]
    made = line_vectors(services.store.passages(), services.embedder)
    for kept, anew in zip(services.store.lines(places), made, strict=True):
        assert kept
        assert np.frombuffer(kept[4:], np.int8) == pytest.approx(np.frombuffer(anew[4:], np.int8), abs=1)
