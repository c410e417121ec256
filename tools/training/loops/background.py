"""Prefetch batches in a background thread while the network trains."""

import queue
import threading
from collections.abc import Iterator
from typing import TypeVar

Item = TypeVar("Item")
_LOOKS_UP_S = 0.2


def prefetch(items: Iterator[Item], *, depth: int = 3) -> Iterator[Item]:
    """Yield the same items, produced ahead of time in a thread; its errors are raised here.

    The thread ends with the items, or soon after the consumer stops.
    """
    waiting: queue.Queue[tuple[Item | None, BaseException | None]] = queue.Queue(maxsize=depth)
    unwanted = threading.Event()

    def hand_over(item: Item | None, error: BaseException | None) -> None:
        while not unwanted.is_set():
            try:
                waiting.put((item, error), timeout=_LOOKS_UP_S)
            except queue.Full:
                continue
            return

    def work() -> None:
        try:
            for item in items:
                hand_over(item, None)
                if unwanted.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - handed to the consumer, which raises it
            hand_over(None, error)
        else:
            hand_over(None, StopIteration())

    threading.Thread(target=work, daemon=True).start()
    try:
        while True:
            item, error = waiting.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]  # without an error there is an item
    finally:
        unwanted.set()
