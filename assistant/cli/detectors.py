"""`unmask detectors`: list the detectors, their training data and their measured figures."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from assistant.cli.options import JsonOption, load_settings
from assistant.console.output import escape_terminal, print_json, stdout_console
from tools.errors import SetupError

if TYPE_CHECKING:
    from assistant.settings import Settings
    from tools.checkpoints.table import Profile
    from tools.detectors.calibration import Calibration
    from tools.detectors.catalogue import CatalogueEntry, InstalledDetector, MetricRecord
    from tools.detectors.networks.community_forensics import CommunityForensics
    from tools.detectors.networks.image_classifier import ImageClassifier

_STATES = {
    "in use": "In use: their scores make the verdict",
    "here": "Installed: for evaluations and Python, not part of the verdict",
    "unusable": "Installed, but not usable",
    "not here": "Known, but not installed",
}
_SHORT = 8
"""Characters of a sha256 on the screen; --json prints all of them."""


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(short_help="List detectors: licence, training, measured figures.")(detectors)


def detectors(context: typer.Context, json: JsonOption = False) -> None:
    """List every detector, installed or not: input, licence, training data and figures.

    \b
    unmask detectors
    unmask --profile full detectors
    unmask detectors --json | jq '.detectors[] | select(.state == "in use") | .detector'

    Detectors that need features cost next to nothing on an indexed gallery; those that need
    pixels read each picture again. "face" detectors see the aligned face crop, "image" detectors
    the whole picture. Figures are AUCs with their 95 % intervals: 1 separates every forgery from
    every photo, 0.5 is chance, and below 0.5 forgeries score as more authentic than photos. An AUC
    on one data set promises nothing about another; missing measurements are stated. Calibrated
    detectors give probabilities, the others only scores for ranking. No detector's score is a
    verdict. If the error rates of the models in use differ between groups of people by more than
    their intervals, a line at the end says so.

    Detectors that you fit are stored in MODELS/detectors, one folder each. Any image classifier of
    transformers becomes a detector when its folder (config.json, preprocessor_config.json,
    safetensors) is in MODELS/classifiers/face or MODELS/classifiers/image. Community Forensics as
    published (config.json, model.safetensors) belongs into the latter. The end of the list shows
    where MODELS is.
    """
    from assistant.profile import LoadedModels

    settings = load_settings(context)
    rows = list(_rows(settings))
    differences = LoadedModels(settings).group_differences
    if json:
        print_json(
            {
                "profile": settings.profile,
                "models": escape_terminal(settings.models_dir),
                "detectors": rows,
                "group_differences": list(differences),
            }
        )
        return
    for state, heading in _STATES.items():
        chosen = [row for row in rows if row["state"] == state]
        if chosen:
            stdout_console().print(Text(f"{heading}\n", style="bold"))
        for row in chosen:
            _print(row)
    for line in differences:
        stdout_console().print(Text(escape_terminal(f"{line}\n"), overflow="fold"))
    stdout_console().print(
        f"Profile: {settings.profile}. Models: {escape_terminal(settings.models_dir)}",
        soft_wrap=True,
    )


def _rows(settings: "Settings") -> Iterator[dict[str, Any]]:
    from tools.checkpoints.table import WEIGHTS_DIR
    from tools.detectors.catalogue import (
        FEATURE_HEAD_ENTRIES,
        FITTED_ENTRIES,
        PUBLISHED_ENTRIES,
        VLM_ENTRY,
        ZERO_SHOT_ENTRIES,
        installed_detectors,
    )
    from tools.detectors.folders import DETECTORS_FOLDER
    from tools.detectors.networks.classifier_folders import CLASSIFIERS_FOLDER, classifier_folders

    for known in FEATURE_HEAD_ENTRIES:
        yield _of_profile(known, settings, part="heads")
    for known in ZERO_SHOT_ENTRIES:
        yield _of_profile(known, settings, part="encoder")
    shelves = [WEIGHTS_DIR / DETECTORS_FOLDER, settings.models_dir / DETECTORS_FOLDER]
    installed = installed_detectors(
        shelves, encoders=_encoders(settings), embedder_sha256=_embedder(settings)
    )
    found = [_of_shelf(each) for each in installed]
    found += [_of_classifier(settings, *each) for each in classifier_folders(settings.models_dir)]
    yield from found
    names = {row["detector"] for row in found}
    yield _row(VLM_ENTRY, "here", get=VLM_ENTRY.get)
    for known in (*FITTED_ENTRIES, *PUBLISHED_ENTRIES):
        if known.title not in names:
            folder = settings.models_dir / CLASSIFIERS_FOLDER
            yield _row(known, "not here", get=known.get.format(classifiers=escape_terminal(folder)))


def _of_profile(known: "CatalogueEntry", settings: "Settings", *, part: Any) -> dict[str, Any]:
    """A row for a head, or for the prompts, of a profile's encoder."""
    from tools.checkpoints.store import PROFILES, checkpoint_folder, fingerprint, locate
    from tools.detectors.catalogue import read_metrics
    from tools.media.hashing import file_sha256

    assert known.profile is not None  # noqa: S101 - for the type checker: rows of profiles
    checkpoint = PROFILES[known.profile][part]
    described: dict[str, Any] = {"profile": known.profile, "licence": checkpoint.license}
    try:
        folder = locate(checkpoint, settings.models_dir)
        encoder = fingerprint(known.profile, settings.models_dir, parts=("encoder",))["encoder"]
    except SetupError as error:
        return _row(known, "not here", get=str(error), **described)
    file = folder / (known.file or "model.safetensors")
    sha256 = file_sha256(file) if known.file else encoder
    state, problem = _usable(known, file, encoder, in_use=known.profile == settings.profile)
    heads = checkpoint_folder(PROFILES[known.profile]["heads"], settings.models_dir)
    calibration = _calibration(known, file, encoder, heads)
    figures = [
        figure
        for figure in read_metrics(heads)
        if figure.detector == known.title and figure.checkpoint == sha256
    ]
    return _row(
        known, state, file=file, sha256=sha256, figures=figures, problem=problem,
        calibration=calibration, ways=_ways(known), **described,
    )  # fmt: skip


def _ways(known: "CatalogueEntry") -> list[str]:
    """Variants of it in evaluations, by their names in `evals/DETECTORS.md`."""
    from prompts.zero_shot import PROMPT_SETS
    from tools.detectors.clip_heads.profile_heads import DEFAULT_PROMPT_SET
    from tools.detectors.clip_heads.unifd_neighbours import MAX_NEIGHBOURS, NEIGHBOUR_COUNTS

    if known.file is None:
        return [f"{known.title}_{name}" for name in PROMPT_SETS if name != DEFAULT_PROMPT_SET]
    names = [known.title]
    if known.name == "unifd_neighbours":
        names += [f"{known.title}_k{k}" for k in NEIGHBOUR_COUNTS if k != MAX_NEIGHBOURS]
    official = [f"{name} official" for name in names if known.inputs == "image"]
    return [*names[1:], *official]


def _calibration(
    known: "CatalogueEntry", file: Path, encoder: str, heads: Path
) -> "Calibration | None":
    """The calibration fitted for this head, or these prompts, on this encoder."""
    from prompts.captions import FAKE_PROMPTS, REAL_PROMPTS
    from tools.detectors.clip_heads.head_files import head_sha256
    from tools.detectors.clip_heads.profile_heads import read_calibrations
    from tools.detectors.clip_heads.zero_shot import prompts_sha256

    checkpoint = (
        prompts_sha256(encoder, real=REAL_PROMPTS, fake=FAKE_PROMPTS) if known.file is None
        else head_sha256(file, encoder)
    )  # fmt: skip
    asked = known.title, checkpoint, known.preprocessing
    for it in read_calibrations(heads):
        if (it.detector, it.checkpoint, it.preprocessing) == asked:
            return it
    return None


def _encoders(settings: "Settings") -> "dict[str, Profile]":
    """The profiles whose encoder is installed, by the encoder's sha256."""
    from tools.checkpoints.store import PROFILES, fingerprint

    found: dict[str, Profile] = {}
    for profile in PROFILES:
        try:
            sha256 = fingerprint(profile, settings.models_dir, parts=("encoder",))["encoder"]
        except SetupError:
            continue
        found[sha256] = profile
    return found


def _embedder(settings: "Settings") -> str:
    """The sha256 of the face embedder in use; empty if it is not installed."""
    from tools.checkpoints.store import fingerprint

    try:
        return fingerprint(settings.profile, settings.models_dir, parts=("faces",))["faces"]
    except SetupError:
        return ""


def _of_shelf(found: "InstalledDetector") -> dict[str, Any]:
    """A row for a detector in its own folder, shipped or fitted by the user."""
    return _row(
        found.known, "unusable" if found.problem else "here", file=found.folder,
        sha256=found.sha256, figures=list(found.figures), problem=found.problem,
        calibration=found.calibration,
    )  # fmt: skip


def _usable(known: "CatalogueEntry", file: Path, encoder: str, *, in_use: bool) -> tuple[str, str]:
    """State and problem of the files on disk; a head is read, prompts need only the encoder."""
    from tools.detectors import FEATURE_HEADS

    if known.file is None:
        return "here", ""
    load = next(
        load for name, inputs, load in FEATURE_HEADS if (name, inputs) == (known.file, known.inputs)
    )
    try:
        load(file, inputs=known.inputs, encoder_sha256=encoder)
    except SetupError as error:
        return "unusable", str(error)
    return ("in use" if in_use else "here"), ""


def _of_classifier(settings: "Settings", inputs: Any, folder: Path) -> dict[str, Any]:
    """A row for a classifier that the user has put below the models' folder."""
    from tools.detectors.catalogue import PUBLISHED_ENTRIES, CatalogueEntry, read_metrics
    from tools.detectors.networks.classifier_folders import (
        CLASSIFIERS_FOLDER,
        load_classifier,
        model_card_licence,
    )

    known = CatalogueEntry(folder.name, inputs, "pixels", "not known to Unmask: see its model card")
    licence: dict[str, Any] = {"licence": model_card_licence(folder)}
    try:
        detector = load_classifier(folder, inputs=inputs)
        preprocessing = detector.preprocessing
    except SetupError as error:
        return _row(known, "unusable", file=folder, problem=str(error), **licence)
    # A catalogue name is trusted without a check; the licence comes from beside the weights.
    known = next((it for it in PUBLISHED_ENTRIES if it.title == known.title), known)
    known = dataclasses.replace(known, preprocessing=preprocessing)
    figures = [
        figure
        for figure in read_metrics(settings.models_dir / CLASSIFIERS_FOLDER)
        if figure.detector == known.title and figure.checkpoint == detector.sha256
    ]
    return _row(
        known, "here", file=folder, sha256=detector.sha256, figures=figures,
        **_classes(detector), **licence,
    )  # fmt: skip


def _classes(detector: "ImageClassifier | CommunityForensics") -> dict[str, Any]:
    """A classifier's class names, if it has any."""
    from tools.detectors.networks.image_classifier import ImageClassifier

    if not isinstance(detector, ImageClassifier):
        return {}
    found = detector.classes
    sides = {"fake": found.fake, "real": found.real}
    return {"classes": {side: [found.labels[at] for at in them] for side, them in sides.items()}}


def _row(
    known: "CatalogueEntry",
    state: str,
    *,
    file: Path | None = None,
    sha256: str | None = None,
    figures: "list[MetricRecord] | None" = None,
    calibration: "Calibration | None" = None,
    **more: Any,
) -> dict[str, Any]:
    """A detector as printed by --json; empty `figures` mean that nothing was measured.

    `calibration` None means that its scores are no probabilities.
    """
    checkpoint = None if file is None else {"file": escape_terminal(file), "sha256": sha256}
    fitted = None if calibration is None else {
        "method": calibration.method, "fitted_on": dict(calibration.fitted_on),
        "inconclusive": [calibration.band.low, calibration.band.high],
    }  # fmt: skip
    return {
        "detector": known.title,
        "name": known.name,
        "state": state,
        "inputs": known.inputs,
        "query": known.query,
        "needs": known.needs,
        "preprocessing": known.preprocessing,
        "checkpoint": checkpoint,
        "licence": known.licence,
        "trained_on": known.trained_on,
        "figures": [dataclasses.asdict(figure) for figure in figures or ()],
        "calibration": fitted,
        "profile": known.profile,
        "problem": "",
        "ways": [],
        "get": "",
        **more,
    }


def _print(row: dict[str, Any]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for heading, words in _lines(row):
        if words:
            shown = "\n".join(map(escape_terminal, words.split("\n")))
            table.add_row(Text(heading, style="dim"), Text(shown))
    stdout_console().print(Text(escape_terminal(row["detector"]), style="bold"))
    stdout_console().print(Padding(table, (0, 0, 1, 2), expand=False))


def _lines(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    query = ", or of the person looked for" if row["query"] else ""
    seen = {"face": "aligned face crop", "image": "whole picture"}[row["inputs"]]
    yield "profile", row["profile"] or ""
    yield "needs", f"{row['needs']} of the {seen}{query}; {row['preprocessing']}"
    if row["checkpoint"]:
        name = Path(row["checkpoint"]["file"]).name
        yield "checkpoint", f"{name} {(row['checkpoint']['sha256'] or 'unread')[:_SHORT]}"
    if "classes" in row:
        named = {side: names for side, names in row["classes"].items() if names}
        sides = (f"{side}: {', '.join(names)}" for side, names in named.items())
        yield "classes", "; ".join(sides)
    yield "licence", row["licence"]
    yield "trained on", row["trained_on"]
    yield "measured", _measured(row["figures"])
    if row["ways"]:
        yield "also asked as", f"{', '.join(row['ways'])}: see evals/DETECTORS.md"
    if row["state"] in ("in use", "here"):
        yield "calibrated", _calibrated(row["calibration"])
    yield "problem", row["problem"]
    yield "to have it", row["get"]


def _calibrated(fitted: dict[str, Any] | None) -> str:
    """Method and data of the calibration, and which probabilities decide nothing."""
    if fitted is None:
        return "no: its scores are no probabilities"
    low, high = fitted["inconclusive"]
    data = fitted["fitted_on"].get("data", "data that is not named")
    return f"{fitted['method']}, on {data}; inconclusive from {low:.2f} to {high:.2f}"


def _measured(figures: list[dict[str, Any]]) -> str:
    """One line per kind of data, closest to the training data first; then the command."""
    if not figures:
        return "not measured by this project"
    kinds: dict[str, list[str]] = {}
    for it in figures:
        low, high = it["interval"]
        value = f"{it['dataset']} {it['value']:.2f} ({low:.2f}–{high:.2f})"
        kinds.setdefault(f"{it['figure']}, {it['note']}", []).append(value)
    lines = [f"{kind}: {', '.join(values)}" for kind, values in kinds.items()]
    runs = sorted({f"{it['command']}, {it['date']}" for it in figures})
    return "\n".join([*lines, *runs])
