"""Turns about hits that are on the desk: why, where, how sure, compare, describe, which."""

from assistant.training.dialogues import narration as say
from assistant.training.dialogues import wordings as words
from assistant.training.dialogues.builder import DialogueBuilder
from assistant.training.dialogues.grammar import draw_wording, expand, hit_name

_IT = ("it", "it", "that one", "this one", "that hit", "this hit", "this image", "that")


def pick(talk: DialogueBuilder) -> tuple[str, str]:
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


def score_of(talk: DialogueBuilder, handle: str) -> None:
    """What is measured on a picture, told."""
    call = talk.calls("score_fake", image=handle)
    result = talk.hit(handle).score
    talk.gets(call, "score_fake", result)
    talk.learn(result)
    talk.focus = handle if handle.startswith("H") else talk.focus
    talk.says(say.explained(result))


def canned_wording(
    talk: DialogueBuilder, said: tuple[str, ...], handle: str, called: str = ""
) -> str:
    """What a button of the chat says, now and then."""
    if talk.rng.random() > 0.1:
        return ""
    return talk.rng.choice(said).replace("<hit>", handle).replace("<called>", called)


def why(talk: DialogueBuilder) -> None:
    """Why is hit three fake?"""
    handle, name = pick(talk)
    called = words.CALLED[talk.hit(handle).line["verdict"]]
    talk.asks(canned_wording(talk, words.CANNED_WHY, handle, called)
              or draw_wording(words.WHY, talk.rng, hit=name))  # fmt: skip
    score_of(talk, handle)


def own_photo(talk: DialogueBuilder) -> None:
    """Is my own photo authentic?"""
    photo = talk.person[-1] if talk.rng.random() < 0.7 else talk.rng.choice([*talk.photos])
    pattern = talk.rng.choice(words.OWN_PHOTO)
    said = expand(pattern, talk.rng)
    if "<photo>" not in said:
        photo = talk.person[-1]
    talk.asks(draw_wording((said.replace("|", " "),), talk.rng, photo=photo))
    score_of(talk, photo)


def compare(talk: DialogueBuilder) -> None:
    """Compare it with my photo."""
    handle, name = pick(talk)
    photo = talk.person[0]
    said = expand(talk.rng.choice(words.COMPARE), talk.rng)
    if "<photo>" in said:
        photo = talk.rng.choice([*talk.photos])
    canned = "" if "<photo>" in said else canned_wording(talk, words.CANNED_COMPARE, handle)
    talk.asks(canned or draw_wording((said,), talk.rng, hit=name, photo=photo))
    identity = talk.hit(handle).line["identity"] if photo in talk.person else None
    compared(talk, photo, handle, identity)


def compare_two(talk: DialogueBuilder) -> None:
    """Compare two hits."""
    assert talk.search is not None  # noqa: S101 - guarded by `follow_up`
    one, other = talk.rng.sample(range(1, len(talk.search.hits) + 1), 2)
    talk.asks(draw_wording(words.COMPARE_TWO, talk.rng, hit=hit_name(one, talk.rng),
                      other=hit_name(other, talk.rng)))  # fmt: skip
    compared(talk, f"H{one}", f"H{other}", None)


def compared(talk: DialogueBuilder, first: str, second: str, identity: str | None) -> None:
    """How alike two faces are, told."""
    call = talk.calls("compare_faces", first=first, second=second)
    talk.comparisons += 1
    name = f"C{talk.comparisons}"
    result = talk.stuff.comparison(name, (first, second), talk.rng, identity=identity)
    talk.gets(call, "compare_faces", result)
    talk.learn(result)
    talk.focus = second if second.startswith("H") else talk.focus
    talk.says(say.compared(result))


def where(talk: DialogueBuilder) -> None:
    """Where does it look forged?"""
    handle, name = pick(talk)
    talk.asks(canned_wording(talk, words.CANNED_WHERE, handle)
              or draw_wording(words.WHERE, talk.rng, hit=name))  # fmt: skip
    locate_on(talk, handle)


def locate_on(talk: DialogueBuilder, handle: str) -> None:
    """Where the signs of forgery lie, told."""
    call = talk.calls("locate_artifacts", image=handle)
    subject = talk.hit(handle)
    talk.gets(call, "locate_artifacts", subject.located)
    talk.learn(subject.located)
    talk.knows(f"{handle}.regions")
    known = {item["id"] for item in subject.score["evidence"]}
    subject.score["evidence"] += [
        {"id": item["id"], "name": f"signs of forgery at the {item['region']}",
         "reads": item["reads"]}
        for item in subject.located["evidence"] if item["id"] not in known
    ]  # fmt: skip
    talk.focus = handle
    talk.says(say.located(handle))


def describe(talk: DialogueBuilder) -> None:
    """Describe hit two, or a photo."""
    handle, name = pick(talk)
    if talk.rng.random() < 0.2:
        handle = talk.rng.choice([*talk.photos])
        name = handle
    talk.asks(draw_wording(words.DESCRIBE, talk.rng, hit=name))
    call = talk.calls("describe_image", image=handle)
    result = talk.hit(handle).described
    talk.gets(call, "describe_image", result, picture=handle)
    talk.looked(handle, result)
    talk.focus = handle if handle.startswith("H") else talk.focus
    talk.says(say.described(handle))


def sure(talk: DialogueBuilder) -> None:
    """How sure are you?"""
    handle, name = pick(talk)
    talk.asks(canned_wording(talk, words.CANNED_SURE, handle)
              or draw_wording(words.SURE, talk.rng, hit=name))  # fmt: skip
    talk.focus = handle
    talk.says(say.sure(handle))


def same_person(talk: DialogueBuilder) -> None:
    """Is it really her?"""
    handle, name = pick(talk)
    talk.asks(draw_wording(words.SAME_PERSON, talk.rng, hit=name))
    talk.focus = handle
    talk.says(say.same_person(handle))


def which(talk: DialogueBuilder) -> None:
    """Which are forged?"""
    verdict = talk.rng.choices([*words.WHICH], (4, 4, 2, 2, 3, 1))[0]
    talk.asks(draw_wording(words.WHICH[verdict], talk.rng))
    talk.says(say.which(verdict))


def counts(talk: DialogueBuilder) -> None:
    """How many are there?"""
    talk.asks(draw_wording(words.COUNTS, talk.rng))
    talk.says(say.counted())


def worst(talk: DialogueBuilder) -> None:
    """Which one is the worst?"""
    talk.asks(draw_wording(words.WORST, talk.rng))
    talk.says(say.worst())
    talk.focus = "H1"
