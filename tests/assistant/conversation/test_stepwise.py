"""Long steps of an iterator: the caller hears in between, and nothing runs ahead or on."""

import threading
from collections.abc import Iterator

import pytest

from assistant.conversation.stepwise import stepwise

pytestmark = pytest.mark.fast


def test_a_long_step_lets_its_caller_speak() -> None:
    """None while a step takes long, then what it gave; no step begins before it is asked for."""
    go, begun = threading.Event(), list[str]()

    def steps() -> Iterator[str]:
        begun.append("first")
        yield "first"
        begun.append("second")
        go.wait()
        yield "second"

    heard = stepwise(steps(), poll_s=0.01)
    assert next(heard) == "first" and begun == ["first"]
    assert next(heard) is None and next(heard) is None
    go.set()
    assert [it for it in heard if it is not None] == ["second"]


def test_closing_waits_for_the_step_and_closes_the_iterator() -> None:
    """The steps end where they are, as if they had been closed themselves."""
    ended = list[str]()

    def steps() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            ended.append("closed")

    heard = stepwise(steps())
    assert next(heard) == 1
    heard.close()  # type: ignore[attr-defined]
    assert ended == ["closed"]


def test_an_error_of_a_step_is_raised_to_the_caller() -> None:
    """Also one that stops the whole turn."""

    def steps() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(stepwise(steps()))
