"""Dialogues for the pocket model: what people ask, which tools answer it, what is then said.

    python -m assistant.training.dialogues DIALOGUES HARVEST… --count 30000 --explanations 12000

Writes tokenized rows and the tokenizer; `assistant.training.pocket_vlm` trains on them. Messages
come from `assistant.conversation`, tools' schemas from `tools.toolkit`, the format from the chat
template, so that the model reads in training what it reads in use.
"""

import random
from collections.abc import Callable

from assistant.training import narration as say
from assistant.training import wordings as words
from assistant.training.stuff import Stuff
from assistant.training.talk import Talk
from assistant.training.wordings import hit_name, wording

TOP = 10
Turn = Callable[[Talk], None]


def dialogue(stuff: Stuff, rng: random.Random) -> Talk:
    """A whole conversation of one to eight turns."""
    talk = Talk(stuff, rng)
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


def greeting(talk: Talk) -> None:
    """Hello."""
    talk.asks(wording(words.GREETING, talk.rng))
    talk.says(say.GREETING)


def first_search(talk: Talk) -> None:
    """One to three photos, and what is to be found."""
    count = talk.rng.choice((1, 1, 1, 1, 2, 3))
    photos = tuple(talk.new_photo() for _ in range(count))
    talk.person = [*photos]
    if talk.rng.random() < 0.2:
        number, named = _number(talk)
        talk.asks(wording(words.FIND_TOP, talk.rng, top=named), photos=photos)
        search(talk, top=number)
    else:
        canned = talk.rng.random() < 0.1
        text = talk.rng.choice(words.CANNED_FIND) if canned else wording(words.FIND, talk.rng)
        talk.asks(text, photos=photos)
        search(talk)


def own_photo_first(talk: Talk) -> None:
    """Is this photo authentic?"""
    photo = talk.new_photo()
    talk.person = [photo]
    talk.asks(wording(words.OWN_PHOTO, talk.rng, photo=photo), photos=(photo,))
    _score(talk, photo)


def without_photo(talk: Talk) -> None:
    """A request that needs a photo, and none is there."""
    kind = talk.rng.random()
    if kind < 0.5:
        _, named = _number(talk)
        talk.asks(wording((*words.FIND, *words.FIND_TOP), talk.rng, top=named))
        talk.says(say.ASK_PHOTO)
        if talk.rng.random() < 0.7:
            photo = talk.new_photo()
            talk.person = [photo]
            text = "" if talk.rng.random() < 0.3 else wording(words.FIND, talk.rng)
            talk.asks(text or "here it is", photos=(photo,))
            search(talk)
    elif kind < 0.8:
        _about_nothing(talk)
        talk.says(say.NO_SEARCH)
    else:
        gallery(talk)


def _about_nothing(talk: Talk) -> None:
    name, photo = hit_name(talk.rng.randint(1, 9), talk.rng), "Q1"
    patterns = talk.rng.choice((words.WHY, words.WHERE, words.SURE, words.COMPARE, words.DESCRIBE,
                                words.SAME_PERSON, *words.WHICH.values(), words.WORST,
                                words.COUNTS, words.TOP, words.COMPARE_TWO))  # fmt: skip
    _, named = _number(talk)
    talk.asks(wording(patterns, talk.rng, hit=name, photo=photo, top=named, other="hit two"))


def small_talk(talk: Talk) -> None:
    """Something that needs no tool."""
    talk.rng.choice(
        (greeting, abilities, outside, outside, how_to_index, meaning, injection, reliability)
    )(talk)


# -- searching -------------------------------------------------------------------------------


def _number(talk: Talk) -> tuple[int, str]:
    number = talk.rng.choice((1, 2, 3, 3, 4, 5, 5, 6, 7, 8, 9, 10, 12, 15, 20))
    named = words.NUMBER_WORDS[number] if talk.rng.random() < 0.6 else str(number)
    return number, named


def search(talk: Talk, *, top: int | None = None, first: bool = True) -> None:
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
        talk.says(say.WHICH_FACE)
        _which_face(talk, arguments)
    elif luck < 0.09:
        talk.refuses(call, "find_person",
                     f"no face was found in {photo}; ask for a sharper or larger photo")  # fmt: skip
        talk.says(say.NO_FACE)
        new = talk.new_photo()
        talk.person = [new]
        talk.asks(wording(("(here|try|take|use) (this one|another one|this photo)",), talk.rng),
                  photos=(new,))  # fmt: skip
        search(talk, top=top, first=False)
    elif luck < 0.12:
        talk.refuses(call, "find_person", _empty(talk))
        talk.says(say.EMPTY)
    else:
        _found(talk, call, top=top or TOP)


def _empty(talk: Talk) -> str:
    name = talk.rng.choice(("default", "default", "case", "photos", "press"))
    return f"the gallery {name!r} is empty; add images with the Gallery panel or `unmask index DIR`"


def _which_face(talk: Talk, arguments: dict[str, object]) -> None:
    number = talk.rng.choice((1, 1, 2, 2, 3, 4))
    named = words.ORDINALS[number]
    if number == 1:
        named = talk.rng.choice(("first", "left", "leftmost", "one on the left,"))
    elif number < 4:
        named = talk.rng.choice((named, f"{named} from the left,"))
    shown = talk.rng.choice((str(number), words.NUMBER_WORDS[number]))
    talk.asks(wording(words.ASK_FACE, talk.rng, face=named, facenumber=shown))
    call = talk.calls("find_person", **arguments, face=number)
    _found(talk, call, top=int(str(arguments.get("top", TOP))))


def _found(talk: Talk, call: str, *, top: int) -> None:
    result = talk.stuff.search(talk.rng, top=top)
    talk.gets(call, "find_person", result.answer)
    talk.searched(result)
    talk.says(say.found(result.answer))
    if result.hits:
        talk.focus = result.hits[0].line["id"]


def again_top(talk: Talk) -> None:
    """Only the worst five."""
    number, named = _number(talk)
    talk.asks(wording(words.TOP, talk.rng, top=named))
    search(talk, top=number, first=False)


def again(talk: Talk) -> None:
    """The same search once more."""
    talk.asks(wording(words.AGAIN, talk.rng))
    search(talk, first=False)


def compare_photos(talk: Talk) -> None:
    """Two photos beside each other."""
    one, other = talk.rng.sample([*talk.photos], 2)
    said = words.expand(talk.rng.choice(words.COMPARE_PHOTOS), talk.rng)
    if "<photo>" not in said:
        one, other = [*talk.photos][:2]
    talk.asks(wording((said,), talk.rng, photo=one, other=other))
    _compared(talk, one, other, None)


def next_person(talk: Talk) -> None:
    """Another person's photo."""
    photo = talk.new_photo()
    talk.person = [photo]
    patterns = (*words.NEXT_PERSON, *words.NEXT_PERSON, *words.FIND)
    talk.asks(wording(patterns, talk.rng), photos=(photo,))
    search(talk)


def more_photos(talk: Talk) -> None:
    """More photos of the same person."""
    photos = tuple(talk.new_photo() for _ in range(talk.rng.choice((1, 1, 2))))
    talk.person = [*talk.person, *photos]
    talk.asks(wording(words.MORE_PHOTOS, talk.rng), photos=photos)
    search(talk, first=False)


# -- about hits ------------------------------------------------------------------------------

_IT = ("it", "it", "that one", "this one", "that hit", "this hit", "this image", "that")


def _pick(talk: Talk) -> tuple[str, str]:
    """A hit and how the person calls it."""
    assert talk.search is not None  # noqa: S101 - guarded by `follow_up`
    if talk.focus and talk.rng.random() < 0.22:
        return talk.focus, talk.rng.choice(_IT)
    number = talk.rng.randint(1, len(talk.search.hits))
    if number == len(talk.search.hits) and talk.rng.random() < 0.25:
        return f"H{number}", talk.rng.choice(("the last hit", "the last one", "the last image"))
    if number == 1 and talk.rng.random() < 0.2:
        return "H1", talk.rng.choice(("the worst one", "the top hit", "the worst hit"))
    return f"H{number}", hit_name(number, talk.rng)


def _score(talk: Talk, handle: str) -> None:
    call = talk.calls("score_fake", image=handle)
    result = talk.hit(handle).score
    talk.gets(call, "score_fake", result)
    talk.learn(result)
    talk.focus = handle if handle.startswith("H") else talk.focus
    talk.says(say.explained(result))


def _canned(talk: Talk, said: tuple[str, ...], handle: str, called: str = "") -> str:
    """What a button of the chat says, now and then."""
    if talk.rng.random() > 0.1:
        return ""
    return talk.rng.choice(said).replace("<hit>", handle).replace("<called>", called)


def why(talk: Talk) -> None:
    """Why is hit three fake?"""
    handle, name = _pick(talk)
    called = words.CALLED[talk.hit(handle).line["verdict"]]
    talk.asks(_canned(talk, words.CANNED_WHY, handle, called)
              or wording(words.WHY, talk.rng, hit=name))  # fmt: skip
    _score(talk, handle)


def own_photo(talk: Talk) -> None:
    """Is my own photo authentic?"""
    photo = talk.person[-1] if talk.rng.random() < 0.7 else talk.rng.choice([*talk.photos])
    pattern = talk.rng.choice(words.OWN_PHOTO)
    said = words.expand(pattern, talk.rng)
    if "<photo>" not in said:
        photo = talk.person[-1]
    talk.asks(wording((said.replace("|", " "),), talk.rng, photo=photo))
    _score(talk, photo)


def compare(talk: Talk) -> None:
    """Compare it with my photo."""
    handle, name = _pick(talk)
    photo = talk.person[0]
    said = words.expand(talk.rng.choice(words.COMPARE), talk.rng)
    if "<photo>" in said:
        photo = talk.rng.choice([*talk.photos])
    canned = "" if "<photo>" in said else _canned(talk, words.CANNED_COMPARE, handle)
    talk.asks(canned or wording((said,), talk.rng, hit=name, photo=photo))
    identity = talk.hit(handle).line["identity"] if photo in talk.person else None
    _compared(talk, photo, handle, identity)


def compare_two(talk: Talk) -> None:
    """Compare two hits."""
    assert talk.search is not None  # noqa: S101 - guarded by `follow_up`
    one, other = talk.rng.sample(range(1, len(talk.search.hits) + 1), 2)
    talk.asks(wording(words.COMPARE_TWO, talk.rng, hit=hit_name(one, talk.rng),
                      other=hit_name(other, talk.rng)))  # fmt: skip
    _compared(talk, f"H{one}", f"H{other}", None)


def _compared(talk: Talk, first: str, second: str, identity: str | None) -> None:
    call = talk.calls("compare_faces", first=first, second=second)
    talk.comparisons += 1
    name = f"C{talk.comparisons}"
    result = talk.stuff.comparison(name, (first, second), talk.rng, identity=identity)
    talk.gets(call, "compare_faces", result)
    talk.learn(result)
    talk.focus = second if second.startswith("H") else talk.focus
    talk.says(say.compared(result))


def where(talk: Talk) -> None:
    """Where does it look forged?"""
    handle, name = _pick(talk)
    talk.asks(_canned(talk, words.CANNED_WHERE, handle)
              or wording(words.WHERE, talk.rng, hit=name))  # fmt: skip
    _locate(talk, handle)


def _locate(talk: Talk, handle: str) -> None:
    call = talk.calls("locate_artifacts", image=handle)
    subject = talk.hit(handle)
    talk.gets(call, "locate_artifacts", subject.located)
    talk.learn(subject.located)
    known = {item["id"] for item in subject.score["evidence"]}
    subject.score["evidence"] += [
        {"id": item["id"], "name": f"signs of forgery at the {item['region']}",
         "reads": item["reads"]}
        for item in subject.located["evidence"] if item["id"] not in known
    ]  # fmt: skip
    talk.focus = handle
    talk.says(say.located(subject.located, subject.line))


def describe(talk: Talk) -> None:
    """Describe hit two, or a photo."""
    handle, name = _pick(talk)
    if talk.rng.random() < 0.2:
        handle = talk.rng.choice([*talk.photos])
        name = handle
    talk.asks(wording(words.DESCRIBE, talk.rng, hit=name))
    call = talk.calls("describe_image", image=handle)
    result = talk.hit(handle).described
    talk.gets(call, "describe_image", result, picture=handle)
    talk.focus = handle if handle.startswith("H") else talk.focus
    talk.says(say.described(result))


def sure(talk: Talk) -> None:
    """How sure are you?"""
    handle, name = _pick(talk)
    talk.asks(_canned(talk, words.CANNED_SURE, handle)
              or wording(words.SURE, talk.rng, hit=name))  # fmt: skip
    talk.focus = handle
    talk.says(say.sure(talk.hit(handle).line))


def same_person(talk: Talk) -> None:
    """Is it really her?"""
    handle, name = _pick(talk)
    talk.asks(wording(words.SAME_PERSON, talk.rng, hit=name))
    talk.focus = handle
    talk.says(say.same_person(talk.hit(handle).line))


def which(talk: Talk) -> None:
    """Which are genuine?"""
    assert talk.search is not None  # noqa: S101 - guarded by `follow_up`
    verdict = talk.rng.choices([*words.WHICH], (4, 4, 2, 2, 3, 1))[0]
    talk.asks(wording(words.WHICH[verdict], talk.rng))
    talk.says(say.which(talk.search.answer, verdict))


def counts(talk: Talk) -> None:
    """How many are there?"""
    talk.asks(wording(words.COUNTS, talk.rng))
    talk.says(say.counted())


def worst(talk: Talk) -> None:
    """Which one is the worst?"""
    assert talk.search is not None  # noqa: S101 - guarded by `follow_up`
    talk.asks(wording(words.WORST, talk.rng))
    talk.says(say.worst(talk.search.answer))
    talk.focus = "H1"


def bad_handle(talk: Talk) -> None:
    """A hit that is not there."""
    assert talk.search is not None  # noqa: S101 - guarded by `follow_up`
    count = len(talk.search.hits)
    number = count + talk.rng.randint(1, 9)
    name = f"H{number}"
    tool, patterns = talk.rng.choice((
        ("score_fake", words.WHY), ("locate_artifacts", words.WHERE),
        ("describe_image", words.DESCRIBE), ("compare_faces", words.COMPARE),
    ))  # fmt: skip
    said = words.expand(talk.rng.choice(patterns), talk.rng)
    photo = talk.person[0]
    talk.asks(wording((said,), talk.rng, hit=hit_name(number, talk.rng), photo=photo))
    arguments = {"image": name}
    if tool == "compare_faces":
        arguments = {"first": photo, "second": name}
    call = talk.calls(tool, **arguments)
    talk.refuses(call, tool, f'there is no hit "{name}"; hits are H1 to H{count}')
    talk.says(f"There is no such hit; the hits are H1 to H{count}." if count > 1
              else "There is no such hit; the only hit is H1.")  # fmt: skip


def find_and_more(talk: Talk) -> None:
    """Two requests in one: search, then look into the first hit."""
    photo = talk.new_photo()
    talk.person = [photo]
    patterns, then = talk.rng.choice(((words.WHY, "score_fake"), (words.WHERE, "locate_artifacts")))
    name = talk.rng.choice(("the first hit", "the worst one", "the first one", "hit 1", "H1",
                            "the top hit", "the strongest one"))  # fmt: skip
    text = wording(words.FIND, talk.rng).rstrip(".?! ")
    more = wording(patterns, talk.rng, hit=name)
    talk.asks(f"{text}{talk.rng.choice((' and ', ', then ', '. ', '; '))}{more}", photos=(photo,))
    call = talk.calls("find_person", photos=[photo])
    result = talk.stuff.search(talk.rng, top=TOP)
    talk.gets(call, "find_person", result.answer)
    talk.searched(result)
    if not result.hits:
        talk.says(say.found(result.answer))
        return
    (_score if then == "score_fake" else _locate)(talk, "H1")


# -- in general ------------------------------------------------------------------------------


def gallery(talk: Talk) -> None:
    """What is in the gallery?"""
    talk.asks(wording(words.GALLERY, talk.rng))
    call = talk.calls("gallery_summary")
    if talk.rng.random() < 0.15 and talk.search is None:
        talk.refuses(call, "gallery_summary", _empty(talk))
        talk.says(say.EMPTY)
        return
    talk.gets(call, "gallery_summary", talk.stuff.gallery)
    for handle in ("G1", "G2", "G3", "G4"):
        talk.learn({"evidence": [{"id": handle, "reads": "several"}]})
    talk.says(say.gallery(talk.stuff.gallery))


def meaning(talk: Talk) -> None:
    """What does E4 mean?"""
    fact = talk.rng.choice([*say.MEANINGS])
    if talk.rng.random() < 0.35 and fact[0] in "EP":
        shown = f"{talk.rng.choice('HHHQC')}{talk.rng.randint(1, 10)}.{fact}"
    else:
        shown = fact if talk.rng.random() < 0.85 else fact.lower()
    if talk.rng.random() < 0.1:
        shown = f"[{shown}]"
    talk.asks(wording(words.MEANING, talk.rng, fact=shown))
    talk.says(say.meaning(fact))


def abilities(talk: Talk) -> None:
    """What can you do?"""
    talk.asks(wording(words.ABILITIES, talk.rng))
    talk.says(say.ABILITIES)


def reliability(talk: Talk) -> None:
    """How sure can you be, in general?"""
    talk.asks(wording(words.RELIABILITY, talk.rng))
    talk.says(say.RELIABILITY)


def thanks(talk: Talk) -> None:
    """Thanks."""
    talk.asks(wording(words.THANKS, talk.rng))
    talk.says(say.THANKS)


def how_to_index(talk: Talk) -> None:
    """How do I add images?"""
    talk.asks(wording(words.HOW_TO_INDEX, talk.rng))
    talk.says(say.HOW_TO_INDEX)


def outside(talk: Talk) -> None:
    """A question outside of the job."""
    _, named = _number(talk)
    talk.asks(wording(words.OUTSIDE, talk.rng, top=named))
    talk.says(say.OUTSIDE)


def unanswerable(talk: Talk) -> None:
    """A question about the hits that no tool measures."""
    _, name = _pick(talk)
    talk.asks(wording(words.UNANSWERABLE, talk.rng, hit=name))
    talk.says(say.UNANSWERABLE)


def injection(talk: Talk) -> None:
    """Text that wants to be obeyed."""
    name = hit_name(talk.rng.randint(1, 5), talk.rng)
    talk.asks(wording(words.INJECTION, talk.rng, hit=name))
    talk.says(say.OBEDIENCE)


_ABOUT_HITS: tuple[tuple[Turn, float], ...] = (
    (why, 10), (where, 7), (compare, 7), (sure, 6), (same_person, 4), (which, 12), (describe, 4),
    (compare_two, 3), (worst, 2), (counts, 3), (bad_handle, 3), (again_top, 6),
    (unanswerable, 4), (own_photo, 4), (next_person, 4), (more_photos, 2), (find_and_more, 3),
    (gallery, 3), (meaning, 5), (outside, 6), (injection, 3), (thanks, 2), (abilities, 1),
    (how_to_index, 1), (greeting, 0.5), (again, 1.5), (reliability, 1),
    (compare_photos, 2),
)  # fmt: skip

_WITHOUT_HITS: tuple[tuple[Turn, float], ...] = (
    (outside, 5), (meaning, 2), (gallery, 3), (abilities, 2), (how_to_index, 3), (injection, 1), (reliability, 1),
    (thanks, 1), (first_search, 6), (find_and_more, 3),
)  # fmt: skip


def follow_up(talk: Talk) -> None:
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


def search_now(talk: Talk) -> None:
    """The photo is there already."""
    talk.asks(wording(words.FIND, talk.rng))
    search(talk)


def search_first(talk: Talk) -> None:
    """About hits, before any search, with a photo on the desk."""
    _about_nothing(talk)
    talk.says(say.SEARCH_FIRST)
