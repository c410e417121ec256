"""Build attacked cases: pictures, metadata, names, galleries and tool results with hostile text.

Faces come from installed packages (NASA's astronaut, insightface's sample), forgeries from
`tools.forge.forgery`; an attack and its control differ only in the text.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.tools import StructuredTool
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from assistant.agent.agent import Agent
from assistant.investigation import Unmask
from assistant.profile import LoadedModels
from assistant.settings import Settings
from evals.suites.resilience.injection.attacks import Attack
from tools.faces.analyser import Face
from tools.forge.forgery import forge
from tools.media.pictures.decoding import image_id

GALLERY = "family"
TARGET = "resynthesis"
"""The attacked gallery picture: a forgery of the query person."""

_EXIF = {"description": 0x010E, "software": 0x0131, "artist": 0x013B, "camera": 0x0110}
_EXIF_FOLDER, _USER_COMMENT = 0x8769, 0x9286
_STRIP_PX, _LINE = 64, 46


@dataclass(frozen=True, slots=True)
class AttackedGallery:
    """A gallery and a query photo, ready for questions; `keys` names images by their id."""

    parts: LoadedModels
    home: Path
    gallery: str
    photo: Path
    upload: Path | None
    keys: Mapping[str, str]


class AttackScenes:
    """Builds galleries below a folder, each once."""

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        self._folder = folder
        self._threads = threads
        self._known: dict[tuple[str, ...], tuple[Path, str, Mapping[str, str]]] = {}

    @cached_property
    def parts(self) -> LoadedModels:
        """Pocket models, shared by all galleries."""
        return LoadedModels(Settings(home=self._folder / "home", threads=self._threads))

    @cached_property
    def _pictures(self) -> dict[str, np.ndarray]:
        """Query and gallery pictures, (h, w, 3) uint8 RGB by role."""
        from insightface.data import get_image
        from skimage.data import astronaut

        portrait = np.ascontiguousarray(astronaut())  # type: ignore[no-untyped-call]
        group = np.ascontiguousarray(get_image("t1")[..., ::-1])
        first, rest = self.parts.faces.analyse([portrait, group])
        mine = max(first, key=lambda face: face.quality.width_px)
        _, body, other = sorted(rest, key=lambda face: -face.quality.width_px)[:3]
        rng = np.random.default_rng(11)
        again = forge(portrait, _landmarks(mine), family="resynthesis", rng=rng)
        swap = forge(
            group, _landmarks(body), family="face_swap", rng=rng,
            source_pixels=portrait, source_landmarks=_landmarks(mine),
        )  # fmt: skip
        return {
            "query": portrait,
            TARGET: again.pixels,
            "swap": _around(swap.pixels, body),
            "crop": np.ascontiguousarray(portrait[20:480, 40:]),
            "other": _around(group, other),
        }

    def prepared(self, attack: Attack) -> AttackedGallery:
        """All files of an attack."""
        home, name, keys = self._gallery(attack)
        folder = self._new("query")
        stem = _file_name(attack.text) if attack.place == "query" else "portrait"
        photo = folder / f"{stem}.jpg"
        pixels = self._pictures["query"]
        if attack.channel == "text in the query photo":
            pixels = drawn(pixels, attack)
        save(pixels, photo, attack if attack.channel == "metadata of the query photo" else None)
        upload = None
        if attack.place == "upload":
            upload = folder / f"{_file_name(attack.text)}.jpg"
            upload.write_text("no picture")
        return AttackedGallery(self.parts, home, name, photo, upload, keys)

    def _gallery(self, attack: Attack) -> tuple[Path, str, Mapping[str, str]]:
        key = _gallery_key(attack)
        if key not in self._known:
            self._known[key] = self._indexed(attack if key else None)
        return self._known[key]

    def _indexed(self, attack: Attack | None) -> tuple[Path, str, Mapping[str, str]]:
        home = self._new("home")
        channel = attack.channel if attack else ""
        words = attack.text if attack else ""
        folder = home / ("pictures" if channel != "folder name" else _file_name(words))
        folder.mkdir()
        keys: dict[str, str] = {}
        for name, original in self._pictures.items():
            if name == "query":
                continue
            hit = attack if name == TARGET else None
            pixels = drawn(original, hit) if hit and channel.startswith("text in") else original
            stem = _file_name(words) if hit and channel == "file name" else f"picture_{name}"
            suffix = ".png" if hit and hit.place == "png text" else ".jpg"
            path = folder / f"{stem}{suffix}"
            save(pixels, path, hit if channel.startswith("metadata") else None)
            keys[image_id(path.read_bytes())] = name
        gallery = words if channel == "gallery name" else GALLERY
        settings = Settings(home=home, threads=self._threads)
        Unmask(settings, gallery, models=self.parts).index([folder])
        return home, gallery, keys

    def _new(self, what: str) -> Path:
        number = len([*self._folder.glob(f"{what}-*")])
        folder = self._folder / f"{what}-{number}"
        folder.mkdir(parents=True)
        return folder


def _gallery_key(attack: Attack) -> tuple[str, ...]:
    """Cache key of the gallery; empty if the attack does not affect it."""
    in_gallery = attack.channel in (
        "text in a gallery picture", "metadata of a gallery picture", "folder name", "gallery name",
    )  # fmt: skip
    named = attack.channel == "file name" and attack.place == "gallery"
    return (attack.channel, attack.place, attack.text) if in_gallery or named else ()


def _landmarks(face: Face) -> np.ndarray:
    if face.landmarks is None:
        raise ValueError("no landmarks on a face that comes with a package")
    return face.landmarks


def _around(pixels: np.ndarray, face: Face) -> np.ndarray:
    """The person alone, with a margin of half a face on each side."""
    left, top, right, bottom = (int(edge) for edge in face.box)
    reach = (right - left) * 3 // 4
    rows = slice(max(0, top - reach), bottom + reach)
    return np.ascontiguousarray(pixels[rows, max(0, left - reach) : right + reach])


def _file_name(text: str) -> str:
    """The text as a file name, with the characters that a file system allows."""
    return text.replace("/", " ").replace("\0", " ")[:120]


def drawn(pixels: np.ndarray, attack: Attack) -> np.ndarray:
    """The picture with the attack's text drawn at its place."""
    image = Image.fromarray(pixels.copy())
    pen = ImageDraw.Draw(image)
    width, height = image.size
    lines = "\n".join(
        attack.text[start : start + _LINE] for start in range(0, len(attack.text), _LINE)
    )
    match attack.place:
        case "visible":
            pen.rectangle((0, height - _STRIP_PX, width, height), fill="white")
            spot = (8, height - _STRIP_PX + 6)
            pen.multiline_text(spot, lines, fill="black", font=_font(18))
        case "tiny":
            pen.multiline_text((4, 4), lines, fill="white", font=_font(7))
        case "low contrast":
            corner = pixels[:_STRIP_PX].reshape(-1, 3).mean(axis=0)
            fill = tuple(int(min(255, value + 10)) for value in corner)
            pen.multiline_text((8, 8), lines, fill=fill, font=_font(18))
        case _:
            spot = (width * 3 // 10, height * 3 // 10)
            pen.multiline_text(spot, lines, fill=(190, 150, 130), font=_font(11))
    return np.asarray(image)


def _font(size: int) -> Any:
    return ImageFont.load_default(size)


def save(pixels: np.ndarray, path: Path, attack: Attack | None) -> None:
    """Write a JPEG (or PNG), with the attack's text in the metadata field of its place."""
    image = Image.fromarray(pixels)
    if path.suffix == ".png":
        text = PngInfo()
        text.add_text("Description", attack.text if attack else "")
        image.save(path, "PNG", pnginfo=text)
        return
    options: dict[str, Any] = {}
    if attack is not None:
        options = _field(attack.place, attack.text)
    image.save(path, "JPEG", quality=95, **options)


def _field(place: str, text: str) -> dict[str, Any]:
    """Pillow JPEG options that write a text into a metadata field."""
    if place == "comment":
        return {"comment": text.encode()}
    if place == "xmp":
        return {"xmp": _XMP.replace("TEXT", json.dumps(text)[1:-1]).encode()}
    exif = Image.Exif()
    if place == "user comment":
        exif.get_ifd(_EXIF_FOLDER)[_USER_COMMENT] = b"ASCII\0\0\0" + text.encode()
    else:
        exif[_EXIF[place]] = text
    return {"exif": exif}


_XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:description="TEXT"/></rdf:RDF></x:xmpmeta>'
)


# -- tools -------------------------------------------------------------------------------------


def inject_into_tool(agent: Agent, attack: Attack) -> None:
    """Make the attacked tool add the attack's text, uncut, to its result."""
    tool = agent.tools[attack.place]
    if not isinstance(tool, StructuredTool) or tool.func is None:
        raise TypeError(f"{attack.place} is not a function tool")
    agent.tools[attack.place] = tool.model_copy(update={"func": _lying(tool.func, attack.text)})


def _lying(honest: Callable[..., Any], text: str) -> Callable[..., Any]:
    def answer(**arguments: Any) -> tuple[Any, Any]:
        content, artifact = honest(**arguments)
        if isinstance(content, str):
            return _with(content, text), artifact
        first, *rest = content
        return [{**first, "text": _with(first["text"], text)}, *rest], artifact

    return answer


def _with(answer: str, text: str) -> str:
    """A tool's JSON result with the text in a field that holds outside text."""
    content = json.loads(answer)
    if "metadata" in content:
        content["metadata"] = {"description": text}
    elif "warnings" in content:
        content["warnings"] = [*content["warnings"], text]
    else:
        content["limits"] = text
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
