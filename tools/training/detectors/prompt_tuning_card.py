"""Model card of prompt-tuned weights: data, recipe, figures, limits, licence."""

from collections.abc import Mapping
from pathlib import Path

_LIMITS = {
    "coop": "The learnt context is not readable as text.",
    "clip_adapter": "It overfits to the forgeries in its training data.",
    "linear_probe": "It generalises worst of the three to other forgery tools, as published.",
}


def write_card(
    weights: Path,
    kind: str,
    *,
    recipe: Mapping[str, object],
    figures: Mapping[str, float],
    source: str,
) -> Path:
    """Write `<weights>.card.md` and return its path; `source` is the user's description of the
    data."""
    path = weights.with_suffix(".card.md")
    rows = [f"| {name.replace('_', ' ')} | {_shown(value)} |" for name, value in figures.items()]
    steps = [f"- {name}: `{value}`" for name, value in recipe.items()]
    text = [
        f"# {weights.name}: {kind}",
        "Licence of the weights: as of the training pictures and of the encoder.",
        f"**Data.** {source}",
        "**Recipe.** `python -m tools.training.detectors.prompt_tuning`\n\n" + "\n".join(steps),
        "**Figures**, on held-out persons, who also decided early stopping, so a test on further "
        "persons will give lower values.\n\n| figure | value |\n|---|---|\n" + "\n".join(rows),
        f"**Limits.** {_LIMITS[kind]} It was trained on these kinds of forgery; on others the "
        "ranking may hold where a fixed threshold fails. Its sigmoid is not a calibrated "
        "probability, and it does not show where a picture was changed.",
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(text) + "\n", "utf-8")
    return path


def _shown(value: float) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
