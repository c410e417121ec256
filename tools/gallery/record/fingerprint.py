"""Whether a gallery belongs to the checkpoints in use: cosines of other embeddings mean nothing.

A fingerprint says what computed a gallery's embeddings and features (profile, part → sha256, …).
"""

from collections.abc import Mapping

from tools.errors import SetupError

_FACES = "faces"
"""The part that stands for face detector, landmarks and embedder."""

Fingerprint = Mapping[str, str]


def needs_upgrade(mine: Fingerprint, theirs: Fingerprint) -> bool:
    """Whether only the face models differ, so that the faces can be embedded again."""
    return _different(mine, theirs) == [_FACES]


def other_checkpoints(name: str, mine: Fingerprint, theirs: Fingerprint) -> SetupError:
    """The error for a gallery made with `mine`, where `theirs` are in use, and what to do."""
    if needs_upgrade(mine, theirs):
        return SetupError(
            f"gallery {name!r} was made with another face embedder than the one in use: "
            f"run `unmask galleries upgrade {name}`"
        )
    parts = _different(mine, theirs)
    there = ", ".join(f"{part} {mine.get(part, 'none')[:24]}" for part in parts)
    here = ", ".join(f"{part} {theirs.get(part, 'none')[:24]}" for part in parts)
    return SetupError(
        f"gallery {name!r} was indexed with other checkpoints ({there}) than those in use "
        f"({here}): choose its profile again, or start another gallery with "
        "`unmask index DIR --gallery NEW_NAME`"
    )


def _different(one: Fingerprint, other: Fingerprint) -> list[str]:
    """The parts that differ, in order."""
    return [it for it in sorted(one.keys() | other.keys()) if one.get(it) != other.get(it)]
