"""The classifiers that a person has put below the models' folder, whoever's layout they have.

Those in `<models>/classifiers/face/<name>` are shown aligned faces, those in
`<models>/classifiers/image/<name>` whole pictures.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from tools.detectors.networks.community_forensics import CommunityForensics, is_published
from tools.detectors.networks.image_classifier import CONFIG, ImageClassifier, read_json
from tools.detectors.protocol import Inputs
from tools.errors import SetupError

FOLDER = "classifiers"


def classifier_folders(models_dir: Path) -> Iterator[tuple[Inputs, Path]]:
    """What lies below `<models>/classifiers`: what it is to look at, and its folder."""
    kinds: tuple[Inputs, ...] = ("face", "image")
    for inputs in kinds:
        for config in sorted((models_dir / FOLDER / inputs).glob(f"*/{CONFIG}")):
            yield inputs, config.parent


def classifier_of(folder: Path, *, inputs: Inputs) -> ImageClassifier | CommunityForensics:
    """The detector that a folder holds; its weights are not read yet.

    Raises SetupError when it holds none that can be used, or one that looks at something else.
    """
    if not is_published(read_json(folder / CONFIG)):
        return ImageClassifier.of(folder, inputs=inputs)
    if inputs != "image":
        raise SetupError(
            f"{folder} is Community Forensics, which looks at whole pictures: "
            f"move it to {folder.parent.with_name('image')}"
        )
    return CommunityForensics.of(folder)


def said_licence(folder: Path) -> str:
    """The `license:` of a checkpoint's model card, as its author wrote it; or that none is said."""
    card = folder / "README.md"
    text = card.read_text("utf-8", errors="replace") if card.is_file() else ""
    header = re.match(r"---\n(.*?)\n---", text, flags=re.DOTALL)
    line = (
        re.search(r"^license:[ ]*(\S.*)$", header.group(1), flags=re.MULTILINE) if header else None
    )
    return line.group(1).strip() if line else "not said: ask its author before using it"
