"""The grammar of what people say: choices expanded, slots filled, typed with little care."""

import random
import re

NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
                "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen",
                "seventeen", "eighteen", "nineteen", "twenty")  # fmt: skip
ORDINALS = ("", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth",
            "ninth", "tenth", "eleventh", "twelfth")  # fmt: skip
SHORT_ORDINALS = ("", "1st", "2nd", "3rd", "4th", "5th", "6th", "7th", "8th", "9th", "10th",
                  "11th", "12th")  # fmt: skip

_CHOICE = re.compile(r"\(([^()]*)\)")


def expand(pattern: str, rng: random.Random) -> str:
    """One wording of a pattern; slots stay."""
    while (found := _CHOICE.search(pattern)) is not None:
        chosen = rng.choice(found.group(1).split("|"))
        pattern = pattern[: found.start()] + chosen + pattern[found.end() :]
    return pattern


def draw_wording(patterns: tuple[str, ...], rng: random.Random, **slots: str) -> str:
    """What somebody may say: a pattern expanded, slots filled, as carelessly as people type."""
    text = expand(rng.choice(patterns), rng)
    for name, value in slots.items():
        text = text.replace(f"<{name}>", value)
    return careless(_in_passing(re.sub(r"\s+", " ", text).strip(), rng), rng)


_BEFORE = ("quick question: ", "one more thing: ", "for my report: ", "before i go on, ", "hm, ",
           "sorry, ", "just to be sure: ", "i wonder, ", "ah, and ", "well, ", "let me see: ",
           "next question: ", "a question: ", "right, ", "hold on, ",
           "for the record: ")  # fmt: skip
_AFTER = (" - i need it for court", ", my editor asks", ", if you can", " when you have a moment",
          ", i am in a hurry", ", just briefly", " if possible", ", in short")  # fmt: skip


def _in_passing(text: str, rng: random.Random) -> str:
    """What people say around a request, sometimes."""
    chance = rng.random()
    if len(text) < 12 or chance > 0.14:
        return text
    if chance < 0.1:
        return rng.choice(_BEFORE) + text
    return text.rstrip(".?! ") + rng.choice(_AFTER)


def hit_name(number: int, rng: random.Random) -> str:
    """How people call a hit by its number."""
    names = [f"hit {number}", f"hit {number}", f"H{number}", f"H{number}", f"h{number}",
             f"number {number}", f"no. {number}", f"#{number}", f"hit number {number}",
             f"image {number}", f"result {number}", f"photo H{number}", f"hit no {number}",
             f"hit H{number}", f"match {number}", f"picture {number}", f"'H{number}'",
             f"the one numbered {number}", f"hit (number {number})", f"your hit {number}",
             f"the result H{number}", f"the image with the number {number}"]  # fmt: skip
    if number < len(ORDINALS):
        order = ORDINALS[number]
        names += [f"the {order} hit", f"the {order} one", f"the {order} image", f"the {order}",
                  f"the {SHORT_ORDINALS[number]} hit", f"hit {NUMBER_WORDS[number]}",
                  f"the {order} result", f"number {NUMBER_WORDS[number]}"]  # fmt: skip
    return rng.choice(names)


def careless(text: str, rng: random.Random) -> str:
    """Capitals at the start or not, a typo now and then; handles and digits stay readable."""
    if rng.random() < 0.5:
        text = text[:1].upper() + text[1:]
    if rng.random() < 0.12:
        text = _typo(text, rng)
    if rng.random() < 0.03:
        text = text.upper()
    return text


def _typo(text: str, rng: random.Random) -> str:
    places = [at for at in range(1, len(text) - 2) if text[at : at + 2].isalpha()]
    if not places:
        return text
    at = rng.choice(places)
    kind = rng.randrange(3)
    if kind == 0:  # two letters change places
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    if kind == 1:  # one is left out
        return text[:at] + text[at + 1 :]
    return text[:at] + text[at] + text[at:]  # one is doubled


def draw_hit_count(rng: random.Random) -> tuple[int, str]:
    """How many hits somebody wants, as a number and as it is said."""
    number = rng.choice((1, 2, 3, 3, 4, 5, 5, 6, 7, 8, 9, 10, 12, 15, 20))
    named = NUMBER_WORDS[number] if rng.random() < 0.6 else str(number)
    return number, named
