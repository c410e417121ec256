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


def dialogue(tool_results: ToolResultPool, rng: random.Random) -> DialogueBuilder:
    """A whole conversation of one to eight turns."""
    builder = DialogueBuilder(tool_results, rng)
    if rng.random() < 0.06:
        greeting(builder)
    opening = rng.choices(
        (first_search, own_photo_first, without_photo, small_talk),
        (0.72, 0.08, 0.13, 0.07),
    )[0]
    opening(builder)
    turns = rng.choice((0, 1, 1, 2, 2, 3, 4, 5, 6, 7))
    for _ in range(turns):
        follow_up(builder)
    return builder


# -- openings --------------------------------------------------------------------------------


def first_search(builder: DialogueBuilder) -> None:
    """One to three photos, and what is to be found."""
    count = builder.rng.choice((1, 1, 1, 1, 2, 3))
    photos = tuple(builder.new_photo() for _ in range(count))
    builder.person = [*photos]
    if builder.rng.random() < 0.2:
        number, named = draw_hit_count(builder.rng)
        builder.add_user_turn(draw_wording(words.FIND_TOP, builder.rng, top=named), photos=photos)
        search(builder, top=number)
    else:
        canned = builder.rng.random() < 0.1
        text = (
            builder.rng.choice(words.CANNED_FIND)
            if canned
            else draw_wording(words.FIND, builder.rng)
        )
        builder.add_user_turn(text, photos=photos)
        search(builder)


def own_photo_first(builder: DialogueBuilder) -> None:
    """Is this photo authentic?"""
    photo = builder.new_photo()
    builder.person = [photo]
    builder.add_user_turn(draw_wording(words.OWN_PHOTO, builder.rng, photo=photo), photos=(photo,))
    score_of(builder, photo)


def without_photo(builder: DialogueBuilder) -> None:
    """A request that needs a photo, and none is there."""
    kind = builder.rng.random()
    if kind < 0.5:
        _, named = draw_hit_count(builder.rng)
        builder.add_user_turn(draw_wording((*words.FIND, *words.FIND_TOP), builder.rng, top=named))
        builder.add_answer(say.ASK_PHOTO)
        if builder.rng.random() < 0.7:
            photo = builder.new_photo()
            builder.person = [photo]
            text = "" if builder.rng.random() < 0.3 else draw_wording(words.FIND, builder.rng)
            builder.add_user_turn(text or "here it is", photos=(photo,))
            search(builder)
    elif kind < 0.8:
        _about_nothing(builder)
        builder.add_answer(say.NO_SEARCH)
    else:
        gallery(builder)


def _about_nothing(builder: DialogueBuilder) -> None:
    name, photo = hit_name(builder.rng.randint(1, 9), builder.rng), "Q1"
    patterns = builder.rng.choice(
        (
            words.WHY,
            words.WHERE,
            words.SURE,
            words.COMPARE,
            words.DESCRIBE,
            words.SAME_PERSON,
            *words.WHICH.values(),
            words.WORST,
            words.COUNTS,
            words.TOP,
            words.COMPARE_TWO,
        )
    )
    _, named = draw_hit_count(builder.rng)
    builder.add_user_turn(
        draw_wording(patterns, builder.rng, hit=name, photo=photo, top=named, other="hit two")
    )


def small_talk(builder: DialogueBuilder) -> None:
    """Something that needs no tool."""
    builder.rng.choice(
        (greeting, abilities, outside, outside, how_to_index, meaning, injection, reliability)
    )(builder)


# -- searching -------------------------------------------------------------------------------


def search(builder: DialogueBuilder, *, top: int | None = None, first: bool = True) -> None:
    """The search, with what may come in its way: several faces, no face, an empty gallery."""
    luck = builder.rng.random() if first else 1.0
    arguments = {"photos": [*builder.person], **({} if top is None else {"top": top})}
    call = builder.calls("find_person", **arguments)
    photo = builder.person[-1]
    if luck < 0.07:
        builder.add_tool_error(
            call,
            "find_person",
            (
                f"{photo} shows several faces; ask which one is meant, counted from the left, "
                "then call find_person with face"
            ),
        )
        builder.add_answer(say.which_face(photo))
        _which_face(builder, arguments)
    elif luck < 0.09:
        message = f"no face was found in {photo}; ask for a sharper or larger photo"
        builder.add_tool_error(call, "find_person", message)
        builder.add_answer(say.no_face(photo))
        new = builder.new_photo()
        builder.person = [new]
        builder.add_user_turn(
            draw_wording(("(here|try|take|use) (this one|another one|this photo)",), builder.rng),
            photos=(new,),
        )
        search(builder, top=top, first=False)
    elif luck < 0.12:
        builder.add_tool_error(call, "find_person", _empty(builder))
        builder.add_answer(say.EMPTY)
    else:
        _found(builder, call, top=top or TOP)


def _empty(builder: DialogueBuilder) -> str:
    name = builder.rng.choice(("default", "default", "case", "photos", "press"))
    return f"the gallery {name!r} is empty; add images with the Gallery panel or `unmask index DIR`"


def _which_face(builder: DialogueBuilder, arguments: dict[str, object]) -> None:
    number = builder.rng.choice((1, 1, 2, 2, 3, 4))
    named = ORDINALS[number]
    if number == 1:
        named = builder.rng.choice(("first", "left", "leftmost", "one on the left,"))
    elif number < 4:
        named = builder.rng.choice((named, f"{named} from the left,"))
    shown = builder.rng.choice((str(number), NUMBER_WORDS[number]))
    builder.add_user_turn(draw_wording(words.ASK_FACE, builder.rng, face=named, facenumber=shown))
    call = builder.calls("find_person", **arguments, face=number)
    _found(builder, call, top=int(str(arguments.get("top", TOP))))


def _found(builder: DialogueBuilder, call: str, *, top: int) -> None:
    result = builder.tool_results.search(builder.rng, top=top)
    builder.add_tool_result(call, "find_person", result.answer)
    builder.set_search(result)
    builder.add_answer(say.found(result.answer))
    if result.hits:
        builder.focus = result.hits[0].line["id"]


def again_top(builder: DialogueBuilder) -> None:
    """Only the worst five."""
    number, named = draw_hit_count(builder.rng)
    builder.add_user_turn(draw_wording(words.TOP, builder.rng, top=named))
    search(builder, top=number, first=False)


def again(builder: DialogueBuilder) -> None:
    """The same search once more."""
    builder.add_user_turn(draw_wording(words.AGAIN, builder.rng))
    search(builder, first=False)


def compare_photos(builder: DialogueBuilder) -> None:
    """Two photos beside each other."""
    one, other = builder.rng.sample([*builder.photos], 2)
    said = expand(builder.rng.choice(words.COMPARE_PHOTOS), builder.rng)
    if "<photo>" not in said:
        one, other = [*builder.photos][:2]
    builder.add_user_turn(draw_wording((said,), builder.rng, photo=one, other=other))
    compared(builder, one, other, None)


def next_person(builder: DialogueBuilder) -> None:
    """Another person's photo."""
    photo = builder.new_photo()
    builder.person = [photo]
    patterns = (*words.NEXT_PERSON, *words.NEXT_PERSON, *words.FIND)
    builder.add_user_turn(draw_wording(patterns, builder.rng), photos=(photo,))
    search(builder)


def more_photos(builder: DialogueBuilder) -> None:
    """More photos of the same person."""
    photos = tuple(builder.new_photo() for _ in range(builder.rng.choice((1, 1, 2))))
    builder.person = [*builder.person, *photos]
    builder.add_user_turn(draw_wording(words.MORE_PHOTOS, builder.rng), photos=photos)
    search(builder, first=False)


# -- about hits ------------------------------------------------------------------------------


def bad_handle(builder: DialogueBuilder) -> None:
    """A hit that is not there."""
    assert builder.search is not None  # noqa: S101 - guarded by `follow_up`
    count = len(builder.search.hits)
    number = count + builder.rng.randint(1, 9)
    name = f"H{number}"
    tool, patterns = builder.rng.choice(
        (
            ("score_fake", words.WHY),
            ("locate_artifacts", words.WHERE),
            ("describe_image", words.DESCRIBE),
            ("compare_faces", words.COMPARE),
        )
    )
    said = expand(builder.rng.choice(patterns), builder.rng)
    photo = builder.person[0]
    builder.add_user_turn(
        draw_wording((said,), builder.rng, hit=hit_name(number, builder.rng), photo=photo)
    )
    arguments = {"image": name}
    if tool == "compare_faces":
        arguments = {"first": photo, "second": name}
    call = builder.calls(tool, **arguments)
    builder.add_tool_error(call, tool, f'there is no hit "{name}"; hits are H1 to H{count}')
    builder.add_answer(say.NO_SUCH_HIT)


def find_and_more(builder: DialogueBuilder) -> None:
    """Two requests in one: search, then look into the first hit."""
    photo = builder.new_photo()
    builder.person = [photo]
    patterns, then = builder.rng.choice(
        ((words.WHY, "score_fake"), (words.WHERE, "locate_artifacts"))
    )
    name = builder.rng.choice(
        (
            "the first hit",
            "the worst one",
            "the first one",
            "hit 1",
            "H1",
            "the top hit",
            "the strongest one",
        )
    )
    text = draw_wording(words.FIND, builder.rng).rstrip(".?! ")
    more = draw_wording(patterns, builder.rng, hit=name)
    builder.add_user_turn(
        f"{text}{builder.rng.choice((' and ', ', then ', '. ', '; '))}{more}", photos=(photo,)
    )
    call = builder.calls("find_person", photos=[photo])
    result = builder.tool_results.search(builder.rng, top=TOP)
    builder.add_tool_result(call, "find_person", result.answer)
    builder.set_search(result)
    if not result.hits:
        builder.add_answer(say.found(result.answer))
        return
    (score_of if then == "score_fake" else locate_on)(builder, "H1")


# -- in general ------------------------------------------------------------------------------


def gallery(builder: DialogueBuilder) -> None:
    """What is in the gallery?"""
    builder.add_user_turn(draw_wording(words.GALLERY, builder.rng))
    call = builder.calls("gallery_summary")
    if builder.rng.random() < 0.15 and builder.search is None:
        builder.add_tool_error(call, "gallery_summary", _empty(builder))
        builder.add_answer(say.EMPTY)
        return
    builder.add_tool_result(call, "gallery_summary", builder.tool_results.gallery)
    for handle in ("G1", "G2", "G3", "G4"):
        builder.allow_citation(handle)
    builder.add_answer(say.gallery())


def unanswerable(builder: DialogueBuilder) -> None:
    """A question about the hits that no tool measures."""
    _, name = pick(builder)
    builder.add_user_turn(draw_wording(UNANSWERABLE, builder.rng, hit=name))
    builder.add_answer(say.UNANSWERABLE)


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


def follow_up(builder: DialogueBuilder) -> None:
    """One more turn that fits what is on the workspace."""
    hits = builder.search.hits if builder.search else ()
    if not hits:
        turns = [*_WITHOUT_HITS]
        if builder.search is None and builder.photos:
            turns += [(search_first, 3), (own_photo, 2), (search_now, 5)]
        if builder.search is not None:
            turns += [(which, 2), (counts, 1)]
    else:
        turns = [(turn, weight) for turn, weight in _ABOUT_HITS
                 if (turn is not compare_two or len(hits) > 1)
                 and (turn is not compare_photos or len(builder.photos) > 1)]  # fmt: skip
    builder.rng.choices([turn for turn, _ in turns], [weight for _, weight in turns])[0](builder)


def search_now(builder: DialogueBuilder) -> None:
    """The photo is there already."""
    builder.add_user_turn(draw_wording(words.FIND, builder.rng))
    search(builder)


def search_first(builder: DialogueBuilder) -> None:
    """About hits, before any search, with a photo on the workspace."""
    _about_nothing(builder)
    builder.add_answer(say.SEARCH_FIRST)
