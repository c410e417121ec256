"""Slow down guessing, and limit how often one token may ask."""

import asyncio
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

logger = logging.getLogger(__name__)

FREE_GUESSES = 3
"""Wrong secrets from one address that are answered without delay."""

LONGEST_DELAY_S = 30.0
FORGOTTEN_AFTER_S = 900.0
"""Seconds without a wrong secret after which an address starts anew."""

WAITING_GUESSES = 4
"""Delayed answers to one address at the same time; further guesses are refused at once."""

FREE_OVERALL = 40
"""Wrong secrets from all addresses together, within `FORGOTTEN_AFTER_S`, before strangers wait."""

OVERALL_DELAY_S = 4.0
"""Delay of addresses that have never given a right secret, while many guess."""

WAITING_OVERALL = 64
"""Delayed answers at the same time; the connections that are left serve everybody else."""

_REMEMBERED = 10_000


class TooManyGuesses(Exception):
    """Guesses come in parallel; `retry_after_s` says when one may be tried again."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("too many wrong tokens or passwords")
        self.retry_after_s = retry_after_s


@dataclass
class _Record:
    failures: int = 0
    waiting: int = 0
    latest: float = 0.0


class Guesses:
    """Wrong secrets by the address they came from; each is logged, and after a few also delayed.

    The delay doubles with every wrong one: 1, 2, 4 … seconds, at most `LONGEST_DELAY_S`. Guesses
    that are spread over many addresses are counted together: then every address waits a little that
    has not given a right secret before. A right token is recognised before it waits for anything,
    so that guessing locks nobody out.
    """

    def __init__(
        self,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sleep, self._clock = sleep, clock
        self._records: OrderedDict[str, _Record] = OrderedDict()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._overall = _Record()

    async def delay(self, address: str) -> None:
        """Wait as long as the address' wrong secrets so far demand. Raises TooManyGuesses."""
        record, overall = self._record(address), self._fresh(self._overall)
        beyond = record.failures - FREE_GUESSES
        seconds = min(2.0 ** min(beyond, 10), LONGEST_DELAY_S) if beyond >= 0 else 0.0
        if overall.failures >= FREE_OVERALL and address not in self._known:
            seconds = max(seconds, OVERALL_DELAY_S)
        if not seconds:
            return
        if record.waiting >= WAITING_GUESSES or overall.waiting >= WAITING_OVERALL:
            raise TooManyGuesses(seconds)
        record.waiting, overall.waiting = record.waiting + 1, overall.waiting + 1
        try:
            await self._sleep(seconds)
        finally:
            record.waiting, overall.waiting = record.waiting - 1, overall.waiting - 1

    def failed(self, address: str, what: str) -> None:
        """Count and log a wrong secret; `what` says of which kind it was."""
        record = self._record(address)
        for each in (record, self._fresh(self._overall)):
            each.failures += 1
            each.latest = self._clock()
        # `%s`: also seen where the format shows no fields.
        logger.warning("wrong %s from %s (%d in a row)", what, address, record.failures)

    def succeeded(self, address: str) -> None:
        """A right secret ends the row of wrong ones, and makes the address known."""
        self._records.pop(address, None)
        self._known[address] = None
        self._known.move_to_end(address)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def _record(self, address: str) -> _Record:
        record = self._fresh(self._records.setdefault(address, _Record(latest=self._clock())))
        self._records.move_to_end(address)
        while len(self._records) > _REMEMBERED:
            self._records.popitem(last=False)
        return record

    def _fresh(self, record: _Record) -> _Record:
        """The record, begun anew after a time without a wrong secret."""
        if not record.waiting and self._clock() - record.latest > FORGOTTEN_AFTER_S:
            record.failures = 0
        return record


class RateLimit:
    """A bucket of requests per name: `burst` at once, refilled at `per_minute`."""

    def __init__(
        self,
        *,
        per_minute: float = 240,
        burst: int = 60,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate, self._burst, self._clock = per_minute / 60, burst, clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> float:
        """Take one request; returns 0, or the seconds until the next one is allowed."""
        now = self._clock()
        left, at = self._buckets.get(name, (float(self._burst), now))
        left = min(self._burst, left + (now - at) * self._rate)
        if left < 1:
            self._buckets[name] = left, now
            return math.ceil((1 - left) / self._rate)
        self._buckets[name] = left - 1, now
        return 0.0
