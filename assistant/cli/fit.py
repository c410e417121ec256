"""`unmask fit`: train a detector on the user's own pictures."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.text import Text

from assistant.cli.options import JsonOption, load_settings, redirect_library_output
from assistant.console.output import (
    escape_terminal,
    pluralize,
    print_json,
    print_remarks,
    print_table,
    stdout_console,
)
from tools.errors import SetupError
from tools.training.fitting.trainers import TRAINERS
from tools.training.fitting.training_context import FitOptions

if TYPE_CHECKING:
    from assistant.settings import Settings
    from tools.training.fitting.run import FittedDetector

_SKIPS_SHOWN = 10
_KINDS = "\n".join(f"{name:<18}{row.title}" for name, row in TRAINERS.items())


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    told = (fit.__doc__ or "").replace("KINDS", _KINDS.replace("\n", "\n    "))
    app.command(short_help="Fit a detector to your own pictures.", help=told)(fit)


def _known(kind: str) -> str:
    if kind not in TRAINERS:
        raise typer.BadParameter(f"{kind!r} cannot be fitted; there are {', '.join(TRAINERS)}")
    return kind


def fit(
    context: typer.Context,
    kind: Annotated[
        str, typer.Argument(metavar="DETECTOR", callback=_known, help="Which; see the list above.")
    ],
    real: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of authentic photos of several people.")
    ],
    fake: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of forgeries; without it they are made."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What to call it; default: my_DETECTOR.")
    ] = None,
    inputs: Annotated[
        Literal["face", "image"] | None,
        typer.Option(help="Look at the face, or at the whole image, where a kind can do both."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Stop after so many.")] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Stop learning after so many.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Divides and draws; same seed, same weights.")
    ] = 0,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Processor threads; default: UNMASK_THREADS, or all.")
    ] = None,
    track: Annotated[
        bool | None,
        typer.Option(
            "--track/--no-track",
            help="Keep figures and curves in MLflow's local store; default: where it is installed.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a detector, or a job, of that name.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Fit a detector to your own pictures: train, calibrate and test it on different people.

    \b
    unmask fit unifd_linear --real ~/photos
    unmask fit unifd_linear --real ~/photos --fake ~/forgeries --name office
    unmask fit sbi_caddm --real ~/photos --minutes 60
    unmask fit efficientnet --real ~/classes/real --fake ~/classes

    \b
    KINDS

    Without --fake, forgeries are made of the photos. Provide photos of at least seven people,
    better fifty. One sub-folder per person helps; otherwise the faces decide who is who. Each
    sub-folder of --fake is a kind of forgery; a forgery with the name of a photo counts as a
    forgery of it. If every class has a folder, --real is the authentic one, and networks on whole
    pictures name the class. Training, calibration and test use different people, so the figures
    are for people the detector has never seen. Forgeries whose face, name and folder do not say
    whom they show may be exceptions; they are counted.

    The first three take minutes on a processor; networks need a GPU, which is used if there is
    one, or patience. After Ctrl-C or a crash, the same command continues where it stopped.
    Unusable files are listed with the reason. Weights, calibration and a card are stored in the
    models folder, where `unmask detectors` and evaluations find them; the verdict does not change.
    Nothing leaves this machine.
    """
    settings = load_settings(context, writes=True)
    chosen = FitOptions(epochs, minutes, seed, threads or settings.threads or _cores())
    name = name or f"my_{kind}"
    tracks = _tracks(track)
    with redirect_library_output(context):
        fitted = _fit(settings, kind, (real, fake), name=name, inputs=inputs, options=chosen,
                      force=force)  # fmt: skip
        kept, problem = _kept(fitted, settings) if tracks else (None, None)
    print_remarks([*fitted.remarks, *([problem] if problem else [])])
    if json:
        _print_json(fitted, kept)
    else:
        _print(fitted, kept)


def _cores() -> int:
    return os.cpu_count() or 1


def _tracks(asked: bool | None) -> bool:
    """Whether to track the run; raises before any training if tracking is not possible."""
    from tools.training.tracking import mlflow_installed, require_mlflow

    if asked:
        require_mlflow()
    return mlflow_installed() if asked is None else asked


def _fit(
    settings: "Settings", kind: str, folders: tuple[Path, Path | None], *, name: str, **more: Any
) -> "FittedDetector":
    from assistant.console.progress import FitDisplay
    from assistant.profile import LoadedModels
    from tools.detectors.folders import DETECTORS_FOLDER
    from tools.training.fitting.job import check_name
    from tools.training.fitting.request import check_request
    from tools.training.fitting.run import FitModels, fit_detector

    # Impossible requests are refused before any heavy import.
    check_name(name)
    check_request(kind, *folders, inputs=more["inputs"], options=more["options"])
    parts = LoadedModels(settings.model_copy(update={"threads": more["options"].threads}))
    engines = FitModels(parts.encoder, parts.faces, parts.fingerprint["faces"])
    real, fake = folders
    try:
        with FitDisplay() as display:
            return fit_detector(
                kind,
                real,
                fake,
                out=settings.models_dir / DETECTORS_FOLDER / name,
                engines=engines,
                progress=display,
                **more,
            )
    except KeyboardInterrupt:
        print_remarks(["all progress is kept: repeat the command to continue"])
        raise


def _kept(
    fitted: "FittedDetector", settings: "Settings"
) -> tuple[dict[str, str] | None, str | None]:
    """The tracked run, or the reason why it is not tracked: the fitted detector is kept anyway."""
    from tools.training.fitting.report import to_tracked_run
    from tools.training.tracking import log_run, resolve_store_uri

    uri = resolve_store_uri("", settings.evals_dir)
    try:
        return {"uri": uri, "run_id": log_run(to_tracked_run(fitted), uri)}, None
    except SetupError as error:
        return None, f"not tracked: {error}"


def _print_json(fitted: "FittedDetector", kept: dict[str, str] | None) -> None:
    from tools.training.fitting.report import to_json

    print_json({**to_json(fitted), "mlflow": kept})


def _print(fitted: "FittedDetector", kept: dict[str, str] | None) -> None:
    from assistant.console.progress import format_duration

    told, console = fitted.told, stdout_console()
    persons = ", ".join(f"{count} to {part}" for part, count in told.persons.items())
    console.print(
        f"{fitted.title}: {pluralize(told.authentic, 'authentic picture')} and "
        f"{told.forged or 'made'} forgeries of {pluralize(sum(told.persons.values()), 'person')} "
        f"({persons}), {format_duration(fitted.seconds)}."
    )
    _print_skipped(fitted)
    console.print()
    known = ", except forgeries of unknown people" if told.unattributed else ""
    print_table((f"on people it has never seen{known}", ""), _rows(fitted))
    console.print(
        f"\nIn {escape_terminal(fitted.folder)}; the card beside the weights says more.",
        soft_wrap=True,
    )
    console.print("All detectors: unmask detectors")
    if kept:
        console.print(
            f"Tracked: mlflow ui --backend-store-uri {escape_terminal(kept['uri'])}", soft_wrap=True
        )


def _print_skipped(fitted: "FittedDetector") -> None:
    skipped = fitted.skipped
    if skipped:
        reasons = Counter(it.reason for it in skipped)
        told = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
        stdout_console().print(
            Text(f"  {pluralize(len(skipped), 'file')} left out: {escape_terminal(told)}")
        )
    for it in skipped[:_SKIPS_SHOWN]:
        stdout_console().print(
            Text(f"    {escape_terminal(it.path)}  ({escape_terminal(it.reason)})", overflow="fold")
        )
    if len(skipped) > _SKIPS_SHOWN:
        stdout_console().print(f"    … and {len(skipped) - _SKIPS_SHOWN} more; --json names them")


def _rows(fitted: "FittedDetector") -> Iterator[tuple[str, str]]:
    it, calibration = fitted.figures, fitted.calibration
    band = None if calibration is None else calibration.band
    edges = "" if it.auc_interval is None else " ({:.2f}–{:.2f})".format(*it.auc_interval)
    yield "AUC (95 % interval)", f"{_number(it.auc)}{edges}"
    yield (
        "authentic / forged told right",
        f"{_share(it.real_accuracy)} / {_share(it.fake_accuracy)}",
    )
    yield "calibration error", _number(it.ece)
    yield "inconclusive band", f"{band.low:.2f} to {band.high:.2f}" if band else "not calibrated"
    yield "inconclusive", _share(it.inconclusive)
    yield "authentic above it / forged below", f"{_share(it.called_forged)} / {_share(it.missed)}"
    for name, auc in it.families.items():
        yield f"AUC, {name}", _number(auc) + (" (never learnt)" if name in it.unlearnt else "")


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2f}"


def _share(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.0%}".replace("%", " %")
