"""The card beside weights that prompt tuning learnt: data, recipe, figures, limits, licence."""

from collections.abc import Mapping
from pathlib import Path

_LIMITS = {
    "coop": "Learnt words cannot be read.",
    "clip_adapter": "It fits closely to the forgeries it saw.",
    "linear_probe": "Of the three it carried over least to other makers' forgeries, as published.",
}


def write_card(
    weights: Path,
    kind: str,
    *,
    recipe: Mapping[str, object],
    figures: Mapping[str, float],
    source: str,
) -> Path:
    """Write `<weights>.card.md` and return its path; `source` is what the user says of the data."""
    path = weights.with_suffix(".card.md")
    rows = [f"| {name.replace('_', ' ')} | {_shown(value)} |" for name, value in figures.items()]
    steps = [f"- {name}: `{value}`" for name, value in recipe.items()]
    text = [
        f"# {weights.name}: {kind}",
        "Licence of the weights: as of the pictures they learnt from and of the encoder.",
        f"**Data.** {source}",
        "**Recipe.** `python -m tools.training.detectors.prompt_tuning`\n\n" + "\n".join(steps),
        "**Figures**, on persons held out; they also chose when to stop, so a test on further "
        "persons will read lower.\n\n| figure | value |\n|---|---|\n" + "\n".join(rows),
        f"**Limits.** {_LIMITS[kind]} It knows the kinds of forgery it was shown; on others the "
        "ranking may hold where a fixed threshold fails. Its sigmoid is no calibrated "
        "probability, and it does not show where a picture was changed.",
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(text) + "\n", "utf-8")
    return path


def _shown(value: float) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
