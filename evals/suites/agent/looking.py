"""Is what the model names about a picture right, on persons and a source it never saw?

Pictures with descriptions that are true by construction: LFW's `val` persons, and web photographs
(`photos/`), a source that training left out, both edited as in training
(`assistant.training.looking.described`). Faces: forgeries of LFW's `val` persons by our forge, with
one family that training left out, and DFDC swaps of the data's own validation originals; each with
its authentic photograph. With `--copies`, scenes and faces edited by hand are measured as well, two
more sources that were left out. Needs `unmask setup`.

- per attribute: how often it was named, and named rightly (`right`); `found`, of the pictures that
  have it; `chance`, how often a picture has it.
- `places`: how often the named place had been altered, and `chance`, the same names dealt at random
  to the same faces; `false_alarms`, of authentic faces, for how many a place was named.
- `screenshot_added`: of pictures that were not called a screenshot, how many are once they are
  shown inside an interface.

Does not show: results on real screenshots, watermarks or captions, which look different from those
that we draw, or on forgeries by strong generators. `--limit` takes that many pictures and faces.
"""

from collections.abc import Sequence

import numpy as np

from assistant.chat_model.looking.looker import Looker
from assistant.chat_model.looking.reading import Named
from assistant.profile import LoadedModels
from assistant.settings import Settings
from assistant.training.looking.described import Described, described
from assistant.training.looking.faces import AlteredFace, AlteredFaces, drawn
from assistant.training.looking.interfaces import screenshot
from assistant.training.looking.measuring import compare_attributes, compare_places
from assistant.training.looking.photographs import LEFT_OUT, VALIDATION, Photographs
from evals.options import EvalOptions
from evals.runs.samples import SampleWriter
from tools.errors import SetupError

PICTURES, FACES = 150, 120
"""Of each split: pictures, and draws of an authentic face with its forgery."""


def run(options: EvalOptions) -> dict[str, object]:
    """The figures of the shipped heads, by split."""
    parts = LoadedModels(Settings.load())
    if parts.tower is None:
        raise SetupError("the network that looks at pictures is not installed: run `unmask setup`")
    looker, samples = Looker(parts.tower), SampleWriter(options.output)
    photographs = Photographs(options.data, options.copies, parts.faces)
    altered = AlteredFaces(options.data, options.copies, parts.faces)
    figures: dict[str, object] = {}
    for split in (VALIDATION, LEFT_OUT):
        count = options.limit or PICTURES
        made = [described(photographs, split, number) for number in range(count)]
        named = list[dict[str, Named]]()
        for number, it in enumerate(made):
            options.progress(number, count, f"looking at pictures, {split}")
            named.append({one.group: one for one in looker.attributes(it.pixels)})
            samples.query(
                id=f"{split}/{number}", group=it.source, values={"named": float(len(named[-1]))},
                seen={one.group: one.name for one in named[-1].values()},
            )  # fmt: skip
        labels = np.stack([it.labels for it in made])
        figures[f"attributes {split}"] = compare_attributes(named, labels)
        if split == VALIDATION:
            figures["screenshot_added"] = _screenshot_added(looker, made, named)
    for split in (VALIDATION, *([LEFT_OUT] if options.copies is not None else [])):
        count = options.limit or FACES
        faces = list[AlteredFace]()
        for number in range(count):
            options.progress(number, count, f"looking at faces, {split}")
            faces += drawn(altered, split, number, 1)
        figures[f"places {split}"] = _places(looker, faces)
    return figures


def _places(looker: Looker, faces: Sequence[AlteredFace]) -> dict[str, object]:
    named = [looker.place_of_view(it.view) for it in faces]
    parts, family = np.stack([it.parts for it in faces]), np.array([it.family for it in faces])
    found: dict[str, object] = compare_places(named, parts, family)
    found["by_family"] = {
        str(its): compare_places(
            [place for place, face in zip(named, faces, strict=True) if face.family == its],
            parts[family == its], family[family == its],
        )
        for its in np.unique(family)
    }  # fmt: skip
    return found


def _screenshot_added(
    looker: Looker, made: Sequence[Described], named: Sequence[dict[str, Named]]
) -> dict[str, float | int]:
    rng, added, count = np.random.default_rng(9), 0, 0
    for it, before in zip(made[:40], named, strict=False):
        if "screenshot" in before:
            continue
        after = {one.group for one in looker.attributes(screenshot(it.pixels, rng))}
        added, count = added + ("screenshot" in after), count + 1
    return {"pictures": count, "added": added / count if count else float("nan")}
