"""Searches every byte below a folder: what a deletion must leave nothing of."""

import base64
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from assistant.report.pictures.data_uris import data_uri, thumbnail
from tools.gallery.record_store import Gallery

THUMBNAIL_PX = 160


def traces_of(gallery: Gallery, image_id: str, pixels: np.ndarray) -> dict[str, list[bytes]]:
    """The byte sequences that betray a picture: sha256, embeddings, features, thumbnail, paths."""
    faces = gallery.faces_of(image_id)
    uri = data_uri(thumbnail(pixels, longest_px=THUMBNAIL_PX))
    vectors = [face.face.embedding for face in faces]
    vectors += [face.features for face in faces if face.features is not None]
    whole = gallery.image(image_id).features
    vectors += [] if whole is None else [whole]
    encoded = uri.partition(",")[2]
    half = len(encoded) // 2  # a JPEG's first bytes are the same tables in every picture
    return {
        "sha256": [image_id.encode(), bytes.fromhex(image_id), image_id.upper().encode()],
        "embedding": [np.asarray(it, "<f4").tobytes()[at : at + 64] for it in vectors
                      for at in (0, 256)],
        "thumbnail": [encoded[half:][:200].encode(), base64.b64decode(encoded)[-300:-100]],
        "path": [bytes(it) for it in gallery.paths_of(image_id)],
    }  # fmt: skip


def found_below(folder: Path, traces: Mapping[str, list[bytes]]) -> dict[str, list[str]]:
    """The files below a folder that hold each kind of trace; empty if none does."""
    found: dict[str, list[str]] = {}
    for file in sorted(it for it in folder.rglob("*") if it.is_file()):
        data = file.read_bytes()
        for kind, sequences in traces.items():
            if any(it in data for it in sequences):
                found.setdefault(kind, []).append(str(file.relative_to(folder)))
    return found
