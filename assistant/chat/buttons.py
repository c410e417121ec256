"""The page's buttons: what each says, what it asks, and the tool call that it is.

A press names its hit by the face, not only by the handle: after another search H3 is somebody
else, and a page that was drawn before must not act on that one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from assistant.agent.directed_turns import Directed
from assistant.conversation.tool_calls import Call
from tools.search.results import Hit

CAPABLE = (
    "I search a gallery for images that show a person and look forged. Drop an authentic photo of "
    "the person and ask to find fakes: every hit is listed with a verdict, the measurements behind "
    "it and where it looks forged. I also compare two photos, and describe a picture, its quality "
    "and its metadata. Verdicts come from a fixed rule, never from the language model."
)
ADDING = (
    "Open “Add images and videos to this gallery” above the conversation: drop files there, or "
    "choose a folder that the operator allowed. On the command line, `unmask index FOLDER` does "
    "the same. What is known already costs nothing."
)


@dataclass(frozen=True, slots=True)
class Press:
    """A button that was pressed: the `question` that the conversation shows, and the turn."""

    question: str
    directed: Directed


@dataclass(frozen=True, slots=True)
class Button:
    """A button about a hit: its `action` is what the browser sends."""

    action: str
    label: str


ABOUT_A_HIT = (
    Button("why", "Why?"),
    Button("compare", "Compare with my photo"),
    Button("where", "Where does it look forged?"),
    Button("sure", "How sure are you?"),
    Button("describe", "Describe the picture"),
)

EXAMPLES: Mapping[str, Directed] = {
    "What is in the gallery?": Directed((Call("gallery_summary", {}),)),
    "What can you do?": Directed(adds=CAPABLE),
    "How do I add images?": Directed(adds=ADDING),
}
"""What the empty conversation offers."""

_CALLED = {"copy": "a copy", "other": "another person"}


def on_hit(action: str, hit: Hit, *, query: str) -> Press | None:
    """The turn of a button about a hit, `query` being the photo it is compared with."""
    handle = hit.handle
    look = {"image": handle}
    match action:
        case "why":
            return Press(_why(hit), _about(handle, Call("score_fake", look)))
        case "sure":
            question = f"How sure are you about {handle}?"
            return Press(question, _about(handle, Call("score_fake", look)))
        case "where":
            question = f"Where does {handle} look forged?"
            return Press(question, _about(handle, Call("locate_artifacts", look)))
        case "describe":
            return Press(f"Describe {handle}.", _about(handle, Call("describe_image", look)))
        case "compare":
            call = Call("compare_faces", {"first": query, "second": handle})
            return Press(f"Compare {handle} with {query}.", Directed((call,)))
    return None


def search_again(photos: tuple[str, ...], top: int) -> Press:
    """The same search with another number of hits."""
    call = Call("find_person", {"photos": list(photos), "top": top})
    return Press(f"Search again for the top {top}.", Directed((call,)))


USUAL = 20
"""Hits that photos without a word are answered with."""


def find_given(photos: tuple[str, ...]) -> Directed:
    """Photos came without a word: the person in them is searched for."""
    return Directed((Call("find_person", {"photos": list(photos), "top": USUAL}),))


def example(text: str) -> Press | None:
    """The turn of an example."""
    directed = EXAMPLES.get(text)
    return None if directed is None else Press(text, directed)


def _about(handle: str, call: Call) -> Directed:
    return Directed((call,), about=handle)


def _why(hit: Hit) -> str:
    if hit.verdict == "impersonation":
        return f"Why is {hit.handle} an impersonation?"
    if hit.verdict == "not assessed":
        return f"Why was {hit.handle} not assessed?"
    if hit.verdict == "no forgery found":
        return f"Why was no forgery found in {hit.handle}?"
    return f"Why do you think {hit.handle} is {_CALLED.get(hit.verdict, hit.verdict)}?"
