"""Memory that is freed goes back to the system."""

import subprocess
import sys

import pytest

_PROBE = """
import sys
from tools.native_memory import return_freed_memory
if sys.argv[1] == "set":
    assert return_freed_memory()
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
blocks = [bytearray(1 << 20) for _ in range(8)]  # frees of this size make glibc keep more
del blocks
before = resident()
kept = []
for _ in range(200):
    large = bytearray(300_000)
    large[:] = b"1" * len(large)
    kept.append((large, bytearray(2_000)))
small = [pair[1] for pair in kept]
del kept, large
print(resident() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_large_blocks_do_not_stay_between_small_ones() -> None:
    """Sixty megabytes, freed around small blocks that stay, are the system's again."""
    kept = {
        mode: int(subprocess.check_output([sys.executable, "-c", _PROBE, mode]))
        for mode in ("set", "default")
    }
    assert kept["set"] < 5_000_000 < kept["default"]
