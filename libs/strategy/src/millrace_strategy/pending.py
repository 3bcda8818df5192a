"""A request that was sent and whose answer can be awaited."""

import asyncio
from collections.abc import Generator

from millrace_core.ids import RequestId
from millrace_core.messages import Response
from millrace_core.names import Action, ExchangeId, Symbol
from millrace_core.requests import OrderRequest, action_of
from millrace_strategy.errors import StrategyStopped


class PendingRequest:
    """A request that was sent. Awaiting it returns the final answer, which may be a rejection.

    Waiting raises `StrategyStopped` if the strategy ends first. Several tasks may wait; cancelling one affects
    neither the request nor the others.
    """

    def __init__(self, request: OrderRequest, exchange: ExchangeId, symbol: str | None) -> None:
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

    async def first(self) -> Response:
        """Wait for the first answer, which may be the provisional `unknown`."""
        while self.response is None:
            await self._news()
        return self.response

    async def final(self) -> Response:
        """Wait for the final answer."""
        while self.response is None or self.response.status == "unknown":
            await self._news()
        return self.response

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

    async def _news(self) -> None:
        if self._abandoned:
            raise StrategyStopped(f"stopped while {self.action} {self.request_id} had no final answer")
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
