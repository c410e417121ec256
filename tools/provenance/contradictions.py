"""Contradictions within a file's metadata: dates that cannot both be right, other dimensions.

Clocks have zones that EXIF mostly leaves out, so dates contradict each other only when they differ
by more than all zones together.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from tools.provenance.findings import Finding, quoted
from tools.provenance.formats.exif import Exif, parse_exif_date
from tools.provenance.formats.xmp import Property

ZONES_APART = timedelta(hours=26)
"""The largest difference between two clocks that both show the right local time."""

_MODIFIED, _ORIGINAL, _DIGITISED = 0x0132, 0x9003, 0x9004
_GPS_DATE = 0x001D
_WIDTHS = ((0xA002, 0xA003, "EXIF PixelXDimension"), (0x0100, 0x0101, "EXIF ImageWidth"))
_XMP_WIDTHS = (
    ("exif:PixelXDimension", "exif:PixelYDimension"),
    ("tiff:ImageWidth", "tiff:ImageLength"),
)
# Containers whose EXIF width belongs to the file format itself.
_OWN_WIDTH = frozenset(("TIFF", "camera raw"))


def date_findings(
    exif: Exif, properties: Sequence[Property], *, now: datetime | None = None
) -> Iterator[Finding]:
    """Findings about dates; `now` (UTC) is this machine's clock."""
    taken, modified = exif.date(_ORIGINAL), exif.date(_MODIFIED)
    digitised, located = exif.date(_DIGITISED), _gps_date(exif)
    created = _xmp_date(properties, "xmp:CreateDate")
    changed = _xmp_date(properties, "xmp:ModifyDate")
    original = ("taken (EXIF DateTimeOriginal)", taken)
    yield from _before("EXIF", ("last changed (EXIF DateTime)", modified), original)
    yield from _before("EXIF", ("digitised (EXIF DateTimeDigitized)", digitised), original)
    yield from _apart("EXIF", ("its position was fixed (GPSDateStamp)", located), original)
    made = ("created (xmp:CreateDate)", created)
    yield from _before("XMP", ("last changed (xmp:ModifyDate)", changed), made)
    yield from _before("EXIF and XMP", made, original)
    clock = (now or datetime.now(UTC)).replace(tzinfo=None)
    for where, (what, date) in (("EXIF", original), ("XMP", made)):
        if date is not None and date > clock + ZONES_APART:
            text = f"the picture is said to be {what} on {date:%Y-%m-%d}, which is in the future"
            yield Finding("dates", "contradiction", where, f"{text} by this machine's clock")


def dimension_findings(
    exif: Exif, properties: Sequence[Property], *, size: tuple[int, int] | None, format: str
) -> Iterator[Finding]:
    """Findings about stated sizes that differ from the picture's (width, height) in px."""
    if size is None or min(size) <= 0 or format in _OWN_WIDTH:
        return
    stated = [
        (where, (exif.number(width), exif.number(height))) for width, height, where in _WIDTHS
    ]
    held = {it.name: it.value for it in properties}
    stated += [
        (f"XMP {width}", (_whole(held, width), _whole(held, height)))
        for width, height in _XMP_WIDTHS
    ]
    told = set[tuple[int, int]]()
    for where, (width, height) in stated:
        if not width or not height or {width, height} == set(size) or (width, height) in told:
            continue
        told.add((width, height))
        aspects = sorted((width, height))[1] * min(size), sorted((width, height))[0] * max(size)
        how = "of the same shape" if abs(aspects[0] / aspects[1] - 1) < 0.01 else "of another shape"
        yield Finding(
            "dimensions", "contradiction", where,
            f"states {width} × {height} px; the picture has {size[0]} × {size[1]} px, {how}",
        )  # fmt: skip


def _before(
    where: str, later: tuple[str, datetime | None], earlier: tuple[str, datetime | None]
) -> Iterator[Finding]:
    """A finding if what must come later lies before."""
    (what, date), (first, start) = later, earlier
    if date is not None and start is not None and date < start - ZONES_APART:
        yield _dates(where, what, date, first, start)


def _apart(
    where: str, one: tuple[str, datetime | None], other: tuple[str, datetime | None]
) -> Iterator[Finding]:
    (what, date), (first, start) = one, other
    if date is not None and start is not None and abs(date - start) > ZONES_APART:
        yield _dates(where, what, date, first, start)


def _dates(where: str, what: str, date: datetime, first: str, start: datetime) -> Finding:
    text = f"{what} on {date:%Y-%m-%d}, but {first} on {start:%Y-%m-%d}"
    return Finding("dates", "contradiction", where, f"the picture is said to be {text}")


def _gps_date(exif: Exif) -> datetime | None:
    value = exif.location.get(_GPS_DATE)
    # At noon: the time of day lies elsewhere, and half a day is less than the zones.
    return parse_exif_date(f"{str(value)[:10]} 12:00:00") if value else None


def _xmp_date(properties: Sequence[Property], name: str) -> datetime | None:
    for it in properties:
        if it.name == name:
            try:
                return datetime.fromisoformat(it.value).replace(tzinfo=None)
            except ValueError:
                return None
    return None


def _whole(held: Mapping[str, str], name: str) -> int | None:
    value = held.get(name, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None


def location_findings(
    exif: Exif, properties: Sequence[Property], *, show: bool
) -> Iterator[Finding]:
    """The fact that a position is held; the position itself only if `show`."""
    held = {it.name: it.value for it in properties}
    values = [exif.location.get(tag) for tag in (1, 2, 3, 4)]
    stated = [held[name] for name in ("exif:GPSLatitude", "exif:GPSLongitude") if name in held]
    for where, there, shown in (
        ("EXIF", values[1] is not None and values[3] is not None, _position(values)),
        ("XMP", len(stated) == 2, ", ".join(stated)),
    ):
        if there:
            text = f"holds a position: {quoted(shown)}" if show else "holds a position, not shown"
            yield Finding("location", "fact", where, text)


def _position(values: list[object]) -> str:
    """Latitude and longitude in degrees, minutes and seconds as stored."""
    parts = list[str]()
    for sense, value in ((values[0], values[1]), (values[2], values[3])):
        numbers = value if isinstance(value, tuple) else (value,)
        parts.append(f"{sense or ''} {' '.join(str(it) for it in numbers)}".strip())
    return ", ".join(parts)
