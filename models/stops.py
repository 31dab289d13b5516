"""Text that is cut before a stop string, handed out as soon as it can't change any more."""

from collections.abc import Sequence


class StopStrings:
    """Grows with an answer's text; the pieces given out, joined, are the text up to the first stop string."""

    def __init__(self, stops: Sequence[str] = ()) -> None:
        self._stops = stops
        self.text, self.stopped = "", False

    def advance(self, whole: str, *, final: bool = False) -> str:
        """The new part of `whole` that is safe to give out: no unfinished character, no beginning of a stop string."""
        if self.stopped:
            return ""
        cut = min((at for stop in self._stops if (at := whole.find(stop)) >= 0), default=-1)
        if cut >= 0:
            self.stopped, safe = True, whole[:cut]
        else:
            safe = whole if final else self._settled(whole)
        new = safe[len(self.text) :]
        self.text += new
        return new

    def _settled(self, whole: str) -> str:
        settled = whole.rstrip("\ufffd")
        held = (n for stop in self._stops for n in range(1, len(stop)) if settled.endswith(stop[:n]))
        return settled[: len(settled) - max(held, default=0)]
