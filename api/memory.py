"""How glibc keeps the memory that many threads use and free."""

import ctypes
import sys

__all__ = ["keep_few_arenas"]

M_ARENA_MAX = -8  # of malloc.h
ARENAS = 2


def keep_few_arenas() -> None:
    """Has all threads share few arenas, as MALLOC_ARENA_MAX would; for a process that has not started any yet.

    By default there are eight for each core, and what was freed in one is not used in another: most of what a server
    grows by with every document is held that way. Without glibc nothing is done.
    """
    if sys.platform == "linux":
        set_option = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if set_option is not None:
            set_option(M_ARENA_MAX, ARENAS)
