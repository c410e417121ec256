"""Logits of all systems on all pictures, and the columns in which they are evaluated."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evals.datasets.manifest import ManifestRow
from evals.suites.detector_table.batch_scoring import BatchLogits
from evals.suites.detector_table.samples import DFDC, GENERATED, LFW, SWAPS
from tools.forge.forgery import FAMILIES, HELD_OUT_FAMILIES, SCENE_FAMILIES
from tools.training.data.forgery_pool import HELD_OUT_FAMILY

SEEN_FAMILIES = tuple(it for it in FAMILIES if it != HELD_OUT_FAMILY)
UNSEEN_FAMILIES = (HELD_OUT_FAMILY, *HELD_OUT_FAMILIES)


@dataclass(frozen=True, slots=True, eq=False)
class ScoreTable:
    """n pictures: `labels` True is forged; `families` "" is authentic; `places` are (batch, row).

    `logits` (n,) by system, `bands` (n, 2) by fused score. `persons` are the persons whose face and
    whose body a row shows, "" if unknown.
    """

    ids: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    sources: np.ndarray
    families: np.ndarray
    persons: tuple[tuple[str, str], ...]
    places: tuple[tuple[int, int], ...]
    logits: Mapping[str, np.ndarray]
    bands: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of(cls, answers: Sequence[BatchLogits]) -> "ScoreTable":
        """All batches concatenated; a system not run on a batch has NaN there."""
        rows = [(batch, row) for batch in answers for row in batch.measured.rows]
        names = dict.fromkeys(name for batch in answers for name in batch.logits)
        return cls(
            ids=np.array([
                f"{batch.batch.source}/{name}" for batch in answers for name in batch.measured.ids
            ]),
            labels=np.array([row.label == "fake" for _, row in rows], bool),
            groups=np.array([group_of(row) for _, row in rows]),
            sources=np.array([batch.batch.source for batch, _ in rows]),
            families=np.array([_family(row, batch.batch.source) for batch, row in rows]),
            persons=tuple((row.depicted_id or "", row.body_id or "") for _, row in rows),
            places=tuple(
                (at, row) for at, batch in enumerate(answers) for row in range(len(batch.measured))
            ),
            logits={name: _column([it.logits.get(name) for it in answers], answers, ())
                    for name in names},
            bands={name: _column([it.bands.get(name) for it in answers], answers, (2,))
                   for name in dict.fromkeys(name for batch in answers for name in batch.bands)},
        )  # fmt: skip


def _column(
    known: Sequence[np.ndarray | None], answers: Sequence[BatchLogits], shape: tuple[int, ...]
) -> np.ndarray:
    return np.concatenate([
        np.full((len(batch.measured), *shape), np.nan) if it is None else it
        for it, batch in zip(known, answers, strict=True)
    ])  # fmt: skip


def group_of(row: ManifestRow) -> str:
    """Bootstrap unit: the person of the photo, otherwise the original."""
    return row.body_id or row.depicted_id or row.source_video or row.path


def _family(row: ManifestRow, source: str) -> str:
    if row.label != "fake":
        return ""
    return DFDC if source == DFDC else (row.method or source).removeprefix("fake_")


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """Forgeries of some families against authentic pictures of their source, as rows of the table.

    `scenes`: the faces are authentic.
    """

    name: str
    source: str
    families: tuple[str, ...]
    rows: np.ndarray
    scenes: bool = False


def columns(sheet: ScoreTable) -> list[Column]:
    """One column per family, in the order of the sources."""
    found = []
    for source in (LFW, DFDC, SWAPS, GENERATED):
        of_source = sheet.families[(sheet.sources == source) & sheet.labels]
        for family in dict.fromkeys(of_source.tolist()):
            name = source if family == source else f"{source}/{family}"
            found.append(column(sheet, name, source, (family,)))
    return found


def column(sheet: ScoreTable, name: str, source: str, families: tuple[str, ...]) -> Column:
    """The forgeries of these families, and the authentic pictures to compare them with."""
    fakes = (sheet.sources == source) & np.isin(sheet.families, families)
    beside = (sheet.sources == source) & ~sheet.labels
    if source == SWAPS:
        beside &= _shown_in(sheet, fakes)
    scenes = set(families) <= set(SCENE_FAMILIES)
    return Column(name, source, families, np.flatnonzero(fakes | beside), scenes)


def _shown_in(sheet: ScoreTable, fakes: np.ndarray) -> np.ndarray:
    """Rows of persons whose face or body appears in some fakes: their own sources and targets."""
    seen = {name for at in np.flatnonzero(fakes) for name in sheet.persons[at]}
    return np.array([bool(seen & set(persons)) for persons in sheet.persons], bool)


def summary_columns(sheet: ScoreTable) -> list[Column]:
    """The pooled columns: seen and unseen families, scenes, and forgeries by others."""
    return [it for it in _summary(sheet) if sheet.labels[it.rows].any()]


def _summary(sheet: ScoreTable) -> Iterator[Column]:
    yield column(sheet, "families_learnt", LFW, SEEN_FAMILIES)
    yield column(sheet, "families_held_out", LFW, UNSEEN_FAMILIES)
    yield column(sheet, "forged_scenes", LFW, SCENE_FAMILIES)
    yield column(sheet, "dfdc", DFDC, (DFDC,))
    for name, source in (("real_swaps", SWAPS), ("generated_faces", GENERATED)):
        families = sheet.families[(sheet.sources == source) & sheet.labels]
        yield column(sheet, name, source, tuple(dict.fromkeys(families.tolist())))
