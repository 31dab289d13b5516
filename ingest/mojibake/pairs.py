"""Marks that come in pairs: within a line, what is opened is closed, and nothing is closed that was not opened."""

__all__ = ["MARKS", "PARTNERS", "paired"]

PARTNER = 8.0  # nats that a closing mark gains by its partner and loses without one
PARTNERS = dict(zip("）」』】》〉”〕〗", "（「『【《〈“〔〖", strict=True))
OPENING = frozenset(PARTNERS.values())
MARKS = OPENING.union(PARTNERS)
DEEPEST = 3


def paired(waiting: str, symbol: str) -> tuple[float, str]:
    """What a mark gains in nats where `waiting` ones of the line wait for their partners, and which wait behind it.

    An opening mark gains nothing yet: whether it stands rightly shows where its partner does.
    """
    if symbol in OPENING:
        return 0.0, (waiting + symbol)[-DEEPEST:]
    opened = waiting.rfind(PARTNERS[symbol])
    if opened < 0:
        return -PARTNER, waiting
    return PARTNER, waiting[:opened]
