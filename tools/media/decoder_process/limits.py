"""The limits of a decoder process: memory, processor time, files."""

import importlib
import math
import sys
import time
from pathlib import Path

MEMORY_BYTES = 2_500_000_000
"""What a decoder may hold beside its program; the largest pictures that are read need 2 GB."""

CPU_S = 8
CPU_S_PER_MB = 0.5
"""Processor time in seconds for one picture, or for one frame of a video: a fixed part, and one
that grows with the file, because long animations take time and files made to take time are small.
"""

CPU_S_PER_ANSWER = 0.03
"""What each frame of an animation adds: its frames are small files' work, not a video's."""

TOO_MUCH_MEMORY = f"it needs more than {MEMORY_BYTES / 1e9:.1f} GB of memory to open"


def limit_memory_and_files() -> None:
    """Load what every request needs, and limit what is used from then on."""
    import cv2

    importlib.import_module("tools.media.pictures.decoding")
    cv2.setNumThreads(1)
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    allowed = _data_bytes() + MEMORY_BYTES
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    if most == resource.RLIM_INFINITY or allowed < most:
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, most))


def _data_bytes() -> int:
    """Private memory that this process has reserved; libraries reserve much that they never use."""
    try:
        status = Path("/proc/self/status").read_text("ascii", "replace").splitlines()
        sizes = [line.split()[1] for line in status if line.startswith("VmData:")]
    except OSError:
        return 0
    return int(sizes[0]) * 1024 if sizes else 0


def cpu_limit_s(file_bytes: int) -> int:
    """The processor time allowed for a file of that size, in whole seconds."""
    return math.ceil(CPU_S + CPU_S_PER_MB * file_bytes / 1e6)


def used_cpu_s() -> float:
    """The processor time of this process so far."""
    return time.process_time()


def limit_cpu(seconds: float) -> float:
    """Let the system end this process after some more seconds of processor time.

    Returns the total at which it does. The system counts whole seconds.
    """
    until_s = used_cpu_s() + seconds
    if sys.platform != "win32":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_CPU)
        allowed = max(1, math.ceil(until_s))
        if most == resource.RLIM_INFINITY or allowed < most:
            resource.setrlimit(resource.RLIMIT_CPU, (allowed, most))
    return until_s
