"""Ask again, but not for ever."""

import queue
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

import tenacity

from ci_toolkit.forges.forge import BusyError

_Answer = TypeVar("_Answer")


def _spread() -> float:
    """Jobs of one matrix meet the same limit at the same moment: let them not come back at the same moment."""
    return random.uniform(0, 2)


def _tell_nobody(_text: str) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for a forge: for at most `total_seconds` in all, over at most `attempts` attempts.

    A forge that asks for more than what is left is not waited for. Where it names no time the wait doubles. `tell` is
    given a line before each wait. Whatever the forge does, all is over after `end_seconds`, the answers that trickle in
    included.
    """

    attempts: int = 6
    total_seconds: float = 300
    end_seconds: float = 480
    sleep: Callable[[float], None] = time.sleep
    spread: Callable[[], float] = _spread
    tell: Callable[[str], None] = _tell_nobody

    def through(self, ask: Callable[[], _Answer]) -> _Answer:
        """Return what ASK returns, calling it again while it raises BusyError; raises the last one when time is up."""
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(BusyError),
            wait=self._wait_seconds,
            stop=self._is_over,
            sleep=self.sleep,
            before_sleep=self._announce,
            reraise=True,
        )
        return retrying(ask)

    def bounded(self, work: Callable[[], _Answer]) -> _Answer:
        """Return what WORK returns; raises BusyError where it has not ended after `end_seconds`.

        A timeout of a socket starts anew with each byte, so WORK runs in a thread, which is left behind in the end.
        """
        results: queue.SimpleQueue[tuple[_Answer | None, BaseException | None]] = queue.SimpleQueue()

        def run() -> None:
            try:
                results.put((work(), None))
            except BaseException as error:
                results.put((None, error))

        threading.Thread(target=run, daemon=True).start()
        try:
            answer, error = results.get(timeout=self.end_seconds)
        except queue.Empty:
            raise BusyError(f"the forge had not answered in full after {self.end_seconds:.0f} s") from None
        if error is not None:
            raise error
        return cast("_Answer", answer)

    def _wait_seconds(self, state: tenacity.RetryCallState) -> float:
        busy = _busy(state)
        if busy.wait_seconds is not None:
            return busy.wait_seconds + self.spread()
        return float(busy.first_seconds * 2 ** (state.attempt_number - 1)) + self.spread()

    def _is_over(self, state: tenacity.RetryCallState) -> bool:
        return state.attempt_number >= self.attempts or state.idle_for + state.upcoming_sleep > self.total_seconds

    def _announce(self, state: tenacity.RetryCallState) -> None:
        self.tell(f"{_busy(state).message}: asking again in {state.upcoming_sleep:.0f} s")


def _busy(state: tenacity.RetryCallState) -> BusyError:
    error = state.outcome.exception() if state.outcome is not None else None
    assert isinstance(error, BusyError)
    return error
