"""How large are the pocket weights, and how long does `import assistant` take?

Covers every shipped weight file (tools/checkpoints/weights, assistant/chat_model/weights), and the
import timed in fresh interpreters. Does not cover downloaded checkpoints, and the time of a
weight's first use.
"""

import json
import statistics
import subprocess
import sys
from pathlib import Path

import assistant
from evals.options import EvalOptions
from tools.checkpoints.table import CHAT_WEIGHTS_DIR, WEIGHTS_DIR

LIMIT_MB = 60.0
IMPORT_LIMIT_S = 0.3
_FRESH_IMPORTS = 5

_TIME_IMPORT = """
import json, sys, time
began = time.perf_counter()
import assistant
took = time.perf_counter() - began
print(json.dumps([took, "torch" in sys.modules]))
"""


def run(options: EvalOptions) -> dict[str, object]:
    """Sizes in MB (10⁶ bytes) by part, their sum against the limit, and the import in seconds."""
    parts = {
        str(part.relative_to(folder.parent.parent)): size_mb(part)
        for folder in weight_folders()
        for part in sorted(folder.iterdir())
    }
    total = sum(parts.values())
    import_s, brought_torch = import_time()
    return {
        "weights_mb": parts,
        "total_mb": total,
        "limit_mb": LIMIT_MB,
        "within_limit": total <= LIMIT_MB,
        "import_s": import_s,
        "import_limit_s": IMPORT_LIMIT_S,
        "import_within_limit": import_s < IMPORT_LIMIT_S,
        "import_brings_torch": brought_torch,
    }


def weight_folders() -> list[Path]:
    """The folders of shipped weights that exist."""
    return [folder for folder in (WEIGHTS_DIR, CHAT_WEIGHTS_DIR) if folder.is_dir()]


def size_mb(part: Path) -> float:
    """Bytes of one file, or of all files below a folder, in MB."""
    files = [part] if part.is_file() else [path for path in part.rglob("*") if path.is_file()]
    kept = (path for path in files if "__pycache__" not in path.parts)
    return sum(path.stat().st_size for path in kept) / 1e6


def import_time() -> tuple[float, bool]:
    """Median seconds of `import assistant` in fresh interpreters, and whether torch was
    imported."""
    answers = [_fresh_import() for _ in range(_FRESH_IMPORTS)]
    return statistics.median(took for took, _ in answers), any(torch for _, torch in answers)


def _fresh_import() -> tuple[float, bool]:
    root = Path(str(assistant.__file__)).parent.parent
    command = [sys.executable, "-c", _TIME_IMPORT]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    took, brought_torch = json.loads(answer.stdout)
    return float(took), bool(brought_torch)
