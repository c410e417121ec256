"""Load a folder per class: authentic photographs and the output of each generator.

    root/
      [train/ val/ test/]
        real/… CelebA/… real_ffhq/…          authentic, by a word of the folder's name
        StyleGAN2/… fake_sd21/…              fake; the folder is the method
        progan/0_real/… progan/1_fake/…      the inner word decides, the outer is the method
      [classes.csv]                          folder,label[,method]: outranks the names, also below

Labels by words: real, authentic, original, genuine, pristine say real, fake, forged, generated,
synthetic, deepfake say fake; otherwise names of data sets (CelebA, FFHQ, LFW, …) mean real and of
generators (StyleGAN, diffusion, …) mean fake. A folder without any of these is fake if another
folder is real. An undecided label raises SetupError. Folders called train, val or test (in usual
spellings) are splits. Folders named with digits, general words (images, dataset) or both labels
("Real and Fake") are not classes, nor is a single folder that contains everything.

Identity: None, since whole-face synthesis depicts no known person. Data with a folder per person
below each method is loaded by `evals.datasets.loaders.attacks`. Not known: source, compression,
terms (no tag).
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from evals.datasets.csv_table import name_of, read_lines
from evals.datasets.listing import LoaderNotes, files, is_video, media
from evals.datasets.manifest import LABELS, Label, Manifest, ManifestRow
from tools.errors import SetupError

TABLE = "classes.csv"
PLAIN: Mapping[Label, frozenset[str]] = {
    "real": frozenset(
        {"real", "reals", "authentic", "original", "originals", "genuine", "pristine"}
    ),
    "fake": frozenset({
        "fake", "fakes", "forged", "forgery", "forgeries", "generated", "synthetic", "synthesis",
        "deepfake", "deepfakes",
    }),
}  # fmt: skip
_SETS: Mapping[Label, frozenset[str]] = {
    "real": frozenset({"celeba", "celebahq", "ffhq", "lfw", "vggface", "casia", "flickr"}),
    "fake": frozenset({
        "gan", "stylegan", "progan", "stargan", "biggan", "swap", "swaps", "faceswap", "simswap",
        "ghost", "diffusion", "sd", "sdxl", "dalle", "midjourney", "flux", "exist", "tpdne",
    }),
}  # fmt: skip
_ANY = frozenset({
    "data", "dataset", "datasets", "archive", "images", "image", "img", "imgs", "photos",
    "pictures", "faces", "face", "frames", "crops", "cropped",
})  # fmt: skip
_DEEPEST = 6
SPLITS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip

Class = tuple[str, ...]  # the folders of a class, without splits and digits


def recognises(root: Path) -> bool:
    """Whether there is a classes.csv, or all folders have labels and both labels occur."""
    if not root.is_dir():
        return False
    if (root / TABLE).is_file():
        return True
    return {_said((name,)) for name in _class_folders(root, depth=_DEEPEST)} == {"real", "fake"}


def _class_folders(folder: Path, *, depth: int) -> Iterator[str]:
    """Names of the possible class folders: the first below folders that are not classes."""
    inner = [it for it in folder.iterdir() if it.is_dir()]
    for it in inner:
        only = len(inner) == 1 and _said((it.name,)) is None
        if depth and (only or _is_no_class(it.name)):
            yield from _class_folders(it, depth=depth - 1)
        else:
            yield it.name


def load(root: Path) -> Manifest:
    """The manifest; raises SetupError for folders with an undecided label."""
    found = LoaderNotes()
    by_class: dict[str, tuple[str, Class]] = {}
    for path in media((it for it in files(root) if it != TABLE), found):
        split, klass = _place(path)
        if klass:
            by_class[path] = (split, klass)
        else:
            found.add("in no class's folder", path)
    if not by_class:
        raise SetupError(f"no pictures or videos in folders of {str(root)!r}")
    classes = sorted({klass for _, klass in by_class.values()})
    told = _table(root) if (root / TABLE).is_file() else {}
    known = _labelled(classes, told, root)
    rows = tuple(
        _row(path, *known[klass], split=split, dataset=name_of(root))
        for path, (split, klass) in by_class.items()
    )
    counted = Counter(klass for _, klass in by_class.values())
    said = ", ".join(f"{'/'.join(it)} = {known[it][0]} ({counted[it]})" for it in classes)
    return Manifest(name_of(root), root, rows, found.notes()).with_notes(classes=said)


def _row(path: str, label: Label, method: str | None, *, split: str, dataset: str) -> ManifestRow:
    video = PurePosixPath(path).with_suffix("").as_posix() if is_video(path) else None
    return ManifestRow(path, dataset, label, split, video_id=video, method=method)


def _place(path: str) -> tuple[str, Class]:
    """The split and the class of a file."""
    folders = PurePosixPath(path).parts[:-1]
    splits = [SPLITS[it.lower()] for it in folders if it.lower() in SPLITS]
    named = [it for it in folders if it.lower() not in SPLITS and not it.isdigit()]
    klass = tuple(it for it in named if not _is_no_class(it))
    return splits[0] if splits else "", klass or tuple(named[-1:])


def _is_no_class(name: str) -> bool:
    """Whether the name is a split, digits, a general word ("images"), or both labels ("Real and
    Fake")."""
    words = words_of(name)
    plain = name.lower() in SPLITS or name.isdigit() or (words and not words - _ANY)
    return bool(plain) or len(_labels((name,), PLAIN)) > 1


# -- labels ----------------------------------------------------------------------------------


def _labelled(
    classes: Iterable[Class], told: Mapping[str, tuple[Label, str | None]], root: Path
) -> dict[Class, tuple[Label, str | None]]:
    known: dict[Class, tuple[Label, str | None]] = {}
    for klass in classes:
        above = ("/".join(klass[:depth]) for depth in range(len(klass), 0, -1))
        entry = next((told[it] for it in above if it in told), None)
        said = _said(klass) if entry is None else None
        if entry is not None:
            known[klass] = entry
        elif said is not None:
            known[klass] = (said, _method(klass) if said == "fake" else None)
    undecided = [klass for klass in classes if klass not in known]
    a_real_one = any(label == "real" for label, _ in known.values())
    for klass in undecided:
        if _contradicts(klass) or not a_real_one:
            raise SetupError(
                f"folder {'/'.join(klass)!r} of {str(root)!r} says neither real nor fake: name it "
                f"e.g. real_{klass[-1]} or fake_{klass[-1]}, or list it in {TABLE} (folder,label)"
            )
        known[klass] = ("fake", _method(klass))
    return known


def _said(klass: Class) -> Label | None:
    """The label in the folders' names; None if neither or both occur."""
    for words in (PLAIN, _SETS):
        labels = _labels(klass, words)
        if labels:
            return labels.pop() if len(labels) == 1 else None
    return None


def _contradicts(klass: Class) -> bool:
    return any(len(_labels(klass, words)) > 1 for words in (PLAIN, _SETS))


def _labels(klass: Class, words: Mapping[Label, frozenset[str]]) -> set[Label]:
    return {label for label, known in words.items() for it in klass if known & words_of(it)}


def words_of(name: str) -> set[str]:
    """Words of a folder's name, split at punctuation, digits and lower-to-upper-case changes."""
    whole = re.findall(r"[a-z]+", name.lower())
    humps = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)
    return {*whole, *(it.lower() for it in humps), "".join(whole)}


def _method(klass: Class) -> str | None:
    """The innermost folder name that is more specific than "fake"."""
    more = [it for it in klass if words_of(it) - PLAIN["fake"]]
    return more[-1] if more else None


def _table(root: Path) -> dict[str, tuple[Label, str | None]]:
    path, table = root / TABLE, dict[str, tuple[Label, str | None]]()
    for number, line in read_lines(path, root, TABLE, ("folder", "label")):
        label = next((it for it in LABELS if it == line["label"]), None)
        if label is None:
            where = f"{str(path)!r}: line {number}: column 'label'"
            raise SetupError(f"{where}: {line['label']!r} is none of {', '.join(LABELS)}")
        klass = _place(f"{line['folder'].replace(chr(92), '/').strip('/')}/x")[1]
        method = line.get("method") or (_method(klass) if label == "fake" else None)
        table["/".join(klass)] = (label, method)
    return table
