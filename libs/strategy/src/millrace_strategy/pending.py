"""A request that was sent and whose answer can be awaited."""

import asyncio
from collections.abc import Callable, Generator
from typing import Final

from millrace_core.ids import RequestId
from millrace_core.messages import Response
from millrace_core.names import Action, ExchangeId, Symbol
from millrace_core.requests import OrderRequest, action_of
from millrace_strategy.errors import AnswerOverdue, StrategyStopped
from millrace_strategy.timers import CallLater, finite_ms

ANSWER_LIMIT_MS: Final = 30_000
"""How long an answer is waited for unless the wait says otherwise."""


class PendingRequest:
    """A request that was sent. Awaiting it returns the final answer, which may be a rejection.

    Waiting raises `AnswerOverdue` after 30 s unless `within_ms` says otherwise, as when no executor runs, and
    `StrategyStopped` if the strategy ends first. Several tasks may wait; none affects the request or the others.
    """

    def __init__(self, request: OrderRequest, exchange: ExchangeId, symbol: str | None, call_later: CallLater) -> None:
        self._call_later = call_later
        self.request = request
        self.request_id = RequestId(request.request_id or "")
        self.action = Action(action_of(request))
        self.exchange = exchange
        self.symbol = None if symbol is None else Symbol(symbol)
        self.response: Response | None = None
        """The newest answer: None, the provisional `unknown`, or the final one."""
        self._abandoned = False
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def is_final(self) -> bool:
        """Tell whether the final answer has come."""
        return self.response is not None and self.response.status != "unknown"

    @property
    def is_unknown(self) -> bool:
        """Tell whether the outcome is unknown for now; a later answer will settle it."""
        return self.response is not None and self.response.status == "unknown"

    async def first(self, *, within_ms: float = ANSWER_LIMIT_MS) -> Response:
        """Wait for the first answer, which may be the provisional `unknown`."""
        return await self._answer(lambda response: True, within_ms)

    async def final(self, *, within_ms: float = ANSWER_LIMIT_MS) -> Response:
        """Wait for the final answer."""
        return await self._answer(lambda response: response.status != "unknown", within_ms)

    def __await__(self) -> Generator[None, None, Response]:
        return self.final().__await__()

    def settle(self, response: Response) -> None:
        """Take an answer; a final one is never replaced. For hosts only."""
        if not self.is_final:
            self.response = response
            self._wake()

    def abandon(self) -> None:
        """End all waiting: no answer will come. For hosts only."""
        self._abandoned = True
        self._wake()

    async def _answer(self, suffices: Callable[[Response], bool], within_ms: float) -> Response:
        is_overdue = False

        def end() -> None:
            nonlocal is_overdue
            is_overdue = True
            self._wake()

        limit = self._call_later(finite_ms(within_ms) / 1_000, end)
        try:
            while self.response is None or not suffices(self.response):
                if self._abandoned:
                    raise StrategyStopped(f"stopped while {self.action} {self.request_id} had no final answer")
                if is_overdue:
                    what = f"{self.action} {self.request_id} ({self.exchange} {self.symbol})"
                    raise AnswerOverdue(what, self.request_id, within_ms, is_unknown=self.is_unknown)
                await self._news()
            return self.response
        finally:
            limit.cancel()

    async def _news(self) -> None:
        # Made only now: a strategy that never waits runs without an event loop, as in a test.
        news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(news)
        await news

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for news in waiting:
            if not news.done():
                news.set_result(None)

    def __repr__(self) -> str:
        status = "pending" if self.response is None else self.response.status
        return f"<PendingRequest {self.action} {self.exchange} {self.symbol} {self.request_id} {status}>"
