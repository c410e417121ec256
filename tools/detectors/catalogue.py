"""Every detector that Unmask knows, here or not, and what was measured of the shipped ones.

A row says what a person must know before believing a score: what it looks at, under which licence
it may be used, what it learnt from. Figures lie beside the heads in one file, each with the
checkpoint that it was measured on: another checkpoint has no figures until somebody measures it.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tools.checkpoint_table import PUBLIC_HEAD, Profile
from tools.detectors import Inputs
from tools.errors import SetupError

Needs = Literal["features", "pixels"]
FIGURES = "FIGURES.json"


@dataclass(frozen=True, slots=True)
class Known:
    """A detector as it is spoken of: `<inputs>/<name>`.

    With a `profile` it reads that profile's encoder; its head is `file`, or nothing for prompts,
    and the licence stands in the table of checkpoints. Without one, `get` says how to have it.
    `query`: it may also be told who is looked for.
    """

    name: str
    inputs: Inputs
    needs: Needs
    trained_on: str
    preprocessing: str = "resize"
    profile: Profile | None = None
    file: str | None = None
    licence: str = ""
    get: str = ""
    query: bool = False

    @property
    def title(self) -> str:
        """As it is called in evaluations."""
        return f"{self.inputs}/{self.name}"


_FACES = "8,000 pairs: our forge's forgeries of LFW's training people, DFDC's training videos"
_IMAGES = "4,000 pairs: our forge's forgeries of LFW's training people"
_PROGAN = "ProGAN's pictures of 20 things against LSUN, as published"
_CAPTIONS = "captions that our forge knows to be true, beside the encoder's pictures"
_CLIP = "nothing; CLIP's texts were learnt from captions of the web"

HEADS_KNOWN = (
    Known("unifd_linear", "face", "features", _FACES, profile="pocket",
          file="face_linear.safetensors"),
    Known("unifd_neighbours", "face", "features", f"bank of 4,000 from {_FACES}", profile="pocket",
          file="face_bank.safetensors"),
    Known("unifd_linear", "image", "features", _IMAGES, profile="pocket",
          file="image_linear.safetensors"),
    Known("unifd_neighbours", "image", "features", f"bank of 4,000 from {_IMAGES}",
          profile="pocket", file="image_bank.safetensors"),
    Known("unifd_linear", "face", "features", _PROGAN, profile="full", file=PUBLIC_HEAD),
    Known("unifd_linear", "image", "features", _PROGAN, profile="full", file=PUBLIC_HEAD),
)  # fmt: skip
"""Read from the profile's encoder features; those of the profile in use make the verdict."""

PROMPTS_KNOWN = (
    Known("prompts", "face", "features", _CAPTIONS, profile="pocket"),
    Known("prompts", "image", "features", _CAPTIONS, profile="pocket"),
    Known("prompts", "face", "features", _CLIP, profile="full"),
    Known("prompts", "image", "features", _CLIP, profile="full"),
)
"""Zero-shot: whatever encoder is there can be asked in words."""

_UNTRAINED = "no weights are shipped or downloaded: give the file to its `load` in Python"

OTHERS_KNOWN = (
    Known("gend", "face", "pixels", "FaceForensics++ c23, as published",
          "GenD's own alignment; CLIP's resize", licence="MIT",
          get="a folder of yermandy/GenD_CLIP_L_14 for `Gend.load` in Python"),
    Known("repdfd", "face", "pixels", "FaceForensics++ c23, as published",
          "picture shrunk to 0.7 within a learnt border", licence="MIT",
          get=_UNTRAINED, query=True),
    Known("coop", "face", "features", _PROGAN, licence="MIT", get=_UNTRAINED),
    Known("clip_adapter", "face", "features", _PROGAN, licence="MIT", get=_UNTRAINED),
    Known("linear_probe", "face", "features", _PROGAN, licence="MIT", get=_UNTRAINED),
    Known("Deep-Fake-Detector-Model", "face", "pixels", "not said by its author in detail",
          "its own image processor", licence="Apache-2.0",
          get="put prithivMLmods/Deep-Fake-Detector-Model below {classifiers}/face"),
    Known("commfor-model-384", "image", "pixels",
          "pictures of about 4,800 generators, as published", "its own image processor",
          licence="MIT",
          get="put OwensLab/commfor-model-384, in transformers' form, below {classifiers}/image"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value with its 95 % interval; `checkpoint` is the sha256 it holds for.

    `note` says how near the data set is to what the detector learnt from.
    """

    detector: str
    checkpoint: str
    dataset: str
    note: str
    figure: str
    value: float
    interval: tuple[float, float]
    authentic: int
    forged: int
    command: str
    date: str


def read_figures(folder: Path) -> tuple[Figure, ...]:
    """What was measured of the heads in a folder; nothing when the file is not there.

    Raises SetupError when the file cannot be read as such.
    """
    path = folder / FIGURES
    if not path.is_file():
        return ()
    try:
        rows = json.loads(path.read_text("utf-8"))
        return tuple(Figure(**{**row, "interval": tuple(row["interval"])}) for row in rows)
    except (ValueError, TypeError, KeyError) as error:
        raise SetupError(f"{path} is damaged: {error}; install Unmask again") from error
