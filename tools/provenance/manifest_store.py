"""Reads a file's C2PA manifests with the library c2pa-python, in a child process, offline.

The library is native code over bytes that a stranger chose, so it runs in a process that may crash
or be stopped; only files that contain its mark start one (about 0.2 s). Its settings forbid it to
fetch manifests and to ask for certificates' revocation (OCSP).
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

TIME_LIMIT_S = 20.0
_ANSWER_CHARACTERS_MOST = 4_000_000
_MEMORY_BYTES = 2 * 1024**3
_MARKS = (b"c2pa", b"C2PA_GIF")

# The folder from which the person works may hold files called like modules: -P keeps them out.
_CHILD = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from tools.provenance.manifest_store import answer_parent; answer_parent()"
)

State = Literal["read", "none", "unreadable", "not installed", "stopped"]


@dataclass(frozen=True, slots=True)
class ManifestStore:
    """The library's answer: `store` is its JSON if `state` is "read"; otherwise `reason` says why.

    "stopped": it took longer than the limit, or crashed.
    """

    state: State
    store: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


def read_manifest_store(
    data: bytes, *, trust_anchors: str = "", limit_s: float = TIME_LIMIT_S
) -> ManifestStore:
    """Read the manifests in a file's bytes; `trust_anchors` are PEM certificates to trust."""
    if not any(mark in data for mark in _MARKS):
        return ManifestStore("none")
    header = json.dumps({"trust_anchors": trust_anchors}).encode() + b"\n"
    command = [sys.executable, "-P", "-c", _CHILD, str(Path(__file__).parents[2])]
    try:
        child = subprocess.run(
            command, input=header + data, capture_output=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        return ManifestStore("stopped", reason=f"it took longer than {limit_s:.0f} s")
    if child.returncode != 0:
        return ManifestStore("stopped", reason="the library failed on it")
    try:
        answer = json.loads(child.stdout)
        return ManifestStore(answer["state"], answer.get("store", {}), answer.get("reason", ""))
    except (ValueError, RecursionError, KeyError):
        return ManifestStore("unreadable", reason="the library's answer cannot be read")


def answer_parent() -> None:
    """In the child: read a line of options and the file from stdin, write one JSON object."""
    _limit_memory()
    header, _, data = sys.stdin.buffer.read().partition(b"\n")
    answer = _read(data, json.loads(header)["trust_anchors"])
    sys.stdout.write(json.dumps(answer))


def _read(data: bytes, trust_anchors: str) -> dict[str, Any]:
    import io

    try:
        import c2pa
    except (ImportError, OSError, RuntimeError):  # no wheel for this system, or a broken one
        return {"state": "not installed"}
    verify = {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True}
    settings: dict[str, Any] = {"verify": verify}
    if trust_anchors:
        settings["trust"] = {"trust_anchors": trust_anchors}
    try:
        context = c2pa.Context.from_dict(settings)
        # No format is given: the library detects it from the bytes, as we do.
        with c2pa.Reader(None, io.BytesIO(data), context=context) as reader:
            text = reader.json()
    except (c2pa.C2paError.ManifestNotFound, c2pa.C2paError.NotSupported):
        return {"state": "none"}
    except c2pa.C2paError as error:
        return {"state": "unreadable", "reason": str(error)[:2000]}
    if len(text) > _ANSWER_CHARACTERS_MOST:
        return {"state": "unreadable", "reason": "the manifests are larger than 4 MB"}
    return {"state": "read", "store": json.loads(text)}


def _limit_memory() -> None:
    if sys.platform == "win32":
        return
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    if most == resource.RLIM_INFINITY or most > _MEMORY_BYTES:
        resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_BYTES, most))
