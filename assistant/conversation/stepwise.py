"""Advance an iterator in another thread, so that a long step does not hide its progress."""

from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import TypeVar

POLL_S = 0.5
"""Seconds after which a caller hears that a step takes longer."""

T = TypeVar("T")


class _Ended:
    """What stands for the end of the iterator."""


_ENDED = _Ended()


def stepwise(steps: Iterator[T], *, poll_s: float = POLL_S) -> Iterator[T | None]:
    """Yield what `steps` yields, and None whenever the next one takes longer than `poll_s`.

    A step begins only when it is asked for. Closing waits for the running step and then closes
    `steps`. Exceptions of `steps` are raised here.
    """
    context, coming = copy_context(), Future[T | _Ended]()

    def take() -> T | _Ended:
        return next(steps, _ENDED)

    coming.set_result(_ENDED)
    with ThreadPoolExecutor(1, thread_name_prefix="step") as executor:
        try:
            while True:
                coming = executor.submit(context.run, take)
                while not wait([coming], timeout=poll_s).done:
                    yield None
                step = coming.result()
                if isinstance(step, _Ended):
                    return
                yield step
        finally:
            wait([coming])
            if isinstance(steps, Generator):
                steps.close()
