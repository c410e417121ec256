"""Limit the memory that glibc keeps after pictures are freed; does nothing on other C libraries.

glibc keeps freed memory for reuse; pictures allocated and freed in several threads leave holes that
no other picture fits, so a long job's memory use grows although nothing is held.
"""

import ctypes
import sys
from typing import Any

_M_ARENA_MAX = -8


def limit_malloc_arenas() -> None:
    """Let all threads allocate from two heaps (arenas) instead of one each.

    Measured on 1,600 pictures: 0.25 GB less, and no longer growing with the number of threads.
    """
    mallopt = _from_c_library("mallopt")
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 2)


def trim_malloc() -> None:
    """Return freed memory to the system; takes about 20 ms, so not after every picture.

    Measured while indexing 3,200 pictures: 0.17 GB less, and as much after 480 as at the end; over
    eight searches of eight people: 2.18 GB held at their end, 2.96 GB without.
    """
    trim = _from_c_library("malloc_trim")
    if trim is not None:
        trim(0)


def _from_c_library(name: str) -> Any:
    """A function of glibc; None on other systems, and with musl, which lacks these functions."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
