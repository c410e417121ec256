"""Environment of the libraries: offline, without telemetry, and with threads that wait quietly.

Of ONNX Runtime, the package `tools` takes care: it is used without an entry point, too.

Apart from `assistant.settings`, so that an entry point can call it before anything slow is
imported.
"""

import os

_LIBRARY_ENVIRONMENT = {
    "ANONYMIZED_TELEMETRY": "False",  # chromadb
    "DO_NOT_TRACK": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "LANGCHAIN_TRACING_V2": "false",  # conversations would be sent to LangSmith
    "LANGSMITH_TRACING": "false",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TOKENIZERS_PARALLELISM": "false",  # its thread pool warns, then deadlocks, after a fork
}

_THREADS = {
    # A thread that spins while it waits for another takes the core that the other needs: with one
    # busy neighbour, four fifths of the work would be lost.
    "OMP_WAIT_POLICY": "PASSIVE",
    "KMP_BLOCKTIME": "0",
    # BLAS is used on small matrices only, which are faster on one core.
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
"""Read once, when PyTorch or NumPy is imported; what the user has set wins."""

_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")


def harden_library_environment(*, downloads: bool = False) -> None:
    """Switch off telemetry, downloads and busy waiting of the libraries, before they are imported.

    Only entry points call this. With `downloads` (requested by the user) downloads stay possible;
    telemetry stays off. Overrides the environment: "nothing leaves this machine" is a promise.
    """
    os.environ.update(_LIBRARY_ENVIRONMENT)
    for name, value in _THREADS.items():
        os.environ.setdefault(name, value)
    for name in _OFFLINE:
        if downloads:
            os.environ.pop(name, None)
        else:
            os.environ[name] = "1"
