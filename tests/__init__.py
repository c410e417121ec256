"""Tests of Unmask; every test states the behaviour it checks in one sentence."""

import os

# Libraries read these when they are imported; child processes inherit them.
_ENVIRONMENT = {
    # Threads that wait for each other spin: two test processes with two each on two cores spend
    # twice the processor time on the same work.
    "OMP_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
    "NUMBA_NUM_THREADS": "1",  # with more, its pool raises the number for all of OpenMP
    "NUMBA_DISABLE_JIT": "1",  # UMAP compiles for a minute
}
for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)
