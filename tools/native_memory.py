"""Keeps memory flat over long jobs: what is freed goes back to the system.

glibc gives every thread a heap of its own and, after the first large block is freed, keeps blocks
of that size for later. Pictures of many sizes, read by some threads and freed by others, leave
those heaps full of holes. Measured on 6,000 photographs: see `evals/LOG.md`.
"""

import ctypes
import functools
import sys

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8  # M_… of <malloc.h>
_LARGE_BYTES = 128 * 1024


@functools.cache
def return_freed_memory() -> bool:
    """One heap for all threads, large blocks straight from the system; False where it cannot be.

    Other C libraries than glibc manage their memory in their own way and are left alone.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_ARENA_MAX, 1)) and bool(mallopt(_MMAP_THRESHOLD, _LARGE_BYTES))
