"""Runs the real tools on casework and keeps what they answered: the stuff that dialogues are of.

    python -m assistant.training.dialogues.tool_results HARVEST --data ../shared/data --galleries 6

Every gallery is made of other persons (`tools.training.calibration.benchmark_cases`: authentic
photos, forgeries, bodies, copies, bystanders). `HARVEST/records.jsonl` has one line a search: the
tools' answers, with the handle of each subject, and the numbers of its pictures in
`HARVEST/pictures`.
"""

import argparse
import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from assistant.conversation.messages import image_content_block
from assistant.profile import LoadedModels
from assistant.settings import Settings
from tools import toolkit
from tools.agent_tools.workspace import Workspace
from tools.errors import ToolError
from tools.gallery.indexing.job import index_folders
from tools.gallery.record_store import Gallery
from tools.gallery.vector_index import FaceIndex
from tools.training.calibration.benchmark_cases import BenchmarkFile, build_benchmark, portraits

Answers = Callable[..., str]

FACE_SIDE_PX = 224


class ImageWriter:
    """Numbered pictures in a folder, written as a prompt would hold them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._count = len([*folder.glob("*.jpg")])

    def keep(self, pixels: np.ndarray) -> int:
        """Write (h, w, 3) uint8 RGB; returns its number."""
        data = base64.b64decode(image_content_block(pixels)["base64"])
        (self._folder / f"{self._count:05d}.jpg").write_bytes(data)
        self._count += 1
        return self._count - 1


def caller(workspace: Workspace) -> Answers:
    """The workspace's tools as a function (name, **arguments) -> the text that a model sees."""
    tools = {tool.name: tool for tool in toolkit(workspace)}

    def call(name: str, **arguments: Any) -> str:
        content = tools[name].invoke(arguments)
        return content if isinstance(content, str) else str(content[0]["text"])

    return call


def galleries(
    data: Path, folder: Path, *, count: int, queries: int, split: str = "train", seed: int = 7
) -> Iterator[tuple[Path, list[BenchmarkFile]]]:
    """Casework of other persons each time: its folder and what is in it; made once a folder."""
    people = portraits(data, split=split)
    rng = np.random.default_rng(seed)
    asked = [name for name, shots in people.items() if len(shots) >= 3]
    rest = [name for name, shots in people.items() if len(shots) < 3]
    rng.shuffle(asked)
    rng.shuffle(rest)
    for number in range(count):
        few = asked[number * queries : (number + 1) * queries]
        crowd = rest[number * 30 : (number + 1) * 30]
        chosen = {name: people[name][:6] for name in [*few, *crowd]}
        place = folder / f"case{number}"
        yield (
            place,
            _built(place) or build_benchmark(chosen, place, seed=seed + number, queries=len(few)),
        )


def _built(place: Path) -> list[BenchmarkFile]:
    """What an earlier run made there; nothing if it made nothing."""
    file = place / "exhibits.json"
    return [BenchmarkFile(**row) for row in json.loads(file.read_text())] if file.is_file() else []


def index_gallery(parts: LoadedModels, place: Path) -> Path:
    """Index a gallery as a user would; returns the data folder that holds it."""
    home = place / "home"
    with (
        Gallery.open(home, "default", fingerprint=parts.fingerprint) as gallery,
        FaceIndex.open(gallery) as index,
    ):
        index_folders([place / "gallery"], gallery=gallery, index=index, faces=parts.faces,
                      encoder=parts.encoder, threads=1)  # fmt: skip
    return home


def records(
    parts: LoadedModels, place: Path, exhibits: list[BenchmarkFile], pictures: ImageWriter
) -> Iterator[Any]:
    """One record for every query of a gallery."""
    home = index_gallery(parts, place)
    for exhibit in exhibits:
        if exhibit.kind == "query":
            workspace = Workspace(parts, home=home)
            try:
                yield _record(workspace, place / exhibit.file, pictures)
            except ToolError as error:
                print(f"left out {exhibit.file}: {error}")


def _record(workspace: Workspace, photo: Path, pictures: ImageWriter) -> dict[str, Any]:
    handle, call = workspace.add_photo(photo), caller(workspace)
    find = json.loads(call("find_person", photos=[handle], top=26))
    hits = [hit["id"] for hit in find["hits"]]
    rng = np.random.default_rng(len(hits) + pictures._count)
    some = [str(hit) for hit in rng.permutation(hits)]
    looked = [handle, *hits[:2], *some[:3]]
    pairs = [*((handle, hit) for hit in looked[1:]), *zip(some, hits[1:6], strict=False)]
    return {
        "find": find,
        "gallery": json.loads(call("gallery_summary")),
        "scores": {name: json.loads(call("score_fake", image=name)) for name in [handle, *hits]},
        "located": {name: json.loads(call("locate_artifacts", image=name)) for name in looked},
        "described": {name: json.loads(call("describe_image", image=name)) for name in looked},
        "compared": [
            json.loads(call("compare_faces", first=first, second=second))
            for first, second in pairs
            if first != second
        ],
        "pictures": {name: pictures.keep(workspace.pictures.pixels(name))
                     for name in [handle, *hits[:12]]},
        "faces": {name: pictures.keep(workspace.pictures.aligned(name, FACE_SIDE_PX))
                  for name in [handle, *hits[:12]]},
    }  # fmt: skip


def main() -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--galleries", type=int, default=6)
    parser.add_argument("--queries", type=int, default=8)
    parser.add_argument("--split", default="train")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    parts = LoadedModels(Settings(home=given.folder / "home", threads=1))
    pictures = ImageWriter(given.folder / "pictures")
    made = galleries(given.data, given.folder, count=given.galleries, queries=given.queries,
                     split=given.split)  # fmt: skip
    with (given.folder / "records.jsonl").open("a") as file:
        for place, exhibits in made:
            for record in records(parts, place, exhibits, pictures):
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
                file.flush()
            print(f"{place.name} is done", flush=True)


if __name__ == "__main__":
    main()
