"""Dialogues for the pocket model: what people ask, which tools answer it, what is then said.

`assistant.training.corpus` makes rows of tokens of them. Messages come from
`assistant.conversation.messages`, tools' schemas from `tools.toolkit`, the format from the chat
template, so that the model reads in training what it reads in use.
"""

import random
from collections.abc import Callable

from assistant.training.dialogues import narration as say
from assistant.training.dialogues import wordings as words
from assistant.training.dialogues.about_hits import (
    compare,
    compare_two,
    compared,
    counts,
    describe,
    locate_on,
    own_photo,
    pick,
    same_person,
    score_of,
    sure,
    where,
    which,
    why,
    worst,
)
from assistant.training.dialogues.builder import DialogueBuilder
from assistant.training.dialogues.grammar import (
    NUMBER_WORDS,
    ORDINALS,
    draw_hit_count,
    draw_wording,
    expand,
    hit_name,
)
from assistant.training.dialogues.material import ToolResultPool
from assistant.training.dialogues.small_talk import (
    UNANSWERABLE,
    abilities,
    greeting,
    how_to_index,
    injection,
    meaning,
    outside,
    reliability,
    thanks,
)

TOP = 10
Turn = Callable[[DialogueBuilder], None]


def dialogue(stuff: ToolResultPool, rng: random.Random) -> DialogueBuilder:
    """A whole conversation of one to eight turns."""
    talk = DialogueBuilder(stuff, rng)
    if rng.random() < 0.06:
        greeting(talk)
    opening = rng.choices(
        (first_search, own_photo_first, without_photo, small_talk),
        (0.72, 0.08, 0.13, 0.07),
    )[0]
    opening(talk)
    turns = rng.choice((0, 1, 1, 2, 2, 3, 4, 5, 6, 7))
    for _ in range(turns):
        follow_up(talk)
    return talk


# -- openings --------------------------------------------------------------------------------


def first_search(talk: DialogueBuilder) -> None:
    """One to three photos, and what is to be found."""
    count = talk.rng.choice((1, 1, 1, 1, 2, 3))
    photos = tuple(talk.new_photo() for _ in range(count))
    talk.person = [*photos]
    if talk.rng.random() < 0.2:
        number, named = draw_hit_count(talk.rng)
        talk.asks(draw_wording(words.FIND_TOP, talk.rng, top=named), photos=photos)
        search(talk, top=number)
    else:
        canned = talk.rng.random() < 0.1
        text = talk.rng.choice(words.CANNED_FIND) if canned else draw_wording(words.FIND, talk.rng)
        talk.asks(text, photos=photos)
        search(talk)


def own_photo_first(talk: DialogueBuilder) -> None:
    """Is this photo authentic?"""
    photo = talk.new_photo()
    talk.person = [photo]
    talk.asks(draw_wording(words.OWN_PHOTO, talk.rng, photo=photo), photos=(photo,))
    score_of(talk, photo)


def without_photo(talk: DialogueBuilder) -> None:
    """A request that needs a photo, and none is there."""
    kind = talk.rng.random()
    if kind < 0.5:
        _, named = draw_hit_count(talk.rng)
        talk.asks(draw_wording((*words.FIND, *words.FIND_TOP), talk.rng, top=named))
        talk.says(say.ASK_PHOTO)
        if talk.rng.random() < 0.7:
            photo = talk.new_photo()
            talk.person = [photo]
            text = "" if talk.rng.random() < 0.3 else draw_wording(words.FIND, talk.rng)
            talk.asks(text or "here it is", photos=(photo,))
            search(talk)
    elif kind < 0.8:
        _about_nothing(talk)
        talk.says(say.NO_SEARCH)
    else:
        gallery(talk)


def _about_nothing(talk: DialogueBuilder) -> None:
    name, photo = hit_name(talk.rng.randint(1, 9), talk.rng), "Q1"
    patterns = talk.rng.choice((words.WHY, words.WHERE, words.SURE, words.COMPARE, words.DESCRIBE,
                                words.SAME_PERSON, *words.WHICH.values(), words.WORST,
                                words.COUNTS, words.TOP, words.COMPARE_TWO))  # fmt: skip
    _, named = draw_hit_count(talk.rng)
    talk.asks(draw_wording(patterns, talk.rng, hit=name, photo=photo, top=named, other="hit two"))


def small_talk(talk: DialogueBuilder) -> None:
    """Something that needs no tool."""
    talk.rng.choice(
        (greeting, abilities, outside, outside, how_to_index, meaning, injection, reliability)
    )(talk)


# -- searching -------------------------------------------------------------------------------


def search(talk: DialogueBuilder, *, top: int | None = None, first: bool = True) -> None:
    """The search, with what may come in its way: several faces, no face, an empty gallery."""
    luck = talk.rng.random() if first else 1.0
    arguments = {"photos": [*talk.person], **({} if top is None else {"top": top})}
    call = talk.calls("find_person", **arguments)
    photo = talk.person[-1]
    if luck < 0.07:
        talk.refuses(call, "find_person", (
            f"{photo} shows several faces; ask which one is meant, counted from the left, "
            "then call find_person with face"
        ))  # fmt: skip
        talk.says(say.which_face(photo))
        _which_face(talk, arguments)
    elif luck < 0.09:
        message = f"no face was found in {photo}; ask for a sharper or larger photo"
        talk.refuses(call, "find_person", message)
        talk.says(say.no_face(photo))
        new = talk.new_photo()
        talk.person = [new]
        talk.asks(
            draw_wording(("(here|try|take|use) (this one|another one|this photo)",), talk.rng),
            photos=(new,),
        )
        search(talk, top=top, first=False)
    elif luck < 0.12:
        talk.refuses(call, "find_person", _empty(talk))
        talk.says(say.EMPTY)
    else:
        _found(talk, call, top=top or TOP)


def _empty(talk: DialogueBuilder) -> str:
    name = talk.rng.choice(("default", "default", "case", "photos", "press"))
    return f"the gallery {name!r} is empty; add images with the Gallery panel or `unmask index DIR`"


def _which_face(talk: DialogueBuilder, arguments: dict[str, object]) -> None:
    number = talk.rng.choice((1, 1, 2, 2, 3, 4))
    named = ORDINALS[number]
    if number == 1:
        named = talk.rng.choice(("first", "left", "leftmost", "one on the left,"))
    elif number < 4:
        named = talk.rng.choice((named, f"{named} from the left,"))
    shown = talk.rng.choice((str(number), NUMBER_WORDS[number]))
    talk.asks(draw_wording(words.ASK_FACE, talk.rng, face=named, facenumber=shown))
    call = talk.calls("find_person", **arguments, face=number)
    _found(talk, call, top=int(str(arguments.get("top", TOP))))


def _found(talk: DialogueBuilder, call: str, *, top: int) -> None:
    result = talk.stuff.search(talk.rng, top=top)
    talk.gets(call, "find_person", result.answer)
    talk.searched(result)
    talk.says(say.found(result.answer))
    if result.hits:
        talk.focus = result.hits[0].line["id"]


def again_top(talk: DialogueBuilder) -> None:
    """Only the worst five."""
    number, named = draw_hit_count(talk.rng)
    talk.asks(draw_wording(words.TOP, talk.rng, top=named))
    search(talk, top=number, first=False)


def again(talk: DialogueBuilder) -> None:
    """The same search once more."""
    talk.asks(draw_wording(words.AGAIN, talk.rng))
    search(talk, first=False)


def compare_photos(talk: DialogueBuilder) -> None:
    """Two photos beside each other."""
    one, other = talk.rng.sample([*talk.photos], 2)
    said = expand(talk.rng.choice(words.COMPARE_PHOTOS), talk.rng)
    if "<photo>" not in said:
        one, other = [*talk.photos][:2]
    talk.asks(draw_wording((said,), talk.rng, photo=one, other=other))
    compared(talk, one, other, None)


def next_person(talk: DialogueBuilder) -> None:
    """Another person's photo."""
    photo = talk.new_photo()
    talk.person = [photo]
    patterns = (*words.NEXT_PERSON, *words.NEXT_PERSON, *words.FIND)
    talk.asks(draw_wording(patterns, talk.rng), photos=(photo,))
    search(talk)


def more_photos(talk: DialogueBuilder) -> None:
    """More photos of the same person."""
    photos = tuple(talk.new_photo() for _ in range(talk.rng.choice((1, 1, 2))))
    talk.person = [*talk.person, *photos]
    talk.asks(draw_wording(words.MORE_PHOTOS, talk.rng), photos=photos)
    search(talk, first=False)


# -- about hits ------------------------------------------------------------------------------


def bad_handle(talk: DialogueBuilder) -> None:
    """A hit that is not there."""
    assert talk.search is not None  # noqa: S101 - guarded by `follow_up`
    count = len(talk.search.hits)
    number = count + talk.rng.randint(1, 9)
    name = f"H{number}"
    tool, patterns = talk.rng.choice((
        ("score_fake", words.WHY), ("locate_artifacts", words.WHERE),
        ("describe_image", words.DESCRIBE), ("compare_faces", words.COMPARE),
    ))  # fmt: skip
    said = expand(talk.rng.choice(patterns), talk.rng)
    photo = talk.person[0]
    talk.asks(draw_wording((said,), talk.rng, hit=hit_name(number, talk.rng), photo=photo))
    arguments = {"image": name}
    if tool == "compare_faces":
        arguments = {"first": photo, "second": name}
    call = talk.calls(tool, **arguments)
    talk.refuses(call, tool, f'there is no hit "{name}"; hits are H1 to H{count}')
    talk.says(say.NO_SUCH_HIT)


def find_and_more(talk: DialogueBuilder) -> None:
    """Two requests in one: search, then look into the first hit."""
    photo = talk.new_photo()
    talk.person = [photo]
    patterns, then = talk.rng.choice(((words.WHY, "score_fake"), (words.WHERE, "locate_artifacts")))
    name = talk.rng.choice(("the first hit", "the worst one", "the first one", "hit 1", "H1",
                            "the top hit", "the strongest one"))  # fmt: skip
    text = draw_wording(words.FIND, talk.rng).rstrip(".?! ")
    more = draw_wording(patterns, talk.rng, hit=name)
    talk.asks(f"{text}{talk.rng.choice((' and ', ', then ', '. ', '; '))}{more}", photos=(photo,))
    call = talk.calls("find_person", photos=[photo])
    result = talk.stuff.search(talk.rng, top=TOP)
    talk.gets(call, "find_person", result.answer)
    talk.searched(result)
    if not result.hits:
        talk.says(say.found(result.answer))
        return
    (score_of if then == "score_fake" else locate_on)(talk, "H1")


# -- in general ------------------------------------------------------------------------------


def gallery(talk: DialogueBuilder) -> None:
    """What is in the gallery?"""
    talk.asks(draw_wording(words.GALLERY, talk.rng))
    call = talk.calls("gallery_summary")
    if talk.rng.random() < 0.15 and talk.search is None:
        talk.refuses(call, "gallery_summary", _empty(talk))
        talk.says(say.EMPTY)
        return
    talk.gets(call, "gallery_summary", talk.stuff.gallery)
    for handle in ("G1", "G2", "G3", "G4"):
        talk.knows(handle)
    talk.says(say.gallery())


def unanswerable(talk: DialogueBuilder) -> None:
    """A question about the hits that no tool measures."""
    _, name = pick(talk)
    talk.asks(draw_wording(UNANSWERABLE, talk.rng, hit=name))
    talk.says(say.UNANSWERABLE)


_ABOUT_HITS: tuple[tuple[Turn, float], ...] = (
    (why, 10), (where, 7), (compare, 7), (sure, 6), (same_person, 4), (which, 12), (describe, 4),
    (compare_two, 3), (worst, 2), (counts, 3), (bad_handle, 3), (again_top, 6),
    (unanswerable, 4), (own_photo, 4), (next_person, 4), (more_photos, 2), (find_and_more, 3),
    (gallery, 3), (meaning, 5), (outside, 6), (injection, 3), (thanks, 2), (abilities, 1),
    (how_to_index, 1), (greeting, 0.5), (again, 1.5), (reliability, 1),
    (compare_photos, 2),
)  # fmt: skip

_WITHOUT_HITS: tuple[tuple[Turn, float], ...] = (
    (outside, 5), (meaning, 2), (gallery, 3), (abilities, 2), (how_to_index, 3), (injection, 1),
    (reliability, 1), (thanks, 1), (first_search, 6), (find_and_more, 3),
)  # fmt: skip


def follow_up(talk: DialogueBuilder) -> None:
    """One more turn that fits what is on the desk."""
    hits = talk.search.hits if talk.search else ()
    if not hits:
        turns = [*_WITHOUT_HITS]
        if talk.search is None and talk.photos:
            turns += [(search_first, 3), (own_photo, 2), (search_now, 5)]
        if talk.search is not None:
            turns += [(which, 2), (counts, 1)]
    else:
        turns = [(turn, weight) for turn, weight in _ABOUT_HITS
                 if (turn is not compare_two or len(hits) > 1)
                 and (turn is not compare_photos or len(talk.photos) > 1)]  # fmt: skip
    talk.rng.choices([turn for turn, _ in turns], [weight for _, weight in turns])[0](talk)


def search_now(talk: DialogueBuilder) -> None:
    """The photo is there already."""
    talk.asks(draw_wording(words.FIND, talk.rng))
    search(talk)


def search_first(talk: DialogueBuilder) -> None:
    """About hits, before any search, with a photo on the desk."""
    _about_nothing(talk)
    talk.says(say.SEARCH_FIRST)
