"""Questions that open pages ask the API again and again: what several of them ask with the same rights is asked once.

Pages with the same refresh interval ask in the same polls. Who asks in a poll what was asked in it before receives the
same answer, so an answer is never older than the interval. Nothing is asked without a page that asks.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from millrace_console.accounts import Account
from millrace_console.api import Api, encoded
from millrace_core.clock import now_ms

T = TypeVar("T")


class Poll:
    """The questions of one refresh interval. Answers are shared: no reader may change one."""

    def __init__(self, api: Api, every_s: float) -> None:
        self.at_ms = now_ms()
        """When it began. A question about the time until now counts from here, so that it is the same on every page."""
        self._api = api
        self._until_s = time.monotonic() + every_s
        self._questions: dict[Hashable, _Question[Any]] = {}

    @property
    def left_s(self) -> float:
        """How long it lasts from now on, s; 0 once it has ended."""
        return max(0.0, self._until_s - time.monotonic())

    async def get(self, account: Account, path: str, **query: Any) -> Any:
        """Return the answer to a question, as `Api.get` does.

        Raises:
            ApiAway: the API does not answer.
            ApiRefused: it answered with a problem.
        """
        key = account.token, path, encoded(query)
        return await self.once(key, lambda: self._api.get(account, path, **query))

    async def once(self, key: Hashable, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what `ask` returned when this key was asked for first; while it is under way, wait for it.

        Raises:
            Exception: what `ask` raised.
        """
        question: _Question[T] | None = self._questions.get(key)
        if question is None or question.was_given_up:
            question = self._questions[key] = _Question(ask())
        return await question.answer()

    def forget(self) -> None:
        """Ask anew from now on, such as after a change."""
        self._questions.clear()


class _Question(Generic[T]):
    """A question under way, or answered; given up when nobody waits for its answer any more."""

    def __init__(self, asking: Coroutine[Any, Any, T]) -> None:
        self._task = asyncio.create_task(asking, name="ask the API")
        self._waiting = 0

    @property
    def was_given_up(self) -> bool:
        return self._task.cancelling() > 0

    async def answer(self) -> T:
        self._waiting += 1
        try:
            return await asyncio.shield(self._task)
        finally:
            self._waiting -= 1
            if not self._waiting and not self._task.done():
                self._task.cancel()


class Polls:
    """The present poll of each refresh interval."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._present: dict[float, Poll] = {}

    def present(self, every_s: float) -> Poll:
        """Return the poll in which pages with this refresh interval ask now."""
        poll = self._present.get(every_s)
        if poll is None or not poll.left_s:
            poll = self._present[every_s] = Poll(self._api, every_s)
            # The answers go with the last page.
            asyncio.get_running_loop().call_later(every_s, self._end, every_s, poll)
        return poll

    def _end(self, every_s: float, poll: Poll) -> None:
        if self._present.get(every_s) is poll:
            del self._present[every_s]
