"""Times for readers. Records, JSON and CSV keep them as they are: ISO 8601 in UTC."""

from datetime import datetime

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


def local_time(at: str) -> str:
    """An ISO 8601 time on this machine's clock, as in `30 November 2026, 22:14 (UTC+1)`.

    With its distance from UTC, since a report travels. Any other text stays as it is.
    """
    try:
        here = datetime.fromisoformat(at).astimezone()
    except (ValueError, OverflowError):
        return at
    # The names of months and zones of the system depend on its language.
    return f"{here.day} {_MONTHS[here.month - 1]} {here:%Y, %H:%M} ({_zone(here)})"


def utc_clock(at: str) -> str:
    """An ISO 8601 time in UTC for a column that is headed `UTC`: `2026-11-30 21:14:05`."""
    return at.removesuffix("+00:00").removesuffix("Z").replace("T", " ")


def _zone(here: datetime) -> str:
    minutes = round(offset.total_seconds() / 60) if (offset := here.utcoffset()) else 0
    hours, rest = divmod(abs(minutes), 60)
    sign = "-" if minutes < 0 else "+"
    return f"UTC{sign}{hours}{f':{rest:02}' if rest else ''}" if minutes else "UTC"
