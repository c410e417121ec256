"""Turns about hits that are on the workspace: why, where, how sure, compare, describe, which."""

from assistant.training.dialogues import narration as say
from assistant.training.dialogues import wordings as words
from assistant.training.dialogues.builder import DialogueBuilder
from assistant.training.dialogues.grammar import draw_wording, expand, hit_name

_IT = ("it", "it", "that one", "this one", "that hit", "this hit", "this image", "that")


def pick(builder: DialogueBuilder) -> tuple[str, str]:
    """A hit and how the person calls it."""
    assert builder.search is not None  # noqa: S101 - guarded by `follow_up`
    if builder.focus and builder.rng.random() < 0.22:
        return builder.focus, builder.rng.choice(_IT)
    number = builder.rng.randint(1, len(builder.search.hits))
    if number == len(builder.search.hits) and builder.rng.random() < 0.25:
        return f"H{number}", builder.rng.choice(("the last hit", "the last one", "the last image"))
    if number == 1 and builder.rng.random() < 0.2:
        return "H1", builder.rng.choice(("the worst one", "the top hit", "the worst hit"))
    return f"H{number}", hit_name(number, builder.rng)


def score_of(builder: DialogueBuilder, handle: str) -> None:
    """What is measured on a picture, told."""
    call = builder.calls("score_fake", image=handle)
    result = builder.hit(handle).score
    builder.add_tool_result(call, "score_fake", result)
    builder.learn(result)
    builder.focus = handle if handle.startswith("H") else builder.focus
    builder.add_answer(say.explained(result))


def canned_wording(
    builder: DialogueBuilder, said: tuple[str, ...], handle: str, called: str = ""
) -> str:
    """What a button of the chat says, now and then."""
    if builder.rng.random() > 0.1:
        return ""
    return builder.rng.choice(said).replace("<hit>", handle).replace("<called>", called)


def why(builder: DialogueBuilder) -> None:
    """Why is hit three fake?"""
    handle, name = pick(builder)
    called = words.CALLED[builder.hit(handle).line["verdict"]]
    builder.add_user_turn(
        canned_wording(builder, words.CANNED_WHY, handle, called)
        or draw_wording(words.WHY, builder.rng, hit=name)
    )
    score_of(builder, handle)


def own_photo(builder: DialogueBuilder) -> None:
    """Is my own photo authentic?"""
    photo = (
        builder.person[-1] if builder.rng.random() < 0.7 else builder.rng.choice([*builder.photos])
    )
    pattern = builder.rng.choice(words.OWN_PHOTO)
    said = expand(pattern, builder.rng)
    if "<photo>" not in said:
        photo = builder.person[-1]
    builder.add_user_turn(draw_wording((said.replace("|", " "),), builder.rng, photo=photo))
    score_of(builder, photo)


def compare(builder: DialogueBuilder) -> None:
    """Compare it with my photo."""
    handle, name = pick(builder)
    photo = builder.person[0]
    said = expand(builder.rng.choice(words.COMPARE), builder.rng)
    if "<photo>" in said:
        photo = builder.rng.choice([*builder.photos])
    canned = "" if "<photo>" in said else canned_wording(builder, words.CANNED_COMPARE, handle)
    builder.add_user_turn(canned or draw_wording((said,), builder.rng, hit=name, photo=photo))
    identity = builder.hit(handle).line["identity"] if photo in builder.person else None
    compared(builder, photo, handle, identity)


def compare_two(builder: DialogueBuilder) -> None:
    """Compare two hits."""
    assert builder.search is not None  # noqa: S101 - guarded by `follow_up`
    one, other = builder.rng.sample(range(1, len(builder.search.hits) + 1), 2)
    builder.add_user_turn(
        draw_wording(
            words.COMPARE_TWO,
            builder.rng,
            hit=hit_name(one, builder.rng),
            other=hit_name(other, builder.rng),
        )
    )
    compared(builder, f"H{one}", f"H{other}", None)


def compared(builder: DialogueBuilder, first: str, second: str, identity: str | None) -> None:
    """How alike two faces are, told."""
    call = builder.calls("compare_faces", first=first, second=second)
    builder.comparisons += 1
    name = f"C{builder.comparisons}"
    result = builder.tool_results.comparison(name, (first, second), builder.rng, identity=identity)
    builder.add_tool_result(call, "compare_faces", result)
    builder.learn(result)
    builder.focus = second if second.startswith("H") else builder.focus
    builder.add_answer(say.compared(result))


def where(builder: DialogueBuilder) -> None:
    """Where does it look forged?"""
    handle, name = pick(builder)
    builder.add_user_turn(canned_wording(builder, words.CANNED_WHERE, handle)
              or draw_wording(words.WHERE, builder.rng, hit=name))  # fmt: skip
    locate_on(builder, handle)


def locate_on(builder: DialogueBuilder, handle: str) -> None:
    """Where the signs of forgery lie, told."""
    call = builder.calls("locate_artifacts", image=handle)
    subject = builder.hit(handle)
    builder.add_tool_result(call, "locate_artifacts", subject.located)
    builder.learn(subject.located)
    builder.allow_citation(f"{handle}.regions")
    known = {item["id"] for item in subject.score["evidence"]}
    subject.score["evidence"] += [
        {"id": item["id"], "name": f"signs of forgery at the {item['region']}",
         "reads": item["reads"]}
        for item in subject.located["evidence"] if item["id"] not in known
    ]  # fmt: skip
    builder.focus = handle
    builder.add_answer(say.located(handle))


def describe(builder: DialogueBuilder) -> None:
    """Describe hit two, or a photo."""
    handle, name = pick(builder)
    if builder.rng.random() < 0.2:
        handle = builder.rng.choice([*builder.photos])
        name = handle
    builder.add_user_turn(draw_wording(words.DESCRIBE, builder.rng, hit=name))
    call = builder.calls("describe_image", image=handle)
    result = builder.hit(handle).described
    builder.add_tool_result(call, "describe_image", result, picture=handle)
    builder.add_file_fact(handle, result)
    builder.focus = handle if handle.startswith("H") else builder.focus
    builder.add_answer(say.described(handle))


def sure(builder: DialogueBuilder) -> None:
    """How sure are you?"""
    handle, name = pick(builder)
    builder.add_user_turn(canned_wording(builder, words.CANNED_SURE, handle)
              or draw_wording(words.SURE, builder.rng, hit=name))  # fmt: skip
    builder.focus = handle
    builder.add_answer(say.sure(handle))


def same_person(builder: DialogueBuilder) -> None:
    """Is it really her?"""
    handle, name = pick(builder)
    builder.add_user_turn(draw_wording(words.SAME_PERSON, builder.rng, hit=name))
    builder.focus = handle
    builder.add_answer(say.same_person(handle))


def which(builder: DialogueBuilder) -> None:
    """Which are forged?"""
    verdict = builder.rng.choices([*words.WHICH], (4, 4, 2, 2, 3, 1))[0]
    builder.add_user_turn(draw_wording(words.WHICH[verdict], builder.rng))
    builder.add_answer(say.which(verdict))


def counts(builder: DialogueBuilder) -> None:
    """How many are there?"""
    builder.add_user_turn(draw_wording(words.COUNTS, builder.rng))
    builder.add_answer(say.counted())


def worst(builder: DialogueBuilder) -> None:
    """Which one is the worst?"""
    builder.add_user_turn(draw_wording(words.WORST, builder.rng))
    builder.add_answer(say.worst())
    builder.focus = "H1"
