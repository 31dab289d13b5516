"""Checks what a model writes freely: a sentence keeps a citation only if the cited passage bears it out."""

import re
from collections.abc import Callable, Sequence

from kb.language import language_of
from kb.records import Citation, Document, Hit
from kb.terms import terms
from rag.cite import cite
from rag.pieces import Piece, pieces

__all__ = ["CheckedWriting", "bears_out"]

ENOUGH = 0.4  # the share of a claim's terms that the quoted piece has to hold
_SENTENCE = re.compile(
    r"(?:[^。！？!?；\n.]|\.(?!\s))*(?:[。！？!?；\n]|\.(?=\s))"  # up to its end
    r"[”’」』）)]*(?:[ ]*\[\d+\])*(?=[ ]*[^\[ ])"  # and the marks after it, once it is sure that no more will come
)
_MARK = re.compile(r"[ ]*\[(\d+)\]")
_EXACT = re.compile(r"\d+(?:[.,]\d+)*%?|[A-Za-z]\w*(?:[_.]\w+)+|\w*[a-z][A-Z]\w*")


class CheckedWriting:
    """Text written about numbered hits goes in piece by piece; whole sentences with checked citations come out.

    A mark `[i]` names hit i (from 1) when it goes in, and citation n when it comes out; a mark whose hit doesn't bear
    the sentence out is left out.
    """

    def __init__(self, hits: Sequence[Hit], document: Callable[[str], Document | None]) -> None:
        self._hits, self._document = hits, document
        self._pending = ""
        self.text = ""
        self.citations: list[Citation] = []

    def feed(self, text: str) -> str:
        """The sentences that are whole now, maybe none."""
        self._pending += text
        out = ""
        while found := _SENTENCE.match(self._pending):
            self._pending = self._pending[found.end() :]
            out += self._checked(found[0])
        self.text += out
        return out

    def finish(self) -> str:
        """What was held back."""
        rest, self._pending = self._checked(self._pending), ""
        self.text += rest
        return rest

    def _checked(self, sentence: str) -> str:
        claim = _MARK.sub("", sentence)
        return _MARK.sub(lambda mark: self._numbered(int(mark[1]), claim), sentence)

    def _numbered(self, number: int, claim: str) -> str:
        if not 1 <= number <= len(self._hits):
            return ""
        piece = bears_out(claim, pieces([self._hits[number - 1]]))
        if piece is None:
            return ""
        start, end = piece.span
        passage = piece.hit.passage
        for known in self.citations:
            if (known.source, known.start, known.end) == (passage.source, start, end):
                return f" [{known.n}]"
        self.citations.append(cite(len(self.citations) + 1, piece, self._document(passage.document_id)))
        return f" [{len(self.citations)}]"


def bears_out(claim: str, candidates: Sequence[Piece]) -> Piece | None:
    """The piece that bears a claim out best, or None.

    It must hold the claim's every number and identifier and enough of its terms; of a claim in another language than
    the piece's, whose terms can't be the same, numbers and identifiers alone are asked, of which there must be some.
    """
    exact = {one.casefold() for one in _EXACT.findall(claim)}
    said = set(terms(claim))
    best: tuple[float, Piece | None] = (0.0, None)
    for piece in candidates:
        text = f"{piece.about}\n{piece.text}"
        plain = text.casefold().replace("\\", "")
        if not said or not all(one in plain for one in exact):
            continue
        foreign = language_of(claim) != language_of(text)
        share = len(said & set(terms(text))) / len(said)
        if share > best[0] and (share >= ENOUGH or (foreign and exact)):
            best = (share, piece)
    return best[1]
