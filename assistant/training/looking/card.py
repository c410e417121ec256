"""The card beside the weights, written from the measured figures at the end of a training."""

from collections.abc import Mapping
from typing import Any

_CARD = """# Impression heads

Licence of the weights: research and evaluation. They were trained on photographs for research
(LFW, ImageNet samples, DFDC); the tower that they read is OpenAI's CLIP ViT-B/16 (MIT), from
`unmask setup`.

Two small heads over the tower's tokens (blocks 3, 6, 9 and 12; half precision). One reads a whole
view and a detail of a picture and names attributes; the other reads an aligned face (blocks 3, 6
and 9) and names a place that looks altered. What they name is shown as *the model's impression,
not a measurement*; it has no part in verdicts, ranking or evidence.

**What they can do.** Name colours, blur, strong JPEG compression, a screenshot, text over the
picture, a watermark, a frame, a collage, a photograph of a screen, how many faces there are and
where the largest is; and, of a face, whether the eyes, the nose, the mouth or the whole face look
altered. What is less sure than its threshold is not said, and what is marked "never" below was not
sure enough on left-out folds: that there is no face, or more than one, is not named. "No face" is
never named by choice: half of the left-out web photographs with one face read as showing none, so
for faces those photographs are no longer an untouched test.

**What they cannot do.** Read text: words in a picture are shapes to them. Prove or exclude a
forgery. Interfaces, watermarks, captions and photographs of screens were drawn by our own code,
in training and in these tests; real ones look different, and how often those are named was not
measured. The number of faces learnt from our face detector, and repeats its mistakes. "Outline"
is not among the places: no forgery here changes it alone. An area counts as altered if half of it
was.

**Data.** {pictures} pictures (photographs of LFW's training persons and of 1,000 ImageNet
classes, one each, `EliSchwartz/imagenet-sample-images`), edited so that the description is true
by construction; {faces} faces (LFW's training persons and forgeries of them by our forge, without
`partial_swap`; DFDC crops with their originals, whose difference is the mask). No picture is
shipped.

**Recipe.** `python -m assistant.training.looking.features RUN --data DATA --copies CLONES
--models MODELS` (about {passes:,} views through the tower; resumable), then `python -m
assistant.training.looking.train RUN --out assistant/chat_model/weights/looking`, which writes
this card. Temperatures, scales and thresholds come from left-out folds of the training
photographs: an attribute is named from the probability at which nine in ten were right there
("never" if that was not reached), a place from the one that at most a tenth of authentic faces
reached.

**Attributes.** *Test*: other persons and other photographs, edited by the same code. *Left out*:
sources that training never saw (scenes of BSDS500, web photographs of five athletes, of whom two
are in LFW). Right: of the pictures for which it was named (number, 95 % interval). Found: of
those that have it.

| attribute | named from | test: right | found | left out: right | found |
|---|---|---|---|---|---|
{attributes}

**Places.** Right: the named place was altered. Chance: the same names, dealt at random to the
same faces.

| faces | forged | place named | right | chance | authentic faces with a place |
|---|---|---|---|---|---|
{places}
"""


def card(figures: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """The card's text from the figures and the settings of both heads."""
    learnt = figures["learnt from"]
    return _CARD.format(
        pictures=f"{learnt['pictures']:,}",
        faces=f"{learnt['faces']:,}",
        passes=2 * learnt["pictures"] + learnt["faces"],
        attributes="\n".join(_attribute_rows(figures, settings["picture"]["threshold"])),
        places="\n".join(_place_rows(figures)),
    )


def _attribute_rows(figures: Mapping[str, Any], thresholds: Mapping[str, Any]) -> list[str]:
    rows = []
    for name, test in figures["pictures test"].items():
        group, _, its = name.partition(": ")
        needed = thresholds[group][its or "yes"]
        cells = [name, "never" if needed > 1 else f"{needed:.2f}"]
        for known in (test, figures["pictures left_out"][name]):
            cells += [_share(known, "named"), _percent(known["found"], known["there"])]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _place_rows(figures: Mapping[str, Any]) -> list[str]:
    rows = []
    for split, title in (("test", "test"), ("left_out", "edited by hand (left out)")):
        known = figures[f"faces {split}"]
        families = {f"{title}: {it}": row for it, row in known["by_family"].items()
                    if it != "authentic" and split == "test"}  # fmt: skip
        for name, row in {f"**{title}**": known, **families}.items():
            alarms = row["false_alarms"]
            cells = [name, str(row["altered"]), str(row["named"]), _share(row, "named"),
                     _percent(row["chance"], row["named"]),
                     "" if alarms is None else _percent(alarms, row["authentic"])]  # fmt: skip
            rows.append(f"| {' | '.join(cells)} |")
    return rows


def _share(row: Mapping[str, Any], count: str) -> str:
    if row["right"] is None:
        return "–"
    low, high = row["right_interval"]
    return f"{100 * row['right']:.0f} % ({row[count]}; {100 * low:.0f}–{100 * high:.0f})"


def _percent(share: float | None, count: int) -> str:
    return "–" if share is None else f"{100 * share:.0f} % of {count}"
