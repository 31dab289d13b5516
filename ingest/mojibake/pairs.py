"""Marks that come in pairs: within a line, one that is opened is closed, and none is closed that was not opened."""

__all__ = ["MARKS", "paired"]

UNPAIRED = 8.0  # nats that a mark without its partner costs
PARTNERS = dict(zip("）」』】》〉”〕〗", "（「『【《〈“〔〖", strict=True))
OPENING = frozenset(PARTNERS.values())
MARKS = OPENING.union(PARTNERS)
DEEPEST = 3


def paired(waiting: str, symbol: str) -> tuple[float, str]:
    """What a symbol gains in nats where `waiting` marks of the line wait for their partners, and which wait behind it.

    A mark pays when it is opened and is paid back when it is closed, so that the decision falls where the partner
    stands and not only at the end of the line.
    """
    if symbol in OPENING:
        return -UNPAIRED, (waiting + symbol)[-DEEPEST:]
    opened = waiting.rfind(PARTNERS[symbol])
    if opened < 0:
        return -UNPAIRED, waiting
    return UNPAIRED, waiting[:opened]
