"""Reports and maps in the folders of cases, which show pictures, measurements and file names.

A report that may show a subject goes whole, and can be exported again without it: every report of a
case that holds the subject, since pictures on a page are encoded anew and cannot be told apart by
content, and every report whose text names it, since a resumed case exports a search that its record
does not hold. A PDF's text cannot be searched, but it lists the hashes of its pictures. A map shows
one picture, which its name tells: the maps of others stay.
"""

import contextlib
import html
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

from assistant.case.redaction import HeldInCase, Subject
from tools.agent_tools.casework_tools import EXPORT_FILES

MAP_ID_LENGTH = 16
"""How much of a picture's id stands in the name of its map: `map-H1-0123456789abcdef.jpg`."""


def reports_in(folder: Path) -> tuple[Path, ...]:
    """The reports and maps in a case's folder."""
    return (*_reports_in(folder), *_maps_in(folder))


def _reports_in(folder: Path) -> tuple[Path, ...]:
    files = (folder / name for name in (*EXPORT_FILES.values(), "report.schema.json"))
    return tuple(it for it in files if it.is_file())


def _maps_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("map-*.jpg"))


def reports_about(folder: Path, subject: Subject, held: HeldInCase) -> tuple[Path, ...]:
    """The reports of a case that may show a subject; `held` is what its record holds of it.

    Raises OSError.
    """
    names = [*_written(subject)]
    begins = {id.rpartition(":")[0][:MAP_ID_LENGTH] or id[:MAP_ID_LENGTH] for id in subject.ids}
    maps = tuple(it for it in _maps_in(folder) if it.stem.rpartition("-")[2] in begins)
    reports = tuple(it for it in _reports_in(folder) if held or _contains_any(it, names))
    return (*reports, *maps)


def _written(subject: Subject) -> Iterator[bytes]:
    """The names of a subject as the formats write them."""
    for name in subject.names:
        page = html.escape(name, quote=False).replace('"', "&#34;").replace("'", "&#39;")
        data, table = json.dumps(name, ensure_ascii=False)[1:-1], name.replace('"', '""')
        for text in {name, page, data, table}:
            yield text.encode("utf-8", "surrogateescape")


def _contains_any(file: Path, names: list[bytes]) -> bool:
    contents = [file.read_bytes()]
    if file.suffix == ".zip":
        with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(file) as bundle:
            texts = [it for it in bundle.namelist() if it.endswith((".json", ".html", ".csv"))]
            contents += [bundle.read(it) for it in texts]
    return any(name in content for name in names for content in contents)
