"""Load DFD, the DeepFakeDetection data set of Google and Jigsaw (28 paid actors).

    FaceForensics++/
      original_sequences/actors/{raw,c23,c40}/videos/01__walking_outside.mp4
      manipulated_sequences/DeepFakeDetection/
        {raw,c23,c40}/videos/01_02__walking_outside__YVGY8LOK.mp4
        masks/videos/01_02__walking_outside__YVGY8LOK.mp4

also as frames, as in FaceForensics++.

Identity: of `AA_BB__scene__HASH` the body is assumed to be AA's and the depicted person BB, as in
FaceForensics++, whose tree it shares; this is undocumented, so check it with
`evals.datasets.identities` before use. Ids are actors. Not known: method; split (none was
published, so ""). Terms: FaceForensics' own, for research (tag `faceforensics-terms`).
"""

import re
from pathlib import Path

from evals.datasets.listing import LoaderNotes
from evals.datasets.loaders.faceforensics import LICENCE
from evals.datasets.loaders.sequences import MANIPULATED, ORIGINAL, Sequence, sequences
from evals.datasets.manifest import Manifest, ManifestRow
from tools.errors import SetupError

ORIGINALS, FAKES = "actors", "DeepFakeDetection"
_REAL = re.compile(r"(?P<body>\d{2})__(?P<scene>\w+)")
_FAKE = re.compile(r"(?P<body>\d{2})_(?P<depicted>\d{2})__(?P<scene>\w+)__[0-9A-Z]{8}")


def recognises(root: Path) -> bool:
    """Whether its originals or its fakes exist."""
    return (root / ORIGINAL / ORIGINALS).is_dir() or (root / MANIPULATED / FAKES).is_dir()


def load(root: Path) -> Manifest:
    """The manifest; raises SetupError if there is no footage of actors."""
    found, rows = LoaderNotes(), []
    for each in sequences(root, (ORIGINALS, FAKES), found, apart=lambda _: False):
        row = _row(each)
        if row is None:
            found.add("broken names", each.clip.path)
        else:
            rows.append(row)
    if not rows:
        raise SetupError(f"no footage of {ORIGINALS} or {FAKES} in {str(root)!r}")
    return Manifest("dfd", root, tuple(rows), found.notes())


def persons(name: str, *, authentic: bool) -> tuple[str, str, str] | None:
    """The depicted person, the body and the scene; None for a name that does not follow the data
    set's."""
    named = (_REAL if authentic else _FAKE).fullmatch(name)
    if named is None:
        return None
    ids = named.groupdict()
    return ids.get("depicted", ids["body"]), ids["body"], ids["scene"]


def _row(each: Sequence) -> ManifestRow | None:
    who = persons(each.clip.name, authentic=each.authentic)
    if who is None:
        return None
    depicted, body, scene = who
    source = f"{ORIGINALS}/{each.compression}/{body}__{scene}"
    return ManifestRow(
        each.clip.path, "dfd", "real" if each.authentic else "fake",
        video_id=each.video_id, frame=each.clip.frame,
        depicted_id=depicted, body_id=body,
        method=None if each.authentic else FAKES, compression=each.compression,
        source_video=None if each.authentic else source,
        licence_tag=LICENCE, mask=each.mask,
    )  # fmt: skip
