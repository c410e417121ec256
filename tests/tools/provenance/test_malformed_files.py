"""Malformed files: no bytes make the reader fail, and it reads within limits."""

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL.PngImagePlugin import PngInfo

from tests.tools.provenance.making import exif, noise, of_kind, saved, xmp
from tools.media.skip_reasons import UnreadableImage
from tools.provenance.findings import LONGEST_QUOTE
from tools.provenance.reading import provenance_of, read_provenance

pytestmark = pytest.mark.fast


def full(format: str) -> bytes:
    """A file with everything in it."""
    held = exif(
        {0x010F: "Canon", 0x0131: "GIMP", 0x0132: "2020:01:01 00:00:00"},
        {0x9003: "2021:01:01 00:00:00", 0x9286: b"ASCII\0\0\0Steps: 1, Sampler: a, Seed: 2"},
        {1: "N", 2: (1, 2, 3), 3: "E", 4: (1, 2, 3)},
        saved(noise(size=(16, 12))),
    )
    packet = xmp('xmp:CreatorTool="GIMP"')
    if format == "PNG":
        info = PngInfo()
        info.add_text("parameters", "Steps: 20, Sampler: Euler", zip=True)
        info.add_itxt("XML:com.adobe.xmp", packet.decode())
        return saved(noise(), "PNG", pnginfo=info, exif=held)
    return saved(noise(), format, exif=held, xmp=packet)


FILES = {format: full(format) for format in ("JPEG", "PNG", "WEBP")}


@pytest.mark.parametrize("format", FILES)
def test_every_truncation_is_survived(format: str) -> None:
    """Cut off at any byte: findings or none, never an error."""
    data = FILES[format]
    whole = len(provenance_of(data).findings)
    assert whole >= 6
    counts = [len(provenance_of(data[:end]).findings) for end in range(0, len(data), 7)]
    assert min(counts) == 0
    assert max(counts) <= whole + 2  # parts that are cut off count as unread


@given(
    format=st.sampled_from(sorted(FILES)),
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=30),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_change_of_bytes_is_survived(format: str, changes: list[tuple[int, int]]) -> None:
    """Every finding stays one printable line of bounded length."""
    data = bytearray(FILES[format])
    for place, value in changes:
        data[place % min(len(data), 1500)] = value
    for it in provenance_of(bytes(data)).findings:
        assert it.text.isprintable() and len(it.text) < 12 * LONGEST_QUOTE
        assert all(len(value) <= LONGEST_QUOTE for _, value in it.details)


@given(st.binary(max_size=400), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"]))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_survived(data: bytes, start: bytes) -> None:
    """No file has to be a picture."""
    provenance_of(start + data)


def test_a_directory_that_leads_to_itself_ends() -> None:
    """EXIF whose directories form a circle."""
    circle = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0"
    assert provenance_of(saved(noise(), exif=circle)).format == "JPEG"


def test_packed_text_is_unpacked_within_limits() -> None:
    """Megabytes that pack to kilobytes do not fill the memory, and end soon."""
    info = PngInfo()
    for _ in range(5):
        info.add_text("parameters", "Steps: 1, Sampler: a " + "x" * 10_000_000, zip=True)
    data = saved(noise(), "PNG", pnginfo=info)
    start = time.monotonic()
    found = of_kind(provenance_of(data), "generator")
    assert time.monotonic() - start < 10
    assert len(found) == 5 and all(len(it.text) < 300 for it in found)


def test_deep_and_wide_packets_end_soon() -> None:
    """Ten thousand levels, a hundred thousand properties."""
    deep = xmp(inside="<xmp:a>" * 10_000 + "</xmp:a>" * 10_000)
    wide = xmp(inside="<xmp:CreatorTool>GIMP</xmp:CreatorTool>" * 20_000)
    for packet in (deep, wide):
        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", packet.decode())
        start = time.monotonic()
        found = provenance_of(saved(noise(), "PNG", pnginfo=info))
        assert time.monotonic() - start < 10
        assert len(found.findings) <= 2


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """Gone, or no file: the same errors as everywhere."""
    with pytest.raises(UnreadableImage, match=r"gone\.jpg.*missing"):
        read_provenance(tmp_path / "gone.jpg")
    with pytest.raises(UnreadableImage, match="not a regular file"):
        read_provenance(tmp_path)
    (tmp_path / "notes.txt").write_text("no picture")
    assert read_provenance(tmp_path / "notes.txt").findings == ()
