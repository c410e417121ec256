"""Read the folder tree shared by FaceForensics++ and DFD: sequences by method and compression.

    original_sequences/<source>/<compression>/videos/NAME.mp4
    manipulated_sequences/<method>/<compression>/videos/NAME.mp4
    manipulated_sequences/<method>/masks/videos/NAME.mp4

Frames are in `images/` or `frames/` instead of `videos/` (NAME/0000.png), and masks of frames below
`masks/` of the method or of one of its compressions.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from evals.datasets.listing import LoaderNotes, files, media
from evals.datasets.loaders.clips import Clip, clips

ORIGINAL, MANIPULATED = "original_sequences", "manipulated_sequences"
COMPRESSIONS = {"raw": "raw", "c0": "raw", "c23": "c23", "c40": "c40"}  # c0 is an old name


@dataclass(frozen=True, slots=True)
class Sequence:
    """Footage of an authentic source or a method at one compression, with its mask file."""

    clip: Clip
    method: str
    authentic: bool
    compression: str
    mask: str | None = None

    @property
    def video_id(self) -> str:
        """Id of the footage within the data set: `Deepfakes/c23/000_003`."""
        return f"{self.method}/{self.compression}/{self.clip.name}"


def sequences(
    root: Path, wanted: Collection[str], found: LoaderNotes, *, apart: Callable[[str], bool]
) -> Iterator[Sequence]:
    """Footage of the wanted sources and methods.

    Files for which `apart` is true (such as lists) are read elsewhere; other files that are not
    footage are noted.
    """
    paths = [path for path in files(root) if not apart(path)]
    masks = [path for path in paths if "masks" in PurePosixPath(path).parts]
    marked = {_mask_key(clip): clip.path for clip in clips(media(masks, found), found)}
    for clip in clips(media(sorted({*paths} - {*masks}), found), found):
        parts = PurePosixPath(clip.home).parts
        if (
            len(parts) != 3
            or parts[2] not in COMPRESSIONS
            or parts[0] not in (ORIGINAL, MANIPULATED)
        ):
            found.add("unexpected files", clip.path)
        elif parts[1] not in wanted:
            found.add(f"of {parts[1]}, which is not read here", clip.path)
        else:
            mask = marked.get((parts[1], clip.name, clip.frame))
            yield Sequence(
                clip,
                method=parts[1],
                authentic=parts[0] == ORIGINAL,
                compression=COMPRESSIONS[parts[2]],
                mask=mask or marked.get((parts[1], clip.name, None)),
            )


def _mask_key(clip: Clip) -> tuple[str, str, int | None]:
    """Masks are the same for all compressions."""
    parts = PurePosixPath(clip.home).parts
    return parts[1] if len(parts) > 1 else "", clip.name, clip.frame
