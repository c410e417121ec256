"""Findings about double compression: what was measured, in words, and what the metadata say."""

from collections.abc import Iterator, Sequence

from tools.provenance.double_compression.coefficients import can_be_judged, read_luma
from tools.provenance.double_compression.same_grid import LEAST_GAIN, earlier_compression
from tools.provenance.double_compression.shifted_grid import LEAST_LEAD, shifted_grid
from tools.provenance.findings import Finding
from tools.provenance.formats.exif import Exif

_MAKE, _MODEL, _MODIFIED, _ORIGINAL = 0x010F, 0x0110, 0x0132, 0x9003


def compression_findings(data: bytes) -> Iterator[Finding]:
    """Signs that a JPEG was compressed before; none for what cannot be judged."""
    luma = read_luma(data)
    if luma is None or not can_be_judged(luma):
        return
    same = earlier_compression(luma)
    if same.gain >= LEAST_GAIN:
        yield _finding(
            "looks as if it was compressed at least twice on the same grid of blocks, the time "
            f"before the last with {_tables(same.qualities)}",
            ("grid", "the same"), ("evidence", f"{same.gain:.0f} nats"),
            ("first quality", "" if same.qualities is None else _range(same.qualities)),
        )  # fmt: skip
    moved = shifted_grid(luma)
    if moved.lead >= LEAST_LEAD:
        yield _finding(
            "looks as if it was compressed, cropped or moved, and compressed again: the earlier "
            f"grid of blocks begins {moved.left} px further right and {moved.top} px further "
            f"down; its quality was about {moved.quality} of 100",
            ("grid", f"{moved.left} px right, {moved.top} px down"),
            ("evidence", f"{moved.lead:.0f} standard deviations"),
            ("first quality", f"about {moved.quality}"),
        )  # fmt: skip


def untouched_findings(exif: Exif, others: Sequence[Finding]) -> Iterator[Finding]:
    """A contradiction if the file reads as it left a camera, but was compressed before.

    It reads so if it names a camera, was last changed when it was taken, and nothing in it speaks
    of software. `others` are all other findings.
    """
    twice = any(it.kind == "double compression" for it in others)
    spoken = any(it.bearing in ("generated", "made", "edited") for it in others)
    camera = exif.text(_MAKE) or exif.text(_MODEL)
    taken = exif.date(_ORIGINAL)
    if twice and camera and not spoken and taken is not None and taken == exif.date(_MODIFIED):
        yield Finding(
            "double compression", "contradiction", "EXIF and JPEG coefficients",
            "the metadata name a camera and no change since the picture was taken, but it looks as "
            "if it was compressed more than once",
        )  # fmt: skip


def _finding(text: str, *details: tuple[str, str]) -> Finding:
    held = tuple((name, value) for name, value in details if value)
    return Finding("double compression", "fact", "JPEG coefficients", text, held)


def _tables(qualities: tuple[int, int] | None) -> str:
    if qualities is None:
        return "tables that are not the standard's"
    return f"tables like the standard's of quality {_range(qualities)} of 100"


def _range(qualities: tuple[int, int]) -> str:
    low, high = qualities
    return str(low) if low == high else f"{low} to {high}"
