"""Classifiers that the user has put below the models folder, in any supported layout.

Those in `<models>/classifiers/face/<name>` get aligned faces, those in
`<models>/classifiers/image/<name>` whole images.
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
    """The folders below `<models>/classifiers`, with their input kind."""
    kinds: tuple[InputKind, ...] = ("face", "image")
    for inputs in kinds:
        for config in sorted((models_dir / CLASSIFIERS_FOLDER / inputs).glob(f"*/{CONFIG}")):
            yield inputs, config.parent


def load_classifier(folder: Path, *, inputs: InputKind) -> ImageClassifier | CommunityForensics:
    """The detector in a folder; its weights are not loaded yet.

    Raises SetupError if there is no usable one, or if it takes the other kind of input.
    """
    if not is_community_forensics_config(read_json(folder / CONFIG)):
        return ImageClassifier.from_checkpoint(folder, inputs=inputs)
    if inputs != "image":
        raise SetupError(
            f"{folder} is Community Forensics, which takes whole images: "
            f"move it to {folder.parent.with_name('image')}"
        )
    return CommunityForensics.from_folder(folder)


def model_card_licence(folder: Path) -> str:
    """The `license:` of a checkpoint's model card, verbatim, or a note that none is stated."""
    card = folder / "README.md"
    text = card.read_text("utf-8", errors="replace") if card.is_file() else ""
    header = re.match(r"---\n(.*?)\n---", text, flags=re.DOTALL)
    line = (
        re.search(r"^license:[ ]*(\S.*)$", header.group(1), flags=re.MULTILINE) if header else None
    )
    return line.group(1).strip() if line else "not stated: ask its author before using it"
