"""The classifiers that a person has put below the models' folder, whoever's layout they have.

Those in `<models>/classifiers/face/<name>` are shown aligned faces, those in
`<models>/classifiers/image/<name>` whole pictures.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from tools.detectors.networks.community_forensics import (
    CommunityForensics,
    is_community_forensics_config,
)
from tools.detectors.networks.image_classifier import CONFIG, ImageClassifier, read_json
from tools.detectors.protocol import InputKind
from tools.errors import SetupError

CLASSIFIERS_FOLDER = "classifiers"


def classifier_folders(models_dir: Path) -> Iterator[tuple[InputKind, Path]]:
    """What lies below `<models>/classifiers`: what it is to look at, and its folder."""
    kinds: tuple[InputKind, ...] = ("face", "image")
    for inputs in kinds:
        for config in sorted((models_dir / CLASSIFIERS_FOLDER / inputs).glob(f"*/{CONFIG}")):
            yield inputs, config.parent


def load_classifier(folder: Path, *, inputs: InputKind) -> ImageClassifier | CommunityForensics:
    """The detector that a folder holds; its weights are not read yet.

    Raises SetupError when it holds none that can be used, or one that looks at something else.
    """
    if not is_community_forensics_config(read_json(folder / CONFIG)):
        return ImageClassifier.from_checkpoint(folder, inputs=inputs)
    if inputs != "image":
        raise SetupError(
            f"{folder} is Community Forensics, which looks at whole pictures: "
            f"move it to {folder.parent.with_name('image')}"
        )
    return CommunityForensics.from_folder(folder)


def model_card_licence(folder: Path) -> str:
    """The `license:` of a checkpoint's model card, as its author wrote it; or that none is said."""
    card = folder / "README.md"
    text = card.read_text("utf-8", errors="replace") if card.is_file() else ""
    header = re.match(r"---\n(.*?)\n---", text, flags=re.DOTALL)
    line = (
        re.search(r"^license:[ ]*(\S.*)$", header.group(1), flags=re.MULTILINE) if header else None
    )
    return line.group(1).strip() if line else "not said: ask its author before using it"
